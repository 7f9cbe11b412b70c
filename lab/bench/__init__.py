"""What two links as one cost and lose on the kernel of the lab, side by side (``make bench-lab``)."""
