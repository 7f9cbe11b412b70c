"""Measurements of a team against a plain cable and against Open vSwitch, side by side in one run.

Also the home of what the demo shares with it: hosts and cables (`bench.hosts`), traffic that knows
every packet by its number (`bench.flow`), the daemon as a user starts it (`bench.team`).
"""
