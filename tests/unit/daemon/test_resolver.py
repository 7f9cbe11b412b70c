"""Names: answers come from another thread, in their own time, and errors are answers."""

from __future__ import annotations

import queue
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pyteam.daemon.resolver import look_up
from pyteam.engine.events import HostSeen
from pyteam.engine.linkwatch.hosts import Lookup

SOON = 10.0


def asked(name: str, *, ipv6: bool = False) -> HostSeen:
    seen: list[HostSeen] = []
    calls: queue.Queue[Callable[[], object]] = queue.Queue()
    look_up(Lookup(name, ipv6), seen.append, calls.put)
    calls.get(timeout=SOON)()
    return seen[0]


def test_addresses_of_both_kinds() -> None:
    assert asked("localhost") == HostSeen(Lookup("localhost", False), bytes((127, 0, 0, 1)))
    assert asked("10.1").address == bytes((10, 0, 0, 1))
    assert asked("::1", ipv6=True).address == bytes(15) + b"\1"
    assert asked("fe80::1%lo", ipv6=True).address == bytes.fromhex("fe80") + bytes(13) + b"\1"


@pytest.mark.parametrize(
    ("name", "ipv6"), [("x" * 70 + ".invalid", False), ("127.0.0.1", True), ("a..b", False)]
)
def test_what_has_no_address_says_why(name: str, ipv6: bool) -> None:
    seen = asked(name, ipv6=ipv6)
    assert seen.address is None
    assert seen.error.startswith("getaddrinfo failed: ")
    assert "\n" not in seen.error


def test_it_returns_at_once_and_takes_no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    masks: list[set[Any]] = []

    def slow(*_: object) -> list[Any]:
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        goes_on.wait(SOON)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    calls: queue.Queue[Callable[[], object]] = queue.Queue()
    seen: list[HostSeen] = []
    look_up(Lookup("slow.example", False), seen.append, calls.put)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert calls.empty()
    goes_on.set()
    calls.get(timeout=SOON)()
    assert seen[0].error == "getaddrinfo failed: Temporary failure in name resolution"
    assert {signal.SIGTERM, signal.SIGINT} <= masks[0]


def test_a_loop_that_has_ended_is_not_disturbed() -> None:
    over = threading.Event()

    def ended(_: Callable[[], object]) -> None:
        over.set()
        raise RuntimeError("Event loop is closed")

    look_up(Lookup("127.0.0.1", False), lambda seen: None, ended)
    assert over.wait(SOON)
