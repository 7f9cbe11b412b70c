"""Blocks as a manual page, in the macros of man(7), for groff and mandoc alike."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final, NamedTuple

from manual.markdown import INLINE, Block, Code, Heading, Paragraph, Points, Table

#: Characters that mean something to roff, or that it would print as another one.
_ESCAPES: Final = {
    "\\": r"\(rs",
    "-": r"\-",
    "'": r"\(aq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
    '"': r"\(dq",
}
_WIDTH: Final = 78


class Page(NamedTuple):
    name: str
    section: str
    #: A phrase without a full stop.
    about: str
    blocks: tuple[Block, ...]


def page(content: Page, source: str, date: str) -> str:
    """``source`` is the program's name and version, ``date`` as in 2026-01-31."""
    return "".join(f"{line}\n" for line in _lines(content, source, date))


def _lines(content: Page, source: str, date: str) -> Iterator[str]:
    yield f'.TH {_plain(content.name)} {content.section} {date} "{source}"'
    yield ".SH NAME"
    yield rf"{_plain(content.name)} \- {_plain(content.about)}"
    begins = False
    for block in content.blocks:
        yield from _block(block, begins)
        begins = isinstance(block, Heading)


def _block(block: Block, begins: bool) -> Iterator[str]:
    """``begins``: nothing stands between it and its heading."""
    match block:
        case Heading(level, text):
            yield f".SH {_plain(text).upper()}" if level == 2 else f".SS {_plain(text)}"
        case Paragraph(text):
            if not begins:
                yield ".PP"
            yield from _filled(text)
        case Points(texts):
            for text in texts:
                yield r".IP \(bu 3"
                yield from _filled(text)
        case Code(lines):
            # Else it would stand close to what is above it.
            yield from ([] if begins else [".PP"])
            yield from (".RS 4", ".nf")
            yield from (_guarded(_plain(line)) or r"\&" for line in lines)
            yield from (".fi", ".RE")
        case Table(header, rows):
            if len(header) == 2 and all(header):
                # Of more columns each cell says of what it is.
                yield from ([] if begins else [".PP"])
                yield rf"{_inline(header[0])} \(en {_inline(header[1])}:"
            for tag, *rest in rows:
                yield ".TP"
                yield _guarded(_inline(tag) if "`" in tag or "*" in tag else rf"\fB{_plain(tag)}\fR")
                yield from _filled(_sentences(header[1:], rest))


def _sentences(header: tuple[str, ...], cells: list[str]) -> str:
    """The cells behind the first as one text; with more than one, each says what it is of."""
    if len(cells) == 1:
        return cells[0] or r"\&"
    named = ((name, cell) for name, cell in zip(header, cells, strict=True) if cell)
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in named)


def _filled(text: str) -> Iterator[str]:
    wrapped = textwrap.wrap(_inline(text), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return (_guarded(line) for line in wrapped or [r"\&"])


def _inline(text: str) -> str:
    pieces, at = [], 0
    for found in INLINE.finditer(text):
        pieces.append(_plain(text[at : found.start()]))
        if strong := found["code"] or found["strong"]:
            pieces.append(rf"\fB{_plain(strong)}\fR")
        elif found["argument"]:
            pieces.append(rf"\fI{found['argument']}\fR")
        else:
            # What a link shows may be code.
            pieces.append(_inline(found["link"]))
        at = found.end()
    return "".join([*pieces, _plain(text[at:])])


def _plain(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)


def _guarded(line: str) -> str:
    """No line of text is a request."""
    return rf"\&{line}" if line.startswith((".", "'")) else line
