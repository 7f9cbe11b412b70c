"""docs/extending.md shows the example as it is, and methods as they are."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from manual.markdown import Table, parse, section
from pyteam import extend

ROOT = Path(__file__).parent.parent.parent.parent
TEXT = (ROOT / "docs/extending.md").read_text()
EXAMPLE = "\n".join(
    path.read_text() for path in (ROOT / "docs/examples/extension").iterdir() if path.is_file()
)


def test_what_is_shown_is_the_example() -> None:
    blocks = re.findall(r"^```(?:python|toml)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    assert [block for block in blocks if block not in EXAMPLE] == []


@pytest.mark.parametrize(("title", "of"), [("A runner", extend.Runner), ("A link watch", extend.LinkWatch)])
def test_a_method_takes_what_it_is_said_to_take(title: str, of: type) -> None:
    (table,) = (block for block in section(parse(TEXT), title) if isinstance(block, Table))
    for row in table.rows:
        for name, arguments in re.findall(r"`(\w+)(?:\((.*?)\))?`", row[0]):
            member = inspect.getattr_static(of, name)
            if inspect.isfunction(member):
                assert f"(self{', ' * bool(arguments)}{arguments})" == re.sub(
                    r": [^,)]+|( ->.*)", "", str(inspect.signature(member))
                )
