"""What a teamd.conf may hold, how a slip is read, and what is said of a mistake."""

from __future__ import annotations

import json

import pytest

from pyteam.config import (
    ActiveBackupRunner,
    ArpPingWatch,
    BasicRunner,
    ConfigError,
    Document,
    EthtoolWatch,
    LacpRunner,
    LoadBalanceRunner,
    NsnaPingWatch,
    PortConfig,
    TeamConfig,
    TipcWatch,
    TxBalancer,
)

TYPED = [
    ({}, TeamConfig()),
    ({"device": "team0", "debug_level": 2}, TeamConfig(device="team0", debug_level=2)),
    ({"hwaddr": "02:0:00:aB:1:"}, TeamConfig(hwaddr=bytes.fromhex("020000ab0100"))),
    ({"link_watch_policy": "all"}, TeamConfig(link_watch_policy="all")),
    ({"$schema": "teamd.schema.json"}, TeamConfig(schema="teamd.schema.json")),
    (
        {"ports": {"a": {"link_watch_policy": "all"}, "b": {}}},
        TeamConfig(ports={"a": PortConfig(link_watch_policy="all"), "b": PortConfig(link_watch_policy=None)}),
    ),
    (
        {"link_watch": {"name": "nsna_ping", "target_host": "::1", "vlanid": 0, "send_always": True}},
        TeamConfig(link_watch=(NsnaPingWatch(target_host="::1", vlanid=0, send_always=True),)),
    ),
    ({"datapath": "ebpf", "receiver": "veth"}, TeamConfig(datapath="ebpf", receiver="veth")),
    ({"runner": {}}, TeamConfig()),
    (
        {"runner": {"addr": "tcp://127.0.0.1:5555"}},
        TeamConfig(runner=BasicRunner(addr="tcp://127.0.0.1:5555")),
    ),
    ({"runner": {"name": "broadcast"}}, TeamConfig(runner=BasicRunner("broadcast"))),
    (
        {"runner": {"name": "loadbalance", "tx_hash": ["l4"], "tx_balancer": {"name": "basic"}}},
        TeamConfig(runner=LoadBalanceRunner(tx_hash=("l4",), tx_balancer=TxBalancer("basic", 50))),
    ),
    (
        {
            "runner": {
                "name": "lacp",
                "active": False,
                "sys_prio": 1,
                "fast_rate": True,
                "min_ports": 1024,
                "agg_select_policy": "count",
            }
        },
        TeamConfig(
            runner=LacpRunner(
                active=False, sys_prio=1, fast_rate=True, min_ports=1024, agg_select_policy="count"
            )
        ),
    ),
    (
        {"link_watch": {"name": "ethtool", "delay_up": 2500}},
        TeamConfig(link_watch=(EthtoolWatch(delay_up=2500),)),
    ),
    (
        {
            "link_watch": [
                {"name": "arp_ping", "target_host": "10.0.0.1", "vlanid": 4095, "send_always": True},
                {"name": "nsna_ping", "target_host": "fe80::1", "missed_max": 0},
                {"name": "tipc", "tipc_bearer": "b" * 31},
            ]
        },
        TeamConfig(
            link_watch=(
                ArpPingWatch(target_host="10.0.0.1", vlanid=4095, send_always=True),
                NsnaPingWatch(target_host="fe80::1", missed_max=0),
                TipcWatch(tipc_bearer="b" * 31),
            )
        ),
    ),
    (
        {
            "ports": {
                "eth0.5": {"prio": -(2**31), "queue_id": 4, "sticky": True, "lacp_prio": 0, "lacp_key": 65535}
            }
        },
        TeamConfig(ports={"eth0.5": PortConfig(4, -(2**31), True, 0, 65535)}),
    ),
]


@pytest.mark.parametrize(("written", "typed"), TYPED)
def test_typed(written: dict[str, object], typed: TeamConfig) -> None:
    document = Document.parse(json.dumps(written))
    assert document.team == typed
    assert document.warnings == ()


def test_the_order_of_ports_is_the_files() -> None:
    assert list(Document.parse('{"ports": {"b": {}, "a": {}, "c": {}}}').team.ports) == ["b", "a", "c"]


