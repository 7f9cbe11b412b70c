"""The main job on real input, to watch: two hosts, two cables, a team on each, and bad luck under load."""
