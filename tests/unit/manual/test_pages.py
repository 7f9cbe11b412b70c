"""The pages as groff and mandoc read them, and that nothing of the tables is missing."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from manual import pages
from manual.__main__ import SCHEMA, write
from pyteam.cli.programs import PROGRAMS
from pyteam.config import json_schema, manual
from pyteam.control.items import ITEMS
from pyteam.control.methods import METHODS
from pyteam.engine.linkwatch import LINK_WATCHES
from pyteam.engine.runners import RUNNERS
from pyteam.options import OPTIONS

DATE = "2026-01-31"
ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("build")
    write(directory, DATE)
    return directory


def run(*command: str | Path) -> tuple[str, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


@pytest.mark.needs("groff")
@pytest.mark.parametrize("name", pages.names())
def test_groff_has_nothing_to_say(built: Path, name: str) -> None:
    out, err = run("groff", "-ww", "-man", "-Tutf8", "-Kutf8", built / name)
    assert err == ""
    assert DATE in out


@pytest.mark.needs("mandoc")
@pytest.mark.parametrize("name", pages.names())
def test_mandoc_has_nothing_to_say(built: Path, name: str) -> None:
    assert run("mandoc", "-T", "lint", "-W", "warning", built / name) == ("", "")


def text(built: Path, name: str) -> str:
    """As a reader sees it, on one line; without the marks of printed type."""
    out, _ = run("mandoc", "-T", "utf8", "-O", "width=1000", built / name)
    return re.sub(r"\s+", " ", re.sub(".\b", "", out))


@pytest.mark.needs("mandoc")
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_page_has_every_option_and_command_of_its_program(built: Path, program: str) -> None:
    (name,) = (name for name in pages.names() if name.rpartition(".")[0] == program)
    page = text(built, name)
    for option in PROGRAMS[program]().options:
        assert f"--{option.name}{f'={option.value}' if option.value else ''} {option.help}." in page
    for command in PROGRAMS[program]().commands:
        assert f"{' '.join((*command.words, *command.parameters))} {command.help}." in page


@pytest.mark.needs("mandoc")
def test_the_pages_have_every_row_of_the_tables(built: Path) -> None:
    configuration = text(built, "teamd.conf.5")
    for entry in manual():
        # The watches of a port have the keys of the team's.
        assert entry.path.replace("ports.PORT.link_watch.", "link_watch.") in configuration
    for name in (*RUNNERS, *LINK_WATCHES):
        assert f" {name} " in configuration
    assert all(item.path in text(built, "teamdctl.8") for item in ITEMS)
    assert all(method in text(built, "teamd.8") for method in METHODS)
    assert all(f" {option} " in text(built, "teamnl.8") for option in OPTIONS)


def test_the_schema_is_written_too(built: Path) -> None:
    assert json.loads((built / SCHEMA).read_text()) == json_schema()


def test_the_document_of_teamd_has_every_option() -> None:
    document = (ROOT / "docs/teamd.md").read_text()
    for option in PROGRAMS["teamd"]().options:
        assert f"--{option.name}{f'={option.value}' if option.value else ''}`" in document


def test_the_same_tables_are_the_same_pages(built: Path, tmp_path: Path) -> None:
    for path in write(tmp_path, DATE):
        assert path.read_bytes() == (built / path.name).read_bytes()
