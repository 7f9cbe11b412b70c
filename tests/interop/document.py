"""The table of docs/interoperability.md, written from a run's results: ``pytest -p tests.interop.document``.

A column is a partner on a datapath. What a run did not try stays as it is in the document. Must not know
rows or partners: they come with the reports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

PATH: Final = Path(__file__).parents[2] / "docs/interoperability.md"
#: The table is between them.
BEGIN: Final = "<!-- from here: written by `make interop` -->\n"
END: Final = "\n<!-- to here -->"
#: Of a report: row, column, cell.
PROPERTY: Final = "interop"
#: A table: rows of cells, each by its name.
Cells = dict[str, dict[str, str]]


def read(text: str) -> Cells:
    """The table in the document's text."""
    lines = text.partition(BEGIN)[2].partition(END)[0].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines)
    return {title: dict(zip(head[1:], cells, strict=True)) for title, *cells in rows}


def write(text: str, cells: Cells) -> str:
    """The document with this table, in the order of ``cells``."""
    before, begin, rest = text.partition(BEGIN)
    columns = list(dict.fromkeys(column for row in cells.values() for column in row))
    lines = [["LACP", *columns], ["---"] * (len(columns) + 1)]
    lines += [[title, *(row.get(column, "?") for column in columns)] for title, row in cells.items()]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return before + begin + table + END + rest.partition(END)[2]


class Writer:
    def __init__(self) -> None:
        self._cells = read(PATH.read_text())
        self._news = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties if report.when == "call" else ():
            if name == PROPERTY:
                row, column, cell = map(str, value)  # type: ignore[call-overload]
                self._cells.setdefault(row, {})[column] = cell if report.passed else "**no**"
                self._news = True

    def pytest_sessionfinish(self) -> None:
        if self._news:
            PATH.write_text(write(PATH.read_text(), self._cells))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Writer())
