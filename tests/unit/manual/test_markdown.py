"""From the Markdown that we write to the requests of man(7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from manual.markdown import Code, Heading, Paragraph, Points, Table, parse, section
from manual.roff import Page, page

ROOT = Path(__file__).parent.parent.parent.parent
TEXT = """\
# Title

Some `code`, **strong** and a
[link](there.md).

- one
- two
  goes on
- three

| a | b |
|---|---|
| `x\\|y` | z |

## Part
```
.TH is no request
```
More.
### Smaller
Even more.

## Other
{{place of something}}
"""


def test_blocks() -> None:
    assert parse(TEXT, lambda words: [Paragraph(words)]) == (
        Heading(1, "Title"),
        Paragraph("Some `code`, **strong** and a [link](there.md)."),
        Points(("one", "two goes on", "three")),
        Table(("a", "b"), (("`x|y`", "z"),)),
        Heading(2, "Part"),
        Code((".TH is no request",)),
        Paragraph("More."),
        Heading(3, "Smaller"),
        Paragraph("Even more."),
        Heading(2, "Other"),
        Paragraph("place of something"),
    )


def test_a_section_ends_where_another_of_its_level_begins() -> None:
    blocks = parse(TEXT, lambda words: [])
    assert section(blocks, "Part") == parse("```\n.TH is no request\n```\nMore.\n### Smaller\nEven more.")
    with pytest.raises(ValueError, match='no section "Nowhere"'):
        section(blocks, "Nowhere")


@pytest.mark.parametrize("line", ["> quoted", "1. first", "![picture](x.png)", "<b>", "---"])
def test_what_is_not_of_the_subset_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="line 2: neither text, list, table nor code"):
        parse(f"fine\n\n{line}"[5:])


REQUESTS = """\
## Part
.first

It's a \\ `-x` **b**

```
.x

'y
```
Points:
- p

| a | b | c |
|---|---|---|
| t | 1 | |
| *u* | | 2 |
"""


def test_requests() -> None:
    blocks = parse(REQUESTS)
    assert page(Page("x.conf", "5", "a-b", blocks), "pyteam 1", "2026-01-31").splitlines() == [
        '.TH x.conf 5 2026-01-31 "pyteam 1"',
        ".SH NAME",
        r"x.conf \- a\-b",
        ".SH PART",
        r"\&.first",
        ".PP",
        r"It\(aqs a \(rs \fB\-x\fR \fBb\fR",
        ".PP",
        ".RS 4",
        ".nf",
        r"\&.x",
        r"\&",
        r"\(aqy",
        ".fi",
        ".RE",
        ".PP",
        "Points:",
        r".IP \(bu 3",
        "p",
        ".TP",
        r"\fBt\fR",
        "b: 1",
        ".TP",
        r"\fIu\fR",
        "c: 2",
    ]


def test_both_names_of_two_columns_stand_above() -> None:
    lines = page(Page("x", "1", "y", parse("| code | when |\n|---|---|\n| 0 | done |")), "", "").splitlines()
    assert lines[3:] == [".PP", r"code \(en when:", ".TP", r"\fB0\fR", "done"]


def test_no_line_of_text_begins_like_a_request() -> None:
    blocks = parse(("word " * 15 + ".dot ") * 20)
    lines = page(Page("x", "1", "y", blocks), "", "").splitlines()[4:]
    assert all(len(line) <= 80 and not line.startswith((".", "'")) for line in lines)
