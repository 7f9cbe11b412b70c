"""The rows of docs/interoperability.md: what is tried with every partner on every datapath.

A story is one team with its partners; its rows are gone through in their order. A row is a function of a
`Trial`: what it asserts has to be so, what it returns is measured, and shown in the table.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.interop.faults import EVERYTHING, LACP_ALONE
from tests.interop.partner import Wishes
from tests.interop.trial import ACTOR_STATE, IN_USE, Trial
from tests.lab.sidebyside import TEAM

#: Packets that show that a cable carries traffic; fewer LACPDUs than that come by meanwhile.
MANY: Final = 15
SYNC: Final = 0x08
#: Seconds, more than those after which we give way to who does not follow.
A_MINUTE: Final = 60.0
#: A Marker PDU (802.1AX, 6.5.3.3) but for addresses: port 1, system 02:..:07, transaction 0x01020304.
MARKER: Final = bytes.fromhex("8809 0201 0110 0001 020000000007 01020304 0000 0000") + bytes(90)
RESPONSE: Final = MARKER[:4] + b"\x02" + MARKER[5:]
FAST: Final = {"fast_rate": True}
FIRST, SECOND = "eth0", "eth1"


@dataclass(frozen=True)
class Row:
    """``title``: its first cell."""

    title: str
    do: Callable[[Trial], str]


@dataclass(frozen=True)
class Story:
    """``others``: cables that go to a second partner. ``long``: it takes more than a minute."""

    name: str
    rows: tuple[Row, ...]
    cables: tuple[str, ...] = (FIRST, SECOND)
    others: tuple[str, ...] = ()
    long: bool = False


def seconds(time: float) -> str:
    return f"{time:.1f} s"


# Two fast ends, from the first LACPDU on.


def form(trial: Trial) -> str:
    trial.theirs.start(Wishes())
    trial.start(FAST)
    took = trial.forms()
    trial.rest()
    return seconds(took)


def spread(trial: Trial) -> str:
    shares: list[dict[str, int]] = []

    def spreads() -> bool:
        shares[:] = trial.counts()
        return min(count for counts in shares for count in counts.values()) > MANY

    # More than once: a flow of Open vSwitch's from before both were there may keep all to one.
    trial.until(spreads)
    there, back = shares
    return f"to it {_shares(there)}, to us {_shares(back)}"


def _shares(counts: dict[str, int]) -> str:
    return "/".join(str(count) for count in counts.values())


def answer_markers(trial: Trial) -> str:
    with trial.ears() as heard:
        trial.says(FIRST, bytes.fromhex("0180c2000002 020000000007") + MARKER)
        frames: list[bytes] = []

        def came() -> bool:
            frames.extend(frame[12:] for cable, frame in heard() if cable == FIRST)
            return RESPONSE in frames

        trial.until(came)
    return ""


def cut_at_its_end(trial: Trial) -> str:
    with trial.traffic() as found:
        time.sleep(0.3)
        trial.cut(FIRST, trial.theirs.end)
        took = trial.until(lambda: trial.ours.in_use() == {SECOND})
        trial.until(lambda: trial.both_use(SECOND))
        time.sleep(0.3)
    trial.mend(FIRST, trial.theirs.end)
    trial.forms()
    trial.rest()
    return f"{found}; we knew after {_milliseconds(took)}"


def cut_at_our_end(trial: Trial) -> str:
    with trial.traffic() as found:
        time.sleep(0.3)
        trial.cut(FIRST, trial.ours.end)
        took = trial.until(lambda: trial.theirs.in_use() == {SECOND})
        trial.until(lambda: trial.both_use(SECOND))
        time.sleep(0.3)
    trial.mend(FIRST, trial.ours.end)
    trial.forms()
    trial.rest()
    return f"{found}; it knew after {_milliseconds(took)}"


def _milliseconds(time: float) -> str:
    return f"{time * 1000:.0f} ms"


def silence(trial: Trial) -> str:
    return _silence(trial, LACP_ALONE, ours=True, theirs=True)


def we_are_not_heard(trial: Trial) -> str:
    return _silence(trial, EVERYTHING, ours=True)


def it_is_not_heard(trial: Trial) -> str:
    return _silence(trial, EVERYTHING, theirs=True)


def _silence(trial: Trial, what: bytes, *, ours: bool = False, theirs: bool = False) -> str:
    senders = [*([trial.ours.end] if ours else []), *([trial.theirs.end] if theirs else [])]
    left: dict[str, float] = {}
    with trial.traffic() as found, trial.loses(FIRST, what, *senders):
        start = time.monotonic()

        def out() -> bool:
            for who, ports in (("we", trial.ours.in_use()), ("it", trial.theirs.in_use())):
                if FIRST not in ports:
                    left.setdefault(who, time.monotonic() - start)
            return len(left) == 2

        trial.until(out)
        assert trial.both_use(SECOND)
    trial.forms()
    trial.rest()
    return f"we left after {seconds(left['we'])}, it after {seconds(left['it'])}; {found}"


def our_restart(trial: Trial) -> str:
    return _unnoticed(trial, trial.ours.restart)


def our_crash(trial: Trial) -> str:
    return _unnoticed(trial, trial.ours.crash)


def _unnoticed(trial: Trial, restart: Callable[[], None]) -> str:
    said: list[tuple[str, bytes]] = []

    def spoken() -> bool:
        said.extend(heard())
        return {cable for cable, _ in said} == set(trial.cables)

    with trial.ears() as heard, trial.traffic() as found:
        start = time.monotonic()
        restart()
        away = time.monotonic() - start
        trial.until(spoken)
        # As long as a fast partner may take to miss us.
        time.sleep(3.2)
        spoken()
    for cable, frame in said:
        assert frame[ACTOR_STATE] & IN_USE == IN_USE, f"{cable}: state {frame[ACTOR_STATE]:#x}"
    assert trial.both_use(*trial.cables)
    # A switch in user space on a busy machine loses one by itself; whoever notices loses hundreds.
    assert max(found.there.lost, found.back.lost) <= 1, str(found)
    return f"{found}; away for {seconds(away)}"


def its_restart(trial: Trial) -> str:
    trial.theirs.stop()
    trial.until(lambda: not trial.ours.in_use())
    took = _begin(trial, Wishes())
    trial.rest()
    return seconds(took)


def _begin(trial: Trial, wishes: Wishes) -> float:
    """Seconds from before the partner's daemon, if it has one."""
    start = time.monotonic()
    trial.theirs.start(wishes)
    trial.forms()
    return time.monotonic() - start


