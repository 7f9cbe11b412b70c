"""What a request does when the kernel answers late, in pieces, with a refusal, or not at all."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable

import pytest

from pyteam.netlink import message as nl
from pyteam.netlink.transport import DUMP_TRIES, NetlinkError, Transport

KERNEL, STRANGER = 0, 4711
Answer = Callable[[int], bytes]


class Kernel:
    """A socket whose other end plays a script: what arrives, as a function of the sequence number."""

    def __init__(self) -> None:
        self.script: list[tuple[int, Answer | OSError]] = []
        self.flags = 0
        self.sent: list[nl.Message] = []
        self.closed = False

    def bind(self, address: tuple[int, int]) -> None: ...

    def settimeout(self, timeout: float) -> None: ...

    def setsockopt(self, level: int, option: int, value: int) -> None:
        raise OSError(errno.ENOPROTOOPT, "an old kernel")

    def close(self) -> None:
        self.closed = True

    def send(self, data: bytes) -> None:
        self.sent += nl.messages(data)

    def recvmsg(self, size: int) -> tuple[bytes, list[object], int, tuple[int, int]]:
        sender, answer = self.script.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer(self.sent[-1].sequence), [], self.flags, (sender, 0)

    def answers(self, *answers: Answer | OSError, sender: int = KERNEL) -> None:
        self.script += [(sender, answer) for answer in answers]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(socket, "socket", lambda *_: made)
    return made


def data(payload: bytes, flags: int = nl.NLM_F_MULTI) -> Answer:
    return lambda sequence: nl.pack(100, flags, sequence, payload)


def acknowledgement(code: int = 0) -> Answer:
    return lambda sequence: nl.pack(nl.NLMSG_ERROR, nl.NLM_F_CAPPED, sequence, struct.pack("=i16x", -code))


def done(sequence: int) -> bytes:
    return nl.pack(nl.NLMSG_DONE, nl.NLM_F_MULTI, sequence, bytes(4))


def payloads(messages: list[nl.Message]) -> list[bytes]:
    return [message.payload for message in messages]


def test_answer_before_the_acknowledgement(kernel: Kernel) -> None:
    kernel.answers(data(b"one!"), acknowledgement())
    assert payloads(Transport(0).request(18, b"ask!", what="cannot")) == [b"one!"]
    (sent,) = kernel.sent
    assert (sent.kind, sent.flags, sent.payload) == (18, nl.NLM_F_REQUEST | nl.NLM_F_ACK, b"ask!")


def test_dump_inside_a_request_ends_with_the_acknowledgement(kernel: Kernel) -> None:
    # The `team` family does that.
    kernel.answers(data(b"one!"), done, acknowledgement())
    assert payloads(Transport(0).request(1, b"", what="cannot")) == [b"one!"]
    assert kernel.script == []


def test_dump_in_pieces(kernel: Kernel) -> None:
    kernel.answers(
        lambda sequence: data(b"one!")(sequence) + data(b"two!")(sequence),
        lambda sequence: data(b"tree")(sequence) + done(sequence),
    )
    assert payloads(Transport(0).dump(18, b"", what="cannot")) == [b"one!", b"two!", b"tree"]


def test_interrupted_dump_is_repeated(kernel: Kernel) -> None:
    kernel.answers(data(b"old!"), data(b"old!", nl.NLM_F_DUMP_INTR), done, data(b"new!"), done)
    assert payloads(Transport(0).dump(18, b"", what="cannot")) == [b"new!"]


def test_dump_interrupted_for_ever(kernel: Kernel) -> None:
    kernel.answers(*[data(b"old!", nl.NLM_F_DUMP_INTR), done] * DUMP_TRIES)
    with pytest.raises(NetlinkError, match=f"list: interrupted by changes {DUMP_TRIES}") as caught:
        Transport(0).dump(18, b"", what="cannot list")
    assert caught.value.errno == errno.EINTR


def test_late_answer_to_an_earlier_request_is_ignored(kernel: Kernel) -> None:
    opened = Transport(0)
    kernel.answers(TimeoutError())
    with pytest.raises(NetlinkError, match="did not answer") as caught:
        opened.request(18, b"", what="cannot read")
    assert caught.value.errno == errno.ETIMEDOUT
    kernel.answers(
        lambda sequence: acknowledgement(errno.EPERM)(sequence - 1),
        lambda sequence: data(b"late")(sequence - 1),
        data(b"own!"),
        acknowledgement(),
    )
    assert payloads(opened.request(18, b"", what="cannot read")) == [b"own!"]


def test_only_the_kernel_is_believed(kernel: Kernel) -> None:
    kernel.answers(data(b"lie!"), acknowledgement(errno.EPERM), sender=STRANGER)
    kernel.answers(acknowledgement())
    assert Transport(0).request(18, b"", what="cannot") == []


@pytest.mark.parametrize("ask", [Transport.request, Transport.dump])
def test_refusal(kernel: Kernel, ask: Callable[..., object]) -> None:
    kernel.answers(acknowledgement(errno.EBUSY))
    with pytest.raises(NetlinkError, match=r"^cannot add: Device or resource busy$") as caught:
        ask(Transport(0), 18, b"", what="cannot add")
    assert caught.value.errno == errno.EBUSY


def test_socket_errors_and_oversize(kernel: Kernel) -> None:
    kernel.answers(OSError(errno.ENOBUFS, ""))
    with pytest.raises(NetlinkError) as caught:
        Transport(0).request(18, b"", what="cannot")
    assert caught.value.errno == errno.ENOBUFS
    kernel.answers(data(b""))
    kernel.flags = socket.MSG_TRUNC
    with pytest.raises(NetlinkError, match="more than"):
        Transport(0).request(18, b"", what="cannot")


def test_closed_at_the_end(kernel: Kernel) -> None:
    with Transport(0):
        assert not kernel.closed
    assert kernel.closed
