"""Commands as they reach the datapath: in their order, and what of them was refused, and why.

Must not know why a command is given, nor when.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Final

from pyteam.datapath.interface import Datapath, DatapathError
from pyteam.engine.desired import AddPort, Command, RemovePort, SetAddress, SetCarrier, SetEntries, SetOption
from pyteam.engine.events import Event, LinkGone, LinkSeen, PortRefused
from pyteam.engine.reconcile import MODE, only_breaks
from pyteam.link import format_address
from pyteam.options import OptionValue

log = logging.getLogger(__name__)

_LONGEST_SPELT: Final = 64
#: Options without which a team is not what was asked for.
_VITAL: Final = ("mode", "bpf_hash_func", "ebpf_hash_func")


def is_vital(command: Command) -> bool:
    """Without it a team is not what was asked for."""
    return isinstance(command, SetOption) and command.key.name in _VITAL


class Orders:
    """To one datapath. ``before_error``: what is to be in the log before an error of ours."""

    def __init__(self, datapath: Datapath, before_error: Callable[[], None]) -> None:
        self._datapath = datapath
        self._before_error = before_error
        #: What is refused now: an errno, and why.
        self.complaints: dict[Command, tuple[int, str]] = {}

    def why_not(self, ifindex: int) -> str:
        """Why the interface could not be made a port, empty when nothing is known; then forgotten."""
        _, why = self.complaints.pop(AddPort(ifindex), (0, ""))
        return why

    def carry_out(self, todo: Iterable[Command]) -> list[Event]:
        """Give commands in their order; what they brought about, as events."""
        news: list[Event] = []
        for company, neighbours in groupby(todo, _company):
            some = list(neighbours)
            if company is None or len(some) == 1 or not self._set_together(some):
                news += [event for command in some for event in self._carry_out_one(command)]
        return news

    def _set_together(self, some: Iterable[Command]) -> bool:
        """In one go: a host that receives is without traffic from the first of a switch to the last.

        False when one was refused: which, and why, turns out one by one.
        """
        options = [command for command in some if isinstance(command, SetOption)]
        try:
            self._datapath.set_options([(option.key, option.value) for option in options])
        except OSError:
            return False
        if self.complaints:
            for option in options:
                self.complaints.pop(option, None)
        return True

    def _carry_out_one(self, command: Command) -> list[Event]:
        """Give one command; what it brought about, as events."""
        try:
            news = self._give(command)
        except OSError as error:
            return self._failed(command, error)
        if self.complaints:
            self.complaints.pop(command, None)
        return news

    def _give(self, command: Command) -> list[Event]:
        datapath = self._datapath
        match command:
            case AddPort(ifindex):
                datapath.add_port(ifindex)
                return [LinkSeen(datapath.link(ifindex))]
            case RemovePort(ifindex):
                datapath.remove_port(ifindex)
                return [LinkSeen(datapath.link(ifindex))]
            case SetOption(key, value):
                datapath.set_option(key, value)
            case SetEntries(port, entries):
                datapath.set_entries(port, entries)
            case SetAddress(ifindex, address):
                datapath.set_address(ifindex, address)
            case SetCarrier(up):
                datapath.set_carrier(up)
                log.info("carrier changed to %s", "UP" if up else "DOWN")
        return []

    def _failed(self, command: Command, error: OSError) -> list[Event]:
        code = error.errno or errno.EIO
        match command:
            case AddPort(ifindex):
                # The text of a refusal names the interface; any other error's its own request.
                why = error.strerror if isinstance(error, DatapathError) else str(error)
                self._complain(
                    command, code, f"{self.name(ifindex)}: Failed to add port ({os.strerror(code)}). {why}"
                )
                return [PortRefused(ifindex, code)]
            case RemovePort(ifindex) if code == errno.ENODEV:
                # It went away by itself: that was the wish.
                return [LinkGone(ifindex)]
            case SetOption(key) if code == errno.ENOENT:
                log.debug("%s: this datapath does not have it", key.name)
            case _:
                self._complain(command, code, f"Failed to {self.describe(command)}: {error}")
        return []

    def _complain(self, command: Command, code: int, text: str) -> None:
        """Once, until it works: what is refused is tried again, but not told again."""
        if self.complaints.get(command) != (code, text):
            self.complaints[command] = code, text
            self._before_error()
            log.error("%s", text)

    def describe(self, command: Command) -> str:
        """A command in few words, for the log."""
        match command:
            case AddPort(ifindex):
                return f"add port {self.name(ifindex)}"
            case RemovePort(ifindex):
                return f"remove port {self.name(ifindex)}"
            case SetOption(key, value) if key.port:
                return f"set {key.name} of {self.name(key.port)} to {_spell(value)}"
            case SetOption(key, value):
                return f"set {key.name} to {_spell(value)}"
            case SetEntries(port, entries):
                return f"give {len(entries)} entries of the table to {self.name(port)}"
            case SetAddress(ifindex, address):
                return f"set address of {self.name(ifindex)} to {format_address(address)}"
            case SetCarrier(up):
                return f"set carrier {'up' if up else 'down'}"

    def name(self, ifindex: int) -> str:
        try:
            return self._datapath.link(ifindex).name
        except OSError:
            return f"interface {ifindex}"


def _company(command: Command) -> bool | None:
    """Options that are set together have the same here, others None.

    What is not urgent does not delay what is; and ``mode``, which makes and ends options, goes alone.
    """
    return only_breaks(command) if isinstance(command, SetOption) and command.key != MODE else None


def _spell(value: OptionValue) -> str:
    if not isinstance(value, bytes):
        return str(value)
    return value.hex() if len(value) <= _LONGEST_SPELT else f"{len(value)} bytes"
