"""The D-Bus transport: a connection to the system bus, the name of a team, and who may ask for what.

Each team has a connection of its own, since the object's path is the same for all of them. The bus
is somebody else's process: it may be slow, restarted or gone, and nothing here waits for it but
`Server.start`. What arrives is read at once and answered in turns, one request in a pass of the
event loop, so that a flood of one client delays neither the team nor the others.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Callable
from typing import Final

from dbus_fast import (
    BusType,
    DBusError,
    ErrorType,
    Message,
    MessageFlag,
    MessageType,
    NameFlag,
    RequestNameReply,
    Variant,
)
from dbus_fast.aio import MessageBus
from dbus_fast.validators import is_bus_name_valid

from pyteam.control.core import Core
from pyteam.control.dbus_object import TeamObject, bus_name, signals
from pyteam.control.dbus_socket import MeteredBus
from pyteam.control.turns import Turns
from pyteam.control.usock import MAX_REQUEST
from pyteam.engine.snapshot import TeamSnapshot
from pyteam.errors import PyteamError

_log = logging.getLogger(__name__)

#: Seconds that the bus has to let us in and to give us the name.
PATIENCE: Final = 5.0
#: Seconds between attempts to be on a bus that went away: doubled from the first to the last.
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
#: Requests of one client that wait; what is more is refused. A bus lets 128 of them be unanswered.
MAX_WAITING: Final = 128
#: Clients whose user is remembered.
MAX_USERS: Final = 256

_POLICY: Final = "is dbus/org.libteam.teamd.conf where the bus reads policies (/etc/dbus-1/system.d)?"


class BusError(PyteamError, OSError):
    """There is no bus, or no name on it for us; the text says which, and why."""

    def __str__(self) -> str:
        return f"D-Bus: {self.strerror}"


def require(device: str) -> None:
    """Raises `BusError` for a name of a team that no bus takes."""
    name = bus_name(device)
    if not is_bus_name_valid(name):
        raise BusError(errno.EINVAL, f"{name} is no valid bus name; rename the team or leave out -D")


class Server:
    """Serves one `Core` as the team ``device``."""

    def __init__(self, device: str, core: Core) -> None:
        self.name = bus_name(device)
        self._core = core
        self._object = TeamObject(core)
        self._bus: MessageBus | None = None
        #: Done when that connection has ended.
        self._ended: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._leave: Callable[[], None] | None = None
        self._turns: Turns[Message] = Turns(MAX_WAITING)
        #: User ids of clients that were asked for; negative: unknown to the bus.
        self._users: dict[str, int] = {}
        self._questions: set[asyncio.Task[None]] = set()
        self._serving = False

    async def start(self) -> None:
        """Join the bus and take the name. Raises `BusError`."""
        await self._join()
        self._leave = self._core.subscribe(self._tell)
        self._keeper = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Leave the bus; closing twice is fine."""
        if self._leave is not None:
            self._leave()
            self._leave = None
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        await self._part()

    # The connection

    async def _join(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                bus = await MeteredBus(bus_type=BusType.SYSTEM).connect()
                self._bus, self._ended = bus, asyncio.create_task(_gone(bus))
                self._turns, self._users = Turns(MAX_WAITING), {}
                bus.add_message_handler(self._receive)
                reply = await bus.request_name(self.name, NameFlag.DO_NOT_QUEUE)
        except Exception as error:
            await self._part()
            raise self._explained(error) from error
        except BaseException:
            await self._part()
            raise
        if reply is not RequestNameReply.PRIMARY_OWNER:
            await self._part()
            raise BusError(errno.EBUSY, f"the name {self.name} is already taken")

    def _explained(self, error: Exception) -> BusError:
        where = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or "the system bus"
        match error:
            case TimeoutError():
                return BusError(errno.ETIMEDOUT, f"{where} did not answer within {PATIENCE:g} s")
            case DBusError() if error.type == ErrorType.ACCESS_DENIED.value:
                return BusError(errno.EACCES, f"may not own {self.name}: {error} Hint: {_POLICY}")
            case OSError():
                reason = error.strerror or str(error) or type(error).__name__
                return BusError(error.errno or errno.EIO, f"cannot reach {where}: {reason}")
        return BusError(errno.EIO, f"cannot use {where}: {type(error).__name__}: {error}")

    async def _part(self) -> None:
        """Close the connection, if there is one still."""
        bus, ended, self._bus = self._bus, self._ended, None
        for question in self._questions:
            question.cancel()
        if bus is None or ended is None:
            return
        if bus.connected:
            bus.disconnect()
        await asyncio.shield(ended)

    async def _keep(self) -> None:
        """Be on the bus again whenever it was restarted."""
        while True:
            if self._ended is not None:
                await asyncio.shield(self._ended)
                await self._part()
                _log.warning("D-Bus: the connection is lost; trying to get it back.")
            await self._join_again()
            _log.info("D-Bus: connected again as %s.", self.name)

    async def _join_again(self) -> None:
        pause, told = FIRST_PAUSE, ""
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                await self._join()
                return
            except Exception as error:
                # Once: what is tried again and again is not told again and again.
                if str(error) != told:
                    _log.warning("%s", error, exc_info=not isinstance(error, BusError))
                told = str(error)

    # What comes in

    def _receive(self, message: Message) -> bool:
        """Whether it is ours; the rest are answers that the library waits for."""
        if message.message_type is not MessageType.METHOD_CALL:
            return False
        if message.flags & MessageFlag.NO_REPLY_EXPECTED and not self._object.is_for_root(message):
            return True  # nobody wants to know
        if sum(map(_weight, message.body)) > MAX_REQUEST:
            self._refuse(message, ErrorType.LIMITS_EXCEEDED, f"Request longer than {MAX_REQUEST} bytes.")
        elif not self._turns.add(message.sender or "", message):
            text = f"More than {MAX_WAITING} requests are waiting."
            self._refuse(message, ErrorType.LIMITS_EXCEEDED, text)
        self._go_on()
        return True

    def _go_on(self) -> None:
        if not self._serving and self._turns.more:
            self._serving = True
            asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        """One request."""
        self._serving = False
        turn = self._turns.take()
        if turn is None:
            return
        client, message = turn
        try:
            if self._object.is_for_root(message) and client not in self._users:
                question = asyncio.create_task(self._ask_for_user(client, message))
                self._questions.add(question)
                question.add_done_callback(self._questions.discard)
            else:
                self._answer(client, message)
        finally:
            self._go_on()

    def _answer(self, client: str, message: Message) -> None:
        try:
            if self._object.is_for_root(message) and self._users.get(client) not in (0, os.geteuid()):
                self._refuse(message, ErrorType.ACCESS_DENIED, f"{message.member} is for root.")
            else:
                self._reply(message, self._object.answer(message))
        finally:
            # Also after what nobody foresaw, or the client would wait for ever.
            self._turns.done(client)

    async def _ask_for_user(self, client: str, message: Message) -> None:
        """Whose process asks; the policy of the bus should have refused it before, but may be another's."""
        turns = self._turns
        try:
            user = await self._user(client)
        except Exception as error:
            _log.warning("D-Bus: the bus does not say whose %s is: %s", client, error)
            user = -1
        if turns is not self._turns:
            return  # that was another bus
        if len(self._users) >= MAX_USERS:
            del self._users[next(iter(self._users))]
        self._users[client] = user
        self._answer(client, message)
        self._go_on()

    async def _user(self, client: str) -> int:
        assert self._bus is not None
        question = Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus",
            member="GetConnectionUnixUser",
            signature="s",
            body=[client],
        )
        async with asyncio.timeout(PATIENCE):
            reply = await self._bus.call(question)
        if reply is None or reply.message_type is not MessageType.METHOD_RETURN:
            raise BusError(errno.EIO, f"{reply.error_name if reply else 'no answer'}")
        return int(reply.body[0])

    # What goes out

    def _tell(self, before: TeamSnapshot, after: TeamSnapshot) -> None:
        for message in signals(before, after):
            self._send(message)

    def _refuse(self, message: Message, error: ErrorType, text: str) -> None:
        self._reply(message, Message.new_error(message, error, text))

    def _reply(self, message: Message, reply: Message) -> None:
        if not message.flags & MessageFlag.NO_REPLY_EXPECTED:
            self._send(reply)

    def _send(self, message: Message) -> None:
        """Hand it to the bus."""
        bus = self._bus
        # Never on one that has ended: its descriptor may be somebody else's by now.
        if bus is None or not bus.connected:
            return
        try:
            bus.send(message).add_done_callback(_sent)
        except OSError as error:
            _log.debug("D-Bus: a message was not sent: %s", error)


def _sent(future: asyncio.Future[None]) -> None:
    if not future.cancelled() and future.exception() is not None:
        _log.debug("D-Bus: a message was not sent: %s", future.exception())


def _weight(value: object) -> int:
    """How much memory an argument takes, roughly; a container's is too much, as no request has one."""
    match value:
        case str():
            return len(value)
        case Variant():
            return _weight(value.value)
        case int() | float():
            return 8
    return MAX_REQUEST + 1


async def _gone(bus: MessageBus) -> None:
    """Wait until the connection has ended, for whatever reason."""
    try:
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
    except asyncio.CancelledError:
        raise
    except Exception as error:
        _log.debug("D-Bus: the connection ended: %s", error or type(error).__name__)
