"""``python -m lab.bench``: boot, let the guest measure, a table for people and a file for programs.

The guest's clock counts its instructions (QEMU's ``-icount shift=0``): one takes 1 ns, and what is counted
repeats to a tenth of a per cent whatever else this machine does. Of caches and of two processors at once
it says nothing. An idle guest's clock goes with ours (``sleep=on``): otherwise it leaps to the next timer
whenever the guest waits for a file of the host, and time runs out for whatever is being started.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.summary import Spread
from bench.table import duration, render
from lab.bench.counting import COUNTS
from lab.bench.guest import ANSWERS
from lab.bench.storm import EVENTS, PORTS, pace
from lab.machine import COUNTING, ROOT, Machine, MachineError

PLAIN: Final = "plain cable"
#: Extra instructions of a packet one way, and packets lost in a cut, at most.
EXTRA_GOAL: Final = {"team (ebpf)": 1050}
LOST_GOAL: Final = {"team (ebpf)": 2}
#: Ms that the daemon's loop may be away.
PAUSE_GOAL: Final = 50
#: Seconds that the machine may take for a repetition, and besides.
REPETITION: Final = 240
BESIDES: Final = 300


def costs(counts: dict[str, dict[str, list[float]]]) -> str:
    """Instructions a packet, against the plain cable of the same boot."""
    middle = {title: {name: median(found) for name, found in by.items()} for title, by in counts.items()}
    one_way = next(count.title for count in COUNTS if count.ways == 1)
    rows = []
    for name in middle[one_way]:
        extra = [by[name] - by[PLAIN] for by in middle.values()]
        ratios = [by[PLAIN] / by[name] for by in middle.values()]
        row = [name, f"{middle[one_way][name]:.0f}", f"{extra[0]:+.0f}", _goal(EXTRA_GOAL, name)]
        rows.append(row + [f"{ratio:.3f}" for ratio in ratios])
    head = ["instructions of the guest", one_way, "extra", "goal", *(f"{title}, ratio" for title in middle)]
    return render(head, rows)


def cuts(found: dict[str, dict[str, list[tuple[int, int]]]]) -> str:
    """Packets lost and dark time when the active cable is cut."""
    rows = []
    for name, by in found.items():
        for daemons, each in by.items():
            lost = Spread.of([lost for lost, _ in each])
            dark = [dark for _, dark in each]
            times = f"{duration(round(median(dark)))} ({duration(min(dark))}-{duration(max(dark))})"
            rows.append([name, daemons, lost.text(0), _goal(LOST_GOAL, name), times])
    return render(["the active cable is cut", "daemon", "packets lost", "goal", "dark"], rows, left=2)


def pauses(found: Sequence[int], there: int, here: int) -> str:
    """The longest pause of the loop in storms; ``there``, ``here``: the same work in the guest and here."""
    instructions = Spread.of([pause / 1e6 for pause in found]).text(0)
    times = Spread.of([pause * here / there / 1e6 for pause in found]).text(0)
    return (
        f"{len(PORTS)} ports added while {EVENTS} other link events arrive: the longest pause of the daemon's"
        f" loop is {instructions} M instructions, {times} ms at this machine's pace (goal: <= {PAUSE_GOAL})"
    )


def _goal(goals: dict[str, int], name: str) -> str:
    return f"<= {goals[name]}" if name in goals else ""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.bench",
        description="Cost of a packet and loss in a cut: our datapaths, the original teamd, bonding.",
    )
    parser.add_argument("--repetitions", type=int, default=5, help="default: %(default)s")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "lab/bench/results.json", help="default: %(default)s"
    )
    args = parser.parse_args(argv)
    command = [sys.executable, "-m", "lab.bench.guest", str(args.repetitions)]
    longest = BESIDES + REPETITION * args.repetitions
    try:
        with Machine(command, options=COUNTING, longest=longest) as machine:
            if code := machine.follow(lambda text: print(text, end="", file=sys.stderr, flush=True)):
                return code
            answers: dict[str, Any] = json.loads((machine.shared / ANSWERS).read_text())
    except MachineError as error:
        print(f"bench-lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(costs(answers["counts"]))
    print()
    print(cuts(answers["cuts"]))
    print()
    print(pauses(answers["pauses"], answers["pace"], pace()))
    for name, reason in answers["skipped"].items():
        print(f"left out: {name}: {reason}")
    args.output.write_text(json.dumps({"host": platform.release(), **answers}, indent=2) + "\n")
    print(f"written: {os.path.relpath(args.output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
