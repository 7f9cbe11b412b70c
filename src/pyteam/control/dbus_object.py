"""A team as an object on D-Bus: messages in, messages out; the connection is `dbus`'s business.

The methods are those of `methods.METHODS`, strings in and out; beside them the object has
properties, signals (`events.EVENTS`) and introspection, all from tables. An error is named after its code,
``org.libteam.teamd.NoSuchDev``; the original leaves out the last dot, and who reads a name here
takes both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from dbus_fast import ErrorType, Message, MessageType, Variant

from pyteam.control.core import Core, MethodError
from pyteam.control.dispatch import call
from pyteam.control.events import EVENTS, Event, active_port, carrier, events
from pyteam.control.methods import ERRORS, INVALID_ARGS, METHODS, Method
from pyteam.engine.snapshot import TeamSnapshot

_log = logging.getLogger(__name__)

INTERFACE: Final = "org.libteam.teamd"
PATH: Final = "/org/libteam/teamd"
PROPERTIES_INTERFACE: Final = "org.freedesktop.DBus.Properties"
INTROSPECTABLE: Final = "org.freedesktop.DBus.Introspectable"
PEER: Final = "org.freedesktop.DBus.Peer"

#: A field of an `Event` as D-Bus knows it.
_FIELD_TYPES: Final = {"port": "s", "up": "b"}
_OFFERED: Final = {name: method for name, method in METHODS.items() if not method.streams}


class Property(NamedTuple):
    """One row. ``read`` None: too large to be sent at each change; who wants it asks."""

    name: str
    signature: str
    read: Callable[[TeamSnapshot], object] | None
    help: str


PROPERTIES: Final[dict[str, Property]] = {
    row.name: row
    for row in (
        Property("ActivePort", "s", active_port, "The active port; empty where there is none."),
        Property("Carrier", "b", carrier, "Whether the team device has carrier."),
        Property(
            "Ports",
            "a{sb}",
            lambda team: {_clean(port.link.name): port.up for port in team.ports},
            "The ports, and which of them their link watches say are up.",
        ),
        Property("Runner", "s", lambda team: team.runner_name, "Name of the runner."),
        Property("State", "s", None, "What StateDump answers."),
    )
}


class Refusal(Exception):
    """A request that is answered with a standard error of D-Bus."""

    def __init__(self, error: ErrorType, text: str) -> None:
        super().__init__(text)
        self.error = error


def bus_name(device: str) -> str:
    """The name that the daemon of the team ``device`` owns."""
    return f"{INTERFACE}.{device}"


def error_name(code: str) -> str:
    """An error code of the protocol, as a name on D-Bus."""
    return f"{INTERFACE}.{code}"


def error_code(name: str) -> str:
    """The inverse of `error_name`, also for the original's names; empty for errors of others."""
    return name.removeprefix(INTERFACE).removeprefix(".") if name.startswith(INTERFACE) else ""


