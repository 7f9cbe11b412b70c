"""The method table against those who must agree with it: the daemon's contract and the client."""

from __future__ import annotations

import inspect

import pytest

from pyteam.client import Client
from pyteam.control.core import Core
from pyteam.control.methods import ERRORS, METHODS, OPTION_ERRNO, Method
from tests.unit.control.fakecore import FakeCore


def public(owner: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(owner, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize("owner", [Core, Client, FakeCore])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_side_has_the_method_as_the_table_has_it(method: Method, owner: type) -> None:
    signature = inspect.signature(getattr(owner, method.attribute))
    assert tuple(signature.parameters)[1:] == method.arguments
    assert signature.return_annotation == ("str" if method.returns else "None")


def test_no_side_has_a_method_that_the_table_lacks() -> None:
    attributes = {method.attribute for method in METHODS.values()}
    assert public(Core) == attributes
    assert public(Client) - {"close"} == attributes


def test_every_error_has_its_sentence_and_every_sentence_its_error() -> None:
    assert {code for method in METHODS.values() for code in method.errors} | {"InvalidArgs"} == set(ERRORS)


def test_what_is_an_errno_is_an_error_of_its_method() -> None:
    assert set(OPTION_ERRNO) == set(METHODS["OptionSet"].errors[:-1])
