"""The marker responder (802.1AX-2014, 6.5.4): who asks whether all has arrived is answered at once."""

from __future__ import annotations

from pyteam.engine.lacp.port import LacpPort
from pyteam.engine.lacp.states import MARKER_LIMIT
from pyteam.frames.lacp import Marker


def respond(port: LacpPort, now: float, marker: Marker) -> bytes | None:
    """The answer, unless it is one, or there were too many within a second."""
    if marker.response:
        port.counters.marker_responses_received += 1
        return None
    port.counters.markers_received += 1
    if not port.enabled or (len(port.responded) == MARKER_LIMIT and now < port.responded[0] + 1):
        return None
    port.responded.append(now)
    port.counters.marker_responses_sent += 1
    return marker.answer(port.settings.address)
