"""The JSON text of a configuration <-> plain dicts, lists and scalars. Knows no key.

The reader is stricter than ``json``: duplicate keys, numbers that JSON or the tools that read our
dumps do not know, and absurd depth are errors; what can be given a path is reported with it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, Final

from pyteam.config.report import Path, Report

#: No sensible configuration comes near; recursive readers and writers stay far from their limit.
DEEPEST: Final = 50
_INT64: Final = 2**63
_INT64_DIGITS: Final = 20


class Unreadable:
    """Stands in the tree for a number that was refused; reported once, by `read`."""

    def __init__(self, text: str) -> None:
        self.text = text if len(text) <= _INT64_DIGITS else f"{text[:_INT64_DIGITS]}..."


class _Repeating(dict[str, Any]):
    """An object with duplicate keys; such a tree never leaves this file as a configuration."""

    repeated: tuple[str, ...] = ()


def read(text: str | bytes, path: Path, report: Report) -> object:
    """The value of a JSON text (bytes are UTF-8) that stands at ``path``; errors are reported."""
    try:
        if isinstance(text, bytes):
            text = text.decode()
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_real,
            parse_constant=Unreadable,
        )
    except UnicodeDecodeError as error:
        report.error(path, f"Failed to parse config: {error.reason}, not UTF-8, at byte {error.start}")
    except json.JSONDecodeError as error:
        where = f"on line {error.lineno}, column {error.colno}"
        report.error(path, f"Failed to parse config: {error.msg} {where}")
    except RecursionError:
        report.error(path, f"Failed to parse config: nested deeper than {DEEPEST} levels")
    else:
        if _check(value, path, report):
            return value
    return Unreadable("")


def write(value: object) -> str:
    """Four spaces a level, keys sorted, ASCII, no newline at the end."""
    return json.dumps(value, indent=4, sort_keys=True)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    times = Counter(key for key, _ in pairs)
    repeating = _Repeating(members)
    repeating.repeated = tuple(key for key in members if times[key] > 1)
    return repeating


def _integer(text: str) -> int | Unreadable:
    # Length first: int() of thousands of digits is slow, then an exception of its own.
    if len(text) <= _INT64_DIGITS and -_INT64 <= int(text) < _INT64:
        return int(text)
    return Unreadable(text)


def _real(text: str) -> float | Unreadable:
    number = float(text)
    return number if math.isfinite(number) else Unreadable(text)


def _check(tree: object, root: Path, report: Report) -> bool:
    """Report what the parser let pass; False when the tree is too deep to be read by recursion."""
    todo: list[tuple[object, Path]] = [(tree, root)]
    while todo:
        value, path = todo.pop()
        if isinstance(value, Unreadable):
            report.error(path, f"found {value.text}, which is no number of JSON or does not fit 64 bits.")
        elif len(path) > DEEPEST:
            report.error(path[:1], f"nested deeper than {DEEPEST} levels.")
            return False
        elif isinstance(value, dict):
            for key in value.repeated if isinstance(value, _Repeating) else ():
                report.error((*path, key), "duplicate key: it is given more than once.")
            todo += [(member, (*path, key)) for key, member in value.items()]
        elif isinstance(value, list):
            todo += [(item, (*path, index)) for index, item in enumerate(value)]
    return True