def another_partner(trial: Trial) -> str:
    trial.theirs.stop()
    took = _begin(trial, Wishes(system=2))
    (system,) = {port["partner_lacpdu_info"]["system"] for port in trial.ours.ports().values()}
    assert system == Wishes(system=2).mac
    return seconds(took)


# Other rates, other ways to begin.


def slow(trial: Trial) -> str:
    trial.theirs.start(Wishes(fast=False))
    trial.start({})
    took = trial.forms()
    trial.rest()
    return seconds(took)


def our_slow_restart(trial: Trial) -> str:
    return _unnoticed(trial, trial.ours.restart)


def our_slow_crash(trial: Trial) -> str:
    return _unnoticed(trial, trial.ours.crash)


def it_wants_fast(trial: Trial) -> str:
    trial.theirs.stop()
    took = _begin(trial, Wishes())
    trial.rest()
    with trial.ears() as heard:
        time.sleep(3.2)
        count = len([cable for cable, _ in heard() if cable == FIRST])
    assert count in (2, 3, 4), f"{count} in 3.2 s"
    return seconds(took)


def it_is_passive(trial: Trial) -> str:
    trial.theirs.stop()
    return seconds(_begin(trial, Wishes(active=False)))


def we_are_passive(trial: Trial) -> str:
    trial.theirs.start(Wishes())
    trial.start({**FAST, "active": False, "min_ports": 2})
    # Who was not heard when its links came up may ask again each half minute only, as bonding does.
    return seconds(trial.forms(A_MINUTE))


def too_few_ports(trial: Trial) -> str:
    assert trial.ours.end.carrier(TEAM)
    trial.cut(FIRST, trial.theirs.end)
    trial.until(lambda: not trial.ours.end.carrier(TEAM))
    trial.mend(FIRST, trial.theirs.end)
    trial.until(lambda: trial.ours.end.carrier(TEAM))
    trial.forms()
    return ""


# Which ports, where not all can be used.


