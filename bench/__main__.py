"""``python -m bench``: the whole comparison, a table for people and a file for programs.

Owns the order of things: contenders take turns within every repetition, in a rotating order, so that
whatever else slows the machine down meets them all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

from bench import contenders, measures
from bench.contenders import Contender
from bench.hosts import ROOT, CommandError, Lab
from bench.measures import MEASURES, Daemons
from bench.summary import Spread, ratios
from bench.table import render

Values = dict[str, dict[str, list[float]]]
#: Goals of what only a daemon has: title, unit, digits, goal (at most).
DAEMON: Final = {
    "start": ("teamd -d to its first answer", "ms", 0, 300.0),
    "ask": ("teamdctl state item get", "ms", 0, 80.0),
    "resident": ("resident memory of teamd", "MB", 1, 45.0),
    "idle": ("CPU of an idle teamd", "%", 3, 0.2),
}
#: Packets lost in one cut, at most.
CUT_GOAL: Final = 1


@dataclass(frozen=True)
class Plan:
    repetitions: int
    seconds: float
    #: Seconds over which an idle daemon is watched.
    idle: float
    #: Packets a second while a cable is cut; less for who does not carry that much without a cut.
    rate: int = 50_000


QUICK: Final = Plan(repetitions=1, seconds=0.5, idle=2)
FULL: Final = Plan(repetitions=7, seconds=1, idle=20)


@dataclass
class Bench:
    """One run: what takes part, and what was found so far."""

    plan: Plan
    lab: Lab
    say: Callable[[str], None]
    contenders: list[Contender] = field(default_factory=list)
    #: measure -> contender -> one value a repetition.
    values: Values = field(default_factory=dict)
    cuts: Values = field(default_factory=dict)
    daemon: dict[str, list[float]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def prepare(self, datapath: str) -> None:
        """Build all contenders; one that cannot be built is left out, with the reason."""
        self._build("plain cable", lambda: contenders.plain(self.lab))
        self._build("Open vSwitch", lambda: contenders.openvswitch(self.lab))
        self._build(f"team ({datapath})", lambda: self._team(datapath))

    def _build(self, name: str, build: Callable[[], Contender]) -> None:
        self.say(f"building {name}")
        try:
            contender = build()
            contender.settle()
        except CommandError as error:
            self.skipped[name] = str(error)
            self.say(f"left out: {error}")
        else:
            self.contenders.append(contender)

    def _team(self, datapath: str) -> Contender:
        contender = contenders.team(self.lab, datapath)
        self.daemon["start"] = [measures.start(contender.teams[0]) for _ in range(self.plan.repetitions)]
        contenders.start(contender)
        return contender

    def run(self) -> None:
        for repetition in range(self.plan.repetitions):
            self.say(f"repetition {repetition + 1} of {self.plan.repetitions}")
            turn = repetition % max(1, len(self.contenders))
            order = self.contenders[turn:] + self.contenders[:turn]
            for measure in MEASURES:
                for contender in order:
                    value = measure.measure(contender, self.plan.seconds)
                    self._note(self.values, measure.title, contender, value)
            for contender in order:
                self._cut(contender, here=bool(repetition % 2))
        for contender in self.contenders:
            if contender.teams:
                self._watch(contender)

    def _cut(self, contender: Contender, here: bool) -> None:
        if contender.active is None:
            return
        carried = self.values["small UDP packets"][contender.name]
        rate = min(self.plan.rate, int(min(carried) * 1000 / 2))
        for daemons in Daemons if contender.teams else (Daemons.ALIVE,):
            tally = measures.cut(contender, rate, self.lab.directory, here, daemons)
            self.say(f"{contender.name}, {daemons}: {tally.lost} of {tally.sent} lost at {rate}/s")
            self._note(self.cuts, f"lost in a cut, daemon {daemons}", contender, tally.lost)

    def _watch(self, contender: Contender) -> None:
        team = contender.teams[0]
        self.say(f"watching an idle teamd for {self.plan.idle:g} s")
        self.daemon["ask"] = [measures.ask(team) for _ in range(self.plan.repetitions)]
        self.daemon["idle"] = [measures.idle(team, self.plan.idle)]
        self.daemon["resident"] = [measures.resident(one) for one in contender.teams]

    @staticmethod
    def _note(values: Values, title: str, contender: Contender, value: float) -> None:
        values.setdefault(title, {}).setdefault(contender.name, []).append(value)


def ratio(values: dict[str, list[float]], base: str) -> Spread | None:
    """The team's repetitions over the base's; None when one of them took no part."""
    team = next((found for name, found in values.items() if name.startswith("team")), [])
    found = ratios(team, values[base]) if team and base in values else []
    return Spread.of(found) if found else None


def tables(bench: Bench) -> str:
    """All that was found, with the goals beside it."""
    names = [contender.name for contender in bench.contenders]
    rows = []
    for measure in MEASURES:
        values = bench.values[measure.title]
        row = [f"{measure.title}, {measure.unit}"]
        row += [Spread.of(values[name]).text(measure.digits) for name in names]
        for base, goal in (("plain cable", measure.plain_goal), ("Open vSwitch", measure.switch_goal)):
            spread = ratio(values, base)
            row += [spread.text(2) if spread else "-", f">= {goal:g}" if goal else ""]
        rows.append(row)
    for title, cuts in bench.cuts.items():
        spreads = [Spread.of(cuts[name]).text(0) if name in cuts else "-" for name in names]
        rows.append([f"{title}, packets", *spreads, "", "", "", ""])
    text = render(["", *names, "team/plain", "goal", "team/OVS", "goal"], rows)
    if bench.daemon:
        rows = [
            [f"{title}, {unit}", Spread.of(bench.daemon[key]).text(digits), f"<= {goal:g}"]
            for key, (title, unit, digits, goal) in DAEMON.items()
        ]
        rows.append(["packets lost in any cut", _worst(bench.cuts), f"<= {CUT_GOAL}"])
        text += "\n\n" + render(["the daemon", "found", "goal"], rows)
    return text


def _worst(cuts: Values) -> str:
    teams = [found for by in cuts.values() for name, found in by.items() if name.startswith("team")]
    lost = list(chain.from_iterable(teams))
    return f"{max(lost):.0f} at most" if lost else "-"


def report(bench: Bench) -> dict[str, object]:
    return {
        "machine": {
            "kernel": platform.release(),
            "architecture": platform.machine(),
            "cpus": len(measures.CPUS),
            "python": platform.python_version(),
        },
        "plan": vars(bench.plan),
        "values": bench.values,
        "cuts": bench.cuts,
        "daemon": bench.daemon,
        "skipped": bench.skipped,
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Compare a team with a plain cable and with an Open vSwitch bond. Needs root and iperf3.",
    )
    parser.add_argument("--quick", action="store_true", help="one short repetition: does it work at all?")
    parser.add_argument("--datapath", default="ebpf", help="the team's datapath (default: %(default)s)")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "bench" / "results.json", help="default: %(default)s"
    )
    args = parser.parse_args(argv)
    if shutil.which("iperf3") is None:
        return _fail("iperf3 is not installed (Debian: apt-get install iperf3)")

    def say(line: str) -> None:
        print(f"bench: {line}", file=sys.stderr, flush=True)

    try:
        with Lab() as lab:
            bench = Bench(QUICK if args.quick else FULL, lab, say)
            bench.prepare(args.datapath)
            bench.run()
    except CommandError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted; everything is cleaned up", 130)
    print(tables(bench))
    for name, reason in bench.skipped.items():
        print(f"left out: {name}: {reason}")
    args.output.write_text(json.dumps(report(bench), indent=2) + "\n")
    print(f"written: {os.path.relpath(args.output)}")
    return 0


def _fail(text: str, code: int = 1) -> int:
    print(f"bench: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
