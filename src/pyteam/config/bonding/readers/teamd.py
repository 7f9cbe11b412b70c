"""teamd.conf, one file."""

from __future__ import annotations

from collections.abc import Sequence

from pyteam.config.bonding.texts import Text
from pyteam.config.document import Document
from pyteam.config.report import Report


def read(texts: Sequence[Text], name: str, report: Report) -> Document:
    """The team; ``name`` wins over its ``device``. Raises `ConfigError`."""
    for extra in texts[1:]:
        report.error((), f"{extra.name}: one teamd.conf at a time.")
    report.raise_errors()
    document = Document.parse(texts[0].text, source=texts[0].name)
    report.warnings += document.warnings
    return document.with_device(name) if name else document
