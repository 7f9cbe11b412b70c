"""The object on D-Bus without a bus: a message in, a message out; and the policy that ships with it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import Message, MessageType, Variant
from hypothesis import given
from hypothesis import strategies as st

from pyteam.control.dbus_object import (
    INTERFACE,
    INTROSPECTABLE,
    PATH,
    PEER,
    PROPERTIES,
    PROPERTIES_INTERFACE,
    TeamObject,
    error_code,
    error_name,
    read_signal,
    signals,
)
from pyteam.control.events import EVENTS, Event, events
from pyteam.control.methods import ERRORS, METHODS, Method
from pyteam.engine.snapshot import WatchSnapshot
from tests.unit.control.fakecore import FakeCore, team

POLICY = Path(__file__).parents[3] / "dbus/org.libteam.teamd.conf"
OFFERED = {name: method for name, method in METHODS.items() if not method.streams}
#: Arguments with which a `FakeCore` does what it is asked for.
GOOD: dict[str, tuple[str, ...]] = {
    "PortConfigUpdate": ("p1", "{}"),
    "PortConfigDump": ("p0",),
    "PortAdd": ("p1",),
    "PortRemove": ("p0",),
    "StateItemValueGet": ("setup.runner_name",),
    "StateItemValueSet": ("setup.debug_level", "1"),
    "OptionSet": ("priority", "p0", "0", "1"),
    "ConfigReplace": ("{}",),
    "ConfigDiff": ("{}",),
}


def ask(core: FakeCore, member: str, signature: str = "", *body: object, **more: Any) -> Message:
    """A method call and its reply, over the wire and back."""
    header = {"path": PATH, "interface": INTERFACE, **more}
    call = Message(
        destination="org.x",
        member=member,
        signature=signature,
        body=list(body),
        serial=1,
        sender=":1.1",
        **header,
    )
    reply = TeamObject(core).answer(call)
    assert reply.reply_serial == 1
    assert reply.destination == ":1.1"
    # What cannot be marshalled would end the connection.
    reply._marshall(False)
    return reply


@pytest.mark.parametrize("method", OFFERED.values(), ids=OFFERED)
def test_every_method_with_the_signatures_of_the_original(method: Method) -> None:
    core = FakeCore()
    arguments = GOOD.get(method.name, ())
    reply = ask(core, method.name, "s" * len(arguments), *arguments)
    assert reply.message_type is MessageType.METHOD_RETURN
    assert reply.signature == ("s" if method.returns else "")
    expected = getattr(FakeCore(), method.attribute)(*arguments)
    assert reply.body == ([expected] if method.returns else [])
    assert not (core.changes and method.public)


@pytest.mark.parametrize(
    ("member", "signature", "body", "code", "text"),
    [
        ("PortAdd", "s", ["nope"], "NoSuchDev", ERRORS["NoSuchDev"]),
        ("PortAdd", "", [], "InvalidArgs", "PortAdd takes strings: port"),
        ("PortAdd", "u", [7], "InvalidArgs", 'not "u"'),
        ("StateItemValueSet", "sv", ["a", Variant("s", "b")], "InvalidArgs", 'not "sv"'),
        ("StateItemValueGet", "s", ["nope"], "PathDoesNotExist", "Item path does not exist."),
    ],
)
def test_a_refusal_is_named_after_its_code(
    member: str, signature: str, body: list[object], code: str, text: str
) -> None:
    reply = ask(FakeCore(), member, signature, *body)
    assert reply.error_name == f"org.libteam.teamd.{code}"
    assert text in reply.body[0]


def test_more_arguments_than_wanted_are_ignored_as_by_the_original() -> None:
    assert ask(FakeCore(), "PortConfigDump", "sus", "p0", 7, "more").message_type is MessageType.METHOD_RETURN


@pytest.mark.parametrize(
    ("member", "more", "error"),
    [
        ("Frobnicate", {}, "UnknownMethod"),
        ("Subscribe", {}, "UnknownMethod"),
        ("StateDump", {"interface": "org.example"}, "UnknownInterface"),
        ("StateDump", {"path": "/org/libteam/other"}, "UnknownObject"),
        ("StateDump", {"path": "/"}, "UnknownObject"),
        ("Ping", {"interface": INTROSPECTABLE}, "UnknownMethod"),
    ],
)
def test_what_is_not_there_is_said_not_to_be(member: str, more: dict[str, str], error: str) -> None:
    assert ask(FakeCore(), member, **more).error_name == f"org.freedesktop.DBus.Error.{error}"


def test_without_an_interface_the_member_alone_decides() -> None:
    assert ask(FakeCore(), "ConfigDump", interface=None).body == [FakeCore().config_dump()]
    assert ask(FakeCore(), "Ping", interface=None).message_type is MessageType.METHOD_RETURN
    assert ask(FakeCore(), "Ping", interface=PEER).message_type is MessageType.METHOD_RETURN


def test_a_defect_is_an_answer_and_no_traceback_travels() -> None:
    class Broken(FakeCore):
        def snapshot(self) -> Any:
            raise ZeroDivisionError("a secret")

    reply = ask(Broken(), "GetAll", "s", INTERFACE, interface=PROPERTIES_INTERFACE)
    assert reply.error_name == "org.freedesktop.DBus.Error.Failed"
    assert "ZeroDivisionError" in reply.body[0]
    assert "secret" not in reply.body[0]


def test_texts_that_are_no_utf_8_or_contain_a_nul_travel_escaped() -> None:
    core = FakeCore()
    core.state["setup"]["runner_name"] = "a\0b\udcffc"
    assert ask(core, "StateItemValueGet", "s", "setup.runner_name").body == ["a\\0b\\udcffc"]
    core.team = team("\udcff", active="\udcff")
    values = ask(core, "GetAll", "s", INTERFACE, interface=PROPERTIES_INTERFACE).body[0]
    assert values["Ports"].value == {"\\udcff": True}
    for signal in signals(team(), core.team):
        signal.serial = 1
        signal._marshall(False)


@given(st.text(), st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_any_strings_are_answered(member: str, body: list[str]) -> None:
    method = Message(
        destination="org.x",
        path=PATH,
        interface=INTERFACE,
        member="X",
        signature="s" * len(body),
        body=body,
        serial=1,
    )
    method.member = member
    reply = TeamObject(FakeCore()).answer(method)
    assert reply.message_type in (MessageType.METHOD_RETURN, MessageType.ERROR)


# Who may


def test_what_is_for_root_is_known_by_the_table() -> None:
    team_object = TeamObject(FakeCore())
    for name, method in OFFERED.items():
        for interface in (INTERFACE, None):
            call = Message(destination="org.x", path=PATH, interface=interface, member=name)
            assert team_object.is_for_root(call) is not method.public


def test_the_policy_lets_everybody_read_and_nobody_but_root_change() -> None:
    root = ET.parse(POLICY).getroot()
    default, of_root = root.findall("policy")
    assert (default.get("context"), of_root.get("user")) == ("default", "root")
    members = {rule.get("send_member") for rule in default.findall("allow")} - {None}
    assert members == {name for name, method in OFFERED.items() if method.public}
    # Nothing is allowed that other services would understand, but for root to look around.
    for rule in root.iter("allow"):
        ours = {rule.get("send_interface"), rule.get("own_prefix"), rule.get("send_path")} & {INTERFACE, PATH}
        assert ours or (rule in of_root and rule.get("send_interface") == INTROSPECTABLE)
    # dbus-broker would leave out what it does not know, and allow all the more.
    known = {"own_prefix", "send_interface", "send_member", "send_path"}
    assert {name for rule in root.iter("allow") for name in rule.attrib} == known


# Names of errors


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (error_name("NoSuchDev"), "NoSuchDev"),
        ("org.libteam.teamdNoSuchDev", "NoSuchDev"),
        ("org.freedesktop.DBus.Error.AccessDenied", ""),
        ("", ""),
    ],
)
def test_an_error_is_read_with_the_dot_and_without_as_the_original_has_it(name: str, code: str) -> None:
    assert error_code(name) == code


# Properties, signals, introspection


def test_properties_all_and_one_by_one() -> None:
    core = FakeCore()
    values = ask(core, "GetAll", "s", INTERFACE, interface=PROPERTIES_INTERFACE).body[0]
    assert list(values) == list(PROPERTIES)
    assert {name: value.value for name, value in values.items()} == {
        "ActivePort": "p0",
        "Carrier": True,
        "Ports": {"p0": True},
        "Runner": "activebackup",
        "State": core.state_dump(),
    }
    for name, value in values.items():
        assert ask(core, "Get", "ss", INTERFACE, name, interface=PROPERTIES_INTERFACE).body == [value]


@pytest.mark.parametrize(
    ("member", "signature", "body", "error"),
    [
        ("Get", "ss", [INTERFACE, "Nope"], "UnknownProperty"),
        ("Get", "ss", ["org.example", "State"], "UnknownInterface"),
        ("Get", "s", [INTERFACE], "InvalidArgs"),
        ("GetAll", "", [], "InvalidArgs"),
        ("Set", "ssv", [INTERFACE, "Runner", Variant("s", "lacp")], "PropertyReadOnly"),
    ],
)
def test_properties_that_cannot_be_had(member: str, signature: str, body: list[object], error: str) -> None:
    reply = ask(FakeCore(), member, signature, *body, interface=PROPERTIES_INTERFACE)
    assert reply.error_name == f"org.freedesktop.DBus.Error.{error}"


def test_a_change_is_signalled_event_by_event_then_as_properties() -> None:
    before, after = team("p0", active="p0"), team("p0", "p1", up=False, carrier=False)
    *told, changed = signals(before, after)
    assert [read_signal(signal) for signal in told] == events(before, after)
    assert {signal.member for signal in told} == {*EVENTS} - {"PortRemoved"}
    assert read_signal(changed) is None
    assert (changed.interface, changed.member) == (PROPERTIES_INTERFACE, "PropertiesChanged")
    interface, values, stale = changed.body
    assert (interface, stale) == (INTERFACE, ["State"])
    assert {name: value.value for name, value in values.items()} == {
        "ActivePort": "",
        "Carrier": False,
        "Ports": {"p0": False, "p1": False},
    }
    for signal in (*told, changed):
        signal.serial = 1
        signal._marshall(False)


def test_what_only_a_watch_counts_is_not_signalled() -> None:
    def watched(missed: int, speed: int = 0) -> Any:
        plain = team("p0")
        watch = WatchSnapshot("arp_ping", True, 0, {"missed": missed})
        port = replace(plain.ports[0], watches=(watch,))
        return replace(plain, ports=(replace(port, link=replace(port.link, speed=speed)),))

    assert signals(watched(1), watched(2)) == []
    [changed] = signals(watched(1), watched(1, speed=1000))
    assert changed.body == [INTERFACE, {}, ["State"]]


def test_signals_of_others_are_no_events() -> None:
    signal = Message(
        message_type=MessageType.SIGNAL,
        path=PATH,
        interface=INTERFACE,
        member="PortAdded",
        signature="s",
        body=["x"],
    )
    assert read_signal(signal) == Event("PortAdded", "x")
    signal.interface = "org.example"
    assert read_signal(signal) is None


def described(path: str) -> ET.Element:
    return ET.fromstring(ask(FakeCore(), "Introspect", path=path, interface=INTROSPECTABLE).body[0])


@pytest.mark.parametrize(("path", "below"), [("/", "org"), ("/org", "libteam"), ("/org/libteam", "teamd")])
def test_a_walk_from_the_root_leads_to_the_object(path: str, below: str) -> None:
    assert [node.get("name") for node in described(path)] == [below]


def test_introspection_says_what_is_answered() -> None:
    interfaces = {interface.get("name"): interface for interface in described(PATH)}
    ours = interfaces[INTERFACE]
    for kind, table in (("method", OFFERED), ("signal", EVENTS), ("property", PROPERTIES)):
        assert [element.get("name") for element in ours.iter(kind)] == list(table)
    for element in ours.iter("method"):
        method = METHODS[element.get("name", "")]
        directions = [argument.get("direction") for argument in element]
        assert directions == ["in"] * len(method.arguments) + ["out"] * method.returns
    # And nothing that is not.
    for name, interface in interfaces.items():
        for element in interface.iter("method"):
            arguments = [a.get("type", "") for a in element if a.get("direction") == "in"]
            body = [Variant("s", "") if kind == "v" else "" for kind in arguments]
            reply = ask(FakeCore(), element.get("name", ""), "".join(arguments), *body, interface=name)
            assert reply.error_name not in (
                "org.freedesktop.DBus.Error.UnknownMethod",
                "org.freedesktop.DBus.Error.UnknownInterface",
            )
