"""The client against a server in the same process, and against peers that misbehave."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyteam.client import Client, ClientError, ConnectError, Event
from pyteam.control.usock import Server
from tests.unit.control.fakecore import FakeCore, team


def talk(run_dir: Path, core: FakeCore, scene: Callable[[Client], None]) -> None:
    """Plays a scene with a client in a thread, so that it may block."""

    def play() -> None:
        with Client("team0", str(run_dir)) as client:
            scene(client)

    async def serve() -> None:
        server = Server(str(run_dir / "team0.sock"), core)
        server.start(asyncio.get_running_loop())
        try:
            await asyncio.to_thread(play)
        finally:
            server.close()

    asyncio.run(serve())


def test_every_method(tmp_path: Path) -> None:
    core = FakeCore()

    def scene(client: Client) -> None:
        assert client.config_dump() == core.config_dump()
        assert client.config_dump_actual() == core.config_dump_actual()
        assert client.state_dump() == core.state_dump()
        assert client.port_config_dump("p0") == core.port_config_dump("p0")
        assert client.state_item_get("runner.active_port") == "p0"
        client.state_item_set("runner.active_port", "")
        client.port_config_update("p1", '{"a":\n"\\\\"}')
        client.port_add("p1")
        client.port_remove("p0")
        client.option_set("priority", "p1", "0", "-7")
        client.option_set("priority", "", "0", "")

    talk(tmp_path, core, scene)
    assert core.changes == [
        ("state_item_set", "runner.active_port", ""),
        ("port_config_update", "p1", '{"a":\n"\\\\"}'),
        ("port_add", "p1"),
        ("port_remove", "p0"),
        ("option_set", "priority", "p1", "0", "-7"),
        ("option_set", "priority", "", "0", ""),
    ]


def test_a_refusal_carries_code_and_text_and_the_connection_lives_on(tmp_path: Path) -> None:
    def scene(client: Client) -> None:
        with pytest.raises(ClientError) as caught:
            client.port_add("nope")
        error = caught.value
        assert (error.errno, error.code, error.text) == (errno.EINVAL, "NoSuchDev", "No such device.")
        assert str(error) == "team0: PortAdd: NoSuchDev: No such device."
        with pytest.raises(ClientError, match="NUL"):
            client.port_add("a\0b")
        assert client.state_item_get("setup.pid") == "760"

    talk(tmp_path, FakeCore(), scene)


def test_a_long_answer_arrives_whole(tmp_path: Path) -> None:
    core = FakeCore()
    core.config["padding"] = "x" * 1_000_000

    def scene(client: Client) -> None:
        assert client.config_dump() == core.config_dump()

    talk(tmp_path, core, scene)


@pytest.mark.parametrize("device", ["team0", "x" * 120, "\ud800"])
def test_no_daemon_names_the_socket_that_was_tried(tmp_path: Path, device: str) -> None:
    with pytest.raises(ConnectError) as caught:
        Client(device, str(tmp_path))
    assert caught.value.path == f"{tmp_path}/{device}.sock"
    assert caught.value.errno == (errno.ENOENT if device == "team0" else errno.ENAMETOOLONG)
    assert str(caught.value).startswith(caught.value.path)


@contextmanager
def impostor(run_dir: Path, reply: bytes | None) -> Iterator[None]:
    """A peer that answers one request with this; None: it says nothing until the client leaves."""

    def play() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(4096)
            if reply is None:
                peer.recv(4096)
            elif reply:
                peer.send(reply)

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(run_dir / "team0.sock"))
        listener.listen()
        thread = threading.Thread(target=play)
        thread.start()
        try:
            yield
        finally:
            thread.join()


@pytest.mark.parametrize(
    ("reply", "number"),
    [(b"garbage", errno.EBADMSG), (b"", errno.ECONNRESET), (None, errno.ETIMEDOUT)],
)
def test_a_peer_that_is_no_teamd(tmp_path: Path, reply: bytes | None, number: int) -> None:
    with impostor(tmp_path, reply), Client("team0", str(tmp_path), timeout=0.05) as client:
        with pytest.raises(ClientError) as caught:
            client.config_dump()
        assert (caught.value.errno, caught.value.code) == (number, "")
        # An answer that comes late must not become that of another question.
        with pytest.raises(ClientError) as caught:
            client.state_dump()
        assert caught.value.errno == errno.EBADF


def test_events_are_told_from_the_moment_they_are_asked_for(tmp_path: Path) -> None:
    core = FakeCore()

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = Server(str(tmp_path / "team0.sock"), core)
        server.start(loop)

        def play() -> None:
            def become(*ports: str) -> None:
                loop.call_soon_threadsafe(core.become, team(*ports, active="p0"))

            with Client("team0", str(tmp_path)) as client, client.events() as events:
                become("p0", "p1")
                assert next(events) == Event("PortAdded", "p1")
                become("p1")
                assert [next(events) for _ in range(2)] == [
                    Event("LinkChanged", "p1", True),
                    Event("PortRemoved", "p0"),
                ]
                # The connection that asks is another.
                assert client.state_item_get("setup.pid") == "760"
                loop.call_soon_threadsafe(server.close)
                with pytest.raises(ClientError) as caught:
                    next(events)
                assert caught.value.errno == errno.ECONNRESET

        try:
            await asyncio.to_thread(play)
        finally:
            server.close()
        assert core.listeners == []

    asyncio.run(serve())
