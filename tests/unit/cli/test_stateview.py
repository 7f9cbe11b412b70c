"""The text of ``state view``, whole, for the states that there are; the original's own texts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.cli.stateview import render
from tests.unit.control.states import activebackup_state, lacp_state

ACTIVEBACKUP = """\
setup:
  runner: activebackup
ports:
  p0
    link watches:
      link summary: up
      instance[link_watch_0]:
        name: ethtool
        link: up
        down count: 1
runner:
  active port: p0
"""

RX_BALANCED = """\
setup:
  runner: loadbalance
ports:
  p0
    runner:
      rx neighbours: 1
runner:
  rx balancer:
    name: arp
    primary port: p0
    neighbours: 1
"""

RX_BALANCED_VERBOSE = """\
setup:
  runner: loadbalance
ports:
  p0
    runner:
      rx neighbours: 1
        02:00:00:00:00:0a@7:
          sends to: p0
          received bytes: 5000
runner:
  rx balancer:
    name: arp
    primary port: p0
    neighbours: 1
    moves: 3
"""

ACTIVEBACKUP_VERBOSE = """\
setup:
  runner: activebackup
  kernel team mode: activebackup
  D-BUS enabled: no
  ZeroMQ enabled: no
  debug level: 0
  daemonized: no
  PID: 760
  PID file: /var/run/teamd/team0.pid
ports:
  p0
    ifindex: 3
    addr: 02:00:00:00:00:01
    ethtool link: 10000mbit/fullduplex/up
    link watches:
      link summary: up
      instance[link_watch_0]:
        name: ethtool
        link: up
        down count: 1
        link up delay: 10
        link down delay: 20
runner:
  active port: p0
"""

LACP_VERBOSE = """\
setup:
  runner: lacp
  kernel team mode: loadbalance
  D-BUS enabled: no
  ZeroMQ enabled: no
  debug level: 0
  daemonized: no
  PID: 760
  PID file: /var/run/teamd/team0.pid
ports:
  v0
    ifindex: 4
    addr: 02:00:00:00:00:02
    ethtool link: 10000mbit/fullduplex/up
    link watches:
      link summary: down
      instance[link_watch_0]:
        name: arp_ping
        link: down
        down count: 0
        source host: 192.0.2.1
        target host: 192.0.2.2
        interval: 1000
        missed packets: 2/3
        validate_active: yes
        validate_inactive: no
        send_always: yes
        initial wait: 0
      instance[link_watch_1]:
        name: nsna_ping
        link: down
        down count: 0
        target host: fe80::1
        interval: 1000
        missed packets: 2/3
        initial wait: 0
      instance[link_watch_2]:
        name: tipc
        link: up
        down count: 4
        tipc bearer: eth
    runner:
      aggregator ID: 3, Selected
      selected: yes
      state: current
      key: 0
      priority: 5
      actor LACPDU info:
        system priority: 65535
        system: 02:00:00:00:00:a0
        key: 15
        port_priority: 255
        port: 1
        state: 0x5
      partner LACPDU info:
        system priority: 65535
        system: 02:00:00:00:00:b0
        key: 15
        port_priority: 255
        port: 1
        state: 0x3f
  v1
    ifindex: 5
    addr: 02:00:00:00:00:02
    ethtool link: -1mbit/halfduplex/down
    link watches:
      link summary: down
    runner:
      aggregator ID: 0
      selected: no
      state: current
      key: 0
      priority: 5
      actor LACPDU info:
        system priority: 65535
        system: 02:00:00:00:00:a0
        key: 15
        port_priority: 255
        port: 1
        state: 0x5
      partner LACPDU info:
        system priority: 65535
        system: 02:00:00:00:00:b0
        key: 15
        port_priority: 255
        port: 1
        state: 0x3f
runner:
  active: yes
  fast rate: no
  system priority: 65535
"""

LACP = """\
setup:
  runner: lacp
ports:
  v0
    link watches:
      link summary: down
      instance[link_watch_0]:
        name: arp_ping
        link: down
        down count: 0
      instance[link_watch_1]:
        name: nsna_ping
        link: down
        down count: 0
      instance[link_watch_2]:
        name: tipc
        link: up
        down count: 4
    runner:
      aggregator ID: 3, Selected
      selected: yes
      state: current
  v1
    link watches:
      link summary: down
    runner:
      aggregator ID: 0
      selected: no
      state: current
runner:
  active: yes
  fast rate: no
"""


@pytest.mark.parametrize(
    ("state", "verbose", "text"),
    [
        (activebackup_state(), False, ACTIVEBACKUP),
        (activebackup_state(), True, ACTIVEBACKUP_VERBOSE),
        (lacp_state(), False, LACP),
        (lacp_state(), True, LACP_VERBOSE),
        ({"setup": {"runner_name": "broadcast"}}, True, "setup:\n  runner: broadcast\n"),
        ({"setup": {}, "runner": {"active_port": ""}}, False, "setup:\nrunner:\n  active port: \n"),
        ({"setup": {}, "ports": {}}, False, "setup:\nports:\n"),
    ],
    ids=["activebackup", "activebackup-v", "lacp", "lacp-v", "no-ports", "no-active-port", "empty-ports"],
)
def test_whole_text(state: dict[str, Any], verbose: bool, text: str) -> None:
    assert render(state, verbose) == text


@pytest.mark.parametrize("missing", ["ifinfo", "link", "link_watches", "runner"])
def test_a_half_made_port_is_shown_with_what_there_is_of_it(missing: str) -> None:
    state = lacp_state()
    del state["ports"]["v0"][missing]
    lines = render(state, verbose=True).splitlines()
    assert "  v0" in lines
    assert (
        lines[lines.index("  v1") :] == LACP_VERBOSE.splitlines()[LACP_VERBOSE.splitlines().index("  v1") :]
    )


KEYS = st.sampled_from(["ports", "runner", "setup", "p0", "link_watches", "list", "link", "ifinfo", "up"])
LEAVES = st.none() | st.booleans() | st.integers() | st.text()
JSON = st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner), max_leaves=8)


@given(st.dictionaries(KEYS, JSON), st.booleans())
def test_no_state_is_too_odd_to_show(state: dict[str, Any], verbose: bool) -> None:
    assert render(state, verbose).startswith("setup:\n")


def test_the_part_of_a_port_in_the_table_is_shown_to_who_wants_to_know_more() -> None:
    """Without ``-v`` it is the original's text."""
    state = activebackup_state()
    before = render(state, verbose=False)
    for port in state["ports"].values():
        port["runner"] = {"entries": 128, "weight": 2}
    assert render(state, verbose=False) == before
    assert "    runner:\n      entries: 128\n      weight: 2\n" in render(state, verbose=True)


def test_receive_balancing() -> None:
    station = {"02:00:00:00:00:0a@7": {"uses": "p0", "rx_bytes": 5000}}
    state = {
        "setup": {"runner_name": "loadbalance"},
        "ports": {"p0": {"runner": {"rx_neighbours": {"count": 1, "list": station}}}},
        "runner": {"rx_balancer": {"name": "arp", "primary": "p0", "neighbours": 1, "moves": 3}},
    }
    assert render(state) == RX_BALANCED
    assert render(state, verbose=True) == RX_BALANCED_VERBOSE
