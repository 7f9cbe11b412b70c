"""What runners and link watches of third parties are written with; see docs/extending.md.

An entry point ``pyteam.runners`` or ``pyteam.link_watches`` names a `Runner` or a `LinkWatch`, whose
``record`` is the table of its keys. Names that are not in here may change from one version to the next.
"""

from __future__ import annotations

from pyteam.config.fields import Boolean, Choice, HardwareAddress, Integer, InterfaceName, Text
from pyteam.config.values import RunnerKeys
from pyteam.engine.linkwatch.base import LinkWatch
from pyteam.engine.linkwatch.hosts import Host
from pyteam.engine.linkwatch.probe import Probe, Surroundings
from pyteam.engine.outcome import Ear, Level, Message
from pyteam.engine.outcome import Frame as SentFrame
from pyteam.engine.port import Port
from pyteam.engine.runners.base import Runner, one_port
from pyteam.engine.snapshot import Setting
from pyteam.frames.ethernet import Frame
from pyteam.frames.pattern import AdvertisementPattern, ArpPattern, Pattern
from pyteam.link import Link
from pyteam.options import OptionKey, OptionValue

__all__ = [
    "AdvertisementPattern",
    "ArpPattern",
    "Boolean",
    "Choice",
    "Ear",
    "Frame",
    "HardwareAddress",
    "Host",
    "Integer",
    "InterfaceName",
    "Level",
    "Link",
    "LinkWatch",
    "Message",
    "OptionKey",
    "OptionValue",
    "Pattern",
    "Port",
    "Probe",
    "Runner",
    "RunnerKeys",
    "SentFrame",
    "Setting",
    "Surroundings",
    "Text",
    "one_port",
]
