"""ZeroMQ from end to end: our client, clients that misbehave, and requests as the original sends them."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path

import pytest

zmq = pytest.importorskip("zmq")

from pyteam.client import ClientError  # noqa: E402
from pyteam.client.zmq import Client  # noqa: E402
from pyteam.control.zmq import AddressError, Server  # noqa: E402
from tests.unit.control.fakecore import FakeCore  # noqa: E402

GET = b"REQUEST\nStateItemValueGet\nsetup.runner_name\n"
ANSWER = b"REPLY_SUCCESS\nactivebackup"


def serve(address: str, core: FakeCore, scene: Callable[[], None]) -> None:
    """Plays a scene in a thread, so that it may block."""

    async def play() -> None:
        server = Server(address, core)
        server.start(asyncio.get_running_loop())
        try:
            await asyncio.wait_for(asyncio.to_thread(scene), 20)
        finally:
            server.close()
            server.close()

    asyncio.run(play())


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/team0.zmq"


def exchange(address: str, *requests: list[bytes]) -> list[bytes]:
    """As any REQ socket asks; the answers."""
    context = zmq.Context()
    with context.socket(zmq.REQ) as socket:
        socket.linger, socket.rcvtimeo = 0, 10_000
        socket.connect(address)
        answers = []
        for request in requests:
            socket.send_multipart(request)
            answers.append(socket.recv())
    context.term()
    return answers


def test_every_method_also_with_arguments_over_lines(address: str) -> None:
    core = FakeCore()

    def scene() -> None:
        with Client("team0", address) as client:
            assert client.config_dump() == core.config_dump()
            assert client.config_dump_actual() == core.config_dump_actual()
            assert client.state_dump() == core.state_dump()
            assert client.port_config_dump("p0") == core.port_config_dump("p0")
            assert client.state_item_get("runner.active_port") == "p0"
            client.state_item_set("runner.active_port", "")
            client.port_config_update("p1", '{"a":\n\n"\\\\"}')
            client.port_add("p1")
            client.port_remove("p0")
            client.option_set("priority", "", "0", "-7")
            with pytest.raises(ClientError) as caught:
                client.port_add("nope")
            assert (caught.value.errno, caught.value.code) == (errno.EINVAL, "NoSuchDev")
            with pytest.raises(ClientError, match="only the last argument"):
                client.state_item_set("a\nb", "")

    serve(address, core, scene)
    assert core.changes == [
        ("state_item_set", "runner.active_port", ""),
        ("port_config_update", "p1", '{"a":\n\n"\\\\"}'),
        ("port_add", "p1"),
        ("port_remove", "p0"),
        ("option_set", "priority", "", "0", "-7"),
    ]


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\0", b"\xff", b"REQUEST\nFrobnicate\n", b"REQUEST\nPortAdd\n", b"REQUEST\nSubscribe\n", b"hello"],
)
def test_garbage_is_answered_and_the_next_request_served(address: str, garbage: bytes) -> None:
    def scene() -> None:
        refused, answer = exchange(address, [garbage], [GET])
        assert refused.startswith(b"REPLY_ERROR\n")
        assert answer == ANSWER

    serve(address, FakeCore(), scene)


def test_a_request_in_parts_is_one(address: str) -> None:
    serve(address, FakeCore(), lambda: expect(exchange(address, [GET[:9], GET[9:]]), [ANSWER]))


def test_a_terminator_is_no_part_of_the_last_argument(address: str) -> None:
    serve(address, FakeCore(), lambda: expect(exchange(address, [GET[:-1] + b"\0"]), [ANSWER]))


def expect(found: object, wanted: object) -> None:
    assert found == wanted


def test_a_flood_of_one_delays_the_others_by_few_requests(address: str) -> None:
    class Witness(FakeCore):
        def state_item_get(self, path: str) -> str:
            asked.append(path)
            return path

    asked: list[str] = []

    def scene() -> None:
        context = zmq.Context()
        # Not held to wait for its answers; the empty part is what a REQ socket sends by itself.
        with context.socket(zmq.DEALER) as greedy:
            greedy.linger = 0
            greedy.connect(address)
            for _ in range(500):
                greedy.send_multipart([b"", b"REQUEST\nStateItemValueGet\nflood"])
            assert exchange(address, [b"REQUEST\nStateItemValueGet\nother"]) == [b"REPLY_SUCCESS\nother"]
            greedy.recv_multipart()
        context.term()

    serve(address, Witness(), scene)
    assert asked.count("other") == 1


def test_nobody_answers(address: str) -> None:
    with Client("team0", address, timeout=0.05) as client:
        with pytest.raises(ClientError) as caught:
            client.state_dump()
        assert caught.value.errno == errno.ETIMEDOUT
        with pytest.raises(ClientError):
            client.state_dump()


@pytest.mark.parametrize("bad", ["nonsense", "ipc:///no/where/at/all", "tcp://198.51.100.1:5555"])
def test_an_address_that_cannot_be_is_named(bad: str) -> None:
    async def play() -> None:
        with pytest.raises(AddressError, match=bad):
            Server(bad, FakeCore()).start(asyncio.get_running_loop())

    asyncio.run(play())


def test_an_address_beyond_this_machine_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    serve("tcp://127.0.0.1:*", FakeCore(), lambda: None)
    assert "whoever can connect to tcp://127.0.0.1:* controls this team" in caplog.text
