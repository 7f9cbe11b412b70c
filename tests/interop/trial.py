"""One team of ours, the partners on its cables, and what may be done to them. Knows no row of the table."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.interop import faults
from tests.interop.end import End
from tests.interop.ours import Ours
from tests.interop.partner import Partner
from tests.interop.stream import Stream, stream
from tests.lab.sidebyside import TEAM
from tests.netns.anonymous import inside, namespace

OUR_ADDRESS: Final = "10.99.0.1"
#: Seconds that anything waited for has.
PATIENCE: Final = 30.0
ETH_P_ALL: Final = 3
SO_ATTACH_FILTER: Final = 26
#: Classic BPF: slow protocols alone (ethertype 0x8809).
SLOW_ALONE: Final = b"".join(
    struct.pack("=HBBI", *words)
    for words in ((0x28, 0, 0, 12), (0x15, 0, 1, 0x8809), (0x06, 0, 0, 2000), (0x06, 0, 0, 0))
)
#: In a LACPDU: where the actor's state is, and its bits that say that a port is in use.
ACTOR_STATE: Final = 32
IN_USE: Final = 0x38


@dataclass(frozen=True)
class Pace:
    """What the machine can do. ``rate``: packets a second each way; ``pause``: seconds between two looks."""

    rate: float
    pause: float


class Trial:
    """``partners``: the one on all cables; or two, on the first ones and on the last one."""

    def __init__(self, ours: Ours, partners: Sequence[Partner], pace: Pace) -> None:
        self.ours = ours
        self.partners = tuple(partners)
        self.theirs = self.partners[0]
        self.pace = pace

    @property
    def cables(self) -> tuple[str, ...]:
        return self.theirs.cables

    def start(self, runner: Mapping[str, Any], ports: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Ours, with this runner; ``ports`` as in a configuration, where they have one."""
        names = [cable for partner in self.partners for cable in partner.cables]
        self.ours.start(
            {
                "device": TEAM,
                "runner": {"name": "lacp", "tx_hash": ["l3", "l4"], **runner},
                "ports": {name: dict((ports or {}).get(name, {})) for name in names},
            }
        )

    def until(self, true: Callable[[], object], patience: float = 0.0) -> float:
        """Seconds until it is so; ``patience``: more of them than usual."""
        start = time.monotonic()
        limit = PATIENCE + patience
        while not true():
            assert time.monotonic() - start < limit, (
                f"not within {limit:g} s; {self.ours.why()}; it uses {sorted(self.theirs.in_use())}"
            )
            time.sleep(self.pace.pause)
        return time.monotonic() - start

    def both_use(self, *names: str) -> bool:
        return self.ours.in_use() == self.theirs.in_use() == set(names)

    def forms(self, patience: float = 0.0) -> float:
        """Seconds until all cables are used by both; ``patience`` as of `until`."""
        return self.until(lambda: self.both_use(*self.cables), patience)

    def rest(self) -> None:
        """Nobody says more than three things a second: what comes next shall not wait for that."""
        time.sleep(1.2)

    @contextmanager
    def traffic(self) -> Iterator[Stream]:
        with stream(
            self.ours.end.netns, OUR_ADDRESS, self.theirs.end.netns, self.theirs.end.address, self.pace.rate
        ) as found:
            yield found

    def reaches(self) -> None:
        """The partner's MAC is known, and ours to it."""
        self.until(lambda: self.ours.end.tries(f"ping -c 1 -W 1 {self.theirs.end.address}"))

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Packets by cable that came to the partner and to us while traffic ran; none of it may be lost."""
        self.reaches()
        before = self.theirs.end.received(), self.ours.end.received()
        with self.traffic() as found:
            time.sleep(200 / self.pace.rate)
        assert found.there.lost == found.back.lost == 0, str(found)
        after = self.theirs.end.received(), self.ours.end.received()
        there, back = (
            {cable: late[cable] - early[cable] for cable in self.cables}
            for early, late in zip(before, after, strict=True)
        )
        return there, back

    # What goes wrong.

    def cut(self, cable: str, end: End) -> None:
        end.set_up(cable, False)

    def mend(self, cable: str, end: End) -> None:
        end.set_up(cable, True)

    @contextmanager
    def loses(self, cable: str, what: bytes, *senders: End) -> Iterator[None]:
        losses = []
        for sender in senders:
            with inside(sender.netns):
                losses.append((sender, faults.Loss(cable, what)))
        try:
            yield
        finally:
            for sender, loss in losses:
                with inside(sender.netns):
                    loss.close()

    # What is said.

    @contextmanager
    def ears(self) -> Iterator[Callable[[], list[tuple[str, bytes]]]]:
        """Slow protocols' frames as they come to the partner's ports: those since it was called last."""
        code = ctypes.create_string_buffer(SLOW_ALONE)
        program = struct.pack("@HP", len(SLOW_ALONE) // 8, ctypes.addressof(code))
        with ExitStack() as stack:
            taps = {}
            for cable in self.cables:
                with inside(self.theirs.end.netns):
                    tap = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
                    tap.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
                    # Everything: bonding lets nobody behind it have a LACPDU.
                    tap.bind((cable, ETH_P_ALL))
                tap.setblocking(False)
                taps[cable] = tap

            def heard() -> list[tuple[str, bytes]]:
                found = []
                for cable, tap in taps.items():
                    with suppress(BlockingIOError):
                        while True:
                            data, (_, _, kind, *_) = tap.recvfrom(2000)
                            if kind != socket.PACKET_OUTGOING:
                                found.append((cable, data))
                return found

            yield heard

    def says(self, cable: str, frame: bytes) -> None:
        """The partner's end of a cable sends this."""
        with (
            inside(self.theirs.end.netns),
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw,
        ):
            raw.bind((cable, 0))
            raw.send(frame)


@contextmanager
def trial(
    directory: Path,
    datapath: str,
    partner: type[Partner],
    cables: Sequence[str],
    others: Sequence[str],
    pace: Pace,
) -> Iterator[Trial]:
    """Nothing is started yet. ``others``: the cables of a second partner."""
    with ExitStack() as stack:
        here = End(stack.enter_context(namespace()), OUR_ADDRESS)
        ours = Ours(here, directory, datapath)
        stack.callback(ours.close)
        partners = []
        for number, names in enumerate(filter(None, (cables, others)), start=2):
            end = End(stack.enter_context(namespace()), f"10.99.0.{number}")
            for name in names:
                # By a path that the child has, too.
                there = f"/proc/{os.getpid()}/fd/{end.netns}"
                here.sh(f"ip link add {name} type veth peer name {name} netns {there}")
            one = partner(end, directory, names, f"agg{number}")
            stack.callback(one.close)
            partners.append(one)
        yield Trial(ours, partners, pace)
