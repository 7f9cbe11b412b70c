"""The runners that leave everything to the datapath's mode of the same name."""

from __future__ import annotations

from pyteam.engine.runners.base import Runner


class Broadcast(Runner):
    name = mode = "broadcast"


class RoundRobin(Runner):
    name = mode = "roundrobin"


class Random(Runner):
    name = mode = "random"
