"""Refusals of the team driver, in words that say what to do."""

from __future__ import annotations

import errno

import pytest

from pyteam.datapath.interface import DatapathError
from pyteam.datapath.kernel.words import explained
from pyteam.netlink.message import NetlinkFormatError
from pyteam.netlink.rtnl import NetlinkError


@pytest.mark.parametrize(
    ("tried", "code", "reason", "text"),
    [
        ("create", errno.EOPNOTSUPP, "Unknown device type", "modprobe team.*--datapath ebpf"),
        ("create", errno.EEXIST, "", "-o adopts"),
        ("mode", errno.EBUSY, "", "no ports"),
        ("mode", errno.EINVAL, "", "team_mode_"),
        ("priority", errno.ENOENT, "", "no such option"),
        ("port", errno.EPERM, "", "run as root"),
        ("port", errno.EOPNOTSUPP, "Enslaving refused", "Enslaving refused"),
    ],
)
def test_what_to_do(tried: str, code: int, reason: str, text: str) -> None:
    with pytest.raises(DatapathError, match=f"^cannot do it: .*{text}") as caught, explained(tried):
        raise NetlinkError(code, "cannot do it", reason)
    assert caught.value.errno == code


def test_a_refusal_that_nobody_foresaw_has_the_kernels_words() -> None:
    with pytest.raises(DatapathError, match=r"^cannot do it \(No space left on device\)$"), explained("port"):
        raise NetlinkError(errno.ENOSPC, "cannot do it")


def test_a_value_that_netlink_cannot_carry_is_invalid() -> None:
    with pytest.raises(DatapathError, match="no u32") as caught, explained("priority"):
        raise NetlinkFormatError("no u32")
    assert caught.value.errno == errno.EINVAL
