"""The kernel's team driver over generic netlink: requests, and what it tells by itself.

Owns the sockets of the ``team`` family; its messages are `team_message`'s, what is news in them is
`team_table`'s. Must not know why an option is set, nor links (`rtnl`) beyond their index.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from pyteam.netlink import genl
from pyteam.netlink import team_message as team
from pyteam.netlink.listener import RECEIVE_BUFFER, Listener
from pyteam.netlink.team_message import Lists, OptionState, PortState
from pyteam.netlink.team_table import Change, TeamTable
from pyteam.netlink.transport import NetlinkError, Transport

__all__ = ["Change", "NetlinkError", "OptionState", "PortState", "TeamFamily", "TeamMonitor"]

#: Bytes. The kernel sends a list of options without waiting for its reader: all of it must fit.
ANSWER_BUFFER: Final = 1 << 20


class TeamFamily:
    """Requests about team devices, which are named by their interface index.

    Belongs to the network namespace in which it was made; then ENOENT says that the kernel has no
    team driver. Calls raise `NetlinkError`: EINVAL where the device does not exist or is no team,
    and `NetlinkFormatError` for a value that is not of its option's type. ``timeout`` in seconds.
    """

    def __init__(self, *, timeout: float = 5.0) -> None:
        self._transport = Transport(genl.NETLINK_GENERIC, timeout=timeout, buffer=ANSWER_BUFFER)
        try:
            self.family = genl.find_family(self._transport, team.FAMILY)
        except BaseException:
            self._transport.close()
            raise

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def noop(self) -> None:
        """Ask for nothing: an answer means that the driver is there."""
        payload = genl.pack(team.TEAM_CMD_NOOP, team.VERSION)
        self._transport.request(self.family.number, payload, what="the team driver does not answer")

    def options(self, ifindex: int) -> list[OptionState]:
        """Every instance of every option, in the order in which they came to be.

        Clears the kernel's marks of what changed.
        """
        what = f"cannot list the options of team {ifindex}"
        answers = self._get(team.TEAM_CMD_OPTIONS_GET, ifindex, what)
        return [option for lists in answers for option in lists.options]

    def ports(self, ifindex: int) -> list[PortState]:
        """The ports, oldest first. Clears the kernel's marks of what changed."""
        what = f"cannot list the ports of team {ifindex}"
        answers = self._get(team.TEAM_CMD_PORT_LIST_GET, ifindex, what)
        return [port for lists in answers for port in lists.ports]

    def set(self, ifindex: int, *options: OptionState) -> None:
        """Set options in one request; after an error those before it stay set.

        ENOENT: no such option, port or index, or its type is another. The rest is the option's own.
        """
        payload = team.encode_set(ifindex, options)
        try:
            self._transport.request(self.family.number, payload, what="cannot set options")
        except NetlinkError as error:
            if error.errno != errno.ESRCH:
                # Put into words only now: a request goes out between a cut and its consequence.
                names = ", ".join(f"{option.key.name} = {option.value!r}" for option in options[:2])
                names += f" and {len(options) - 2} more" if len(options) > 2 else ""
                what = f"cannot set {names} of team {ifindex}"
                raise NetlinkError(error.errno or 0, what, error.reason) from None
            # One is set; then the driver tells the change group, passes on that nobody is in it, and stops.
            if len(options) > 1:
                self.set(ifindex, *options[1:])

    def _get(self, command: int, ifindex: int, what: str) -> Iterator[Lists]:
        # No dump by the kernel's terms: a plain request, answered in several messages.
        payload = team.encode_get(command, ifindex)
        for message in self._transport.request(self.family.number, payload, what=what):
            if message.kind == self.family.number:
                yield team.decode(message.payload)


class TeamMonitor:
    """What happens to the options and ports of one team device; when `fileno` is readable, `receive`.

    Subscribed from the moment it is made. ``family`` must be of the same namespace; it is used when
    messages were lost. ``buffer`` is the size of the receive buffer in bytes.
    """

    def __init__(self, family: TeamFamily, ifindex: int, *, buffer: int = RECEIVE_BUFFER) -> None:
        self._family = family
        self._ifindex = ifindex
        self._table = TeamTable(family.family.number, ifindex)
        group = family.family.groups[team.CHANGE_GROUP]
        self._listener = Listener(genl.NETLINK_GENERIC, group, "changes of the team", buffer=buffer)

    def close(self) -> None:
        self._listener.close()

    def fileno(self) -> int:
        return self._listener.fileno()

    def snapshot(self) -> tuple[list[OptionState], list[PortState]]:
        """All options and ports now. From here on only what differs from them is reported."""
        options, ports = self._family.options(self._ifindex), self._family.ports(self._ifindex)
        self._table.learn([*options, *ports])
        return options, ports

    def receive(self, echoes: int = 0) -> list[Change]:
        """What happened since the last call, without blocking; of several states the last.

        ``echoes``: how many options the caller has set since, each of which is told by a message of its own.
        Raises `NetlinkError`: EINVAL when messages were lost and the device is gone.
        """
        if self._listener.drain(self._table.feed, echoes):
            # Last, so that it is newer than what was read.
            self._table.resynchronize(
                [*self._family.options(self._ifindex), *self._family.ports(self._ifindex)]
            )
        return self._table.take()
