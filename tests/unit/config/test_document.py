"""The live configuration: what is written back, replaced and dumped."""

from __future__ import annotations

import json

import pytest

from pyteam.config import Burst, ConfigError, Document, EthtoolWatch, PortConfig

WRITTEN_BACK = {
    "": {"runner": {"name": "roundrobin"}},
    "random": {"runner": {"name": "random"}},
    "activebackup": {
        "runner": {"name": "activebackup"},
        "notify_peers": {"count": 1},
        "mcast_rejoin": {"count": 1},
    },
    "loadbalance": {"runner": {"name": "loadbalance", "tx_hash": ["eth", "ipv4", "ipv6"]}},
    "lacp": {"runner": {"name": "lacp", "tx_hash": ["eth", "ipv4", "ipv6"]}},
}


def conf(**keys: object) -> Document:
    return Document.parse(json.dumps(keys))


@pytest.mark.parametrize("name", WRITTEN_BACK)
def test_defaults_are_written_back(name: str) -> None:
    document = conf(runner={"name": name}) if name else conf()
    assert document.with_defaults().raw == WRITTEN_BACK[name]
    assert document.with_defaults().team == document.team


def test_defaults_do_not_displace_what_the_user_wrote() -> None:
    written = {"runner": {"name": "activebackup"}, "notify_peers": {"count": 5, "interval": 7}}
    document = conf(**written).with_defaults()
    assert document.raw == {**written, "mcast_rejoin": {"count": 1}}
    assert document.team.notify_peers == Burst(5, 7)
    assert document.team.mcast_rejoin == Burst(1, None)


def test_the_dump_is_the_originals() -> None:
    document = (
        conf(ports={"v1": {"prio": 10}, "v0": {}}, runner={"name": "activebackup"})
        .with_device("team0")
        .with_defaults()
        .with_implicit_link_watch("v0")
        .with_implicit_link_watch("v1")
    )
    assert document.dump() == (
        "{\n"
        '    "device": "team0",\n'
        '    "mcast_rejoin": {\n        "count": 1\n    },\n'
        '    "notify_peers": {\n        "count": 1\n    },\n'
        '    "ports": {\n'
        '        "v0": {\n            "link_watch": {\n                "name": "ethtool"\n            }\n'
        "        },\n"
        '        "v1": {\n            "link_watch": {\n                "name": "ethtool"\n            },\n'
        '            "prio": 10\n        }\n'
        "    },\n"
        '    "runner": {\n        "name": "activebackup"\n    }\n'
        "}"
    )
    assert document.team.device == "team0"
    assert document.port("v0") == PortConfig(link_watch=(EthtoolWatch(),))


def test_a_dump_is_ascii() -> None:
    assert conf(note="é").dump() == '{\n    "note": "\\u00e9"\n}'


def test_values_are_dumped_as_they_were_written() -> None:
    text = '{"ports": {"v0": {"prio": "5"}}, "unknown": [1, {"a": null}]}'
    document = Document.parse(text)
    assert json.loads(document.dump()) == json.loads(text)
    assert document.port("v0").prio == 5


@pytest.mark.parametrize(
    ("written", "present", "dumped"),
    [
        ({}, [], {}),
        ({}, ["v0"], {"ports": {"v0": {}}}),
        ({"ports": {}}, [], {"ports": {}}),
        ({"ports": {"v0": {"prio": 1}, "v1": {}}}, [], {"ports": {}}),
        ({"ports": {"v0": {"prio": 1}, "v1": {}}}, ["v0", "v2"], {"ports": {"v0": {"prio": 1}, "v2": {}}}),
    ],
)
def test_the_actual_dump_has_the_ports_that_are_there(
    written: dict[str, object], present: list[str], dumped: dict[str, object]
) -> None:
    assert json.loads(conf(**written).dump_actual(present)) == dumped


@pytest.mark.parametrize(
    ("written", "gets_one"),
    [
        ({}, True),
        ({"ports": {"v0": {"prio": 3}}}, True),
        ({"ports": {"v0": {"link_watch": []}}}, True),
        ({"link_watch": {"name": "ethtool", "delay_up": 5}}, False),
        ({"ports": {"v0": {"link_watch": [{"name": "tipc", "tipc_bearer": "b"}]}}}, False),
    ],
)
def test_a_port_without_any_watch_gets_ethtool(written: dict[str, object], gets_one: bool) -> None:
    document = conf(**written)
    changed = document.with_implicit_link_watch("v0")
    assert (changed.raw.get("ports", {}).get("v0", {}).get("link_watch") == {"name": "ethtool"}) is gets_one
    assert (changed == document) is not gets_one
    assert changed.port("v0").prio == document.port("v0").prio


class TestPortReplaced:
    before = conf(ports={"v0": {"prio": 7, "sticky": True}}, prots=1)

    def test_as_a_whole_and_without_prio(self) -> None:
        after = self.before.with_port("v0", '{"queue_id": 3}')
        assert after.port("v0") == PortConfig(queue_id=3)
        assert json.loads(after.dump_port("v0")) == {"queue_id": 3}
        assert self.before.port("v0") == PortConfig(prio=7, sticky=True)

    def test_with_a_name_that_has_dots(self) -> None:
        after = conf().with_port("eth0.5", '{"prio": 4}')
        assert after.port("eth0.5").prio == 4
        assert after.raw == {"ports": {"eth0.5": {"prio": 4}}}

    def test_and_only_its_own_warnings_are_told(self) -> None:
        assert self.before.warnings
        assert self.before.with_port("v1", "{}").warnings == ()
        assert self.before.with_port("v1", '{"prio": "1"}').warnings == (
            'port config: ports.v1.prio: found "1", read as 1; write it as an integer.',
        )
        assert self.before.with_device("team0").warnings == self.before.warnings

    @pytest.mark.parametrize(
        ("name", "text", "problem"),
        [
            ("v0", "[]", "ports.v0: found an array at the top level"),
            ("v0", "{", "ports.v0: Failed to parse config: "),
            ("v0", '{"prio": 1.5}', "ports.v0.prio: found 1.5"),
            ("v0", '{"prio": 1, "prio": 1}', "ports.v0.prio: duplicate key"),
            ("eth0.5", '{"sticky": "5"}', 'ports."eth0.5".sticky: found "5"'),
            ("a/b", "{}", 'ports."a/b": "a/b" cannot be the name'),
        ],
    )
    def test_or_not_at_all(self, name: str, text: str, problem: str) -> None:
        dump = self.before.dump()
        with pytest.raises(ConfigError) as caught:
            self.before.with_port(name, text)
        assert [line.startswith(f"port config: {problem}") for line in caught.value.problems] == [True]
        assert self.before.dump() == dump


def test_a_port_without_configuration_has_the_defaults() -> None:
    assert conf().port("v0") == PortConfig()
    assert conf().dump_port("v0") == "{}"


def test_a_device_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^device: name too long: "):
        conf().with_device("team-with-a-long-name")


def test_the_raw_tree_is_a_copy() -> None:
    document = conf(ports={"v0": {}})
    document.raw["ports"]["v0"]["prio"] = 9
    assert document.raw == {"ports": {"v0": {}}}
