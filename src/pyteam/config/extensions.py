"""Runners and link watches of third parties, found by their entry points.

An entry point names a class, whose ``record`` is the table of its keys; what the class does is not
known here. Nobody looks for entry points before a configuration has a name that is not ours: that
costs 45 ms, a sixth of the time in which ``teamd`` is to answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

from pyteam.errors import PyteamError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

RUNNERS: Final = "pyteam.runners"
LINK_WATCHES: Final = "pyteam.link_watches"

_LOADED: Final[dict[str, dict[str, Any]]] = {RUNNERS: {}, LINK_WATCHES: {}}


class ExtensionError(PyteamError, ValueError):
    """What an entry point names is of no use; the text says which, of what package, and why."""


def loaded(group: str) -> Mapping[str, Any]:
    """The classes in use so far, by name."""
    return _LOADED.get(group, {})


def names(group: str) -> list[str]:
    """Of all that are installed, whether or not they can be loaded."""
    return sorted({entry.name for entry in _entry_points(group)})


def load(group: str, name: str) -> Any:
    """The class; None when nobody has one of that name. Raises `ExtensionError`."""
    if name not in _LOADED[group]:
        entry = next((entry for entry in _entry_points(group) if entry.name == name), None)
        if entry is None:
            return None
        _LOADED[group][name] = _loaded(entry)
    return _LOADED[group][name]


def load_all() -> None:
    """Every one that is installed, for what describes them. Raises `ExtensionError`."""
    for group in _LOADED:
        for name in names(group):
            load(group, name)


def _entry_points(group: str) -> Iterator[EntryPoint]:
    from importlib.metadata import entry_points

    return iter(entry_points(group=group))


def _loaded(entry: EntryPoint) -> Any:
    package = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
    what = f"cannot use {entry.value}{package}"
    try:
        found = entry.load()
    except Exception as error:  # whatever goes wrong in code that is not ours
        raise ExtensionError(f"{what}: {type(error).__name__}: {error}.") from error
    record = getattr(found, "record", None)
    if not isinstance(record, type) or not is_dataclass(record):
        raise ExtensionError(f'{what}: its "record" is no dataclass of keys.')
    keys = {item.name: item.type for item in fields(record)}
    if any(isinstance(of, str) for of in keys.values()):
        raise ExtensionError(f"{what}: its keys are text; leave out the __future__ import of annotations.")
    if not all(hasattr(of, "__metadata__") for of in keys.values()):
        raise ExtensionError(f"{what}: each of its keys must be Annotated with a kind.")
    if entry.name not in get_args(getattr(keys.get("name"), "__origin__", None)):
        raise ExtensionError(f'{what}: its key "name" is not Annotated[Literal["{entry.name}"], ...].')
    return found
