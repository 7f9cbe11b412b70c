"""State items: one value of the state by its path, and which of them can be set to what.

Owns the path syntax and the texts of values. Must not know where the state comes from or what
setting an item does; the daemon gives the nested state of ``StateDump`` and gets values back.

A path is keys with dots between, down to a leaf: ``ports.eth0.link.up``. The name of a port may
be quoted, ``ports."eth0.5".link.up``; unquoted, the longest present name that fits is taken.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Final

from pyteam.control.core import MethodError

Value = int | str
State = Mapping[str, object]
Path = tuple[str, ...]

INT_MAX: Final = 2**31 - 1


def get_item(state: State, path: str) -> str:
    """The value as text: integers in decimal, booleans ``true``/``false``, strings as they are.

    Raises `MethodError` ``PathDoesNotExist`` or, for broken syntax, ``ItemValueGetFail``.
    """
    value = _leaf(state, _find(state, path, "ItemValueGetFail"))
    match value:
        case bool():
            return "true" if value else "false"
        case int() | str():
            return str(value)
    raise MethodError("ItemValueGetFail", f"{path}: a value of type {type(value).__name__} has no text.")


def parse_item(state: State, path: str, text: str) -> tuple[Path, Value]:
    """Which row of `SETTABLE` is to be set, and the typed value. Nothing is set here.

    Raises `MethodError` ``PathDoesNotExist``, ``OpNotSupp`` or ``ItemValueSetFail``.
    """
    keys = _find(state, path, "ItemValueSetFail")
    parse = SETTABLE.get(general(keys))
    if parse is None:
        raise MethodError("OpNotSupp")
    try:
        return keys, parse(text)
    except ValueError as error:
        raise MethodError("ItemValueSetFail", f"{path}: {error}.") from error


def _natural(text: str) -> int:
    """C's strtol, base 10: leading blanks and a sign are fine, anything behind the digits is not."""
    number = text.lstrip(string.whitespace)
    digits = number.removeprefix("-") if number.startswith("-") else number.removeprefix("+")
    if digits.isascii() and digits.isdigit():
        digits = digits.lstrip("0") or "0"
        # The length first: Python refuses, and would be slow with, thousands of digits.
        if len(digits) <= len(str(INT_MAX)) and int(digits) <= INT_MAX:
            value = int(digits)
            if value == 0 or not number.startswith("-"):
                return value
    raise ValueError(f'"{text[:32]}" is not a whole number from 0 to {INT_MAX}')


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f'"{text[:32]}" is neither true nor false')
    return text.lower() == "true"


def _true(text: str) -> bool:
    """Of what only its becoming so can be asked for."""
    if not _truth(text):
        raise MethodError("OpNotSupp", "set that of another to true instead.")
    return True


#: Items that show a key of the configuration, and are set by changing it: where it is. ``*``: the port.
CONFIGURED: Final[dict[Path, Path]] = {
    ("runner", "active"): ("runner", "active"),
    ("runner", "fallback"): ("runner", "fallback"),
    ("runner", "fast_rate"): ("runner", "fast_rate"),
    ("runner", "max_active_ports"): ("runner", "max_active_ports"),
    ("runner", "min_ports"): ("runner", "min_ports"),
    ("runner", "retry_count"): ("runner", "retry_count"),
    ("runner", "select_policy"): ("runner", "agg_select_policy"),
    ("runner", "sys_prio"): ("runner", "sys_prio"),
    ("ports", "*", "runner", "key"): ("ports", "*", "lacp_key"),
    ("ports", "*", "runner", "prio"): ("ports", "*", "lacp_prio"),
}
_TRUTHS: Final = {("runner", "active"), ("runner", "fallback"), ("runner", "fast_rate")}
_WORDS: Final = {("runner", "select_policy")}
#: Every item that can be set, and how its text is read.
SETTABLE: Final[dict[Path, Callable[[str], Value]]] = {
    ("runner", "active_port"): str,
    ("setup", "debug_level"): _natural,
    ("ports", "*", "runner", "aggregator", "selected"): _true,
    **{item: _truth if item in _TRUTHS else str if item in _WORDS else _natural for item in CONFIGURED},
}


def general(path: Path) -> Path:
    """The path as the tables have it, for every port."""
    return ("ports", "*", *path[2:]) if path[0] == "ports" else path


def _find(state: State, path: str, syntax_error: str) -> Path:
    """The keys from the top of the state to the leaf that the path means."""
    if not path.startswith("ports."):
        keys = tuple(path.split("."))
        _leaf(state, keys)
        return keys
    rest = path.removeprefix("ports.")
    if rest.startswith('"'):
        name, quote, rest = rest[1:].partition('"')
        if not quote or not rest.startswith("."):
            raise MethodError(syntax_error, 'expected ports."NAME".ITEM')
        keys = ("ports", name, *rest[1:].split("."))
        _leaf(state, keys)
        return keys
    if "." not in rest:
        raise MethodError(syntax_error, "expected ports.NAME.ITEM")
    ports = state.get("ports")
    names = [name for name in ports if rest.startswith(f"{name}.")] if isinstance(ports, Mapping) else []
    for name in sorted(names, key=len, reverse=True):
        keys = ("ports", name, *rest.removeprefix(f"{name}.").split("."))
        try:
            _leaf(state, keys)
        except MethodError:
            # A shorter name may fit: eth0.5 with a port eth0 and an item 5... of its own.
            continue
        return keys
    raise MethodError("PathDoesNotExist")


def _leaf(state: State, keys: Path) -> object:
    value: object = state
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            raise MethodError("PathDoesNotExist")
        value = value[key]
    if isinstance(value, Mapping):
        raise MethodError("PathDoesNotExist")
    return value
