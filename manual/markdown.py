"""The Markdown that docs/ and the pages are written in, as blocks. What it does not know is an error.

A line ``{{WORD ...}}`` stands for blocks that somebody else has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple


class Heading(NamedTuple):
    level: int
    text: str


class Paragraph(NamedTuple):
    text: str


class Points(NamedTuple):
    """A list; each point is a paragraph."""

    texts: tuple[str, ...]


class Code(NamedTuple):
    lines: tuple[str, ...]


class Table(NamedTuple):
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Points | Code | Table

#: What an inline text has besides plain text.
INLINE: Final = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*|\*(?P<argument>\w+)\*|\[(?P<link>[^]]+)]\([^)]*\)"
)
_PLACE: Final = re.compile(r"\{\{(.+)}}")
_HEADING: Final = re.compile(r"(#+) (.+)")
_CELL: Final = re.compile(r"(?<!\\)\|")
_UNKNOWN: Final = re.compile(r"[>!<]|\d+\. |\* |---")


def parse(text: str, place: Callable[[str], Sequence[Block]] | None = None) -> tuple[Block, ...]:
    """``place`` gives the blocks of ``{{...}}``. Raises ValueError for what is not of the subset."""
    return tuple(_blocks(text.splitlines(), place))


def section(blocks: Sequence[Block], title: str) -> tuple[Block, ...]:
    """What stands under a heading, up to the next that is not below it. Raises ValueError."""
    for at, block in enumerate(blocks):
        if isinstance(block, Heading) and block.text == title:
            below = blocks[at + 1 :]
            ends = (
                end
                for end, other in enumerate(below)
                if isinstance(other, Heading) and other.level <= block.level
            )
            return tuple(below[: next(ends, len(below))])
    raise ValueError(f'no section "{title}"')


def _blocks(lines: Sequence[str], place: Callable[[str], Sequence[Block]] | None) -> Iterator[Block]:
    at = 0
    while at < len(lines):
        line = lines[at]
        begin, at = at, at + 1
        if not line.strip():
            continue
        if line.startswith("```"):
            at = lines.index("```", at) + 1
            yield Code(tuple(lines[begin + 1 : at - 1]))
        elif heading := _HEADING.fullmatch(line):
            yield Heading(len(heading[1]), heading[2])
        elif place and (found := _PLACE.fullmatch(line)):
            yield from place(found[1])
        elif _UNKNOWN.match(line):
            raise ValueError(f"line {begin + 1}: neither text, list, table nor code: {line}")
        else:
            at = _end(lines, at, line.startswith("- "))
            yield _text(lines[begin:at])


def _end(lines: Sequence[str], at: int, listing: bool) -> int:
    ends = ("```", "#", "{{") if listing else ("```", "#", "{{", "- ")
    while at < len(lines) and lines[at].strip() and not lines[at].startswith(ends):
        at += 1
    return at


def _text(lines: Sequence[str]) -> Block:
    if lines[0].startswith("|"):
        header, _, *rows = (_cells(line) for line in lines)
        return Table(header, tuple(rows))
    if lines[0].startswith("- "):
        points: list[str] = []
        for line in lines:
            if line.startswith("- "):
                points.append(line[2:])
            else:
                points[-1] += f" {line.strip()}"
        return Points(tuple(points))
    return Paragraph(" ".join(line.strip() for line in lines))


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip().replace(r"\|", "|") for cell in _CELL.split(line.strip())[1:-1])
