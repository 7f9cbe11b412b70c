"""The half of ``make bench-lab`` that runs in the guest: build, count, cut; answers as JSON.

Owns the order of things. A contender that cannot be built is left out, with its reason.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench import contenders, measures
from bench.contenders import Contender
from bench.hosts import CommandError, Lab, run
from bench.measures import Daemons
from lab.bench import drivers
from lab.bench.counting import COUNTS, inside, warm_up
from lab.bench.storm import pace, storm
from lab.machine import SHARED

#: The file with the answers, in the shared directory.
ANSWERS: Final = "bench.json"
#: Packets a second while a cable is cut.
RATE: Final = 10_000


def _team(make: Callable[[Lab], Contender]) -> Callable[[Lab], Contender]:
    def made(lab: Lab) -> Contender:
        contender = make(lab)
        contenders.start(contender)
        return contender

    return made


BUILD: Final[dict[str, Callable[[Lab], Contender]]] = {
    "plain cable": contenders.plain,
    "team (ebpf)": _team(lambda lab: contenders.team(lab, "ebpf")),
    "team (kernel)": _team(lambda lab: contenders.team(lab, "kernel")),
    "original teamd": _team(drivers.original),
    "bonding": drivers.bonding,
}


#: Loaded before anything is timed, since they are files of the host.
MODULES: Final = ("veth", "team", "team_mode_activebackup", "bonding", "dummy")


class Bench:
    """One run: what takes part, and what was found so far."""

    def __init__(self, lab: Lab, repetitions: int) -> None:
        self._lab = lab
        self._repetitions = repetitions
        self._contenders: dict[str, Contender] = {}
        self.skipped: dict[str, str] = {}
        #: what -> contender -> one value a repetition.
        self.counts: dict[str, dict[str, list[float]]] = {}
        #: contender -> daemon alive or stopped -> (lost, dark in ns) of each cut.
        self.cuts: dict[str, dict[str, list[tuple[int, int]]]] = {}
        #: The longest pause of the daemon's loop in each storm, in instructions.
        self.pauses: list[int] = []

    def build(self) -> None:
        for name, build in BUILD.items():
            say(f"building {name}")
            try:
                contender = build(self._lab)
                contender.settle()
                warm_up(contender)
            except CommandError as error:
                self.skipped[name] = str(error)
                say(f"left out: {error}")
            else:
                self._contenders[name] = contender

    def count(self) -> None:
        for repetition in range(self._repetitions):
            say(f"counting instructions, repetition {repetition + 1} of {self._repetitions}")
            for count in COUNTS:
                for name, contender in self._contenders.items():
                    found = count.count(contender, count.units)
                    self.counts.setdefault(count.title, {}).setdefault(name, []).append(found)

    def cut(self) -> None:
        for repetition in range(self._repetitions):
            for name, contender in self._contenders.items():
                if contender.active is None:
                    continue
                for daemons in (Daemons.ALIVE, Daemons.STOPPED) if contender.teams else (Daemons.ALIVE,):
                    tally = measures.cut(contender, RATE, self._lab.directory, bool(repetition % 2), daemons)
                    say(f"{name}, {daemons}: {tally.lost} of {tally.sent} lost")
                    found = self.cuts.setdefault(name, {}).setdefault(daemons, [])
                    found.append((tally.lost, tally.dark))

    def storm(self) -> None:
        for repetition in range(self._repetitions):
            with inside(self._lab.host(f"storm{repetition}")):
                found = storm(self._lab.directory)
            if found.wrong:
                raise CommandError(f"after the storm: {found.wrong}")
            say(f"storm: the longest of {found.turns} turns took {found.longest / 1e6:.0f} M instructions")
            self.pauses.append(found.longest)


def say(line: str) -> None:
    print(f"bench-lab: {line}", flush=True)


def main() -> int:
    repetitions = int(sys.argv[1])
    run("modprobe", "-a", *MODULES)
    with Lab() as lab:
        bench = Bench(lab, repetitions)
        try:
            bench.build()
            bench.count()
            bench.cut()
            bench.storm()
        finally:
            answers = {
                "counts": bench.counts,
                "cuts": bench.cuts,
                "pauses": bench.pauses,
                "pace": pace(),
                "skipped": bench.skipped,
            }
            Path(os.environ[SHARED], ANSWERS).write_text(json.dumps(answers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
