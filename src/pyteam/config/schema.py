"""What the table of keys is good for besides reading: a JSON Schema and the rows of a manual."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pyteam.config.fields import Excluded, Kind, quoted
from pyteam.config.hashing import WordsOrFunction
from pyteam.config.records import (
    ByName,
    OneOrMany,
    Section,
    Variant,
    describe,
    record_names,
    record_schema,
    table,
)
from pyteam.config.values import TeamConfig


@dataclass(frozen=True, slots=True)
class ManualEntry:
    """One key as a manual shows it, everything in words."""

    #: As users write it; ``PORT`` stands for a port's name.
    path: str
    #: Names of the runners or link watches that have the key; empty when it does not depend.
    owners: tuple[str, ...]
    allowed: str
    #: As JSON; empty when there is none.
    default: str
    required: bool
    meaning: str


def manual() -> Iterator[ManualEntry]:
    """Every key, in the order of the table, sections before their members."""
    return _entries(TeamConfig, "")


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of teamd.conf as it should be written.

    Stricter than the reader, which converts some values; unknown keys are valid. Runners and watches of
    third parties are in it once they are in use (`extensions.load_all`).
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "teamd.conf",
        "description": "Configuration of one team device",
        **record_schema(TeamConfig),
    }


def _entries(record: type, prefix: str) -> Iterator[ManualEntry]:
    for row in table(record).values():
        if isinstance(row.kind, Excluded):
            continue
        default = row.default
        if isinstance(default, tuple):
            default = list(default)
        plain = isinstance(default, bool | int | str | list) and default not in ("", [])
        yield ManualEntry(
            path=f"{prefix}{row.name}",
            owners=(),
            allowed=row.kind.allowed(),
            default=json.dumps(default) if plain else "",
            required=row.required,
            meaning=describe(row.kind),
        )
        yield from _members(row.kind, f"{prefix}{row.name}")


def _members(kind: Kind, path: str) -> Iterator[ManualEntry]:
    match kind:
        case Section(of=record) | WordsOrFunction(of=record):
            yield from _entries(record, f"{path}.")
        case ByName(of=section):
            yield from _entries(section.of, f"{path}.PORT.")
        case OneOrMany(of=one):
            yield from _members(one, path)
        case Variant():
            merged: dict[ManualEntry, tuple[str, ...]] = {}
            for record in kind.records():
                names = record_names(record)
                for entry in _entries(record, f"{path}."):
                    if entry.path != f"{path}.name":
                        merged[entry] = merged.get(entry, ()) + names
            yield ManualEntry(
                path=f"{path}.name",
                owners=(),
                allowed=quoted(kind.by_name()),
                default=json.dumps(kind.default) if kind.default else "",
                required=not kind.default,
                meaning=kind.meaning,
            )
            yield from (replace(entry, owners=names) for entry, names in merged.items())
