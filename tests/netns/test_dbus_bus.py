"""The server on D-Bus against a real bus: clients that flood it, a bus that hangs, and both of our clients.

The server is in this process, and the bus is reached by its address: no namespace is needed but the
rights of root, whom the bus lets own a name.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import BusType, Message, MessageFlag, MessageType, NameFlag, Variant
from dbus_fast.aio import MessageBus

from pyteam.client import ClientError, ConnectError, Event
from pyteam.client.dbus import AsyncClient, Client
from pyteam.control import dbus, dbus_socket
from pyteam.control.dbus import BusError, Server
from pyteam.control.dbus_object import INTERFACE, PATH, PROPERTIES_INTERFACE
from pyteam.control.usock import MAX_REQUEST
from tests.netns.buses import LAX, OURS, Bus, bus
from tests.unit.control.fakecore import FakeCore, team

NAME = "org.libteam.teamd.team0"
NOBODY = 65534

pytestmark = pytest.mark.needs("dbus-daemon")

Scene = Callable[[Server], Awaitable[None]]


@pytest.fixture
def system_bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    with bus() as made:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", made.address)
        yield made


def served(core: FakeCore, scene: Scene) -> None:
    """Plays a scene with a server that has its name."""

    async def play() -> None:
        server = Server("team0", core)
        await server.start()
        try:
            await asyncio.wait_for(scene(server), 30)
        finally:
            await server.close()
            await server.close()

    asyncio.run(play())


async def stranger() -> MessageBus:
    """A connection as anybody may have one."""
    return await dbus_socket.MeteredBus(bus_type=BusType.SYSTEM).connect()


def request(member: str, *arguments: str, flags: MessageFlag = MessageFlag.NONE) -> Message:
    return Message(
        destination=NAME,
        path=PATH,
        interface=INTERFACE,
        member=member,
        signature="s" * len(arguments),
        body=list(arguments),
        flags=flags,
    )


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not look():
            await asyncio.sleep(0.01)


# Clients


def test_every_method_with_the_client_for_asyncio(system_bus: Bus) -> None:
    core = FakeCore()

    async def scene(_: Server) -> None:
        async with AsyncClient("team0") as client:
            assert await client.config_dump() == core.config_dump()
            assert await client.config_dump_actual() == core.config_dump_actual()
            assert await client.state_dump() == core.state_dump()
            assert await client.port_config_dump("p0") == core.port_config_dump("p0")
            assert await client.state_item_get("runner.active_port") == "p0"
            await client.state_item_set("runner.active_port", "")
            await client.port_config_update("p1", '{"a":\n"\\\\"}')
            await client.port_add("p1")
            await client.port_remove("p0")
            await client.option_set("priority", "", "0", "-7")
            with pytest.raises(ClientError) as caught:
                await client.port_add("nope")
            error = caught.value
            assert (error.errno, error.code, error.text) == (errno.EINVAL, "NoSuchDev", "No such device.")
            assert (
                await asyncio.gather(*(client.state_item_get("setup.pid") for _ in range(50))) == ["760"] * 50
            )

    served(core, scene)
    assert [change[0] for change in core.changes] == [
        "state_item_set",
        "port_config_update",
        "port_add",
        "port_remove",
        "option_set",
    ]


def test_the_client_that_waits_and_its_events(system_bus: Bus) -> None:
    core = FakeCore()

    async def scene(server: Server) -> None:
        loop = asyncio.get_running_loop()

        def play() -> None:
            with Client("team0") as client:
                assert client.state_item_get("setup.pid") == "760"
                client.port_add("p1")
                with client.events() as events:
                    loop.call_soon_threadsafe(core.become, team("p0", "p1", up=False, active="p0"))
                    assert [next(events) for _ in range(2)] == [
                        Event("PortAdded", "p1"),
                        Event("LinkChanged", "p0", False),
                    ]
                    assert client.state_dump() == core.state_dump()
                    asyncio.run_coroutine_threadsafe(server.close(), loop)
                    with pytest.raises(ClientError) as caught:
                        next(events)
                    assert caught.value.errno == errno.ECONNRESET
                with pytest.raises(ClientError) as gone:
                    client.state_dump()
                assert gone.value.errno == errno.ENOENT

        await asyncio.to_thread(play)

    served(core, scene)
    assert core.listeners == []


def test_events_end_with_the_bus(system_bus: Bus) -> None:
    async def scene(_: Server) -> None:
        async with AsyncClient("team0") as client:
            events = await client.events()
            system_bus.stop()
            for ended in events.__anext__(), client.state_dump():
                with pytest.raises(ClientError):
                    await ended

    served(FakeCore(), scene)


def test_nobody_there_and_no_such_name_and_no_bus(system_bus: Bus) -> None:
    with pytest.raises(ConnectError) as caught:
        Client("team0")
    assert (caught.value.errno, caught.value.path) == (errno.ENOENT, f"{system_bus.address}: {NAME}")
    with pytest.raises(ConnectError) as caught:
        Client("0team")
    assert caught.value.errno == errno.EINVAL
    system_bus.stop()
    with pytest.raises(ConnectError) as caught:
        Client("team0")
    assert (caught.value.errno, caught.value.path) == (errno.ENOENT, system_bus.address)


def test_our_client_reads_the_errors_of_the_original(system_bus: Bus) -> None:
    async def play() -> None:
        original = await stranger()
        await original.request_name(NAME)
        original.add_message_handler(
            lambda message: (
                message.member == "PortAdd"
                and Message.new_error(message, "org.libteam.teamdNoSuchDev", "No such device.")
            )
        )
        async with AsyncClient("team0") as client:
            with pytest.raises(ClientError) as caught:
                await client.port_add("nope")
        assert (caught.value.code, caught.value.raw) == ("NoSuchDev", "org.libteam.teamdNoSuchDev")
        original.disconnect()

    asyncio.run(play())


def test_a_library_that_lives_on_introspection_can_use_it(system_bus: Bus) -> None:
    core = FakeCore()

    async def scene(_: Server) -> None:
        bus = await stranger()
        described = await bus.introspect(NAME, PATH)
        made: Any = bus.get_proxy_object(NAME, PATH, described)
        proxy, properties = made.get_interface(INTERFACE), made.get_interface(PROPERTIES_INTERFACE)
        assert await proxy.call_state_item_value_get("setup.pid") == "760"
        assert await proxy.get_ports() == {"p0": True}
        told: list[tuple[object, ...]] = []
        proxy.on_link_changed(lambda port, up: told.append((port, up)))
        properties.on_properties_changed(lambda *what: told.append(what))
        # Until the bus knows what is listened for.
        await proxy.call_config_dump()
        core.become(team("p0", up=False, active="p0"))
        await until(lambda: len(told) == 2)
        assert told[0] == ("p0", False)
        assert told[1] == (INTERFACE, {"Ports": Variant("a{sb}", {"p0": False})}, ["State"])
        bus.disconnect()

    served(core, scene)


# Who may


@pytest.mark.needs("dbus-send", "setpriv")
@pytest.mark.parametrize(("policy", "refused_by"), [(OURS, "Rejected send"), (LAX, "PortAdd is for root.")])
def test_only_root_changes_anything_whatever_the_policy(
    system_bus: Bus, policy: str, refused_by: str
) -> None:
    system_bus.stop()
    system_bus.start(policy)
    core = FakeCore()

    async def ask_as_nobody(member: str, argument: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *("setpriv", f"--reuid={NOBODY}", "--clear-groups", "dbus-send", f"--bus={system_bus.address}"),
            *("--print-reply", f"--dest={NAME}", PATH, f"{INTERFACE}.{member}", f"string:{argument}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return out.decode()

    async def scene(_: Server) -> None:
        assert '"760"' in await ask_as_nobody("StateItemValueGet", "setup.pid")
        assert f"Error.AccessDenied: {refused_by}" in await ask_as_nobody("PortAdd", "p1")
        assert core.changes == []
        async with AsyncClient("team0") as client:
            await client.port_add("p1")

    served(core, scene)
    assert core.changes == [("port_add", "p1")]


def test_orders_of_one_client_are_carried_out_in_order_also_the_first(system_bus: Bus) -> None:
    """For the first one the bus is asked who that is; what comes behind it waits."""
    core = FakeCore()

    async def scene(_: Server) -> None:
        bus = await stranger()
        orders = request("PortAdd", "p1"), request("PortRemove", "p1"), request("ConfigDumpActual")
        replies = await asyncio.gather(*map(bus.call, orders))
        assert [reply.message_type for reply in replies] == [MessageType.METHOD_RETURN] * 3
        bus.disconnect()

    served(core, scene)
    assert core.changes == [("port_add", "p1"), ("port_remove", "p1")]


# Floods


def test_a_flood_delays_the_others_by_one_request(system_bus: Bus) -> None:
    class Witness(FakeCore):
        def state_item_get(self, path: str) -> str:
            asked.append(path)
            return path

    asked: list[str] = []

    async def scene(_: Server) -> None:
        greedy, modest = await stranger(), await stranger()
        await modest.call(request("StateItemValueGet", "hello"))
        flood = [greedy.send(request("StateItemValueGet", "flood")) for _ in range(dbus.MAX_WAITING)]
        await flood[-1]
        await until(lambda: "flood" in asked)
        before = len(asked)
        await modest.call(request("StateItemValueGet", "modest"))
        # What was served between its being sent and its being read is the bus's, not ours.
        assert asked.index("modest") - before < dbus.MAX_WAITING // 2
        greedy.disconnect()
        modest.disconnect()

    served(Witness(), scene)


def test_a_client_has_only_so_many_requests_waiting(system_bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbus, "MAX_WAITING", 3)

    async def scene(_: Server) -> None:
        bus = await stranger()
        replies = await asyncio.gather(*(bus.call(request("ConfigDump")) for _ in range(100)))
        refused = [reply for reply in replies if reply.message_type is MessageType.ERROR]
        assert refused
        assert {reply.error_name for reply in refused} == {"org.freedesktop.DBus.Error.LimitsExceeded"}
        assert len(refused) < 100
        assert (await bus.call(request("ConfigDump"))).message_type is MessageType.METHOD_RETURN
        bus.disconnect()

    served(FakeCore(), scene)


def test_what_nobody_wants_to_know_is_not_looked_up_and_an_order_is_carried_out(system_bus: Bus) -> None:
    class Blind(FakeCore):
        def state_dump(self) -> str:
            raise AssertionError("looked up")

    core = Blind()

    async def scene(_: Server) -> None:
        bus = await stranger()
        await bus.send(request("StateDump", flags=MessageFlag.NO_REPLY_EXPECTED))
        await bus.send(request("PortAdd", "p1", flags=MessageFlag.NO_REPLY_EXPECTED))
        await until(lambda: bool(core.changes))
        bus.disconnect()

    served(core, scene)
    assert core.changes == [("port_add", "p1")]


def test_however_much_is_sent_only_so_much_is_read_in_a_pass(system_bus: Bus) -> None:
    """Or the loop, and with it the team, would be held up as long as somebody sends."""

    async def scene(server: Server) -> None:
        loop = asyncio.get_running_loop()
        bus = await stranger()
        passes = received = most = 0
        receive = server._receive
        server._bus.remove_message_handler(receive)  # type: ignore[union-attr]

        def count(message: Message) -> bool:
            nonlocal received
            received += 1
            return receive(message)

        server._bus.add_message_handler(count)  # type: ignore[union-attr]

        def tick() -> None:
            nonlocal passes, received, most
            passes, most, received = passes + 1, max(most, received), 0
            if running:
                loop.call_soon(tick)

        running = True
        stop = threading.Event()
        flood = asyncio.create_task(asyncio.to_thread(asyncio.run, flooding(stop)))
        loop.call_soon(tick)
        await until(lambda: most > 1)
        await asyncio.sleep(0.5)
        stop.set()
        await flood
        running = False
        # None is shorter than what the header alone takes.
        assert most <= dbus_socket.READ // 64
        assert passes > 10
        bus.disconnect()

    served(FakeCore(), scene)


async def flooding(stop: threading.Event) -> None:
    bus = await stranger()
    while not stop.is_set():
        with suppress(OSError):
            futures = [
                bus.send(request("StateDump", flags=MessageFlag.NO_REPLY_EXPECTED)) for _ in range(100)
            ]
            await futures[-1]
    bus.disconnect()


def test_a_long_request_and_a_long_answer(system_bus: Bus) -> None:
    core = FakeCore()
    core.config["padding"] = "x" * 1_000_000

    async def scene(_: Server) -> None:
        async with AsyncClient("team0") as client:
            assert await client.config_dump() == core.config_dump()
            await client.port_config_update("p1", '{"a":"' + "y" * 200_000 + '"}')

    served(core, scene)
    assert len(core.changes[0][2]) > 200_000


def test_a_request_too_long_is_refused_and_does_not_wait(system_bus: Bus) -> None:
    core = FakeCore()

    async def scene(_: Server) -> None:
        bus = await stranger()
        long = request("PortConfigUpdate", "p1", "x" * (MAX_REQUEST + 1))
        nested = request("PortConfigUpdate", "p1", "{}")
        nested.signature, nested.body = "ssa{sv}", ["p1", "{}", {"a": Variant("s", "b")}]
        for refused in (long, nested):
            reply = await bus.call(refused)
            assert reply.error_name == "org.freedesktop.DBus.Error.LimitsExceeded"
            assert "Request longer than" in reply.body[0]
        bus.disconnect()

    served(core, scene)
    assert core.changes == []


# A bus that is somebody else's


def test_a_taken_name_is_refused_and_its_owner_is_left_alone(system_bus: Bus) -> None:
    async def scene(_: Server) -> None:
        with pytest.raises(BusError, match=r"name org.libteam.teamd.team0 is already taken") as caught:
            await Server("team0", FakeCore()).start()
        assert caught.value.errno == errno.EBUSY
        async with AsyncClient("team0") as client:
            assert await client.state_item_get("setup.pid") == "760"

    served(FakeCore(), scene)


def test_after_a_restart_of_the_bus_it_waits_until_its_name_is_free(
    system_bus: Bus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dbus, "LONGEST_PAUSE", 0.2)

    async def scene(_: Server) -> None:
        system_bus.stop()
        await until(lambda: "the connection is lost" in caplog.text)
        system_bus.start()
        thief = await stranger()
        await thief.request_name(NAME, NameFlag.REPLACE_EXISTING)
        system_bus_says = f"D-Bus: connected again as {NAME}."
        if system_bus_says not in caplog.text:
            await until(lambda: "already taken" in caplog.text)
            thief.disconnect()
        await until(lambda: system_bus_says in caplog.text)
        thief.disconnect()
        async with AsyncClient("team0") as client:
            await client.port_add("p1")

    caplog.set_level(logging.INFO)
    served(FakeCore(), scene)
    assert not [record for record in caplog.records if record.exc_info]


def test_a_bus_that_hangs_costs_no_time_and_bounded_memory(
    system_bus: Bus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dbus_socket, "SEND_BUFFER", 64 * 1024)
    monkeypatch.setattr(dbus, "PATIENCE", 0.2)
    core = FakeCore()

    async def scene(_: Server) -> None:
        system_bus.freeze()
        # Far more than the buffer holds; nothing of it waits for the bus.
        for number in range(4000):
            core.become(team("p0", active="p0", carrier=bool(number % 2)))
        await until(lambda: "did not answer within" in caplog.text)
        system_bus.thaw()
        await until(lambda: f"connected again as {NAME}" in caplog.text)
        async with AsyncClient("team0") as client:
            assert await client.state_item_get("setup.pid") == "760"

    caplog.set_level(logging.INFO)
    served(core, scene)
    assert not [record for record in caplog.records if record.exc_info]


def test_a_bus_that_does_not_answer_is_an_error_at_the_start(
    system_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbus, "PATIENCE", 0.1)
    system_bus.freeze()

    async def play() -> None:
        with pytest.raises(BusError, match=r"did not answer within 0\.1 s"):
            await Server("team0", FakeCore()).start()

    try:
        asyncio.run(play())
    finally:
        system_bus.thaw()


def test_who_is_no_bus_is_told_from_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def garble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 400 Bad Request\r\n")
        writer.close()

    async def play() -> None:
        server = await asyncio.start_unix_server(garble, tmp_path / "socket")
        async with server:
            with pytest.raises(BusError, match=r"cannot (use|reach) unix:path="):
                await Server("team0", FakeCore()).start()

    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/socket")
    asyncio.run(play())
