"""The server on a real socket: who may connect, and clients that flood, fall silent or never read."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pyteam.control import usock
from pyteam.control.usock import ControlError, Server
from tests.unit.control.fakecore import FakeCore, team

GET = b"REQUEST\nStateItemValueGet\nsetup.runner_name\n"
ANSWER = b"REPLY_SUCCESS\nactivebackup"


class Guests:
    """Clients of the server under test: plain sockets, hung up at the end."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = str(path)
        self._stack = stack

    def connect(self) -> socket.socket:
        guest = self._stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        guest.setblocking(False)
        guest.connect(self._path)
        return guest


async def ask(guest: socket.socket, packet: bytes) -> bytes:
    """The answer; empty when the server hung up."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(guest, packet)
    return await loop.sock_recv(guest, 1 << 22)


async def flood(guest: socket.socket, packet: bytes) -> None:
    """Asks and asks, far beyond what any buffer holds, and never reads an answer."""
    for _ in range(10_000):
        await asyncio.get_running_loop().sock_sendall(guest, packet)


def served(
    path: Path, core: FakeCore, scene: Callable[[Guests], Awaitable[None]], group: int | None = None
) -> None:
    """Plays a scene with a server that serves ``core`` at ``path``."""

    async def play() -> None:
        server = Server(str(path), core, group)
        server.start(asyncio.get_running_loop())
        try:
            with ExitStack() as stack:
                await asyncio.wait_for(scene(Guests(path, stack)), 20)
        finally:
            server.close()
        assert not path.exists()

    asyncio.run(play())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "team0.sock"


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def test_only_the_owner_may_connect_and_requests_are_answered_in_turn(path: Path) -> None:
    async def scene(guests: Guests) -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        guest = guests.connect()
        for _ in range(3):
            assert await ask(guest, GET) == ANSWER
        assert (await ask(guest, b"nonsense")).startswith(b"REPLY_ERROR\nInvalidArgs\n")
        assert await ask(guest, GET) == ANSWER

    with umask(0):
        served(path, FakeCore(), scene)


def test_a_group_may_look_and_nobody_else(path: Path) -> None:
    async def scene(_: Guests) -> None:
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o770, os.getgid())

    # However strict the daemon is with other files.
    before = os.umask(0o077)
    try:
        served(path, FakeCore(), scene, os.getgid())
    finally:
        os.umask(before)


def test_who_is_not_root_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = FakeCore()

    async def scene(guests: Guests) -> None:
        monkeypatch.setattr(usock, "_user", lambda _: os.geteuid() + 1)
        guest = guests.connect()
        assert await ask(guest, GET) == ANSWER
        refused = b"REPLY_ERROR\nPortRemoveFail\nPortRemove is for root only.\n"
        assert await ask(guest, b"REQUEST\nPortRemove\np0\n") == refused
        assert await ask(guest, GET) == ANSWER
        monkeypatch.setattr(usock, "_user", lambda _: os.geteuid())
        assert await ask(guests.connect(), b"REQUEST\nPortRemove\np0\n") == b"REPLY_SUCCESS\n"

    served(path, core, scene)
    assert core.changes == [("port_remove", "p0")]


def test_a_predecessors_socket_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stale:
        stale.bind(str(path))

    async def scene(guests: Guests) -> None:
        assert await ask(guests.connect(), GET) == ANSWER

    served(path, FakeCore(), scene)


def test_a_successors_socket_is_left_alone(path: Path) -> None:
    async def play() -> None:
        first, second = Server(str(path), FakeCore()), Server(str(path), FakeCore())
        first.start(asyncio.get_running_loop())
        second.start(asyncio.get_running_loop())
        first.close()
        first.close()
        assert path.is_socket()
        second.close()
        assert not path.exists()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file", r"file: there is a file of that name, and it is not a socket$"),
        ("missing/team0.sock", r"team0\.sock: No such file or directory$"),
        ("x" * 120, r"x: AF_UNIX path too long$"),
    ],
)
def test_a_socket_that_cannot_be_is_refused_with_its_path(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").write_text("precious")

    async def play() -> None:
        with pytest.raises(ControlError, match=rf"^control socket /.*{reason}") as caught:
            Server(str(tmp_path / name), FakeCore()).start(asyncio.get_running_loop())
        assert caught.value.errno

    asyncio.run(play())
    assert (tmp_path / "file").read_text() == "precious"


def test_an_answer_larger_than_the_kernels_buffer(path: Path) -> None:
    core = FakeCore()
    core.config["padding"] = "x" * 1_000_000

    async def scene(guests: Guests) -> None:
        reply = await ask(guests.connect(), b"REQUEST\nConfigDump\n")
        assert reply == b"REPLY_SUCCESS\n" + core.config_dump().encode()

    served(path, core, scene)


def test_a_request_too_long_is_refused_whole(path: Path) -> None:
    core = FakeCore()

    async def scene(guests: Guests) -> None:
        guest = guests.connect()
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * usock.MAX_REQUEST)
        packet = b"REQUEST\nPortAdd\np1\n".ljust(usock.MAX_REQUEST + 1, b"x")
        assert (await ask(guest, packet)).startswith(b"REPLY_ERROR\nInvalidArgs\nRequest longer")
        assert await ask(guest, GET) == ANSWER

    served(path, core, scene)
    assert core.changes == []


def test_a_client_that_never_reads_is_dropped_and_the_others_served(path: Path) -> None:
    core = FakeCore()
    core.config["padding"] = "x" * 10_000

    async def scene(guests: Guests) -> None:
        deaf, other = guests.connect(), guests.connect()
        with pytest.raises(ConnectionError):
            await flood(deaf, b"REQUEST\nConfigDump\n")
        assert await ask(other, GET) == ANSWER

    served(path, core, scene)


def test_who_subscribed_is_told_and_who_does_not_read_it_is_dropped(path: Path) -> None:
    core = FakeCore()
    up, down = team("p0", active="p0"), team("p0", active="p0", carrier=False)

    async def scene(guests: Guests) -> None:
        loop = asyncio.get_running_loop()
        deaf, keen, other = guests.connect(), guests.connect(), guests.connect()
        for follower in deaf, keen, keen:
            assert await ask(follower, b"REQUEST\nSubscribe\n") == b"REPLY_SUCCESS\n"
        assert len(core.listeners) == 1
        for turn in range(1000):
            core.become(up if turn % 2 else down)
            word = b"true" if turn % 2 else b"false"
            assert await loop.sock_recv(keen, 4096) == b"EVENT\nCarrierChanged\n" + word + b"\n"
        # It still answers questions between the events.
        assert await ask(keen, GET) == ANSWER
        with pytest.raises(BlockingIOError):
            other.recv(4096)
        while deaf.recv(4096):
            pass
        keen.close()
        while core.listeners:
            assert await ask(other, GET) == ANSWER

    served(path, core, scene)


def test_a_client_that_leaves_before_its_answer_harms_nobody(path: Path) -> None:
    async def scene(guests: Guests) -> None:
        for packet in GET, b"":
            hasty = guests.connect()
            hasty.send(packet)
            hasty.close()
        assert await ask(guests.connect(), GET) == ANSWER

    served(path, FakeCore(), scene)


def test_a_flood_delays_the_others_by_one_request(path: Path) -> None:
    class Witness(FakeCore):
        def state_item_get(self, path: str) -> str:
            asked.append(path)
            return path

    asked: list[str] = []

    async def scene(guests: Guests) -> None:
        greedy, other = guests.connect(), guests.connect()
        for guest in greedy, other:
            await ask(guest, GET)
        asked.clear()
        for _ in range(50):
            greedy.send(b"REQUEST\nStateItemValueGet\nflood")
        await ask(other, b"REQUEST\nStateItemValueGet\nother")
        assert "other" in asked[:3]

    served(path, Witness(), scene)


def test_one_client_too_many_ends_the_most_silent_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usock, "MAX_CLIENTS", 2)

    async def scene(guests: Guests) -> None:
        first, second = guests.connect(), guests.connect()
        for guest in first, second, first:
            assert await ask(guest, GET) == ANSWER
        assert await ask(guests.connect(), GET) == ANSWER
        with pytest.raises(ConnectionError):
            await ask(second, GET)
        assert await ask(first, GET) == ANSWER

    served(path, FakeCore(), scene)


def test_a_daemon_out_of_descriptors_recovers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usock, "ACCEPT_PAUSE", 0)
    refusals = iter([OSError(24, "Too many open files")] * 3)
    accept = socket.socket.accept

    def exhausted(listener: socket.socket) -> object:
        for refusal in refusals:
            raise refusal
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", exhausted)

    async def scene(guests: Guests) -> None:
        assert await ask(guests.connect(), GET) == ANSWER
        assert next(refusals, None) is None

    served(path, FakeCore(), scene)


def test_a_method_may_close_the_server(path: Path) -> None:
    class Last(FakeCore):
        def state_dump(self) -> str:
            server.close()
            return "{}"

    async def play() -> None:
        server.start(asyncio.get_running_loop())
        with ExitStack() as stack:
            assert await ask(Guests(path, stack).connect(), b"REQUEST\nStateDump\n") == b""

    server = Server(str(path), Last())
    asyncio.run(play())
