"""docs/examples: configurations that users copy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from pyteam.config import Document, json_schema
from pyteam.engine.runners import RUNNERS
from pyteam.engine.team import Team

DIRECTORY = Path(__file__).parent.parent.parent.parent / "docs/examples"
EXAMPLES = sorted(DIRECTORY.glob("*.conf"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_as_a_configuration_should_be(path: Path) -> None:
    text = path.read_text()
    document = Document.parse(text)
    assert document.warnings == ()
    assert list(Draft202012Validator(json_schema()).iter_errors(json.loads(text))) == []
    if document.team.runner.name in RUNNERS:
        Team(document.team, 1)


def test_the_schema_is_one_and_refuses_what_the_reader_does() -> None:
    Draft202012Validator.check_schema(json_schema())
    validator = Draft202012Validator(json_schema())
    for wrong in (
        {"runner": {"name": "turbo"}},
        {"ports": {"eth1": {"prio": "high"}}},
        {"link_watch": {"name": "arp_ping"}},
        {"$schema": 1},
    ):
        assert not validator.is_valid(wrong)


def test_the_overview_has_every_example_once() -> None:
    overview = (DIRECTORY / "README.md").read_text()
    rows = re.findall(r"^\| \[(\S+)\]\(\1\) \| \S.* \| `(\w+)` \|$", overview, re.MULTILINE)
    assert sorted(name for name, _ in rows) == [path.name for path in EXAMPLES]
    # As many as the original ships.
    assert len({original for _, original in rows}) == len(rows) == 17