class TeamObject:
    """The one object of a connection."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._interfaces: dict[str, dict[str, Callable[[Message], tuple[str, list[object]]]]] = {
            INTERFACE: dict.fromkeys(_OFFERED, self._method),
            PROPERTIES_INTERFACE: {"Get": self._get, "GetAll": self._get_all, "Set": self._set},
            INTROSPECTABLE: {"Introspect": lambda _: ("s", [introspection(PATH)])},
            PEER: {"Ping": lambda _: ("", [])},
        }

    def is_for_root(self, message: Message) -> bool:
        """Whether it asks for what only some may ask for."""
        method = _OFFERED.get(message.member or "")
        return method is not None and not method.public and message.interface in (None, "", INTERFACE)

    def answer(self, message: Message) -> Message:
        """The reply to a method call; never raises."""
        try:
            signature, body = self._call(message)
            return Message.new_method_return(message, signature, body)
        except MethodError as error:
            text = error.text or ERRORS.get(error.code, error.code)
            _log.debug("D-Bus: answered %s: %s", error.code, text)
            return Message.new_error(message, error_name(error.code), _clean(text))
        except Refusal as refusal:
            return Message.new_error(message, refusal.error, _clean(str(refusal)))
        except Exception as error:
            _log.exception("D-Bus: %s failed unexpectedly", message.member)
            text = f"{message.member}: internal error ({type(error).__name__}), see the log of teamd."
            return Message.new_error(message, ErrorType.FAILED, _clean(text))

    def _call(self, message: Message) -> tuple[str, list[object]]:
        path, member = message.path or "", message.member or ""
        if path != PATH:
            # What is above the object is there to be walked down.
            if member == "Introspect" and message.interface in (None, INTROSPECTABLE) and _above(path):
                return "s", [introspection(path)]
            raise Refusal(ErrorType.UNKNOWN_OBJECT, f"There is no object {path}; there is {PATH}.")
        if message.interface:
            members = self._interfaces.get(message.interface)
            if members is None:
                raise Refusal(ErrorType.UNKNOWN_INTERFACE, f"{PATH} has no interface {message.interface}.")
        else:
            members = {name: run for table in self._interfaces.values() for name, run in table.items()}
        if member not in members:
            raise Refusal(ErrorType.UNKNOWN_METHOD, f"No method {member}; there are: {' '.join(members)}.")
        return members[member](message)

    def _method(self, message: Message) -> tuple[str, list[object]]:
        method = _OFFERED[message.member or ""]
        result = call(self._core, method, _strings(message, method))
        return ("s", [_clean(result)]) if method.returns else ("", [])

    # Properties

    def _get(self, message: Message) -> tuple[str, list[object]]:
        _expect(message, "ss")
        _own(message.body[0])
        row = PROPERTIES.get(message.body[1])
        if row is None:
            known = " ".join(PROPERTIES)
            raise Refusal(ErrorType.UNKNOWN_PROPERTY, f'No property "{message.body[1]}"; there are: {known}.')
        return "v", [self._value(row, self._core.snapshot())]

    def _get_all(self, message: Message) -> tuple[str, list[object]]:
        _expect(message, "s")
        _own(message.body[0])
        team = self._core.snapshot()
        return "a{sv}", [{name: self._value(row, team) for name, row in PROPERTIES.items()}]

    def _set(self, message: Message) -> tuple[str, list[object]]:
        _expect(message, "ssv")
        raise Refusal(ErrorType.PROPERTY_READ_ONLY, f"{message.body[1]} can only be read.")

    def _value(self, row: Property, team: TeamSnapshot) -> Variant:
        if row.read is None:
            return Variant(row.signature, _clean(call(self._core, METHODS["StateDump"], [])))
        value = row.read(team)
        return Variant(row.signature, _clean(value) if isinstance(value, str) else value)


def signals(before: TeamSnapshot, after: TeamSnapshot) -> list[Message]:
    """What is told of a change: each event, then the properties that are others now.

    What only the watches count is not told: it changes each second.
    """
    if _gist(before) == _gist(after):
        return []
    told = [_signal(INTERFACE, event.name, *_spelled(event)) for event in events(before, after)]
    changed, stale = {}, []
    for row in PROPERTIES.values():
        if row.read is None:
            stale.append(row.name)
        elif (value := row.read(after)) != row.read(before):
            changed[row.name] = Variant(row.signature, _clean(value) if isinstance(value, str) else value)
    told.append(_signal(PROPERTIES_INTERFACE, "PropertiesChanged", "sa{sv}as", [INTERFACE, changed, stale]))
    return told


def _gist(team: TeamSnapshot) -> object:
    ports = [(port.link, port.up, port.runner) for port in team.ports]
    return team.link, team.runner_name, team.mode, team.runner, ports


def read_signal(message: Message) -> Event | None:
    """The event that a signal is; None for signals of others, or of a version that knows more."""
    kind = EVENTS.get(message.member or "")
    if message.interface != INTERFACE or kind is None or len(message.body) < len(kind.fields):
        return None
    return Event(kind.name, **dict(zip(kind.fields, message.body, strict=False)))


def introspection(path: str) -> str:
    """XML of an object: the team, or what leads to it."""
    lines = ["<node>"]
    if path == PATH:
        lines += _describe_team()
    else:
        below = PATH.removeprefix(path.rstrip("/") + "/").split("/")[0]
        lines.append(f'  <node name="{below}"/>')
    return "\n".join([*lines, "</node>", ""])


def _describe_team() -> Iterable[str]:
    yield f'  <interface name="{INTERFACE}">'
    for method in _OFFERED.values():
        yield f'    <method name="{method.name}">'
        for argument in method.arguments:
            yield f'      <arg name="{argument}" type="s" direction="in"/>'
        if method.returns:
            yield '      <arg name="result" type="s" direction="out"/>'
        yield "    </method>"
    for kind in EVENTS.values():
        yield f'    <signal name="{kind.name}">'
        for field in kind.fields:
            yield f'      <arg name="{field}" type="{_FIELD_TYPES[field]}"/>'
        yield "    </signal>"
    for row in PROPERTIES.values():
        emits = "true" if row.read else "invalidates"
        yield f'    <property name="{row.name}" type="{row.signature}" access="read">'
        yield (f'      <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="{emits}"/>')
        yield "    </property>"
    yield "  </interface>"
    yield from STANDARD.splitlines()


#: The interfaces that are the same everywhere.
STANDARD: Final = """\
  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect"><arg name="xml" type="s" direction="out"/></method>
  </interface>
  <interface name="org.freedesktop.DBus.Peer">
    <method name="Ping"/>
  </interface>
  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get">
      <arg name="interface" type="s" direction="in"/>
      <arg name="property" type="s" direction="in"/>
      <arg name="value" type="v" direction="out"/>
    </method>
    <method name="GetAll">
      <arg name="interface" type="s" direction="in"/>
      <arg name="values" type="a{sv}" direction="out"/>
    </method>
    <method name="Set">
      <arg name="interface" type="s" direction="in"/>
      <arg name="property" type="s" direction="in"/>
      <arg name="value" type="v" direction="in"/>
    </method>
    <signal name="PropertiesChanged">
      <arg name="interface" type="s"/>
      <arg name="changed" type="a{sv}"/>
      <arg name="invalidated" type="as"/>
    </signal>
  </interface>"""


def _strings(message: Message, method: Method) -> list[str]:
    """The arguments; more than wanted are ignored, as by the original. Raises `MethodError`."""
    count = len(method.arguments)
    if not message.signature.startswith("s" * count):
        wanted = f"{method.name} takes strings: {', '.join(method.arguments)}"
        raise MethodError(INVALID_ARGS, f'{ERRORS[INVALID_ARGS]} {wanted}; not "{message.signature}".')
    return list(message.body[:count])


def _expect(message: Message, signature: str) -> None:
    if message.signature != signature:
        text = f'{message.member} takes "{signature}", not "{message.signature}".'
        raise Refusal(ErrorType.INVALID_ARGS, text)


def _own(interface: str) -> None:
    """Only one interface here has properties; an empty name means any."""
    if interface not in (INTERFACE, ""):
        raise Refusal(ErrorType.UNKNOWN_INTERFACE, f'"{interface}" has no properties; {INTERFACE} has.')


def _above(path: str) -> bool:
    return PATH.startswith(path.rstrip("/") + "/")


def _signal(interface: str, member: str, signature: str, body: list[object]) -> Message:
    return Message(
        message_type=MessageType.SIGNAL,
        path=PATH,
        interface=interface,
        member=member,
        signature=signature,
        body=body,
    )


def _spelled(event: Event) -> tuple[str, list[object]]:
    fields = EVENTS[event.name].fields
    values = (getattr(event, field) for field in fields)
    return "".join(_FIELD_TYPES[field] for field in fields), [
        _clean(value) if isinstance(value, str) else value for value in values
    ]


def _clean(text: str) -> str:
    """D-Bus carries valid UTF-8 without NUL; names of interfaces may be anything."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")
