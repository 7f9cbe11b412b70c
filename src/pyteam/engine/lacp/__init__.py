"""Link aggregation control (IEEE 802.1AX-2014, clause 6): one file a machine, one table a machine.

`LacpSystem` is all that others need: events go in with the time, frames and facts come out.
"""

from pyteam.engine.lacp.memory import numbers
from pyteam.engine.lacp.port import LacpPort, Remark
from pyteam.engine.lacp.settings import PortSettings, Settings
from pyteam.engine.lacp.states import Counters, MuxState, ReceiveState, Selected
from pyteam.engine.lacp.system import LacpSystem

__all__ = [
    "Counters",
    "LacpPort",
    "LacpSystem",
    "MuxState",
    "PortSettings",
    "ReceiveState",
    "Remark",
    "Selected",
    "Settings",
    "numbers",
]
