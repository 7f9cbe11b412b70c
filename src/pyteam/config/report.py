"""What is wrong with a configuration: all of it, each finding with its path. Knows no key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from pyteam.errors import PyteamError

#: Where a value stands: object keys and array indexes, outermost first.
Path = tuple[str | int, ...]

_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_LONGEST_SHOWN: Final = 60


class ConfigError(PyteamError, ValueError):
    """A configuration cannot be used. ``problems`` are all its errors; the text has one a line.

    ``warnings``: what else was remarked; a mistyped key is often why another is missed.
    """

    def __init__(self, problems: Iterable[str], warnings: Iterable[str] = ()) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        self.warnings: tuple[str, ...] = tuple(warnings)
        super().__init__("\n".join(self.problems))


class Report:
    """Collects the findings of one reading; ``source`` names the text that is read."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def error(self, path: Path, text: str) -> None:
        self.problems.append(self._line(path, text))

    def warn(self, path: Path, text: str) -> None:
        self.warnings.append(self._line(path, text))

    def raise_errors(self) -> None:
        """Raise `ConfigError` with every error so far, if there is one."""
        if self.problems:
            raise ConfigError(self.problems, self.warnings)

    def _line(self, path: Path, text: str) -> str:
        return ": ".join(part for part in (self.source, spell(path), text) if part)


def spell(path: Path) -> str:
    """A path as users write it: ``ports."eth0.5".link_watch[0].name``; empty for the top level."""
    spelled = ""
    for step in path:
        if isinstance(step, int):
            spelled += f"[{step}]"
        else:
            key = step if _PLAIN_KEY.fullmatch(step) else json.dumps(step)
            spelled += f".{key}" if spelled else key
    return spelled


def show(value: object) -> str:
    """A value of a JSON text for a message: one line, ASCII, never long."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def hint(found: str, known: Iterable[str]) -> str:
    """`` Did you mean "prio"?`` when a known word is close to the one found, else nothing."""
    # Imported where a mistake was made already, to keep it out of every start.
    from difflib import get_close_matches

    nearest = get_close_matches(found[:_LONGEST_SHOWN].lower(), list(known), n=1)
    return f' Did you mean "{nearest[0]}"?' if nearest else ""
