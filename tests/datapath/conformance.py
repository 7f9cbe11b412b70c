"""What every datapath must do: one suite, run against each implementation.

An implementation's test module subclasses `Conformance` and gives it a fixture ``bench``. Nothing
here may assume a simulation: what others do to the world shows after a while, in `receive`.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Final, Protocol

import pytest

from pyteam.datapath.interface import Datapath
from pyteam.engine.events import Event, LinkGone, LinkSeen
from pyteam.errors import PyteamError
from pyteam.link import Link
from pyteam.options import NO_MODE, OptionKey, OptionValue

#: Seconds after which something that should happen is not going to.
PATIENCE: Final = 5.0
ADDRESS: Final = bytes.fromhex("020000aabbcc")
MODES: Final = ("broadcast", "roundrobin", "random", "activebackup")
MODE: Final = OptionKey("mode")


class Bench(Protocol):
    """A datapath with a new team device, set up and without mode, and hands on its surroundings.

    Interfaces are called by name; all of them are in the namespace of the team.
    """

    datapath: Datapath

    def plug(self) -> str:
        """A new interface: down, MTU 1500, and at the other end of its cable one that is up."""
        ...

    def cut(self, name: str) -> None:
        """The other end of the cable goes down."""

    def mend(self, name: str) -> None: ...

    def set_up(self, name: str, up: bool) -> None: ...

    def set_address(self, name: str, address: bytes) -> None: ...

    def set_mtu(self, name: str, mtu: int) -> None:
        """May be refused, which is ignored."""

    def rename(self, name: str, new_name: str) -> None:
        """Of an interface that is down."""

    def unplug(self, name: str) -> None:
        """Delete it."""

    def move_away(self, name: str) -> None:
        """To another namespace."""

    def index(self, name: str) -> int:
        """The ifindex; of ``lo`` and the team device too."""
        ...

    def reopen(self) -> None:
        """The owner closes ``datapath``; another adopts the device and is ``datapath`` now."""

    def adopt_again(self) -> Datapath:
        """A second owner tries while there is one."""
        ...

    def exists(self, name: str) -> bool: ...


class Conformance:
    """Subclass it with a fixture ``bench``."""

    def test_a_new_device_has_no_ports_and_no_mode(self, bench: Bench) -> None:
        actual = bench.datapath.actual()
        assert actual.ifindex == bench.datapath.ifindex
        assert actual.members == frozenset()
        assert actual.options[MODE] == NO_MODE
        assert actual.addresses == {actual.ifindex: bench.datapath.link(actual.ifindex).address}
        assert not actual.carrier
        assert not actual.carrier_is_set

    def test_links_are_all_there_are(self, bench: Bench) -> None:
        name = bench.plug()
        a = bench.index(name)
        bench.datapath.follow({name, "lo"})
        found = {link.ifindex: link for link in bench.datapath.links()}
        assert {a, bench.datapath.ifindex, bench.index("lo")} <= found.keys()
        assert found[bench.index("lo")].loopback
        assert not found[a].member
        assert not found[a].loopback

    def test_a_link_by_its_name(self, bench: Bench) -> None:
        for link in bench.datapath.links():
            assert bench.datapath.find(link.name) == link
        for name in "nobody", "", "a" * 16:
            with pytest.raises(PyteamError) as caught:
                bench.datapath.find(name)
            assert isinstance(caught.value, OSError)
            assert caught.value.errno == errno.ENODEV

    @pytest.mark.parametrize("mode", MODES)
    def test_modes(self, bench: Bench, mode: str) -> None:
        bench.datapath.set_option(MODE, mode)
        assert bench.datapath.actual().options[MODE] == mode

    def test_the_mode_can_be_changed_while_there_are_no_ports(self, bench: Bench) -> None:
        for mode in MODES:
            bench.datapath.set_option(MODE, mode)
        bench.datapath.set_option(MODE, MODES[0])
        port = add(bench, bench.plug())
        with refused(errno.EBUSY):
            bench.datapath.set_option(MODE, MODES[1])
        assert bench.datapath.actual().members == {port}

    def test_options_are_set_in_their_order_up_to_one_that_is_refused(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        port = add(bench, bench.plug())
        priority, queue = OptionKey("priority", port), OptionKey("queue_id", port)
        bench.datapath.set_options([(priority, 3), (OptionKey("activeport"), port)])
        assert bench.datapath.actual().options[priority] == 3
        assert active(bench) == port
        with refused(errno.ENOENT):
            bench.datapath.set_options([(OptionKey("activeport"), port + 1000), (queue, 1)])
        assert bench.datapath.actual().options[queue] == 0

    def test_an_unknown_mode_is_refused(self, bench: Bench) -> None:
        with refused(errno.EINVAL):
            bench.datapath.set_option(MODE, "smoke_signals")

    @pytest.mark.parametrize("mode", MODES)
    def test_adding_a_port(self, bench: Bench, mode: str) -> None:
        bench.datapath.set_option(MODE, mode)
        name = bench.plug()
        address = bench.datapath.link(bench.index(name)).address
        port = add(bench, name)
        link = bench.datapath.link(port)
        assert (link.member, link.up, link.permanent_address) == (True, True, address)
        actual = bench.datapath.actual()
        assert actual.members == {port}
        assert actual.addresses[port] == link.address
        fresh = {"enabled": True, "user_linkup": False, "user_linkup_enabled": False, "priority": 0}
        assert {name: actual.options[OptionKey(name, port)] for name in fresh} == fresh

    def test_what_cannot_be_a_port_is_refused_and_left_alone(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "roundrobin")
        name = bench.plug()
        bench.set_up(name, True)
        before = bench.datapath.link(bench.index(name))
        with refused(errno.EBUSY):
            bench.datapath.add_port(bench.index(name))
        after = bench.datapath.link(bench.index(name))
        assert (after.address, after.mtu, after.up) == (before.address, before.mtu, True)
        with refused(errno.EINVAL):
            bench.datapath.add_port(bench.index("lo"))
        with refused(errno.EINVAL):
            bench.datapath.add_port(bench.datapath.ifindex)
        with refused(errno.ENODEV):
            bench.datapath.add_port(2**30)
        assert bench.datapath.actual().members == frozenset()

    def test_removing_a_port_gives_everything_back(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        name, other = bench.plug(), add(bench, bench.plug())
        bench.set_mtu(name, 1400)
        address = bench.datapath.link(bench.index(name)).address
        port = add(bench, name)
        assert bench.datapath.link(port).mtu == 1500
        bench.datapath.set_address(port, ADDRESS)
        bench.datapath.remove_port(port)
        link = bench.datapath.link(port)
        assert (link.member, link.up, link.address, link.mtu) == (False, False, address, 1400)
        actual = bench.datapath.actual()
        assert actual.members == {other}
        assert not [key for key in actual.options if key.port == port]
        with refused(errno.ENODEV):
            bench.datapath.remove_port(port)

    def test_a_port_may_come_again(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        name = bench.plug()
        for _ in range(3):
            port = add(bench, name)
            bench.datapath.set_option(OptionKey("enabled", port), False)
            bench.datapath.remove_port(port)
        add(bench, name)
        assert bench.datapath.actual().options[OptionKey("enabled", port)] is True

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("notify_peers_count", 3),
            ("notify_peers_interval", 20),
            ("mcast_rejoin_count", 2),
            ("mcast_rejoin_interval", 30),
        ],
    )
    def test_options_of_the_team(self, bench: Bench, name: str, value: OptionValue) -> None:
        key = OptionKey(name)
        assert bench.datapath.actual().options[key] == 0
        bench.datapath.set_option(key, value)
        assert bench.datapath.actual().options[key] == value

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("enabled", False),
            ("user_linkup", True),
            ("user_linkup_enabled", True),
            ("priority", -5),
            ("priority", 2**31 - 1),
            ("queue_id", 1),
        ],
    )
    def test_options_of_a_port(self, bench: Bench, name: str, value: OptionValue) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        port, other = add(bench, bench.plug()), add(bench, bench.plug())
        before = bench.datapath.actual().options[OptionKey(name, other)]
        bench.datapath.set_option(OptionKey(name, port), value)
        options = bench.datapath.actual().options
        assert options[OptionKey(name, port)] == value
        assert options[OptionKey(name, other)] == before

    def test_options_that_do_not_exist(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "roundrobin")
        stranger = bench.index(bench.plug())
        for key in (OptionKey("enabled", stranger), OptionKey("enabled"), OptionKey("activeport")):
            with refused(errno.ENOENT):
                bench.datapath.set_option(key, 1)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("notify_peers_count", -1),
            ("notify_peers_count", 2**32),
            ("mcast_rejoin_interval", "soon"),
            ("mcast_rejoin_count", True),
            ("priority", 2**31),
            ("enabled", 1),
            ("enabled", "yes"),
            ("queue_id", b"1"),
            ("activeport", "eth1"),
        ],
    )
    def test_values_that_do_not_fit_are_refused(self, bench: Bench, name: str, value: OptionValue) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        port = add(bench, bench.plug())
        before = bench.datapath.actual()
        team = name.startswith(("notify", "mcast", "active"))
        with refused(errno.EINVAL):
            bench.datapath.set_option(OptionKey(name, 0 if team else port), value)
        assert bench.datapath.actual().options == before.options

    def test_there_is_nothing_to_repair(self, bench: Bench) -> None:
        assert not bench.datapath.repair()
        bench.datapath.set_option(MODE, "activebackup")
        add(bench, bench.plug())
        assert not bench.datapath.repair()

    def test_the_active_port_must_be_a_port(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        port, stranger = add(bench, bench.plug()), bench.index(bench.plug())
        assert active(bench) == 0
        for other in (stranger, 0):
            with refused(errno.ENOENT):
                bench.datapath.set_option(OptionKey("activeport"), other)
        bench.datapath.set_option(OptionKey("activeport"), port)
        assert active(bench) == port
        bench.datapath.remove_port(port)
        assert active(bench) == 0

    def test_the_carrier_follows_the_ports(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "roundrobin")
        a, b = bench.plug(), bench.plug()
        for name in (a, b):
            add(bench, name)
        wait_for(bench, lambda: bench.datapath.actual().carrier)
        bench.cut(a)
        wait_for_link(bench, a, lambda link: not link.carrier)
        assert bench.datapath.actual().carrier
        bench.cut(b)
        wait_for(bench, lambda: not bench.datapath.actual().carrier)
        bench.mend(a)
        wait_for(bench, lambda: bench.datapath.actual().carrier)
        bench.set_up(a, False)
        wait_for(bench, lambda: not bench.datapath.actual().carrier)
        bench.set_up(a, True)
        wait_for(bench, lambda: bench.datapath.actual().carrier)
        for name in (a, b):
            bench.datapath.remove_port(bench.index(name))
        wait_for(bench, lambda: not bench.datapath.actual().carrier)

    def test_user_linkup_rules_the_carrier_where_it_is_enabled(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "roundrobin")
        name = bench.plug()
        port = add(bench, name)
        wait_for(bench, lambda: bench.datapath.actual().carrier)
        bench.datapath.set_option(OptionKey("user_linkup_enabled", port), True)
        wait_for(bench, lambda: not bench.datapath.actual().carrier)
        bench.datapath.set_option(OptionKey("user_linkup", port), True)
        wait_for(bench, lambda: bench.datapath.actual().carrier)
        bench.datapath.set_option(OptionKey("user_linkup_enabled", port), False)
        bench.cut(name)
        wait_for(bench, lambda: not bench.datapath.actual().carrier)

    def test_once_set_the_carrier_is_what_was_said(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "roundrobin")
        bench.datapath.set_carrier(True)
        assert bench.datapath.actual().carrier
        assert bench.datapath.actual().carrier_is_set
        name = bench.plug()
        add(bench, name)
        bench.datapath.set_carrier(False)
        wait_for_link(bench, name, lambda link: link.carrier)
        assert not bench.datapath.actual().carrier

    def test_the_mtu_of_ports_is_the_teams(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "roundrobin")
        name = bench.plug()
        port = add(bench, name)
        team = next(link.name for link in bench.datapath.links() if link.ifindex == bench.datapath.ifindex)
        bench.set_mtu(team, 1300)
        wait_for(bench, lambda: bench.datapath.link(port).mtu == 1300)
        bench.set_mtu(name, 1200)
        wait_for(bench, lambda: bench.datapath.link(port).mtu == 1300)
        late = add(bench, bench.plug())
        assert bench.datapath.link(late).mtu == 1300
        bench.datapath.remove_port(port)
        assert bench.datapath.link(port).mtu == 1500

    def test_addresses_are_set_and_seen(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        name = bench.plug()
        port = add(bench, name)
        for ifindex in (port, bench.datapath.ifindex):
            bench.datapath.set_address(ifindex, ADDRESS)
            assert bench.datapath.link(ifindex).address == ADDRESS
            assert bench.datapath.actual().addresses[ifindex] == ADDRESS
        outside = bytes.fromhex("020000ddeeff")
        bench.set_address(name, outside)
        wait_for_link(bench, name, lambda link: link.address == outside)

    def test_a_cut_is_seen_and_does_not_end_the_membership(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        name = bench.plug()
        port = add(bench, name)
        wait_for_link(bench, name, lambda link: link.usable)
        bench.cut(name)
        seen = wait_for_link(bench, name, lambda link: not link.usable)
        assert (seen.up, seen.carrier, seen.member) == (True, False, True)
        bench.mend(name)
        wait_for_link(bench, name, lambda link: link.usable)
        assert bench.datapath.actual().members == {port}

    def test_interfaces_that_are_no_ports_are_seen_too(self, bench: Bench) -> None:
        name = bench.plug()
        bench.datapath.follow({name})
        wait_for_link(bench, name, lambda link: not link.member)
        bench.rename(name, "renamed0")
        wait_for_link(bench, "renamed0", lambda link: not link.up)
        bench.set_up("renamed0", True)
        wait_for_link(bench, "renamed0", lambda link: link.up)

    @pytest.mark.parametrize("how", ["unplug", "move_away"])
    def test_a_port_that_is_gone_is_no_port(self, bench: Bench, how: str) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        name = bench.plug()
        port, other = add(bench, name), add(bench, bench.plug())
        bench.datapath.set_option(OptionKey("activeport"), port)
        bench.datapath.receive()
        getattr(bench, how)(name)
        assert LinkGone(port) in collect(bench, lambda events: LinkGone(port) in events)
        actual = bench.datapath.actual()
        assert actual.members == {other}
        assert actual.options[OptionKey("activeport")] == 0
        assert not [key for key in actual.options if key.port == port]
        with refused(errno.ENODEV):
            bench.datapath.link(port)
        with refused(errno.ENODEV):
            bench.datapath.remove_port(port)

    def test_statistics_begin_at_zero(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        port = add(bench, bench.plug())
        names = ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")
        # Not the active port: what the kernel itself sends does not come here.
        assert bench.datapath.statistics(port) == dict.fromkeys(names, 0)

    def test_another_owner_finds_what_the_last_one_left(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        name = bench.plug()
        own = bench.datapath.link(bench.index(name)).address
        port = add(bench, name)
        other = add(bench, bench.plug())
        bench.datapath.set_address(port, ADDRESS)
        bench.datapath.set_option(OptionKey("activeport"), port)
        bench.datapath.set_option(OptionKey("enabled", other), False)
        bench.datapath.set_option(OptionKey("priority", other), 12)
        bench.datapath.set_option(OptionKey("notify_peers_count"), 4)
        wait_for(bench, lambda: bench.datapath.actual().carrier)
        before = bench.datapath.actual()
        bench.reopen()
        assert bench.datapath.actual() == before
        assert bench.datapath.link(port).permanent_address == own
        bench.datapath.remove_port(port)
        assert bench.datapath.link(port).address == own

    def test_a_device_has_one_owner(self, bench: Bench) -> None:
        with refused(errno.EBUSY):
            bench.adopt_again()

    def test_destroying_leaves_nothing_behind(self, bench: Bench) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        name = bench.plug()
        own = bench.datapath.link(bench.index(name))
        bench.datapath.set_address(add(bench, name), ADDRESS)
        team, links = bench.datapath.ifindex, bench.datapath.links()
        (device,) = (link.name for link in links if link.ifindex == team)
        bench.datapath.destroy()
        assert not bench.exists(device)
        assert bench.exists(own.name)


def add(bench: Bench, name: str) -> int:
    """Make it a port; its ifindex."""
    ifindex = bench.index(name)
    bench.datapath.add_port(ifindex)
    return ifindex


def active(bench: Bench) -> OptionValue:
    return bench.datapath.actual().options[OptionKey("activeport")]


def refused(code: int) -> pytest.RaisesExc[OSError]:
    def fits(error: OSError) -> bool:
        return isinstance(error, PyteamError) and error.errno == code and bool(str(error))

    return pytest.RaisesExc(OSError, check=fits)


def collect(bench: Bench, enough: Callable[[list[Event]], bool]) -> list[Event]:
    """Live as a daemon does, until enough has happened or patience ends; what happened."""
    events: list[Event] = []
    end = time.monotonic() + PATIENCE
    while True:
        events += bench.datapath.receive()
        due = bench.datapath.next_timeout()
        if due is not None and due <= time.monotonic():
            bench.datapath.handle_timeout(time.monotonic())
        if enough(events) or time.monotonic() > end:
            return events
        time.sleep(0.005)


def wait_for(bench: Bench, predicate: Callable[[], bool]) -> None:
    collect(bench, lambda _: predicate())
    assert predicate()


def wait_for_link(bench: Bench, name: str, predicate: Callable[[Link], bool]) -> Link:
    """The interface is seen, in an event, so that the predicate holds; it, as seen."""

    def matching(events: list[Event]) -> list[Link]:
        seen = (event.link for event in events if isinstance(event, LinkSeen))
        return [link for link in seen if link.name == name and predicate(link)]

    found = matching(collect(bench, lambda events: bool(matching(events))))
    assert found, f"{name} was never seen like that"
    return found[-1]
