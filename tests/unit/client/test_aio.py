"""The client for asyncio, against a server in the same loop and against peers that misbehave."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pyteam.client import ClientError, ConnectError, Event
from pyteam.client.aio import AsyncClient
from pyteam.control.usock import Server
from tests.unit.client.test_usock import impostor
from tests.unit.control.fakecore import FakeCore, team


def talk(run_dir: Path, core: FakeCore, scene: Callable[[AsyncClient, Server], Awaitable[None]]) -> None:
    async def play() -> None:
        server = Server(str(run_dir / "team0.sock"), core)
        server.start(asyncio.get_running_loop())
        try:
            async with AsyncClient("team0", str(run_dir)) as client:
                await asyncio.wait_for(scene(client, server), 20)
        finally:
            server.close()

    asyncio.run(play())


def test_questions_and_orders_may_overlap(tmp_path: Path) -> None:
    core = FakeCore()
    core.config["padding"] = "x" * 1_000_000

    async def scene(client: AsyncClient, _: Server) -> None:
        answers = await asyncio.gather(
            client.state_item_get("setup.pid"),
            client.config_dump(),
            client.port_add("p1"),
            client.state_dump(),
        )
        assert answers[0] == "760"
        assert answers[1] == core.config_dump()
        assert answers[2] is None
        assert answers[3] == core.state_dump()
        await client.port_config_update("p1", '{"a":"' + "y" * 200_000 + '"}')

    talk(tmp_path, core, scene)
    assert [change[0] for change in core.changes] == ["port_add", "port_config_update"]


def test_a_refusal_carries_code_and_text_and_the_connection_lives_on(tmp_path: Path) -> None:
    async def scene(client: AsyncClient, _: Server) -> None:
        with pytest.raises(ClientError) as caught:
            await client.port_add("nope")
        assert (caught.value.errno, caught.value.code) == (errno.EINVAL, "NoSuchDev")
        with pytest.raises(ClientError, match="NUL"):
            await client.port_add("a\0b")
        assert await client.state_item_get("setup.pid") == "760"

    talk(tmp_path, FakeCore(), scene)


def test_events_until_the_daemon_ends(tmp_path: Path) -> None:
    core = FakeCore()

    async def scene(client: AsyncClient, server: Server) -> None:
        events = await client.events()
        core.become(team("p0", active="p0", carrier=False))
        core.become(team(carrier=False))
        assert [await anext(events) for _ in range(3)] == [
            Event("CarrierChanged", up=False),
            Event("PortRemoved", "p0"),
            Event("ActivePortChanged", ""),
        ]
        server.close()
        with pytest.raises(ClientError) as caught:
            await anext(events)
        assert caught.value.errno == errno.ECONNRESET

    talk(tmp_path, core, scene)


def test_who_does_not_want_events_any_more_costs_nothing(tmp_path: Path) -> None:
    core = FakeCore()

    async def scene(client: AsyncClient, _: Server) -> None:
        events = await client.events()
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        core.become(team())
        assert await anext(events) == Event("PortRemoved", "p0")
        events.close()
        while core.listeners:
            assert await client.state_item_get("setup.pid") == "760"

    talk(tmp_path, core, scene)


def test_no_daemon_and_no_connection(tmp_path: Path) -> None:
    async def play() -> None:
        client = AsyncClient("team0", str(tmp_path))
        with pytest.raises(ConnectError) as caught:
            await client.connect()
        assert (caught.value.errno, caught.value.path) == (errno.ENOENT, f"{tmp_path}/team0.sock")
        with pytest.raises(ClientError) as refused:
            await client.state_dump()
        assert refused.value.errno == errno.ENOTCONN
        client.close()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("reply", "number"),
    [(b"garbage", errno.EBADMSG), (b"", errno.ECONNRESET), (None, errno.ETIMEDOUT)],
)
def test_a_peer_that_is_no_teamd(tmp_path: Path, reply: bytes | None, number: int) -> None:
    async def play() -> None:
        async with AsyncClient("team0", str(tmp_path), timeout=0.05) as client:
            with pytest.raises(ClientError) as caught:
                await client.config_dump()
            assert caught.value.errno == number
            # An answer that comes late must not become that of another question.
            with pytest.raises(ClientError) as caught:
                await client.state_dump()
            assert caught.value.errno == errno.ENOTCONN

    with impostor(tmp_path, reply):
        asyncio.run(play())
