"""``make fuzz``: inputs for LACP that reach ever more of its code. Not part of ``make test``.

``parse``: an input is a frame. ``history``: it is read as what happens to one system, frames that come in,
links that change, time that goes by; whatever it is, nothing raises, and what always holds of a system
holds. atheris (libFuzzer) finds the inputs, beginning with some that make sense.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["pyteam.engine.lacp", "pyteam.frames.lacp"]):
    from pyteam.engine.lacp import LacpSystem, PortSettings, Settings
    from pyteam.frames.ethernet import ETH_P_SLOW, FrameError
    from pyteam.frames.lacp import SIZE, Info, Lacpdu, parse
    from pyteam.frames.slow import SLOW_PROTOCOLS

from tests.simulation.lacp.invariants import check_system

OURS: Final = bytes.fromhex("02000000000a")
THEIRS: Final = bytes.fromhex("02000000000b")
HEADER: Final = SLOW_PROTOCOLS + THEIRS + ETH_P_SLOW.to_bytes(2, "big")
POLICIES: Final = ("lacp_prio", "lacp_prio_stable", "bandwidth", "count", "port_config")
#: Of a history, at most: longer ones find nothing that shorter ones do not, and take their time.
STEPS: Final = 16
#: Seconds that a step may take.
PAUSES: Final = (0.0, 0.1, 1.0, 2.0, 3.0, 30.0, 60.0, 90.0)


def history(data: bytes) -> None:
    """One input: a byte of settings, then steps of a byte and what belongs to it."""
    flags = data[0] if data else 0
    settings = Settings(
        active=not flags & 1,
        fast_rate=bool(flags & 2),
        fallback=bool(flags & 4),
        independent=bool(flags & 8),
        max_active_ports=flags >> 4 & 1,
        select_policy=POLICIES[(flags >> 5) % len(POLICIES)],
    )
    now, at = 0.0, 1
    system = LacpSystem(settings, OURS)
    for ifindex in (1, 2):
        system.add_port(now, ifindex, PortSettings(ifindex, OURS))
        system.see(now, ifindex, True, 1000, True)
    for _ in range(STEPS):
        if at >= len(data):
            break
        step, argument = data[at] & 0x0F, data[at] >> 4
        ifindex = 1 + (argument & 1)
        at += 1
        match step:
            case 0:
                now += PAUSES[argument & 7]
                system.expire(now)
            case 1:
                system.see(now, ifindex, bool(argument & 2), 1000 if argument & 4 else 100, not argument & 8)
            case 2:
                system.restore(now, system.save(now))
            case 3:
                system.remove_port(now, ifindex)
                system.add_port(now, ifindex, PortSettings(ifindex, OURS, key=argument >> 1))
                system.see(now, ifindex, True, 1000, None)
            case 4:
                some, at = data[at : at + SIZE], at + SIZE
                system.receive(now, ifindex, some)
            case 5:
                some, at = HEADER + data[at : at + SIZE - 14], at + SIZE - 14
                system.receive(now, ifindex, some)
            case _:
                # A partner that knows us, but for what the bytes say.
                some, at = data[at : at + 3].ljust(3, b"\0"), at + 3
                partner = Info(0x8000, THEIRS[:5] + some[:1], some[1] & 3, 255, ifindex, some[2])
                count = 3 + (argument >> 1)
                pdu = Lacpdu(partner, system.ports[ifindex].actor, 0, count, 3, retry=count > 3)
                system.receive(now, ifindex, pdu.encode(THEIRS))
    system.expire(now)
    system.take_frames()
    check_system(system, now)


def frame(data: bytes) -> None:
    for whole in (data, HEADER + data):
        with suppress(FrameError):
            parse(whole)


def seeds() -> list[bytes]:
    """Two histories that form an aggregator, a marker, and a LACPDU as it is."""
    join = bytes((0x06, 0x0B, 1, 0x3D, 0x16, 0x0B, 1, 0x3D, 0x30, 0x06, 0x0B, 1, 0x3D, 0x70, 0x40))
    pdu = Lacpdu(Info(1, THEIRS, 1, 1, 1, 0x3D), Info(1, OURS, 0, 255, 1, 0x3D)).encode(THEIRS)
    marker = bytes((0x05, 2, 1, 1, 16)).ljust(111, b"\0")
    return [b"\0" + join, b"\x0a" + join, b"\0\x04" + pdu + join, b"\x02" + marker + join]


def main() -> None:
    target, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(seeds()):
            (Path(corpus) / str(number)).write_bytes(data)
        atheris.Setup([sys.argv[0], *options, corpus], {"parse": frame, "history": history}[target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
