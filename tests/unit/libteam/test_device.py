"""What `Team` says when the kernel cannot have one; the rest needs the driver (tests/lab)."""

from __future__ import annotations

import errno

import pytest

from pyteam.libteam import NetlinkError, Team
from pyteam.netlink.rtnl import Rtnl


@pytest.mark.parametrize("name", ["team0", ""])
def test_without_the_driver_it_says_what_to_load(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def refuse(_self: Rtnl, _name: str, kind: str) -> None:
        raise NetlinkError(errno.EOPNOTSUPP, f"cannot create {kind}", "Unknown device type")

    monkeypatch.setattr(Rtnl, "add_link", refuse)
    with pytest.raises(NetlinkError, match=r"cannot create team0: .*modprobe team") as caught:
        Team.create(name)
    assert caught.value.errno == errno.EOPNOTSUPP
