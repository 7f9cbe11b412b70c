"""What holds of a system whatever has happened to it: X2 of docs/lacp-machines.md."""

from __future__ import annotations

from pyteam.engine.lacp import LacpSystem, MuxState, ReceiveState, Selected
from pyteam.frames.lacp import Lacpdu, State


def what_users_know(system: LacpSystem) -> object:
    return [
        (port.ifindex, port.collecting, port.distributing, port.selected, port.aggregator)
        for port in system.ports.values()
    ]


def check_pdu(pdu: Lacpdu) -> None:
    state = pdu.actor.state
    assert not state & State.DISTRIBUTING or state & State.COLLECTING
    assert not state & State.COLLECTING or state & State.SYNC
    assert not (state & State.DISTRIBUTING and state & State.EXPIRED)


def check_system(system: LacpSystem, now: float) -> None:
    selection = system._selection
    assert not selection.stirred
    for port in system.ports.values():
        assert port.next_timer() > now
        assert port.alarm <= port.next_timer(), port
        if port.distributing:
            assert port.collecting
        if port.collecting:
            assert port.enabled
            assert port.lacp_enabled
            assert port.selected is Selected.SELECTED
            assert port.partner_in_sync
            assert port.actor.state & State.SYNC
            assert port.fallback or port.receive_state is ReceiveState.CURRENT
        lag = port.lag
        assert (lag is None) is (port.selected is Selected.UNSELECTED)
        if port.selected is Selected.SELECTED:
            assert lag is selection.chosen
        else:
            assert not port.actor.state & State.SYNC, "in sync is who is selected"
        assert lag is None or lag.members[port.ifindex] is port
        assert (port.mux_state is MuxState.DETACHED) is (lag is None)
        assert port.fallback is (port is selection._fallback)
    for lag in selection.aggregators:
        assert lag.members
        assert lag.lead is min(lag.ports, key=selection._policy.worth)
        assert len({port.speed for port in lag.ports if port.speed}) <= 1
        assert lag.used is (lag is selection.chosen)
        assert lag.waiting == {
            port
            for port in lag.ports
            if port.selected is Selected.SELECTED and port.mux_state is MuxState.WAITING and not port.ready
        }
    limit = system._settings.max_active_ports
    selected = [port for port in system.ports.values() if port.selected is Selected.SELECTED]
    assert not limit or len(selected) <= limit
    assert (selection.chosen is None) is (not selection.aggregators) or selection._held
