"""The Python libteam: team devices of the kernel's driver, without a daemon.

    from pyteam import libteam

    with libteam.Team.create("team0") as team:
        team.mode = "activebackup"
        for name in ("eth1", "eth2"):
            team.add_port(name)
        team.active_port = "eth1"
        team.set("priority", 10, port="eth1")
        print(team.mode, team.get("enabled", port="eth2"), team.ports())
        for change in team.watch():
            print(change)

Calls may raise `NetlinkError`, an OSError with the kernel's errno and words. A device that a teamd
runs is that daemon's: it puts right what others change. `pyteam.libteam.aio` watches in asyncio.
"""

from __future__ import annotations

from pyteam.libteam.device import Port, Team
from pyteam.libteam.watch import Change, Watch
from pyteam.netlink.linkinfo import LinkInfo
from pyteam.netlink.linktable import LinkGone
from pyteam.netlink.message import NetlinkFormatError
from pyteam.netlink.team_message import OptionState, PortState
from pyteam.netlink.transport import NetlinkError
from pyteam.options import NO_MODE, OPTIONS, OptionKey, OptionValue, Type

__all__ = [
    "NO_MODE",
    "OPTIONS",
    "Change",
    "LinkGone",
    "LinkInfo",
    "NetlinkError",
    "NetlinkFormatError",
    "OptionKey",
    "OptionState",
    "OptionValue",
    "Port",
    "PortState",
    "Team",
    "Type",
    "Watch",
]
