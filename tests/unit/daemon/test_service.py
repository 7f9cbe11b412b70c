"""The service between engine and datapath: start, events, time, repairs, and what nobody foresaw."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from pyteam.config import PortConfig
from pyteam.daemon import service
from pyteam.datapath.interface import DatapathError
from pyteam.engine.events import LinkGone
from pyteam.options import OptionKey, OptionValue
from tests.unit.daemon.virtual import DESCRIPTOR, Machine

CONFIG = """{"runner": {"name": "activebackup"}, "ports": {"eth0": {"prio": 10}, "eth1": {}}}"""
ADDRESS = bytes.fromhex("02aabbccddee")


@pytest.fixture(autouse=True)
def everything_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_start_makes_the_team_and_tells_it(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    assert machine.ports == ["eth0", "eth1"]
    assert machine.active == "eth0"
    assert machine.service.hindrances() == []
    assert sorted(caplog.messages) == [
        'Changed active port to "eth0".',
        "eth0: ethtool-link went up.",
        "eth1: ethtool-link went up.",
    ]


def test_a_missing_port_is_a_warning_and_no_hindrance(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(CONFIG, "eth0")
    assert machine.service.hindrances() == []
    assert ("WARNING", "eth1: Skipped adding a missing port.") in levels(caplog)
    machine.world.plug("eth1")
    machine.loop.read()
    assert machine.ports == ["eth0", "eth1"]


@pytest.mark.parametrize(
    ("spoil", "code", "text"),
    [
        (
            lambda machine: machine.world.set_up("eth1", True),
            errno.EBUSY,
            "eth1: Failed to add port (Device or resource busy). eth1: it is up, set it down",
        ),
        (
            lambda machine: machine.world.lend("eth1"),
            errno.EBUSY,
            "eth1: Failed to add port (Device or resource busy). eth1: it is in a team",
        ),
        (
            lambda machine: setattr(machine.world.find("eth1"), "loopback", True),
            errno.EINVAL,
            "eth1: Failed to add port (Invalid argument). eth1: it cannot be a port",
        ),
    ],
    ids=["up", "lent", "loopback"],
)
def test_a_port_that_is_there_and_cannot_be_one_is_a_hindrance(
    spoil: Callable[[Machine], None], code: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(CONFIG, "eth0", "eth1", start=False)
    spoil(machine)
    machine.service.start(machine.loop)
    assert machine.service.hindrances() == [code]
    assert ("ERROR", text) in levels(caplog)


def test_however_many_candidates_are_busy_the_first_that_is_not_becomes_a_port(
    caplog: pytest.LogCaptureFixture,
) -> None:
    names = [f"eth{number}" for number in range(64)]
    config = {"runner": {"name": "activebackup"}, "ports": {name: {} for name in names}}
    machine = Machine(json.dumps(config), *names, start=False)
    for name in names[:-1]:
        machine.world.set_up(name, True)
    machine.service.start(machine.loop)
    assert machine.ports == names[-1:]
    assert "does not become" not in caplog.text


def test_not_for_a_team_that_carries_traffic_already() -> None:
    machine = Machine(CONFIG, "eth0")
    machine.world.plug("eth1", up=True)
    machine.restart()
    assert machine.service.hindrances() == []
    assert machine.ports == ["eth0"]


def test_a_mode_that_cannot_be_set_is_a_hindrance_even_then(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(CONFIG, "eth0", start=False)
    refuse(machine, monkeypatch, "mode", errno.ENOSYS)
    machine.service.start(machine.loop)
    assert errno.ENOSYS in machine.service.hindrances()
    machine.restart()
    assert errno.ENOSYS in machine.service.hindrances()


def test_without_ports_there_are_none() -> None:
    machine = Machine(CONFIG, "eth0", "eth1", no_ports=True)
    assert machine.ports == []
    machine.loop.advance(60)
    assert machine.ports == []


def test_events_come_over_the_descriptor() -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    assert set(machine.loop.readers) == {DESCRIPTOR}
    machine.world.cut("eth0")
    assert machine.active == "eth0"
    machine.loop.read()
    assert machine.active == "eth1"


def test_a_delay_ends_when_it_is_due(caplog: pytest.LogCaptureFixture) -> None:
    watch = '{"name": "ethtool", "delay_down": 2500}'
    machine = Machine(CONFIG[:-1] + f', "link_watch": {watch}}}', "eth0", "eth1")
    machine.world.cut("eth0")
    machine.loop.read()
    machine.loop.advance(2.4)
    assert machine.active == "eth0"
    machine.loop.advance(0.2)
    assert machine.active == "eth1"
    assert caplog.messages[-2:] == ["eth0: ethtool-link went down.", 'Changed active port to "eth1".']


def test_a_delay_does_not_end_on_facts_of_before_the_daemon_was_stopped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = '{"name": "ethtool", "delay_down": 2500}'
    machine = Machine(CONFIG[:-1] + f', "link_watch": {watch}}}', "eth0", "eth1")
    machine.loop.advance(1)
    machine.world.cut("eth0")
    machine.loop.read()
    machine.loop.advance(1)
    # Nobody reads any more, as under SIGSTOP; the timer is what wakes it.
    machine.world.mend("eth0")
    caplog.clear()
    machine.loop.advance(3)
    assert machine.active == "eth0"
    assert caplog.messages == []


def test_the_datapaths_deadlines_are_kept() -> None:
    config = CONFIG[:-1] + ', "notify_peers": {"count": 3, "interval": 100}}'
    machine = Machine(config, "eth0", no_ports=False)
    machine.loop.advance(60)
    assert machine.datapath.announced["notify_peers"] >= 3
    # Then there is nothing to wake up for but the next look.
    assert len(machine.loop.due) == 1


def test_stop_leaves_nothing_in_the_loop_and_the_traffic_alone() -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    machine.service.stop()
    machine.service.stop()
    assert machine.loop.due == []
    assert machine.loop.readers == {}
    assert machine.datapath.sending() == {machine.index("eth0")}


def test_the_end_of_the_device_is_told_once() -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    machine.world.unplug("team0")
    machine.loop.read()
    assert machine.removed == 1


def test_what_follows_the_end_of_the_device_is_nobodys_business(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    caplog.clear()
    machine.service.handle([LinkGone(machine.datapath.ifindex), LinkGone(machine.index("eth0"))])
    machine.service.handle([LinkGone(machine.index("eth0"))], compare=True)
    assert caplog.messages == ["Team device removal detected."]
    assert machine.removed == 1


def test_a_restart_after_a_crash_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    before = machine.datapath.actual()
    for command in "add_port", "remove_port", "set_option", "set_entries", "set_address", "set_carrier":
        monkeypatch.setattr(type(machine.datapath), command, forbidden)
    machine.restart()
    machine.loop.advance(60)
    assert machine.datapath.actual() == before
    assert machine.active == "eth0"


# Repairs


def test_a_ports_address_is_set_back_at_once_and_told(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine('{"ports": {"eth0": {}, "eth1": {}}}', "eth0", "eth1")
    team = machine.world.find("team0").address
    caplog.clear()
    machine.world.set_address("eth1", ADDRESS)
    machine.loop.read()
    assert machine.world.find("eth1").address == team
    assert levels(caplog) == [
        (
            "WARNING",
            "Repairing what was changed from outside: "
            f"set address of eth1 to {':'.join(f'{byte:02x}' for byte in team)}.",
        )
    ]


def test_what_no_event_told_is_found_by_looking(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    key = OptionKey("enabled", machine.index("eth0"))
    caplog.clear()
    machine.datapath.set_option(key, False)
    machine.datapath.receive()
    machine.loop.advance(service.LOOK_INTERVAL - 1)
    assert not machine.datapath.actual().options[key]
    machine.loop.advance(2)
    assert machine.datapath.actual().options[key]
    assert levels(caplog) == [
        ("WARNING", "Repairing what was changed from outside: set enabled of eth0 to True.")
    ]


def test_an_event_that_was_lost_is_made_up_for() -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    machine.world.unplug("eth0")
    machine.world.cut("eth1")
    machine.datapath.receive()
    machine.loop.advance(service.LOOK_INTERVAL)
    assert machine.ports == ["eth1"]
    assert machine.active == ""


def test_so_is_the_end_of_the_device() -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    machine.world.plug("lo2")
    machine.datapath.receive()
    monkey = machine.datapath
    monkey.receive = list  # type: ignore[method-assign]
    monkey.links = lambda: []  # type: ignore[method-assign]
    machine.loop.advance(service.LOOK_INTERVAL)
    assert machine.removed == 1


def test_a_look_at_a_team_that_is_as_it_should_be_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    caplog.clear()
    machine.loop.advance(3600)
    assert caplog.messages == []


def test_what_is_refused_is_told_once_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(CONFIG, "eth0", "eth1", start=False)
    with monkeypatch.context() as patch:
        refuse(machine, patch, "priority", errno.EIO)
        machine.service.start(machine.loop)
        machine.loop.advance(60)
        machine.world.cut("eth1")
        machine.loop.read()
        assert caplog.text.count("Failed to set priority") == 1
        assert "Failed to set priority of eth0 to 10: " in caplog.text
    machine.loop.advance(service.LOOK_INTERVAL)
    assert machine.datapath.actual().options[OptionKey("priority", machine.index("eth0"))] == 10
    assert "Repairing" not in caplog.text


def test_a_switch_is_one_request_and_what_can_wait_another(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    old, new = machine.index("eth0"), machine.index("eth1")
    requests: list[list[OptionKey]] = []
    obey = machine.datapath.set_options

    def set_options(options: Sequence[tuple[OptionKey, OptionValue]]) -> None:
        requests.append([key for key, _ in options])
        obey(options)

    monkeypatch.setattr(machine.datapath, "set_options", set_options)
    machine.world.cut("eth0")
    machine.loop.read()
    assert [set(keys) for keys in requests] == [
        {OptionKey("failover_order"), OptionKey("activeport"), OptionKey("enabled", new)},
        {OptionKey("enabled", old), OptionKey("user_linkup", old)},
    ]


def test_an_option_that_the_datapath_does_not_have_is_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(CONFIG, "eth0", "eth1", start=False)
    refuse(machine, monkeypatch, "failover_order", errno.ENOENT)
    machine.service.start(machine.loop)
    assert machine.active == "eth0"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_what_the_datapath_put_back_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    caplog.clear()
    with monkeypatch.context() as patch:
        patch.setattr(machine.datapath, "repair", lambda: ["put this back", "that too"])
        machine.loop.read()
        assert caplog.messages == []
        machine.loop.advance(service.LOOK_INTERVAL)
    assert levels(caplog) == [
        ("WARNING", "Repairing what was changed from outside: put this back, that too.")
    ]


def test_what_cannot_be_put_back_is_told_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    caplog.clear()
    with monkeypatch.context() as patch:
        patch.setattr(machine.datapath, "repair", failing(DatapathError(errno.E2BIG, "too many programs")))
        machine.loop.advance(2 * service.LOOK_INTERVAL)
    text = "Failed to put back what was changed from outside: too many programs (Argument list too long)"
    assert levels(caplog) == [("ERROR", text)] * 2
    assert set(machine.loop.readers) == {DESCRIPTOR}


# What nobody foresaw


@pytest.mark.parametrize("error", [ValueError("odd"), DatapathError(errno.ENOBUFS, "too much")])
def test_an_error_in_an_event_ends_nothing_and_is_made_up_for(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    machine.world.cut("eth0")
    with monkeypatch.context() as patch:
        patch.setattr(machine.datapath, "receive", failing(error))
        machine.loop.read()
        # Not even asked again meanwhile, or a descriptor that stays readable would spin the loop.
        assert machine.loop.readers == {}
        machine.loop.advance(10 * service.RECOVERY)
        assert 1 < caplog.text.count("Loop callback failed with: ") < 13
    machine.loop.advance(service.RECOVERY)
    assert machine.active == "eth1"
    assert set(machine.loop.readers) == {DESCRIPTOR}
    # A defect of ours shows where it is, a refusal by the kernel need not.
    assert bool(caplog.records[-3].exc_info) == isinstance(error, ValueError)


def test_an_error_in_the_engine_does_not_spin_the_loop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watch = '{"name": "ethtool", "delay_down": 2500}'
    machine = Machine(CONFIG[:-1] + f', "link_watch": {watch}}}', "eth0", "eth1")
    machine.world.cut("eth0")
    machine.loop.read()
    with monkeypatch.context() as patch:
        patch.setattr(machine.service.team, "handle", failing(RuntimeError("defect")))
        machine.loop.advance(10)
        assert 1 < caplog.text.count("Loop callback failed with: defect") < 13
    machine.loop.advance(10)
    assert machine.active == "eth1"


def test_an_error_while_a_method_is_carried_out_leaves_the_watching_intact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    with monkeypatch.context() as patch:
        patch.setattr(machine.datapath, "actual", failing(DatapathError(errno.EIO, "broken")))
        with pytest.raises(DatapathError):
            machine.core.port_remove("eth0")
    assert set(machine.loop.readers) == {DESCRIPTOR}
    machine.loop.advance(service.LOOK_INTERVAL)
    assert machine.ports == ["eth1"]
    assert machine.datapath.actual().members == {machine.index("eth1")}


def test_a_datapath_that_never_obeys_does_not_hang_the_service(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(CONFIG, "eth0", "eth1", start=False)
    monkeypatch.setattr(machine.datapath, "add_port", lambda ifindex: None)
    machine.service.start(machine.loop)
    machine.loop.advance(60)
    assert caplog.text.count("does not become what it should be") < 10


def levels(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def refuse(machine: Machine, patch: pytest.MonkeyPatch, name: str, code: int) -> None:
    """The datapath does not set this option any more."""
    cls = type(machine.datapath)
    obey = cls.set_option

    def set_option(self: object, key: OptionKey, value: object) -> None:
        if key.name == name:
            raise DatapathError(code, f"{name} is refused")
        obey(machine.datapath, key, value)  # type: ignore[arg-type]

    patch.setattr(cls, "set_option", set_option)


def failing(error: Exception) -> Callable[..., object]:
    def fail(*arguments: object) -> object:
        raise error

    return fail


def forbidden(*arguments: object) -> None:
    raise AssertionError(f"commanded: {arguments}")


def test_many_new_ports_come_one_a_turn_of_the_loop_and_the_one_that_is_waited_for_first() -> None:
    names = [f"eth{number}" for number in range(9)]
    machine = Machine('{"runner": {"name": "broadcast"}, "ports": {"eth0": {}}}', *names)
    machine.loop.advance(0)
    ports = {name: PortConfig() for name in names[:8]}
    machine.service.reconfigure(replace(machine.document.team, ports=ports))
    assert machine.ports == ["eth0", "eth1"]
    machine.core.port_add("eth8")
    assert machine.ports == ["eth0", "eth1", "eth8"]
    machine.loop.advance(0)
    assert sorted(machine.ports) == names


def test_ports_that_wait_for_their_turn_are_no_repair(caplog: pytest.LogCaptureFixture) -> None:
    names = [f"eth{number}" for number in range(4)]
    machine = Machine('{"runner": {"name": "broadcast"}}', *names)
    machine.loop.advance(0)
    machine.service.reconfigure(replace(machine.document.team, ports={name: PortConfig() for name in names}))
    machine.loop.advance(0)
    assert sorted(machine.ports) == names
    assert "Repairing" not in caplog.text
