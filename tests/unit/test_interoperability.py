"""docs/interoperability.md has a cell for all that is tried, and none for what is tried no more."""

from __future__ import annotations

from tests.interop import document


def test_every_row_and_column_is_in_the_document() -> None:
    cells = document.read(document.PATH.read_text())
    assert list(cells) == document.ROWS
    assert {row: list(found) for row, found in cells.items()} == dict.fromkeys(cells, document.COLUMNS)
    assert not {cell for row in cells.values() for cell in row.values()} & {"", document.NEVER, "**no**"}


def test_what_is_written_is_read() -> None:
    cells = {row: {column: f"{len(row)} s, {column}" for column in document.COLUMNS} for row in document.ROWS}
    text = f"before\n{document.BEGIN}{document.END}\nafter\n"
    written = document.write(text, cells)
    assert document.read(written) == cells
    assert document.write(written, cells) == written
    assert written.startswith("before\n")
    assert written.endswith("\nafter\n")
