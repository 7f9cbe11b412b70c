"""The table of docs/interoperability.md, written from a run's results: ``pytest -p tests.interop.document``.

What a run did not try stays as it is in the document.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.interop.columns import HOST, LAB, title
from tests.interop.stories import STORIES

PATH: Final = Path(__file__).parents[2] / "docs/interoperability.md"
#: The table is between them.
BEGIN: Final = "<!-- from here: written by `make interop` -->\n"
END: Final = "\n<!-- to here -->"
#: Of a report: row, column, cell.
PROPERTY: Final = "interop"
ROWS: Final = [row.title for story in STORIES for row in story.rows]
COLUMNS: Final = [title(column) for column in (*HOST, *LAB)]
#: Of what was never tried.
NEVER: Final = "?"
#: A table: rows of cells, each by its name.
Cells = dict[str, dict[str, str]]


def read(text: str) -> Cells:
    """The table in the document's text."""
    lines = text.partition(BEGIN)[2].partition(END)[0].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines)
    return {title: dict(zip(head[1:], cells, strict=True)) for title, *cells in rows}


def write(text: str, cells: Cells) -> str:
    """The document with this table."""
    before, begin, rest = text.partition(BEGIN)
    lines = [["LACP", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    lines += [[row, *(cells.get(row, {}).get(column, NEVER) for column in COLUMNS)] for row in ROWS]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return before + begin + table + END + rest.partition(END)[2]


class Writer:
    def __init__(self) -> None:
        self._found: Cells = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties if report.when == "call" else ():
            if name == PROPERTY:
                row, column, cell = map(str, value)  # type: ignore[call-overload]
                self._found.setdefault(row, {})[column] = cell if report.passed else "**no**"

    def pytest_sessionfinish(self) -> None:
        if self._found:
            text = PATH.read_text()
            cells = read(text)
            PATH.write_text(write(text, {row: cells.get(row, {}) | self._found.get(row, {}) for row in ROWS}))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Writer())