def at(path: str, value: object) -> dict[str, object]:
    """A configuration with one value at a dotted path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


READ_ANYWAY = [
    ("ports.v0.prio", "5", 5),
    ("ports.v0.prio", " -5 ", -5),
    ("ports.v0.prio", 5.0, 5),
    ("ports.v0.sticky", 1, True),
    ("ports.v0.sticky", 0.0, False),
    ("ports.v0.sticky", "1", True),
    ("ports.v0.sticky", "False", False),
]


@pytest.mark.parametrize(("path", "found", "read"), READ_ANYWAY)
def test_what_has_one_reading_is_converted(path: str, found: object, read: object) -> None:
    document = Document.parse(json.dumps(at(path, found)))
    typed = getattr(document.port("v0"), path.rpartition(".")[2])
    assert (typed, type(typed)) == (read, type(read))
    assert [
        line.startswith(f"config: {path}: found {json.dumps(found)}, read as ") for line in document.warnings
    ] == [True]
    assert document.raw == at(path, found)


WARNED = [
    ('{"prots": {}}', 'prots: unknown key, ignored. Did you mean "ports"?'),
    ('{"zzzzzzzz": 1}', "zzzzzzzz: unknown key, ignored."),
    ('{"two\\nlines": 1}', '"two\\nlines": unknown key, ignored.'),
    ('{"ports": {"eth0.5": {"PRIO": 1}}}', 'ports."eth0.5".PRIO: unknown key, ignored. Did you mean "prio"?'),
    (
        '{"runner": {"name": "random", "tx_hash": ["eth"]}}',
        'runner.tx_hash: has no meaning for "random", only for "loadbalance", "lacp"; ignored.',
    ),
    (
        '{"link_watch": [{"name": "ethtool", "interval": 1}]}',
        'link_watch[0].interval: has no meaning for "ethtool", only for "arp_ping", "nsna_ping"; ignored.',
    ),
    (
        '{"runner": {"name": "lacp", "tx_hash": ["eth", "ipv5"]}}',
        'runner.tx_hash[1]: Hash frag named "ipv5" not found. Skipped. Did you mean "ipv6"?',
    ),
    (
        '{"runner": {"name": "lacp", "tx_hash": "l3"}}',
        'runner.tx_hash: found "l3", read as ["l3"]; write it as an array.',
    ),
    (
        '{"runner": {"name": "lacp", "tx_balancer": {"name": "none"}}}',
        'runner.tx_balancer.name: No tx_balancer named "none" available. Ignored. Allowed: "basic".',
    ),
]


@pytest.mark.parametrize(("text", "warning"), WARNED)
def test_warned(text: str, warning: str) -> None:
    document = Document.parse(text)
    assert document.warnings == (f"config: {warning}",)
    assert document.raw == json.loads(text)


def test_fragments_that_are_unknown_are_skipped() -> None:
    document = Document.parse('{"runner": {"name": "lacp", "tx_hash": ["eth", "ipv5"]}}')
    assert document.team.runner == LacpRunner(tx_hash=("eth",))


def test_a_balancer_that_is_unknown_is_none() -> None:
    text = '{"runner": {"name": "lacp", "tx_balancer": {"name": "none", "balancing_interval": 9}}}'
    assert Document.parse(text).team.runner == LacpRunner(tx_balancer=TxBalancer(None, 9))


REFUSED = [
    ('{"device": 5}', "device: found 5. Allowed: an interface name"),
    ('{"device": ""}', 'device: "" cannot be the name of an interface.'),
    ('{"device": ".."}', 'device: ".." cannot be'),
    ('{"device": "a b"}', 'device: "a b" cannot be'),
    ('{"device": "a/b"}', 'device: "a/b" cannot be'),
    ('{"device": "\\ud841"}', 'device: "\\ud841" cannot be'),
    ('{"device": "\\u00e0"}', 'device: "\\u00e0" cannot be'),
    (
        '{"link_watch": {"name": "nsna_ping", "target_host": "\\ud841"}}',
        'link_watch.target_host: found "\\ud841", ',
    ),
    ('{"device": "0123456789abcdef"}', 'device: name too long: "0123456789abcdef" (16 bytes).'),
    ('{"ports": {"0123456789abcdef": {}}}', "ports.0123456789abcdef: name too long: "),
    ('{"debug_level": -1}', 'debug_level: "debug_level" must not be negative number. Found -1.'),
    ('{"hwaddr": 5}', "hwaddr: found 5."),
    ('{"hwaddr": "zz:00:00:00:00:00"}', "hwaddr: Failed to parse hardware address."),
    ('{"hwaddr": "02:00:00:00:001:00"}', "hwaddr: Failed to parse hardware address."),
    (
        '{"hwaddr": "02:00"}',
        "hwaddr: Passed hardware address has different length (2) than team device has (6).",
    ),
    ('{"hwaddr": "01:00:5e:00:00:01"}', 'hwaddr: "01:00:5e:00:00:01" is a multicast address'),
    ('{"hwaddr": ":::::"}', 'hwaddr: ":::::" is all zero'),
    (
        '{"link_watch_policy": "al"}',
        'link_watch_policy: Only "any" or "all" are allowed but "al" found in config. Did you mean "all"?',
    ),
    ('{"runner": "lacp"}', 'runner: found "lacp". Allowed: an object.'),
    ('{"runner": {"name": "lcap"}}', 'runner.name: No runner named "lcap" available. Did you mean "lacp"?'),
    ('{"runner": {"name": 5}}', 'runner.name: found 5. Allowed: "broadcast", '),
    (
        '{"runner": {"name": "activebackup", "rx_balancer": {"name": "arp"}}}',
        "runner.rx_balancer: One port receives everything in activebackup: there is nothing to balance.",
    ),
    (
        '{"runner": {"name": "loadbalance", "rx_balancer": {"name": "alb"}}}',
        'runner.rx_balancer.name: No rx_balancer named "alb" available.',
    ),
    (
        '{"runner": {"name": "activebackup", "hwaddr_policy": "none"}}',
        'runner.hwaddr_policy: Unknown "hwaddr_policy" named "none" passed.',
    ),
    ('{"runner": {"name": "lacp", "tx_hash": []}}', "runner.tx_hash: the array is empty."),
    ('{"runner": {"name": "lacp", "tx_hash": ["x"]}}', "runner.tx_hash: no word of the array is known."),
    ('{"runner": {"name": "lacp", "tx_hash": [1]}}', "runner.tx_hash[0]: found 1."),
    (
        '{"runner": {"name": "lacp", "sys_prio": 65536}}',
        'runner.sys_prio: "sys_prio" value is out of its limits. Found 65536. Allowed: an integer from',
    ),
    (
        '{"runner": {"name": "lacp", "min_ports": 0}}',
        'runner.min_ports: "min_ports" value is out of its limits.',
    ),
    (
        '{"runner": {"name": "lacp", "active": "maybe"}}',
        'runner.active: found "maybe". Allowed: true or false.',
    ),
    ('{"runner": {"name": "lacp", "active": 2}}', "runner.active: found 2."),
    ('{"notify_peers": {"count": -1}}', 'notify_peers.count: "count" must not be negative number.'),
    (
        '{"mcast_rejoin": {"interval": 2147483648}}',
        'mcast_rejoin.interval: "interval" value is out of its limits.',
    ),
    ('{"mcast_rejoin": null}', "mcast_rejoin: found null. Allowed: an object."),
    ('{"ports": []}', "ports: found an array. Allowed: an object with interface names as keys."),
    ('{"ports": {"v0": 1}}', "ports.v0: found 1. Allowed: an object."),
    ('{"ports": {"v0": {"prio": 1.5}}}', "ports.v0.prio: found 1.5. Allowed: an integer from -2147483648 "),
    ('{"ports": {"v0": {"prio": true}}}', "ports.v0.prio: found true."),
    ('{"ports": {"v0": {"prio": "010"}}}', 'ports.v0.prio: found "010".'),
    ('{"ports": {"v0": {"prio": "99999999999"}}}', 'ports.v0.prio: "prio" value is out of its limits.'),
    ('{"ports": {"v0": {"prio": 1e300}}}', 'ports.v0.prio: "prio" value is out of its limits. Found 1e+300.'),
    ('{"ports": {"v0": {"lacp_key": -1}}}', 'ports.v0.lacp_key: "lacp_key" value is out of its limits.'),
    ('{"link_watch": "ethtool"}', 'link_watch: found "ethtool". Allowed: an object, or an array of objects.'),
    ('{"link_watch": [[]]}', "link_watch[0]: found an array."),
    ('{"link_watch": {}}', 'link_watch: Failed to get link watch name. Allowed: "ethtool", '),
    ('{"link_watch": [{"name": "mii"}]}', 'link_watch[0].name: No link_watch named "mii" available.'),
    ('{"link_watch": {"name": "arp_ping"}}', 'link_watch: "target_host" is missing: IPv4 address'),
    (
        '{"ports": {"a": {"link_watch_policy": "some"}}}',
        'ports.a.link_watch_policy: Only "any" or "all" are allowed but "some" found in config.',
    ),
    (
        '{"link_watch": {"name": "nsna_ping", "target_host": "h", "vlanid": 4096}}',
        'link_watch.vlanid: "vlanid" value is out of its limits.',
    ),
    (
        '{"link_watch": {"name": "arp_ping", "target_host": "h", "vlanid": 4096}}',
        'link_watch.vlanid: "vlanid" value is out of its limits.',
    ),
    (
        '{"link_watch": {"name": "tipc", "tipc_bearer": "' + "b" * 32 + '"}}',
        "link_watch.tipc_bearer: found ",
    ),
    ('{"link_watch": {"name": "nsna_ping", "target_host": ""}}', 'link_watch.target_host: found "".'),
    ('{"datapath": "xdp"}', 'datapath: found "xdp". Allowed: "auto", "kernel", "ebpf".'),
    ('{"receiver": "bond"}', 'receiver: found "bond". Allowed: "auto", "veth".'),
    ('{"x": {"a": 1, "b": 2, "a": 3}}', "x.a: duplicate key: "),
    (
        '{"ports": {"v0": {"prio": 99999999999999999999999999}}}',
        "ports.v0.prio: found 99999999999999999999...,",
    ),
    ('{"x": 9223372036854775808}', "x: found 9223372036854775808, which is no number of JSON"),
    ('{"x": -9223372036854775809}', "x: found -9223372036854775809, which"),
    ('{"x": [1e999]}', "x[0]: found 1e999, which is no number of JSON"),
    (
        '{"runner": {"name": "lacp", "tx_hash": ["eth", 1e999]}}',
        "runner.tx_hash[1]: found 1e999, which is no number of JSON",
    ),
    ('{"x": NaN}', "x: found NaN, which is no number of JSON"),
    ('{"x": ' + "1" * 5000 + "}", "x: found 11111111111111111111..., which is no number of JSON"),
    ('{"x": ' + "[" * 60 + "]" * 60 + "}", "x: nested deeper than 50 levels."),
    ("[" * 100_000, "Failed to parse config: nested deeper than 50 levels"),
    (
        '{\n  "a": 1,\n  b\n}',
        "Failed to parse config: Expecting property name enclosed in double quotes on line 3, column 3",
    ),
    ("", "Failed to parse config: Expecting value on line 1, column 1"),
    ("{} {}", "Failed to parse config: Extra data on line 1, column 4"),
    ("[]", "found an array at the top level. Allowed: an object."),
    ("5", "found 5 at the top level."),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED, ids=range(len(REFUSED)))
def test_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Document.parse(text, source="team0.conf")
    assert [line.startswith(f"team0.conf: {problem}") for line in caught.value.problems] == [True], str(
        caught.value
    )


def test_numbers_of_64_bits_are_kept() -> None:
    assert Document.parse('{"x": [9223372036854775807, -9223372036854775808]}').raw == {
        "x": [2**63 - 1, -(2**63)]
    }


def test_bytes_are_utf8() -> None:
    assert Document.parse('{"note": "é"}'.encode()).raw == {"note": "é"}
    with pytest.raises(ConfigError, match=r"Failed to parse config: .* not UTF-8, at byte 2"):
        Document.parse(b'{"\xff": 1}')


def test_all_errors_at_once() -> None:
    text = """{
        "device": "", "hwaddr": 1, "x": NaN, "x": 2, "link_watch": [{}, {"name": "?", "interval": -1}],
        "runner": {"name": "?", "min_ports": 0}, "ports": {"a": {"prio": "x", "sticky": "y"}, "b": 1}
    }"""
    with pytest.raises(ConfigError) as caught:
        Document.parse(text)
    paths = [line.split(": ")[1] for line in caught.value.problems]
    assert sorted(paths) == [
        "device",
        "hwaddr",
        "link_watch[0]",
        "link_watch[1].interval",
        "link_watch[1].name",
        "ports.a.prio",
        "ports.a.sticky",
        "ports.b",
        "runner.min_ports",
        "runner.name",
        "x",
    ]
    assert str(caught.value) == "\n".join(caught.value.problems)


def test_a_runner_keeps_its_own_keys() -> None:
    text = '{"runner": {"name": "activebackup", "hwaddr_policy": "only_active"}}'
    assert Document.parse(text).team.runner == ActiveBackupRunner(hwaddr_policy="only_active")
