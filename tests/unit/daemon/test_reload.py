"""A configuration replaced as a whole, over the control methods, on a real team, simulated."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyteam.config import Document
from pyteam.control.core import MethodError
from pyteam.daemon.arguments import Arguments
from pyteam.daemon.reload import Reloader
from pyteam.datapath.interface import DatapathError
from tests.unit.daemon.virtual import Machine

PORTS: dict[str, Any] = {"eth0": {"prio": 10}, "eth1": {}}
CONFIG: dict[str, Any] = {"device": "team0", "runner": {"name": "activebackup"}, "ports": PORTS}
BALANCED: dict[str, Any] = {"runner": {"name": "loadbalance"}, "ports": {"eth0": {}, "eth1": {}}}


@pytest.fixture
def machine() -> Machine:
    return Machine(json.dumps(CONFIG), "eth0", "eth1", "eth2")


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)


def of_file(machine: Machine, file: Path, **arguments: Any) -> None:
    """As if it had been started with -f."""
    document = machine.core.current_document()
    machine.core._reloader = Reloader(Arguments(**arguments), document, machine.datapath.kind, str(file))


def conf(**keys: Any) -> str:
    return json.dumps({**CONFIG, **keys})


def dump(machine: Machine) -> Any:
    return json.loads(machine.core.config_dump())


def refusal(machine: Machine, config: str) -> str:
    """The reason; nothing has changed."""
    before = machine.core.config_dump(), machine.core.state_dump(), machine.datapath.actual()
    with pytest.raises(MethodError) as of_diff:
        machine.core.config_diff(config)
    with pytest.raises(MethodError) as caught:
        machine.core.config_replace(config)
    assert caught.value.code == of_diff.value.code == "ConfigReloadFail"
    assert str(caught.value) == str(of_diff.value)
    assert (machine.core.config_dump(), machine.core.state_dump(), machine.datapath.actual()) == before
    return str(caught.value)


def test_what_would_change_and_what_has_changed_is_told_path_by_path(machine: Machine) -> None:
    wanted = conf(ports={"eth1": {"prio": 20}, "eth2": {}})
    changes = [
        'ports.eth0: removed (it was {"link_watch": {"name": "ethtool"}, "prio": 10})',
        "ports.eth1.prio: added: 20",
        "ports.eth2: added: {}",
    ]
    assert machine.core.config_diff(wanted).splitlines() == changes
    assert machine.ports == ["eth0", "eth1"]
    assert machine.core.config_replace(wanted).splitlines() == changes
    assert machine.ports == ["eth1", "eth2"]
    assert machine.active == "eth1"
    assert machine.core.config_diff(wanted) == ""
    # The implicit watch and what the runner writes back are shown as after a start.
    assert dump(machine)["ports"] == {
        "eth1": {"link_watch": {"name": "ethtool"}, "prio": 20},
        "eth2": {"link_watch": {"name": "ethtool"}},
    }
    assert dump(machine)["notify_peers"] == {"count": 1}


def test_what_was_done_by_hand_beside_the_file_stays(machine: Machine) -> None:
    machine.core.port_config_update("eth2", '{"prio": 3}')
    machine.core.port_add("eth2")
    assert machine.core.config_diff(conf()) == ""
    machine.core.config_replace(conf(ports={"eth1": {}}))
    assert machine.ports == ["eth1", "eth2"]
    assert dump(machine)["ports"]["eth2"]["prio"] == 3
    # What was done to a port of the file is undone.
    machine.core.port_config_update("eth1", '{"prio": 5, "link_watch": {"name": "ethtool"}}')
    assert machine.core.config_diff(conf(ports={"eth1": {}})) == "ports.eth1.prio: removed (it was 5)"


def test_a_file_is_read_again(machine: Machine, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "team0.conf"
    of_file(machine, file)
    file.write_text(conf(ports={"eth0": {"prios": 1}, "eth1": {"prio": 20}}))
    assert "ports.eth1.prio: added: 20" in machine.core.config_diff("")
    assert "ports.eth1.prio: added: 20" in machine.core.config_reload()
    assert machine.active == "eth1"
    assert 'Did you mean "prio"?' in caplog.text
    assert "Configuration reloaded: 3 changes." in caplog.text
    machine.core.reload()
    assert "Configuration reloaded: the same." in caplog.text


def test_a_broken_file_changes_nothing_and_every_error_is_told(
    machine: Machine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "team0.conf"
    of_file(machine, file)
    for text, problems in (
        ('{"ports": {"eth0": {"prio": "x"}}, "hwaddr": 5}', ("ports.eth0.prio: ", "hwaddr: ")),
        ("{", ("Failed to parse config",)),
        (conf(device="team9", datapath="kernel"), ("device: a team that runs", "datapath: cannot change")),
    ):
        file.write_text(text)
        caplog.clear()
        machine.core.reload()
        assert [record.levelname for record in caplog.records] == ["ERROR"] * (len(problems) + 1)
        for problem in problems:
            assert problem in caplog.text
        assert "nothing was changed" in caplog.text
        with pytest.raises(MethodError) as caught:
            machine.core.config_reload()
        assert all(problem in str(caught.value) for problem in problems)
        assert machine.ports == ["eth0", "eth1"]
    file.unlink()
    with pytest.raises(MethodError, match="No such file or directory"):
        machine.core.config_reload()


def test_without_a_file_there_is_nothing_to_read_again(machine: Machine) -> None:
    with pytest.raises(MethodError, match="started without -f FILE"):
        machine.core.config_reload()
    machine.core.reload()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (conf(device="team1"), "device: a team that runs cannot be renamed: it is team0, not team1."),
        (
            conf(datapath="kernel"),
            "datapath: cannot change while the team runs: it is simulated, not kernel.",
        ),
        (conf(runner={"name": "loadbalance", "rx_balancer": {"name": "arp"}}), "runner.rx_balancer: "),
        (
            conf(runner={"name": "loadbalance", "tx_hash": {"bpf_file": "/nowhere"}}),
            "runner.tx_hash.bpf_file: /nowhere: No such file",
        ),
        (conf(ports={"team0": {}}), "ports.team0: is the team device itself"),
        (conf(link_watch={"name": "tipc", "tipc_bearer": "eth:eth0"}), "tipc"),
    ],
)
def test_what_cannot_change_is_refused_with_its_reason(
    machine: Machine, config: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("socket.AF_TIPC", raising=False)
    assert says in refusal(machine, config)


def test_a_name_from_the_command_line_wins_here_too(machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "team.conf"
    file.write_text(conf(device="other", ports={"eth1": {}}))
    of_file(machine, file, team_device="team0")
    machine.core.config_reload()
    assert machine.ports == ["eth1"]
    assert dump(machine)["device"] == "team0"


def test_a_file_without_a_name_is_for_the_team_that_reads_it(machine: Machine) -> None:
    assert machine.core.config_diff(json.dumps({key: CONFIG[key] for key in ("runner", "ports")})) == ""


def test_a_hash_function_that_the_kernel_refuses_leaves_the_old_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(json.dumps(BALANCED), "eth0", "eth1")
    before = machine.core.config_dump(), machine.datapath.actual()
    put = machine.datapath.set_option

    def refuse(key: Any, value: Any) -> None:
        if key.name == "bpf_hash_func":
            raise DatapathError(errno.EINVAL, "the verifier does not like it")
        put(key, value)

    monkeypatch.setattr(machine.datapath, "set_option", refuse)
    wanted = {**BALANCED, "runner": {"name": "loadbalance", "tx_hash": ["l4"]}, "ports": {"eth0": {}}}
    with pytest.raises(MethodError, match="the verifier does not like it"):
        machine.core.config_replace(json.dumps(wanted))
    machine.loop.advance(11)
    assert (machine.core.config_dump(), machine.datapath.actual()) == before
    monkeypatch.undo()
    machine.core.config_replace(json.dumps(wanted))
    assert machine.ports == ["eth0"]


def test_a_port_that_cannot_be_added_is_told_and_the_rest_is_done(machine: Machine) -> None:
    machine.world.set_up("eth2", True)
    *_, last = machine.core.config_replace(conf(ports={"eth1": {"prio": 4}, "eth2": {}})).splitlines()
    assert last.startswith("eth2: Failed to add port (Device or resource busy).")
    assert machine.ports == ["eth1"]
    machine.world.set_up("eth2", False)
    machine.loop.read()
    assert machine.ports == ["eth1", "eth2"]


def test_another_runner_says_that_it_interrupts(machine: Machine) -> None:
    wanted = conf(runner={"name": "roundrobin"})
    assert (
        'runner.name: "activebackup" -> "roundrobin" (the ports leave and join again: no traffic meanwhile)'
        in machine.core.config_replace(wanted)
    )
    assert machine.datapath.actual().options[("mode", 0, 0)] == "roundrobin"  # type: ignore[index]
    assert machine.ports == ["eth0", "eth1"]


def test_the_debug_level_follows_unless_somebody_has_set_another(machine: Machine) -> None:
    def current() -> str:
        return machine.core.state_item_get("setup.debug_level")

    machine.core.config_replace(conf(debug_level=2))
    assert current() == "2"
    machine.core.state_item_set("setup.debug_level", "0")
    machine.core.config_replace(conf(debug_level=2, ports={"eth0": {}}))
    assert current() == "0"
    machine.core.config_replace(conf(debug_level=1))
    assert current() == "1"


def test_a_document_knows_what_is_beside_it() -> None:
    loaded = Document.parse('{"ports": {"a": {}, "b": {"prio": 1}}}')
    live = loaded.with_port("b", '{"prio": 2}').with_port("c", '{"prio": 3}')
    assert Document.parse('{"ports": {"a": {}}}').with_ports_beside(loaded, live).raw == {
        "ports": {"a": {}, "c": {"prio": 3}}
    }
    assert Document.parse("{}").with_ports_beside(loaded, loaded).raw == {}
