"""Every form in which a bond or a team is read and written, and the way from any to any other."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pyteam.config.bonding.bond import Bond
from pyteam.config.bonding.from_team import bond_of
from pyteam.config.bonding.readers import READERS
from pyteam.config.bonding.texts import Text
from pyteam.config.bonding.to_team import team_of
from pyteam.config.bonding.writers import WRITERS
from pyteam.config.document import Document
from pyteam.config.report import Report

READABLE: Final = tuple(READERS)
WRITABLE: Final = ("teamd", *WRITERS)


def guess(name: str) -> str:
    """The form of a file, by its name; empty when it does not say."""
    base = name.rsplit("/", 1)[-1]
    found = (
        form
        for form, reader in READERS.items()
        if any(fnmatch.fnmatchcase(base, pattern) for pattern in reader.files)
    )
    return next(found, "")


def read(form: str, texts: Sequence[Text], name: str, report: Report) -> Bond | Document:
    """What the texts are about: a bond, or a team where they have one. Raises `ConfigError`."""
    return READERS[form].read(texts, name, report)


def write(form: str, found: Bond | Document, rename: str, report: Report) -> Sequence[Text]:
    """The texts of that form; what is lost on the way is a warning. Raises `ConfigError`."""
    if form == "teamd":
        document = team_of(found, report) if isinstance(found, Bond) else found
        document = document.with_device(rename) if rename else document
        return [Text(f"{document.team.device or 'team'}.conf", f"{document.dump()}\n")]
    bond = found if isinstance(found, Bond) else bond_of(found, report)
    if rename or not bond.name:
        bond = replace(bond, name=rename or "bond0")
    return WRITERS[form](bond, report)
