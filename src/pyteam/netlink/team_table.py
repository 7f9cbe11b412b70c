"""What a listener knows of one team device, and what has changed since it last asked. Pure.

Owns the reading of the ``team`` family's events: whose they are, what in them is news, and which
matter when several wait. Must not know a socket.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyteam.netlink import message as nl
from pyteam.netlink import team_message as team
from pyteam.netlink.team_message import OptionState, PortState
from pyteam.options import OptionKey

#: One whose ``removed`` is set is there no longer.
Change = OptionState | PortState


class TeamTable:
    """Fed with datagrams or whole lists; answers with the changes, the last state of each thing.

    The flag ``changed`` counts for nothing and is never set in an answer: the kernel clears it for
    whoever asks first.
    """

    def __init__(self, number: int, ifindex: int) -> None:
        """``number`` is the family's; ``ifindex`` that of the team device."""
        self._number = number
        self._ifindex = ifindex
        self._known: dict[OptionKey | int, Change] = {}
        # A dict keeps the order of insertion.
        self._changes: dict[OptionKey | int, Change] = {}

    def learn(self, there: Iterable[Change]) -> None:
        """All that there is now; changes that wait are older, and are news no longer."""
        self._known = {_key(item): _plain(item) for item in there if not item.removed}
        self._changes.clear()

    def resynchronize(self, there: Iterable[Change]) -> None:
        """Messages were lost: what is there now is the truth, and what is not there is gone."""
        unreported, before = self._changes, self._known
        self._changes = {}
        self.learn(there)
        self._changes = unreported
        for key in before.keys() - self._known.keys():
            self._report(before[key]._replace(removed=True))
        for key, item in self._known.items():
            if item != before.get(key):
                self._report(item)

    def feed(self, datagram: bytes) -> None:
        """One datagram of the group. Raises `NetlinkFormatError`."""
        for message in nl.messages(datagram):
            if message.kind != self._number:
                continue
            lists = team.decode(message.payload, marks=False)
            if lists.ifindex == self._ifindex:
                items: tuple[Change, ...] = (*lists.options, *lists.ports)
                for item in items:
                    self._see(item)

    def take(self) -> list[Change]:
        """What has changed since the last call."""
        changes = list(self._changes.values())
        self._changes.clear()
        return changes

    def _see(self, item: Change) -> None:
        key = _key(item)
        known = self._known.get(key)
        if item.removed:
            if self._known.pop(key, None) is not None:
                self._report(item)
        elif item != known:
            self._known[key] = item
            self._report(item)

    def _report(self, item: Change) -> None:
        self._changes.pop(_key(item), None)
        self._changes[_key(item)] = item


def _key(item: Change) -> OptionKey | int:
    return item.key if isinstance(item, OptionState) else item.ifindex


def _plain(item: Change) -> Change:
    return item._replace(changed=False) if item.changed else item
