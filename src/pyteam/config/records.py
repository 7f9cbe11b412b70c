"""The kinds of values that hold other values, and the table of keys that a typed record carries.

A record is a frozen dataclass whose every field is ``Annotated[type, Kind(...)]``. A record that
is one of several (a runner, a link watch) says which by ``name: Literal[...]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from typing import Any, Final, get_args

from pyteam.config import extensions
from pyteam.config.fields import Choice, InterfaceName, Kind, Words, quoted
from pyteam.config.report import Path, Report, hint, show
from pyteam.config.text import Unreadable


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


#: Stands for the default of a key that must be given.
REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class Key:
    """One row of the table of keys."""

    name: str
    #: Of the record: the same, where that can be a name in Python.
    attribute: str
    kind: Kind
    default: Any

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@cache
def table(record: type) -> Mapping[str, Key]:
    """The keys of a record by name, in the order in which it lists them."""
    rows = {}
    for item in fields(record):
        default = item.default
        if default is MISSING:
            default = REQUIRED if item.default_factory is MISSING else item.default_factory()
        kind, of = item.type.__metadata__[0], item.type.__origin__  # type: ignore[union-attr]
        if isinstance(kind, Choice | Words):
            kind = replace(kind, words=_words(of))
        name = kind.key or item.name
        rows[name] = Key(name, item.name, kind, default)
    return rows


def _words(of: Any) -> tuple[str, ...]:
    """The strings of a ``Literal``, wherever in a type it is."""
    parts = get_args(of)
    return sum((_words(part) for part in parts), tuple(part for part in parts if isinstance(part, str)))


@dataclass(kw_only=True, eq=False, repr=False)
class Section(Kind):
    """An object that is a record."""

    of: type

    def allowed(self) -> str:
        return "an object"

    def decode(self, value: object, path: Path, report: Report) -> Any:
        if not isinstance(value, dict):
            return self.refuse(value, path, report)
        return read_record(self.of, value, path, report)

    def schema(self) -> dict[str, Any]:
        return record_schema(self.of)


@dataclass(kw_only=True, eq=False, repr=False)
class Variant(Kind):
    """An object that is one of several records, chosen by its ``name``."""

    of: tuple[type, ...]
    #: Said when ``name`` is absent; empty where ``default`` names a record.
    nameless: str = ""
    #: A sentence with the place ``{found}``.
    unknown: str
    default: str = ""
    #: Of entry points, by which others add theirs; empty where they cannot.
    group: str = ""

    def records(self) -> tuple[type, ...]:
        """Ours, and those of third parties that are in use."""
        return (*self.of, *(found.record for found in extensions.loaded(self.group).values()))

    def by_name(self) -> dict[str, type]:
        return {name: record for record in self.records() for name in record_names(record)}

    def allowed(self) -> str:
        return "an object"

    def decode(self, value: object, path: Path, report: Report) -> Any:
        if not isinstance(value, dict):
            return self.refuse(value, path, report)
        name = value.get("name", self.default)
        try:
            record = self._find(name)
        except extensions.ExtensionError as error:
            report.error((*path, "name"), str(error))
            return None
        if record is not None:
            return read_record(record, {"name": name} | value, path, report, self.of)
        records = [*self.by_name(), *(extensions.names(self.group) if self.group else ())]
        if "name" not in value:
            report.error(path, f"{self.nameless} Allowed: {quoted(records)}.")
        elif isinstance(name, str):
            why = self.unknown.format(found=show(name)) + hint(name, records)
            report.error((*path, "name"), f"{why} Allowed: {quoted(records)}.")
        elif not isinstance(name, Unreadable):
            report.error((*path, "name"), f"found {show(name)}. Allowed: {quoted(records)}.")
        # Which record it should be is unknown; the values of its keys can be wrong all the same.
        rows = {key: row for each in self.of for key, row in table(each).items() if key != "name"}
        for key, row in rows.items():
            if key in value:
                decode(row.kind, value[key], (*path, key), report)
        return None

    def _find(self, name: object) -> type | None:
        if not isinstance(name, str):
            return None
        record = self.by_name().get(name)
        if record is None and self.group and (found := extensions.load(self.group, name)):
            return found.record  # type: ignore[no-any-return]
        return record

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [record_schema(record, self.default) for record in self.records()]}


@dataclass(kw_only=True, eq=False, repr=False)
class OneOrMany(Kind):
    """A value, or an array of such values; typed, always a tuple."""

    of: Kind

    def allowed(self) -> str:
        return f"{self.of.allowed()}, or an array of objects"

    def decode(self, value: object, path: Path, report: Report) -> Any:
        if isinstance(value, list):
            return tuple(decode(self.of, item, (*path, index), report) for index, item in enumerate(value))
        if isinstance(value, dict):
            return (self.of.decode(value, path, report),)
        return self.refuse(value, path, report)

    def schema(self) -> dict[str, Any]:
        one = self.of.schema()
        return {"anyOf": [*one.get("anyOf", [one]), {"type": "array", "items": one}]}


@dataclass(kw_only=True, eq=False, repr=False)
class ByName(Kind):
    """An object whose keys are names of the user's own, each with a record."""

    names: InterfaceName
    of: Section

    def allowed(self) -> str:
        return "an object with interface names as keys"

    def decode(self, value: object, path: Path, report: Report) -> Any:
        if not isinstance(value, dict):
            return self.refuse(value, path, report)
        for name in value:
            self.names.decode(name, (*path, name), report)
        return {name: decode(self.of, item, (*path, name), report) for name, item in value.items()}

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "propertyNames": self.names.schema(),
            "additionalProperties": self.of.schema(),
        }


