"""Runners and link watches of third parties, as far as a configuration knows them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyteam.config import ConfigError, Document, extensions, json_schema
from pyteam.engine.errors import UnsupportedError
from pyteam.engine.team import Team

KEYS = """
from dataclasses import dataclass
from typing import Annotated, Literal
from pyteam.extend import Choice, Integer, LinkWatch, Runner, RunnerKeys

@dataclass(frozen=True, slots=True)
class Keys(RunnerKeys):
    name: Annotated[Literal["odd"], Choice(meaning="Odd")] = "odd"
    step: Annotated[int, Integer(minimum=1, unit="ms", meaning="A step")] = 7

class Odd(Runner):
    name, mode, record = "odd", "roundrobin", Keys
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test loads is not there for the next."""
    monkeypatch.setattr(extensions, "_LOADED", {extensions.RUNNERS: {}, extensions.LINK_WATCHES: {}})


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with a package that offers ``odd``; the module is for the test to write."""
    information = tmp_path / "oddities-2.5.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: oddities\nVersion: 2.5\n")
    points = "\n".join(
        f"[{group}]\nodd = oddities:Odd\n" for group in ("pyteam.runners", "pyteam.link_watches")
    )
    (information / "entry_points.txt").write_text(points)
    (tmp_path / "oddities.py").write_text(KEYS)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("oddities", None)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        Document.parse(text)
    return list(error.value.problems)


def test_its_keys_are_read_like_ours(installed: Path) -> None:
    document = Document.parse('{"runner": {"name": "odd", "step": "9", "stepp": 1}}')
    assert document.team.runner.step == 9  # type: ignore[union-attr]
    assert document.warnings == (
        'config: runner.stepp: unknown key, ignored. Did you mean "step"?',
        'config: runner.step: found "9", read as 9; write it as an integer.',
    )
    assert problems('{"runner": {"name": "odd", "step": 0}}') == [
        'config: runner.step: "step" value is out of its limits. Found 0. '
        "Allowed: an integer from 1 to 2147483647 (ms)."
    ]


def test_the_schema_has_it_once_it_is_loaded(installed: Path) -> None:
    def runners() -> list[list[str]]:
        return [one["properties"]["name"]["enum"] for one in json_schema()["properties"]["runner"]["anyOf"]]

    assert ["odd"] not in runners()
    extensions.load(extensions.RUNNERS, "odd")
    assert ["odd"] in runners()


def test_a_name_that_nobody_has_is_refused_with_all_that_there_are(installed: Path) -> None:
    assert problems('{"runner": {"name": "ood"}}') == [
        'config: runner.name: No runner named "ood" available. Did you mean "odd"? Allowed: "broadcast", '
        '"roundrobin", "random", "activebackup", "loadbalance", "lacp", "odd".'
    ]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'."),
        ("Even = 2", "AttributeError: module 'oddities' has no attribute 'Odd'."),
        ("raise SystemError('no')", "SystemError: no."),
        ("class Odd: pass", 'its "record" is no dataclass of keys.'),
        (
            f"from __future__ import annotations\n{KEYS}",
            "its keys are text; leave out the __future__ import of annotations.",
        ),
        (
            KEYS.replace('Annotated[int, Integer(minimum=1, unit="ms", meaning="A step")]', "int"),
            "each of its keys must be Annotated with a kind.",
        ),
        (
            KEYS.replace('Literal["odd"]', 'Literal["even"]'),
            'its key "name" is not Annotated[Literal["odd"], ...].',
        ),
    ],
)
def test_what_cannot_be_used_says_why_and_whose_it_is(installed: Path, source: str, why: str) -> None:
    (installed / "oddities.py").write_text(source)
    line = f"cannot use oddities:Odd of oddities 2.5: {why}"
    assert problems('{"runner": {"name": "odd"}}') == [f"config: runner.name: {line}"]
    assert problems('{"link_watch": {"name": "odd"}}') == [f"config: link_watch.name: {line}"]


def test_a_class_of_another_kind_is_refused_by_the_engine(installed: Path) -> None:
    team = Document.parse('{"ports": {"a": {"link_watch": {"name": "odd"}}}}').team
    with pytest.raises(UnsupportedError, match=r'link_watch "odd": .*Odd.* is no pyteam\.extend\.LinkWatch'):
        Team(team, 1)
    (installed / "oddities.py").write_text(KEYS.replace("class Odd(Runner)", "class Odd(LinkWatch)"))
    sys.modules.pop("oddities")
    extensions._LOADED[extensions.RUNNERS].clear()
    with pytest.raises(UnsupportedError, match=r'runner "odd": .*Odd.* is no pyteam\.extend\.Runner'):
        Team(Document.parse('{"runner": {"name": "odd"}}').team, 1)


def test_nobody_looks_for_them_while_every_name_is_ours() -> None:
    code = """
import sys
from pyteam.config import Document
Document.parse('{"runner": {"name": "lacp"}, "link_watch": {"name": "ethtool"}, "ports": {"a": {}}}')
print("importlib.metadata" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "False\n"
