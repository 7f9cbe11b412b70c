"""docs/troubleshooting.md quotes messages: those that the programs have, and every reason of LACP's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyteam
from manual.markdown import Table, parse
from pyteam.control.items import ITEMS

ROOT = Path(__file__).parent.parent.parent.parent
TEXT = (ROOT / "docs/troubleshooting.md").read_text()
#: Of the C library.
ELSEWHERE = {"Device or resource busy", "No such file or directory", "Permission denied"}


def literals(path: Path) -> Iterator[str]:
    """The texts of a module; of a formatted one the pieces between its values."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


SAID = "\n".join(text for path in Path(pyteam.__file__).parent.rglob("*.py") for text in literals(path))
QUOTED = [
    quote
    for table in parse(TEXT)
    if isinstance(table, Table) and "says" in table.header[0]
    for row in table.rows
    for quote in re.findall(r"`([^`]+)`", row[0])
]


@pytest.mark.parametrize("quote", QUOTED)
def test_a_quoted_message_is_one(quote: str) -> None:
    for piece in re.split(r"\.\.\.|[()]", quote):
        assert piece.strip(" :") in SAID or piece in ELSEWHERE, piece


def test_every_reason_of_lacp_is_there() -> None:
    _, *texts = literals(ROOT / "src/pyteam/engine/lacp/why.py")
    reasons = [text for text in texts if " " in text]
    assert len(reasons) > 10
    assert [text for text in reasons if text.strip() not in TEXT] == []


def test_state_items_that_are_named_are_some() -> None:
    known = "\n".join(item.path for item in ITEMS)
    for table in parse(TEXT):
        if isinstance(table, Table) and table.header[0] == "state item":
            for row in table.rows:
                for name in re.findall(r"`((?:ports\.eth1|link_watches|runner)\.[a-z_.]+)`", row[0]):
                    assert name.replace("eth1", "PORT") in known
