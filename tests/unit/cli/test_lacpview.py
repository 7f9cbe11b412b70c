"""The view of LACP: one port in use, one that waits, one that nobody answers on, and an original's daemon."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.cli.lacpview import excerpt, render, spell
from pyteam.config import LacpRunner
from tests.simulation.cabled import Pair
from tests.unit.control.states import lacp_state
from tests.unit.daemon.virtual import Machine

VIEW = """\
team0: active, fast rate
  in use      1 of 3 ports, at least 1 needed for carrier
  system      02:00:00:00:01:00, priority 65535
  partner     02:00:00:00:01:01, priority 65535, key 0
  policy      lacp_prio, at most 1 ports active

eth0: in use
  state       current, collecting distributing
  aggregator  2, in use
  actor       02:00:00:00:01:00, priority 65535, key 0, port 1, priority 255
              0x3f active short-timeout aggregation sync collecting distributing
  partner     02:00:00:00:01:01, priority 65535, key 0, port 1, priority 255
              0x3d active long-timeout aggregation sync collecting distributing
"""


def state_of(pair: Pair) -> dict[str, object]:
    snapshot = pair.a.team.snapshot(pair.a.world.now)
    return {
        "runner": dict(snapshot.runner),
        "ports": {port.link.name: {"runner": dict(port.runner)} for port in snapshot.ports},
    }


@pytest.fixture(scope="module")
def state() -> dict[str, object]:
    pair = Pair(LacpRunner(fast_rate=True, max_active_ports=1), LacpRunner(), cables=3)
    pair.passes = lambda host, cable: cable != "eth2"
    pair.advance(8)
    return state_of(pair)


def test_the_view(state: dict[str, object]) -> None:
    text = render("team0", state)
    assert text.startswith(VIEW)
    first, second, third = text.split("\n\n")[1:]
    assert "  received    " in first
    assert "LACPDUs, the last" in first
    assert "(we ask for one a second)" in first
    assert "(the partner asks for one in 30 s)" in first
    assert second.startswith(
        "eth1: standby: it stands by: 1 ports may be active at once, others come first\n"
    )
    assert third.startswith("eth2: not used: no LACPDU has come")
    assert "defaulted" in third


def test_for_programs_there_is_the_same_as_json(state: dict[str, object]) -> None:
    found = json.loads(json.dumps(excerpt(state)))
    assert found["runner"]["max_active_ports"] == 1
    assert found["ports"]["eth0"]["distributing"] is True
    assert found["ports"]["eth1"]["role"] == "standby"


def test_an_original_daemon_is_shown_as_far_as_it_tells() -> None:
    text = render("team0", lacp_state())
    assert text.startswith("team0: active, slow rate\n  in use      ")
    assert "v1: " in text


def test_every_bit_has_its_word() -> None:
    assert spell(0xFF) == (
        "0xff active short-timeout aggregation sync collecting distributing defaulted expired"
    )
    assert spell(0) == "0x00 passive long-timeout individual"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.dictionaries(
            st.sampled_from(["runner", "ports", "eth0", "counters", "aggregator", "last_sent", "why_not"]),
            inner,
            max_size=4,
        ),
        max_leaves=12,
    )
)
def test_no_state_is_too_odd_to_show(odd: object) -> None:
    assert render("team0", {"runner": odd, "ports": odd}).startswith("team0: ")


def test_items_of_a_port_can_be_asked_for() -> None:
    machine = Machine('{"runner": {"name": "lacp"}, "ports": {"eth0": {}}}', "eth0")
    machine.loop.advance(0)
    assert machine.core.state_item_get("ports.eth0.runner.why_not") == "the team device is down"
    machine.world.set_up("team0", True)
    machine.loop.read()
    assert machine.core.state_item_get("ports.eth0.runner.counters.lacpdus_sent") == "1"
    assert machine.core.state_item_get("ports.eth0.runner.last_received") == "-1"
