"""The table of options, and values as users write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.options import OPTIONS, OptionSpec, OptionValue, Type, fits, parse_value, show_value


@pytest.mark.parametrize(
    ("type_", "written", "value"),
    [
        (Type.U32, "0", 0),
        (Type.U32, "010", 10),
        (Type.U32, " +7", 7),
        (Type.U32, "4294967295", 2**32 - 1),
        (Type.S32, "-7", -7),
        (Type.BOOL, "true", True),
        (Type.BOOL, "false", False),
        (Type.STRING, "hash", "hash"),
        (Type.BINARY, "", b""),
        (Type.BINARY, r"\06\0a\fF", b"\x06\x0a\xff"),
    ],
)
def test_values_as_users_write_them(type_: Type, written: str, value: OptionValue) -> None:
    assert parse_value(written, type_) == value


@pytest.mark.parametrize(
    ("type_", "written", "error"),
    [
        (Type.U32, "-1", OverflowError),
        (Type.U32, "4294967296", OverflowError),
        (Type.U32, "1x", ValueError),
        (Type.U32, "", ValueError),
        (Type.S32, "99999999999", OverflowError),
        (Type.S32, "0x10", ValueError),
        (Type.BOOL, "True", ValueError),
        (Type.BOOL, "1", ValueError),
        (Type.BINARY, r"\01\0", ValueError),
        (Type.BINARY, "zz", ValueError),
        (Type.U32, "9" * 9999, OverflowError),
        (Type.U32, "\N{ARABIC-INDIC DIGIT SEVEN}", ValueError),
    ],
)
def test_what_is_no_value(type_: Type, written: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=f'^"?{re.escape(written[:32])}"? is '):
        parse_value(written, type_)


@given(st.one_of(st.booleans(), st.integers(0, 2**32 - 1), st.binary(max_size=40)))
def test_what_is_shown_can_be_set(value: OptionValue) -> None:
    types = {bool: Type.BOOL, int: Type.U32, bytes: Type.BINARY}
    assert parse_value(show_value(value), types[type(value)]) == value


VALUES: dict[Type, tuple[OptionValue, ...]] = {
    Type.U32: (0, 2**32 - 1),
    Type.S32: (-(2**31), 2**31 - 1),
    Type.STRING: ("", "hash"),
    Type.BOOL: (True, False),
    Type.BINARY: (b"", b"x"),
}


@pytest.mark.parametrize("type_", Type)
def test_values_that_fit(type_: Type) -> None:
    assert all(fits(value, type_) for value in VALUES[type_])
    # What fits another type does not, but for the numbers that both have.
    others = [value for other in VALUES if other is not type_ for value in VALUES[other]]
    assert {value for value in others if fits(value, type_)} <= {0, 2**31 - 1}
    assert not any(fits(value, type_) for value in (2**32, -(2**31) - 1))


def test_a_truth_is_no_number() -> None:
    assert not fits(True, Type.U32)
    assert not fits(1, Type.BOOL)


@pytest.mark.parametrize("spec", OPTIONS.values(), ids=OPTIONS)
def test_every_option_has_a_meaning_that_fits_a_sentence(spec: OptionSpec) -> None:
    assert spec.meaning
    assert not spec.meaning.endswith(".")
