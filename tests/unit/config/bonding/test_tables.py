"""The tables of options and keys: complete, and the same as what the documents say."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from pyteam.config import manual
from pyteam.config.bonding import bond, words
from pyteam.config.bonding.bond import MODES, Bond, Option, options
from pyteam.config.bonding.from_team import KEYS

DOCS = Path(__file__).parents[4] / "docs/migrating.md"

#: A value of each kind that is no option's default.
EXAMPLES: dict[type[words.Kind], Any] = {
    words.Number: 200,
    words.Interface: "eth1",
    words.Address: "02:00:00:00:00:07",
}


def example(option: Option) -> Any:
    """A value that is not the default."""
    match option.kind:
        case words.OneOf(words=known):
            return next(word for word in known if word != option.default)
        case words.Switch():
            return not option.default
        case words.Addresses(of=of):
            return ("10.0.0.1", "10.0.0.2") if of is IPv4Address else ("fe80::1",)
    return EXAMPLES[type(option.kind)]


@pytest.mark.parametrize("name", options())
def test_an_option_says_what_a_team_has_for_it_or_why_nothing(name: str) -> None:
    option = options()[name]
    assert option.team or option.why
    assert not option.needs or option.needs in options()


@pytest.mark.parametrize("name", options())
def test_what_a_kind_writes_it_reads(name: str) -> None:
    kind = options()[name].kind
    value = example(options()[name])
    assert kind.read(kind.write(value)) == value


@pytest.mark.parametrize("number", range(len(MODES)))
def test_the_kernels_numbers_are_read(number: int) -> None:
    assert options()["mode"].kind.read(str(number)) == MODES[number]


def test_names_are_nobody_elses() -> None:
    for names in (
        [name for name, option in options().items() for name in (name, *option.aliases)],
        [option.networkd for option in options().values() if option.networkd],
        [key for option in options().values() for key in option.netplan],
    ):
        assert len(names) == len(set(names))


def test_every_key_of_teamd_conf_has_its_row() -> None:
    assert set(KEYS) == {
        entry.path for entry in manual() if not entry.path.startswith("ports.PORT.link_watch.")
    }


def test_nothing_is_given_in_an_empty_bond() -> None:
    assert bond.given(Bond()) == {"mode": "balance-rr"}


def rows(title: str) -> list[str]:
    section = DOCS.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


def test_the_document_has_the_table_of_options() -> None:
    expected = [
        f"| `{name}` | {code(option.team) or 'nothing'} | {option.why} |"
        for name, option in options().items()
    ]
    assert rows("Every option of bonding") == expected


def test_the_document_has_the_table_of_keys() -> None:
    expected = [f"| `{key}` | {there or 'nothing'} | {why} |" for key, (there, why) in KEYS.items()]
    assert rows("Every key of teamd.conf") == expected


def code(text: str) -> str:
    """Keys in the typewriter's letters."""
    return re.sub(r"[\w.]*[._][\w.]*\w", lambda found: f"`{found[0]}`", text)
