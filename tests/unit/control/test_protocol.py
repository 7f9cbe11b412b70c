"""Packets of the control socket, from a table: what was seen on the wire, and what must be refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyteam.control import protocol
from pyteam.control.core import MethodError
from pyteam.control.methods import METHODS, Method
from pyteam.control.protocol import ProtocolError

# The first four were recorded with the original; it swallows the empty arguments of the last three.
REQUESTS = [
    (
        b"REQUEST\nStateItemValueGet\nsetup.runner_name\n",
        ("StateItemValueGet", ["setup.runner_name"]),
    ),
    (b"REQUEST\nPortAdd\nnope\n", ("PortAdd", ["nope"])),
    (b"REQUEST\nPortConfigUpdate\nlo\n{}\n", ("PortConfigUpdate", ["lo", "{}"])),
    (b"\n\nREQUEST\n\nConfigDump\n\n", ("ConfigDump", [])),
    (b"REQUEST\nConfigDump", ("ConfigDump", [])),
    (b"REQUEST\nConfigDump\nmore\narguments\n", ("ConfigDump", [])),
    (b"REQUEST\nPortAdd\np0\nmore\n", ("PortAdd", ["p0"])),
    (b"REQUEST\nPortAdd\n\n\np0\n\n", ("PortAdd", ["p0"])),
    (b"REQUEST\nPortAdd\np0\n\0", ("PortAdd", ["p0"])),
    (b"REQUEST\nPortAdd\na\\\\nb\n", ("PortAdd", ["a\\nb"])),
    (b"REQUEST\nPortAdd\na\\n\\n\\\\\\\\b\n", ("PortAdd", ["a\n\n\\\\b"])),
    (
        b"REQUEST\nStateItemValueSet\nrunner.active_port\n\n",
        ("StateItemValueSet", ["runner.active_port", ""]),
    ),
    (b"REQUEST\nStateItemValueSet\n\nvalue", ("StateItemValueSet", ["", "value"])),
    (b"REQUEST\nPortAdd\n\n", ("PortAdd", [""])),
]

REFUSED = [
    (b"", "begins with"),
    (b"\n", "begins with"),
    (b"request\nConfigDump\n", '"request"'),
    (b"REQUEST", 'No method ""'),
    (b"REQUEST\nNonsense\n", 'No method "Nonsense"'),
    (b"REQUEST\nconfigdump\n", 'No method "configdump"'),
    (b"REQUEST\nPortAdd", "PortAdd takes: port."),
    (b"REQUEST\nPortAdd\n", "PortAdd takes: port."),
    (b"REQUEST\nPortConfigUpdate\np0\n", "PortConfigUpdate takes: port, config."),
    (b'REQUEST\nPortConfigUpdate\nlo\n{\\t"prio":8}\n', "Unknown escape"),
    (b"REQUEST\nPortAdd\np0\\\n", "Unknown escape"),
    (b"REQUEST\nPortAdd\np\xff\n", "not UTF-8 (byte 17)"),
    (b"REQUEST\nPortAdd\np\0q\n", "NUL"),
    (b"\x1b[31m" * 1000, '"\\x1b[31m'),
]


@pytest.mark.parametrize(("packet", "expected"), REQUESTS)
def test_request(packet: bytes, expected: tuple[str, list[str]]) -> None:
    method, arguments = protocol.decode_request(packet)
    assert (method.name, arguments) == expected


@pytest.mark.parametrize(("packet", "reason"), REFUSED)
def test_refused_request(packet: bytes, reason: str) -> None:
    with pytest.raises(MethodError) as caught:
        protocol.decode_request(packet)
    assert caught.value.code == "InvalidArgs"
    assert reason in caught.value.text
    assert caught.value.text.isprintable()
    assert len(caught.value.text) < 300


ARGUMENT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | st.sampled_from("\\\nn")
)


@given(st.sampled_from(list(METHODS.values())), st.data())
def test_what_one_end_says_the_other_hears(method: Method, data: st.DataObject) -> None:
    count = len(method.arguments)
    arguments = data.draw(st.lists(ARGUMENT, min_size=count, max_size=count))
    packet = protocol.encode_request(method, arguments)
    assert protocol.decode_request(packet) == (method, arguments)


@given(ARGUMENT)
@example("\\\n\\n\n\\")
def test_escaping_makes_one_line_and_comes_back(argument: str) -> None:
    line = protocol.escape(argument)
    assert "\n" not in line
    assert protocol.unescape(line) == argument


@pytest.mark.parametrize("argument", ["a\0b", "\udcff"])
def test_what_cannot_travel_is_refused_by_the_sender(argument: str) -> None:
    with pytest.raises(ProtocolError, match=r"^PortAdd: an argument"):
        protocol.encode_request(METHODS["PortAdd"], [argument])


def test_replies_on_the_wire() -> None:
    assert protocol.encode_result("activebackup") == b"REPLY_SUCCESS\nactivebackup"
    assert protocol.encode_result("") == b"REPLY_SUCCESS\n"
    assert protocol.encode_error(MethodError("NoSuchDev")) == b"REPLY_ERROR\nNoSuchDev\nNo such device.\n"
    assert protocol.encode_error(MethodError("Own", "two\nlines \udcff")) == (
        b"REPLY_ERROR\nOwn\ntwo lines \\udcff\n"
    )


def test_replies_come_back() -> None:
    assert protocol.decode_reply(b"REPLY_SUCCESS\n{\n}\n") == "{\n}\n"
    assert protocol.decode_reply(b"REPLY_SUCCESS\n") == ""
    with pytest.raises(MethodError) as caught:
        protocol.decode_reply(b"REPLY_ERROR\nNoSuchDev\nNo such device.\n")
    assert (caught.value.code, caught.value.text) == ("NoSuchDev", "No such device.")
    with pytest.raises(ProtocolError, match="not teamd"):
        protocol.decode_reply(b"HTTP/1.1 400 Bad Request\r\n")


def test_where_the_socket_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEAMD_RUN_DIR", raising=False)
    assert protocol.socket_path("team0") == "/var/run/teamd/team0.sock"
    monkeypatch.setenv("TEAMD_RUN_DIR", "/run/other/")
    assert protocol.socket_path("team0") == "/run/other/team0.sock"
    assert protocol.socket_path("team0", "/tmp") == "/tmp/team0.sock"
