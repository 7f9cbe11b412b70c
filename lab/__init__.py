"""The lab: a Linux with every driver that matters, in a virtual machine. Never needed at run time."""
