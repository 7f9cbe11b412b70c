"""The method table against those who must agree with it: the daemon's contract and the client."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from pyteam.client.methods import Methods
from pyteam.control.core import Core
from pyteam.control.methods import ERRORS, METHODS, OPTION_ERRNO, Method
from tests.unit.control.fakecore import FakeCore


def public(owner: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(owner, inspect.isfunction) if not name.startswith("_")}


#: One request, one answer: all but what streams.
ORDINARY = {name: method for name, method in METHODS.items() if not method.streams}
#: What a core offers to transports beside the methods, and a client beside those of the daemon.
BESIDE: dict[Any, set[str]] = {
    Core: {"snapshot", "subscribe"},
    FakeCore: {"snapshot", "subscribe", "become"},
    Methods: set(),
}


@pytest.mark.parametrize("owner", BESIDE)
@pytest.mark.parametrize("method", ORDINARY.values(), ids=ORDINARY)
def test_every_side_has_the_method_as_the_table_has_it(method: Method, owner: Any) -> None:
    signature = inspect.signature(getattr(owner, method.attribute))
    assert tuple(signature.parameters)[1:] == method.arguments
    assert signature.return_annotation in (("str", "Text") if method.returns else ("None", "Done"))


@pytest.mark.parametrize("owner", BESIDE)
def test_no_side_has_a_method_that_the_table_lacks(owner: Any) -> None:
    assert public(owner) - BESIDE[owner] == {method.attribute for method in ORDINARY.values()}


def test_what_is_for_root_says_so() -> None:
    """Who forgets to say that a method is public gets one for root."""
    assert {name for name, method in METHODS.items() if not method.public} == {
        "PortConfigUpdate",
        "PortAdd",
        "PortRemove",
        "StateItemValueSet",
        "ConfigReload",
        "ConfigReplace",
        # It opens files that the configuration names.
        "ConfigDiff",
        "OptionSet",
    }


def test_every_error_has_its_sentence_and_every_sentence_its_error() -> None:
    assert {code for method in METHODS.values() for code in method.errors} | {"InvalidArgs"} == set(ERRORS)


def test_what_is_an_errno_is_an_error_of_its_method() -> None:
    assert set(OPTION_ERRNO) == set(METHODS["OptionSet"].errors[:-1])
