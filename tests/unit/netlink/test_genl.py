"""The controller of generic netlink: what it really said, what pyroute2 would ask, bytes from nowhere."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.generic import ctrlmsg

from pyteam.netlink import genl
from pyteam.netlink import message as nl
from pyteam.netlink.transport import NetlinkError, Transport
from tests.unit.netlink.team_recorded import FAMILY


class Controller(Transport):
    """Answers every request with the same messages, and keeps what it was asked."""

    def __init__(self, *answers: nl.Message) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, bytes]] = []

    def request(self, kind: int, payload: bytes, *, flags: int = 0, what: str) -> list[nl.Message]:
        self.asked.append((kind, payload))
        return self.answers


def test_the_team_family_as_the_kernel_tells_it() -> None:
    (told,) = nl.messages(FAMILY[0])
    controller = Controller(told)
    assert genl.find_family(controller, "team") == genl.Family(26, 1, {"change_event": 3})
    ((kind, payload),) = controller.asked
    assert kind == genl.GENL_ID_CTRL
    theirs = ctrlmsg()
    theirs["cmd"], theirs["version"] = 3, 2
    theirs["attrs"] = [("CTRL_ATTR_FAMILY_NAME", "team")]
    theirs.encode()
    assert payload.ljust(len(theirs.data) - nl.HEADER_SIZE, b"\0") == bytes(theirs.data[nl.HEADER_SIZE :])


def test_no_answer_is_no_family() -> None:
    with pytest.raises(NetlinkError, match="family 'team': No such file"):
        genl.find_family(Controller(), "team")


def test_header() -> None:
    assert genl.pack(2, 1, b"abcd") == b"\x02\x01\0\0abcd"
    assert genl.unpack(b"\x02\x01\0\0abcd") == (2, b"abcd")


@pytest.mark.parametrize(
    "payload", [b"", b"\x01\x02\0", genl.pack(1, 2), genl.pack(1, 2, nl.attribute(1, b"x"))]
)
def test_what_is_no_family(payload: bytes) -> None:
    with pytest.raises(nl.NetlinkFormatError):
        genl.decode_family(payload)


@given(st.binary(max_size=200))
def test_anything_is_read_or_refused(garbage: bytes) -> None:
    with suppress(nl.NetlinkFormatError):
        genl.decode_family(garbage)
