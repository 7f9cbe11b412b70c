"""The pages: a text each in ``text/``, with places for tables, sections of docs/ and examples.

``{{options teamd}}`` is a table (see `tables`), ``{{docs teamd.md Exit codes}}`` a section of a file there,
``{{example lacp}}`` a configuration of docs/examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from manual.markdown import Block, Code, Heading, Paragraph, parse, section
from manual.roff import Page
from manual.tables import TABLES
from pyteam.cli import bond2team

_TEXTS: Final = Path(__file__).parent / "text"
_DOCS: Final = Path(__file__).parent.parent / "docs"


def names() -> list[str]:
    """As files are called: ``teamd.8``."""
    return sorted(path.stem for path in _TEXTS.glob("*.md"))


def read(name: str) -> Page:
    """Raises ValueError for a text that cannot be read, LookupError for a place that nothing belongs to."""
    title, about, *blocks = parse((_TEXTS / f"{name}.md").read_text(encoding="utf-8"), _place)
    assert isinstance(title, Heading)
    assert isinstance(about, Paragraph)
    stem, _, number = name.rpartition(".")
    return Page(stem, number, about.text, tuple(blocks))


def _place(words: str) -> Sequence[Block]:
    kind, _, rest = words.partition(" ")
    if kind == "docs":
        file, _, title = rest.partition(" ")
        return section(parse((_DOCS / file).read_text(encoding="utf-8")), title)
    if kind == "example":
        return [Code(tuple((_DOCS / f"examples/{rest}.conf").read_text(encoding="utf-8").splitlines()))]
    if kind == "examples":
        return [Code(tuple(bond2team.EXAMPLES.splitlines()))]
    return [TABLES[kind](rest)]
