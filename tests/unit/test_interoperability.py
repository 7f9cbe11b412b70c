"""docs/interoperability.md has a cell for all that is tried, and none for what is tried no more."""

from __future__ import annotations

from tests.interop import document
from tests.interop.columns import HOST, title
from tests.interop.stories import STORIES

CELLS = {"a row": {"one": "yes", "other": "2 s"}, "another": {"one": "**no**", "other": "yes"}}


def test_every_row_and_column_is_in_the_document() -> None:
    cells = document.read(document.PATH.read_text())
    assert list(cells) == [row.title for story in STORIES for row in story.rows]
    columns = [title(column) for column in HOST]
    assert {row: list(found) for row, found in cells.items()} == dict.fromkeys(cells, columns)
    assert all(cell not in ("", "?", "**no**") for row in cells.values() for cell in row.values())


def test_what_is_written_is_read() -> None:
    text = f"before\n{document.BEGIN}{document.END}\nafter\n"
    written = document.write(text, CELLS)
    assert document.read(written) == CELLS
    assert document.write(written, CELLS) == written
    assert written.startswith("before\n")
    assert written.endswith("\nafter\n")