def decode(kind: Kind, value: object, path: Path, report: Report) -> Any:
    """The typed value, unless the value was already reported when the text was read."""
    return None if isinstance(value, Unreadable) else kind.decode(value, path, report)


def record_names(record: type) -> tuple[str, ...]:
    """The values of ``name`` for which a variant stands."""
    kind = table(record)["name"].kind
    return kind.words if isinstance(kind, Choice) else ()


def read_record(
    record: type, value: Mapping[str, object], path: Path, report: Report, siblings: Iterable[type] = ()
) -> Any:
    """The record, or None when an error was reported. Unknown keys are warned of."""
    errors = len(report.problems)
    rows = table(record)
    for key in value:
        if key in rows:
            continue
        owners = [name for each in siblings if key in table(each) for name in record_names(each)]
        if owners:
            mine = show(value["name"])
            report.warn((*path, key), f"has no meaning for {mine}, only for {quoted(owners)}; ignored.")
        else:
            report.warn((*path, key), f"unknown key, ignored.{hint(key, rows)}")
    known = {}
    for key, row in rows.items():
        if key in value:
            known[row.attribute] = decode(row.kind, value[key], (*path, key), report)
        elif row.required:
            report.error(path, f'"{key}" is missing: {row.kind.meaning}. Allowed: {row.kind.allowed()}.')
    if len(report.problems) > errors:
        return None
    return record(**{key: typed for key, typed in known.items() if typed is not None})


def record_schema(record: type, default_name: str = "") -> dict[str, Any]:
    """JSON Schema of a record. ``default_name``: the name that an object without one has."""
    properties = {}
    required = []
    for key, row in table(record).items():
        properties[key] = row.kind.schema() | {"description": describe(row.kind)}
        if (
            row.default is not REQUIRED
            and isinstance(row.default, bool | int | str | tuple)
            and key != "name"
        ):
            properties[key]["default"] = list(row.default) if isinstance(row.default, tuple) else row.default
        if row.required or (key == "name" and default_name not in record_names(record)):
            required.append(key)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return schema | {"required": required} if required else schema


def describe(kind: Kind) -> str:
    """Meaning and unit, for a reader."""
    return f"{kind.meaning} ({kind.unit})" if kind.unit else kind.meaning
