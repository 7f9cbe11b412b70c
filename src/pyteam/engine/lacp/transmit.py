"""The transmit machine (802.1AX-2014, 6.4.16): what is needed to be told is told, thrice a second at most."""

from __future__ import annotations

from math import inf

from pyteam.engine.lacp.port import LacpPort
from pyteam.engine.lacp.states import (
    COLLECTING,
    DISTRIBUTING,
    FAST_PERIODIC_TIME,
    LACPDU_LIMIT,
    SYNC,
    PeriodicState,
)
from pyteam.frames.lacp import RETRY_COUNT, Lacpdu


def transmit(port: LacpPort, now: float) -> bytes | None:
    """The frame to send now, if one is due. What has to wait is told later, as it is then."""
    port.transmit_timer = inf
    if not port.ntt:
        return None
    if port.periodic_state is PeriodicState.NO_PERIODIC:
        port.ntt = False
        return None
    sent = port.sent
    free = sent[0] + FAST_PERIODIC_TIME if len(sent) == LACPDU_LIMIT else now
    free = max(free, port.held_until)
    if free > now:
        port.transmit_timer = free
        return None
    port.ntt = False
    sent.append(now)
    port.last_sent = now
    port.counters.lacpdus_sent += 1
    if not port.sent_frame:
        port.sent_frame = _encode(port)
    return port.sent_frame


def goodbye(port: LacpPort, now: float) -> bytes | None:
    """The last LACPDU, out of sync: the partner need not wait for our silence. The limit is not for it."""
    if port.last_sent is None or port.periodic_state is PeriodicState.NO_PERIODIC:
        return None
    port.say(SYNC | COLLECTING | DISTRIBUTING, False)
    port.last_sent = now
    port.counters.lacpdus_sent += 1
    return _encode(port)


def _encode(port: LacpPort) -> bytes:
    counts = port.retry_count, port.partner_retry_count
    special = port.rules.enable_retry_count and counts != (RETRY_COUNT, RETRY_COUNT)
    return Lacpdu(port.actor, port.partner, 0, *counts, retry=special).encode(port.settings.address)
