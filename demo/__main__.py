"""``python -m demo``: watch a cable being cut under load without losing a packet. Needs root.

Exit code: 0 when every goal was met, 1 when one was not, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.hosts import CommandError, Lab
from demo.account import failures, table
from demo.screen import GREEN, RED, Screen
from demo.story import Story


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--datapath", default="ebpf", help="default: %(default)s")
    parser.add_argument("--rate", type=int, default=50_000, help="packets/s each way (default: %(default)s)")
    args = parser.parse_args(argv)
    screen = Screen(sys.stdout)
    try:
        with Lab() as lab:
            story = Story(lab, args.datapath, args.rate, screen)
            story.tell()
            return _account(story, screen)
    except CommandError as error:
        screen.settle()
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        screen.settle()
        print("demo: interrupted; everything is cleaned up", file=sys.stderr)
        return 130
    finally:
        screen.settle()


def _account(story: Story, screen: Screen) -> int:
    events = story.tallies()
    flows = [flow.name for flow in story.flows]
    screen.line("\n" + table(events, flows, story.allowed))
    screen.line(f"\n$ teamdctl team0 state\n{story.state()}")
    rates = [flow.sent.rate for flow in story.flows]
    found = failures(events, flows, story.allowed, rates, [flow.missed for flow in story.flows])
    for line in found:
        screen.line(screen.paint(f"beyond the goals: {line}", RED))
    if not found:
        speed = " and ".join(f"{rate:.0f}" for rate in rates)
        screen.line(screen.paint(f"every goal met, at {speed} packets/s each way", GREEN))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