def keys(trial: Trial) -> str:
    trial.theirs.start(Wishes())
    trial.start(FAST, {FIRST: {"lacp_key": 1}, SECOND: {"lacp_key": 2}})
    return _one_of_two(trial)


def priority(trial: Trial) -> str:
    trial.theirs.start(Wishes())
    trial.start({**FAST, "sys_prio": 1}, {FIRST: {"lacp_key": 1}, SECOND: {"lacp_key": 2, "lacp_prio": 1}})
    note = _one_of_two(trial, A_MINUTE)
    (used,) = trial.ours.in_use()
    return f"we decide, {note}" if used == SECOND else f"it does not follow, we do, {note}"


def _one_of_two(trial: Trial, patience: float = 0.0) -> str:
    def agreed() -> bool:
        used = trial.ours.in_use()
        return len(used) == 1 and trial.both_use(*used)

    took = trial.until(agreed, patience)
    # Beyond the time after which a better one could take over.
    time.sleep(3)
    (used,) = trial.ours.in_use()
    assert trial.both_use(used)
    there, back = trial.counts()
    for counts in (there, back):
        assert [cable for cable, count in counts.items() if count > MANY] == [used], counts
    return seconds(took)


def two_partners(trial: Trial) -> str:
    for number, partner in enumerate(trial.partners, start=1):
        partner.start(Wishes(system=number))
    trial.start({**FAST, "agg_select_policy": "count"})
    took = trial.forms()
    trial.rest()
    (alone,) = trial.partners[1].cables
    assert not trial.ours.ports()[alone]["actor_lacpdu_info"]["state"] & SYNC
    assert not trial.partners[1].in_use()
    trial.counts()
    return seconds(took)


def the_other_takes_over(trial: Trial) -> str:
    for cable in trial.cables:
        trial.cut(cable, trial.theirs.end)
    other = trial.partners[1]
    took = trial.until(lambda: trial.ours.in_use() == other.in_use() == set(other.cables))
    return seconds(took)


def fallback(trial: Trial) -> str:
    end = trial.theirs.end
    end.sh("".join(f"ip link set {cable} up\n" for cable in trial.cables))
    end.sh(f"ip addr add {end.address}/24 dev {FIRST}")
    trial.start({**FAST, "fallback": True})
    took = trial.until(lambda: trial.ours.in_use() == {FIRST})
    trial.counts()
    end.sh(f"ip addr flush dev {FIRST}")
    return seconds(took)


def fallback_ends(trial: Trial) -> str:
    return seconds(_begin(trial, Wishes()))


STORIES: Final = (
    Story(
        "fast",
        (
            Row("forms, fast at both ends", form),
            Row("traffic on every member, packets by member", spread),
            Row("a Marker is answered", answer_markers),
            Row("a cable is cut at its end", cut_at_its_end),
            Row("a cable is cut at our end", cut_at_our_end),
            Row("LACPDUs are lost on one cable, both ways", silence),
            Row("what we send on one cable is lost", we_are_not_heard),
            Row("what it sends on one cable is lost", it_is_not_heard),
            Row("we restart (`-N`, then `-o`)", our_restart),
            Row("we are killed (`kill -9`) and started", our_crash),
            Row("it restarts", its_restart),
            Row("another partner on the same cables", another_partner),
        ),
    ),
    Story(
        "slow",
        (
            Row("forms, slow at both ends", slow),
            Row("we restart, slow at both ends", our_slow_restart),
            Row("we are killed and started, slow at both ends", our_slow_crash),
            Row("we are slow, it is fast and hears us each second", it_wants_fast),
            Row("it is passive", it_is_passive),
        ),
    ),
    Story(
        "passive",
        (
            Row("we are passive", we_are_passive),
            Row("`min_ports` 2 and one cable cut: our carrier", too_few_ports),
        ),
    ),
    Story("keys", (Row("our ports have two keys: one is used, the same by both", keys),)),
    Story("priority", (Row("the same, our `lacp_prio` for the second", priority),), long=True),
    Story(
        "two partners",
        (
            Row("two cables to one, a third to another: `count` takes the two", two_partners),
            Row("and the other when both are cut", the_other_takes_over),
        ),
        others=("eth2",),
    ),
    Story(
        "fallback",
        (
            Row("`fallback`: a partner without LACP", fallback),
            Row("and when that begins to speak it", fallback_ends),
        ),
    ),
)
