"""Two configurations side by side: what differs, path by path, in words for people. Knows no key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from pyteam.config.report import Path, spell

_LONGEST_SHOWN: Final = 200
_ABSENT: Final = object()


def differences(old: object, new: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Each with its path: ``("ports", "eth1", "prio")``, ``ports.eth1.prio: 10 -> 20``.

    Objects are looked into, arrays are compared as a whole.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in (*old, *(key for key in new if key not in old)):
            yield from differences(old.get(key, _ABSENT), new.get(key, _ABSENT), (*path, key))
    elif old is _ABSENT:
        yield path, f"{spell(path)}: added: {_brief(new)}"
    elif new is _ABSENT:
        yield path, f"{spell(path)}: removed (it was {_brief(old)})"
    elif json.dumps(old) != json.dumps(new):
        yield path, f"{spell(path)}: {_brief(old)} -> {_brief(new)}"


def _brief(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
