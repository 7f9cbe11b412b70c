"""The control methods on a real team, simulated; and that no request, however odd, does harm."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyteam.control.core import MethodError
from pyteam.control.dispatch import answer
from pyteam.control.methods import METHODS
from pyteam.control.protocol import encode_request
from tests.unit.daemon.virtual import Machine

CONFIG = """{"runner": {"name": "activebackup"}, "ports": {"eth0": {"prio": 10}, "eth1": {}}}"""


@pytest.fixture
def machine() -> Machine:
    return Machine(CONFIG, "eth0", "eth1", "eth2")


def config_of(machine: Machine) -> Any:
    return json.loads(machine.core.config_dump())


def state_of(machine: Machine) -> Any:
    return json.loads(machine.core.state_dump())


# Configuration


def test_config_dump_shows_what_is_written_back(machine: Machine) -> None:
    assert config_of(machine) == {
        "device": "team0",
        "mcast_rejoin": {"count": 1},
        "notify_peers": {"count": 1},
        "ports": {
            "eth0": {"link_watch": {"name": "ethtool"}, "prio": 10},
            "eth1": {"link_watch": {"name": "ethtool"}},
        },
        "runner": {"name": "activebackup"},
    }


def test_a_port_has_its_implicit_watch_when_it_joins_and_not_before() -> None:
    machine = Machine(CONFIG, "eth0")
    assert config_of(machine)["ports"]["eth1"] == {}
    machine.world.plug("eth1")
    machine.loop.read()
    assert config_of(machine)["ports"]["eth1"] == {"link_watch": {"name": "ethtool"}}


def test_a_configuration_that_replaces_it_stays_as_it_was_given(machine: Machine) -> None:
    machine.core.port_config_update("eth0", '{"prio": 7}')
    assert config_of(machine)["ports"]["eth0"] == {"prio": 7}
    assert json.loads(machine.core.port_config_dump("eth0")) == {"prio": 7}
    # Until it joins anew.
    machine.core.port_remove("eth0")
    config_of(machine)
    machine.core.port_add("eth0")
    assert config_of(machine)["ports"]["eth0"] == {"link_watch": {"name": "ethtool"}, "prio": 7}


def test_an_update_takes_effect_at_once(machine: Machine) -> None:
    assert machine.active == "eth0"
    machine.core.port_config_update("eth1", '{"prio": 11}')
    assert machine.active == "eth1"


def test_as_networkmanager_adds_a_port(machine: Machine) -> None:
    machine.core.port_config_update("eth2", '{"prio": 100}')
    assert machine.ports == ["eth0", "eth1"]
    machine.core.port_add("eth2")
    assert machine.active == "eth2"
    assert set(json.loads(machine.core.config_dump_actual())["ports"]) == {"eth0", "eth1", "eth2"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Failed to parse config"),
        ("[]", "an array at the top level"),
        ('{"prio": "x"}', "prio"),
        ('{"link_watch": {"name": "carrier_pigeon"}}', "carrier_pigeon"),
        ('{"link_watch": [{"delay_up": 3}]}', "Failed to get link watch name"),
    ],
)
def test_an_update_that_cannot_be_changes_nothing(machine: Machine, text: str, problem: str) -> None:
    before = config_of(machine)
    with pytest.raises(MethodError, match=problem) as caught:
        machine.core.port_config_update("eth0", text)
    assert caught.value.code == "ConfigUpdateFail"
    assert config_of(machine) == before


def test_warnings_of_an_update_are_logged(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.core.port_config_update("eth0", '{"prios": 3}')
    assert 'Did you mean "prio"?' in caplog.text


def test_config_of_what_is_no_port(machine: Machine) -> None:
    with pytest.raises(MethodError, match="eth2 is no port of this team and has no configuration") as caught:
        machine.core.port_config_dump("eth2")
    assert caught.value.code == "ConfigDumpFail"
    machine.core.port_add("eth2")
    machine.core.port_remove("eth1")
    assert json.loads(machine.core.port_config_dump("eth2")) == {"link_watch": {"name": "ethtool"}}
    assert set(json.loads(machine.core.config_dump_actual())["ports"]) == {"eth0", "eth2"}


@pytest.mark.parametrize("method", ["port_config_update", "port_config_dump", "port_add", "port_remove"])
@pytest.mark.parametrize("name", ["nope", "", "eth", "eth0\0", "eth0 ", "e" * 300, "\udcff"])
def test_an_interface_that_is_not_there(machine: Machine, method: str, name: str) -> None:
    with pytest.raises(MethodError) as caught:
        getattr(machine.core, method)(name, *["{}"] * (method == "port_config_update"))
    assert caught.value.code == "NoSuchDev"


# Ports


def test_adding_a_port_that_is_one_changes_nothing(machine: Machine) -> None:
    before = machine.datapath.actual()
    machine.core.port_add("eth0")
    assert machine.datapath.actual() == before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lo", r"lo: Failed to add port \(Invalid argument\)\."),
        ("eth2", r"eth2: Failed to add port \(Device or resource busy\)\. eth2: it is up, set it down"),
    ],
)
def test_what_cannot_be_a_port(
    machine: Machine, name: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    machine.world.set_up("eth2", True)
    for times in 1, 2:
        with pytest.raises(MethodError, match=f"^{reason}") as caught:
            machine.core.port_add(name)
        assert caught.value.code == "PortAddFail"
        # Whoever asks again is answered again.
        assert caplog.text.count(": Failed to add port") == times
    assert machine.ports == ["eth0", "eth1"]
    # And it is not made one behind anybody's back when the reason is gone.
    machine.world.set_up("eth2", False)
    machine.loop.advance(60)
    assert machine.ports == ["eth0", "eth1"]


def test_the_team_is_no_port_of_itself(machine: Machine) -> None:
    with pytest.raises(MethodError, match="team0 is the team device itself") as caught:
        machine.core.port_add("team0")
    assert caught.value.code == "PortAddFail"


def test_a_port_taken_out_is_not_put_back(machine: Machine) -> None:
    machine.core.port_remove("eth0")
    machine.loop.read()
    machine.loop.advance(60)
    assert machine.ports == ["eth1"]
    with pytest.raises(MethodError, match="eth0 is no port of this team") as caught:
        machine.core.port_remove("eth0")
    assert caught.value.code == "NoSuchDev"
    machine.core.port_add("eth0")
    assert machine.active == "eth0"


# State


def test_state_items(machine: Machine) -> None:
    get = machine.core.state_item_get
    assert get("setup.runner_name") == "activebackup"
    assert get("setup.pid_file") == "/run/team0.pid"
    assert get("setup.datapath") == "simulated"
    assert get("runner.active_port") == "eth0"
    assert get("ports.eth0.link_watches.list.link_watch_0.name") == "ethtool"
    assert get("ports.eth0.link.up") == "true"


def test_the_active_port_is_set_by_hand(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    machine.core.state_item_set("runner.active_port", "eth1")
    assert machine.core.state_item_get("runner.active_port") == "eth1"
    assert machine.datapath.sending() == {machine.index("eth1")}
    assert 'Changed active port to "eth1".' in caplog.messages
    for name in "eth2", "nope", "":
        with pytest.raises(MethodError, match="is no port of this team") as caught:
            machine.core.state_item_set("runner.active_port", name)
        assert caught.value.code == "ItemValueSetFail"
    machine.loop.advance(60)
    assert machine.active == "eth1"


def test_the_debug_level_begins_where_the_daemon_does_and_zero_mutes_no_information() -> None:
    machine = Machine(CONFIG, "eth0", debug_level=2)
    root = logging.getLogger()
    before = root.level
    try:
        assert machine.core.state_item_get("setup.debug_level") == "2"
        for text, level in (
            ("0", logging.INFO),
            ("1", logging.DEBUG),
            ("7", logging.DEBUG),
            ("0", logging.INFO),
        ):
            machine.core.state_item_set("setup.debug_level", text)
            assert machine.core.state_item_get("setup.debug_level") == text
            assert root.level == level
    finally:
        root.setLevel(before)


def test_what_cannot_be_set(machine: Machine) -> None:
    with pytest.raises(MethodError, match="OpNotSupp"):
        machine.core.state_item_set("setup.pid", "1")


def test_a_port_whose_statistics_are_gone_already_is_shown(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(ifindex: int) -> dict[str, int]:
        raise OSError(19, "No such device")

    assert state_of(machine)["ports"]["eth0"]["statistics"]
    monkeypatch.setattr(machine.datapath, "statistics", gone)
    assert set(state_of(machine)["ports"]) == {"eth0", "eth1"}


# Options

AN_OPTION = pytest.mark.parametrize(
    ("name", "port", "index", "value", "code", "text"),
    [
        ("nope", "", "0", "1", "NoSuchOption", 'There is no option "nope".'),
        ("bpf_hash_func", "", "0", "", "NoSuchOption", "no such option"),
        ("enabled", "", "0", "true", "NoSuchOption", "no such option"),
        ("priority", "eth2", "0", "1", "NoSuchDev", "eth2 is no port of this team."),
        ("priority", "eth0", "0", "x", "OptionSetFail", 'priority: "x" is no value of type s32.'),
        ("priority", "eth0", "0", "2147483648", "OptionSetFail", "priority: 2147483648 is out of range"),
        ("priority", "eth0", "", "1", "OptionSetFail", 'priority: "" is no value of type u32.'),
        ("priority", "eth0", "7", "1", "NoSuchOption", "no such option"),
        ("queue_id", "eth0", "0", "4711", "OptionSetFail", "4711 is refused"),
        ("activeport", "", "0", "4711", "NoSuchOption", "4711 is refused"),
        ("enabled", "eth0", "0", "false", "OptionBusy", r"enabled is for the runner \(activebackup\)"),
        ("user_linkup", "eth0", "0", "false", "OptionBusy", "link watches to decide"),
        ("mode", "", "0", "random", "OptionBusy", "mode is for the runner"),
    ],
)


@AN_OPTION
def test_an_option_that_cannot_be_set_changes_nothing(
    machine: Machine, name: str, port: str, index: str, value: str, code: str, text: str
) -> None:
    before = machine.datapath.actual()
    with pytest.raises(MethodError, match=text) as caught:
        machine.core.option_set(name, port, index, value)
    assert caught.value.code == code
    assert machine.datapath.actual() == before


def test_a_priority_set_by_hand_moves_traffic(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    machine.core.option_set("priority", "eth1", "0", "11")
    assert machine.active == "eth1"
    assert machine.datapath.sending() == {machine.index("eth1")}
    assert "priority of eth1 set to 11 by hand." in caplog.messages
    machine.loop.advance(60)
    machine.core.option_set("priority", "eth1", "0", "-7")
    assert machine.active == "eth0"
    assert "Repairing" not in caplog.text


def test_an_active_port_set_by_hand_stands_until_the_next_decision(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.core.option_set("activeport", "", "0", str(machine.index("eth1")))
    for _ in range(2):
        assert machine.active == "eth1"
        assert machine.datapath.sending() == machine.datapath.listening() == {machine.index("eth1")}
        machine.loop.read()
        machine.loop.advance(60)
    machine.world.cut("eth1")
    machine.loop.read()
    assert machine.active == "eth0"
    assert "Repairing" not in caplog.text


def test_an_option_that_is_nobodys_wish_is_simply_set() -> None:
    machine = Machine('{"runner": {"name": "roundrobin"}, "ports": {"eth0": {}, "eth1": {}}}', "eth0", "eth1")
    machine.core.option_set("enabled", "eth0", "0", "false")
    machine.loop.read()
    machine.loop.advance(60)
    assert machine.datapath.sending() == {machine.index("eth1")}


# Anything

NAMES = st.sampled_from(["eth0", "eth1", "eth2", "team0", "lo", "nope", ""]) | st.text(max_size=6)
CONFIGS = st.one_of(
    st.sampled_from(
        [
            "{}",
            '{"prio": 3}',
            '{"sticky": true, "prio": -5}',
            '{"link_watch": {"name": "arp_ping"}}',
            "{",
            "[]",
        ]
    ),
    st.text(max_size=20),
)
ITEMS = st.sampled_from(["runner.active_port", "setup.debug_level", "setup.pid", "ports.eth0.link.up", "x"])
REQUESTS = st.one_of(
    st.builds(lambda port, config: encode("PortConfigUpdate", port, config), NAMES, CONFIGS),
    st.builds(lambda name, port: encode(name, port), st.sampled_from(["PortAdd", "PortRemove"]), NAMES),
    st.builds(lambda name, path: encode(name, path), st.sampled_from(["StateItemValueGet"]), ITEMS),
    st.builds(lambda path, value: encode("StateItemValueSet", path, value), ITEMS, NAMES),
    st.builds(
        lambda name, port, value: encode("OptionSet", name, port, "0", value),
        st.sampled_from(["priority", "activeport", "enabled", "notify_peers_count", "queue_id", "x"]),
        NAMES,
        st.integers(-1, 20).map(str) | st.sampled_from(["true", "x", ""]),
    ),
    st.builds(
        lambda name, runner, ports: encode(
            name,
            json.dumps({"runner": {"name": runner}, "ports": {port: {"prio": len(ports)} for port in ports}}),
        ),
        st.sampled_from(["ConfigReplace", "ConfigDiff"]),
        st.sampled_from(["activebackup", "loadbalance", "broadcast", "turbo"]),
        st.lists(NAMES, max_size=3),
    ),
    st.sampled_from(["ConfigDump", "ConfigDumpActual", "StateDump"]).map(lambda name: encode(name)),
    st.binary(max_size=60),
)
MUTATING = (
    "PortConfigUpdate",
    "PortAdd",
    "PortRemove",
    "StateItemValueSet",
    "ConfigReplace",
    "OptionSet",
)


def encode(method: str, *arguments: str) -> bytes:
    try:
        return encode_request(METHODS[method], arguments)
    except ValueError:
        return b"REQUEST\n"


@settings(max_examples=60)
@given(st.lists(st.tuples(REQUESTS, st.integers(0, 3)), max_size=8))
def test_no_requests_end_the_team_or_change_what_they_refuse_to(requests: list[tuple[bytes, int]]) -> None:
    machine = Machine(CONFIG, "eth0", "eth1", "eth2")
    level = logging.getLogger().level
    try:
        for request, happening in requests:
            machine.loop.read()
            before = machine.core.config_dump(), machine.core.state_dump(), machine.datapath.actual()
            reply = answer(machine.core, request)
            assert reply.startswith((b"REPLY_SUCCESS\n", b"REPLY_ERROR\n"))
            assert b"internal error" not in reply
            method = request.split(b"\n")[1].decode(errors="replace") if request.count(b"\n") > 1 else ""
            if reply.startswith(b"REPLY_ERROR") or method not in MUTATING:
                after = machine.core.config_dump(), machine.core.state_dump(), machine.datapath.actual()
                assert after == before
            happen(machine, happening)
        machine.loop.read()
        # Whatever was asked for: what is wanted is what is.
        desired, actual = machine.service.team.desired, machine.datapath.actual()
        assert desired.members == actual.members
        assert all(actual.options[key] == value for key, value in desired.options.items())
        assert machine.removed == 0
    finally:
        logging.getLogger().setLevel(level)


def happen(machine: Machine, what: int) -> None:
    """Life goes on between requests."""
    match what:
        case 1:
            machine.world.cut("eth0")
        case 2:
            machine.world.mend("eth0")
        case 3:
            machine.loop.advance(11)
    machine.loop.read()


LACP = '{"runner": {"name": "lacp"}, "ports": {"eth0": {}, "eth1": {"lacp_key": 3}}}'


def lacp_machine() -> Machine:
    machine = Machine(LACP, "eth0", "eth1")
    machine.loop.advance(0)
    machine.world.set_up("team0", True)
    machine.loop.read()
    return machine


@pytest.mark.parametrize(
    ("item", "value", "key"),
    [
        ("runner.fast_rate", "true", ("runner", "fast_rate")),
        ("runner.active", "FALSE", ("runner", "active")),
        ("runner.sys_prio", "7", ("runner", "sys_prio")),
        ("runner.min_ports", "2", ("runner", "min_ports")),
        ("runner.retry_count", "5", ("runner", "retry_count")),
        ("runner.fallback", "true", ("runner", "fallback")),
        ("runner.max_active_ports", "1", ("runner", "max_active_ports")),
        ("runner.select_policy", "bandwidth", ("runner", "agg_select_policy")),
        ("ports.eth0.runner.prio", "9", ("ports", "eth0", "lacp_prio")),
        ("ports.eth0.runner.key", "3", ("ports", "eth0", "lacp_key")),
    ],
)
def test_items_of_lacp_are_set_at_run_time(item: str, value: str, key: tuple[str, ...]) -> None:
    machine = lacp_machine()
    machine.core.state_item_set(item, value)
    assert machine.core.state_item_get(item) == value.lower()
    found = json.loads(machine.core.config_dump())
    for word in key:
        found = found[word]
    assert str(found).lower() == value.lower()
    sent = machine.wire.sent[-1].data if machine.wire.sent else b""
    assert sent[:6] == bytes.fromhex("0180c2000002")


def test_an_item_touches_no_port_and_the_file_is_what_it_was() -> None:
    machine = lacp_machine()
    machine.core.port_remove("eth1")
    machine.core.state_item_set("runner.fast_rate", "true")
    assert machine.ports == ["eth0"]
    machine.world.plug("eth2")
    machine.loop.read()
    machine.core.port_add("eth2")
    machine.core.state_item_set("runner.sys_prio", "7")
    assert machine.ports == ["eth0", "eth2"]
    # The file again, unchanged: what was added by hand stays, what was set by hand goes.
    machine.core.config_replace(LACP)
    assert sorted(machine.ports) == ["eth0", "eth1", "eth2"]
    assert machine.core.state_item_get("runner.fast_rate") == "false"


@pytest.mark.parametrize(
    ("item", "value", "code"),
    [
        ("runner.fast_rate", "maybe", "ItemValueSetFail"),
        ("runner.sys_prio", "65536", "ItemValueSetFail"),
        ("runner.min_ports", "0", "ItemValueSetFail"),
        ("runner.retry_count", "2", "ItemValueSetFail"),
        ("runner.select_policy", "best", "ItemValueSetFail"),
        ("ports.eth0.runner.prio", "-1", "ItemValueSetFail"),
        ("ports.eth7.runner.prio", "1", "PathDoesNotExist"),
        ("ports.eth0.runner.state", "current", "OpNotSupp"),
        ("ports.eth0.runner.aggregator.selected", "false", "OpNotSupp"),
        ("ports.eth0.runner.aggregator.selected", "true", "ItemValueSetFail"),
    ],
)
def test_a_bad_value_of_an_item_of_lacp_changes_nothing(item: str, value: str, code: str) -> None:
    machine = lacp_machine()
    before = machine.core.config_dump()
    with pytest.raises(MethodError) as error:
        machine.core.state_item_set(item, value)
    assert error.value.code == code
    assert machine.core.config_dump() == before
