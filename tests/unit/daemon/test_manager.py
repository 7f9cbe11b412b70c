"""What a service manager hears, when, and what it keeps; on a real socket, in virtual time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyteam.daemon.manager import STATUS_DELAY, Manager
from tests.unit.daemon.virtual import VirtualLoop


class Listener:
    """The manager's end."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.kept: dict[str, int] = {}

    def heard(self) -> list[str]:
        """Every line since the last time; what is to be kept is taken."""
        lines: list[str] = []
        while True:
            try:
                message, fds, _, _ = socket.recv_fds(self.socket, 4096, 4)
            except BlockingIOError:
                return lines
            said = message.decode().split("\n")
            if said[0] == "FDSTORE=1":
                (self.kept[said[1].removeprefix("FDNAME=")],) = fds
            lines += said


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    made = Listener(str(tmp_path / "notify"))
    yield made
    made.socket.close()
    for fd in made.kept.values():
        os.close(fd)


def manager(tmp_path: Path, **more: str) -> Manager:
    return Manager.of({"NOTIFY_SOCKET": str(tmp_path / "notify"), **more})


def test_it_hears_of_the_start_of_changes_and_of_the_end(listener: Listener, tmp_path: Path) -> None:
    told, loop, status = manager(tmp_path), VirtualLoop(), ["fine"]
    told.status_changed()
    assert listener.heard() == []
    told.start(loop, lambda: status[-1], dict)
    assert listener.heard() == ["READY=1", "STATUS=fine"]
    # Not each of a flood of changes, and not those that lead nowhere.
    for word in ("worse", "bad\nand so on"):
        status.append(word)
        told.status_changed()
    assert listener.heard() == []
    loop.advance(STATUS_DELAY)
    assert listener.heard() == ["STATUS=bad and so on"]
    told.status_changed()
    loop.advance(STATUS_DELAY)
    assert listener.heard() == []
    told.status_changed()
    told.stop()
    assert listener.heard() == ["STOPPING=1"]
    assert loop.due == []


def test_the_watchdog_is_fed_by_the_loop_and_by_nothing_else(listener: Listener, tmp_path: Path) -> None:
    loop = VirtualLoop()
    manager(tmp_path, WATCHDOG_USEC="3000000", WATCHDOG_PID=str(os.getpid())).start(loop, str, dict)
    assert listener.heard()[2:] == ["WATCHDOG=1"]
    loop.advance(15)
    assert listener.heard() == ["WATCHDOG=1"] * 10


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}],
    ids=["none", "another process's", "garbage"],
)
def test_without_a_watchdog_nothing_is_fed(
    listener: Listener, environment: dict[str, str], tmp_path: Path
) -> None:
    loop = VirtualLoop()
    manager(tmp_path, **environment).start(loop, str, dict)
    loop.advance(60)
    assert "WATCHDOG=1" not in listener.heard()


def test_what_is_to_be_kept_is_there_before_the_start_is_told(listener: Listener, tmp_path: Path) -> None:
    told, loop = manager(tmp_path), VirtualLoop()
    mine = os.open(tmp_path, os.O_RDONLY)
    objects = {"map-1": mine, "map-2": mine}
    told.start(loop, str, lambda: objects)
    heard = listener.heard()
    assert heard.index("READY=1") > heard.index("FDNAME=map-2")
    assert heard.count("FDPOLL=0") == 2
    del objects["map-1"]
    objects["program-3"] = mine
    told.objects_changed()
    told.objects_changed()
    loop.advance(0)
    assert listener.heard() == [
        "FDSTORE=1",
        "FDNAME=program-3",
        "FDPOLL=0",
        "FDSTOREREMOVE=1",
        "FDNAME=map-1",
    ]
    assert all(os.path.sameopenfile(fd, mine) for fd in listener.kept.values())
    os.close(mine)


def test_what_did_not_fit_is_told_later(listener: Listener, tmp_path: Path) -> None:
    told, loop = manager(tmp_path), VirtualLoop()
    objects: dict[str, int] = {}
    told.start(loop, str, lambda: objects)
    mine = os.open(tmp_path, os.O_RDONLY)
    # More than a queue of datagrams holds (net.unix.max_dgram_qlen).
    objects |= {f"map-{number}": mine for number in range(100)}
    told.objects_changed()
    heard = 0
    while loop.due:
        loop.advance(STATUS_DELAY)
        heard += listener.heard().count("FDSTORE=1")
    assert heard == len(listener.kept) == len(objects)
    os.close(mine)


def test_what_it_kept_is_not_kept_twice(listener: Listener, tmp_path: Path) -> None:
    read, write = os.pipe()
    environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "map-1:map-2"}
    told = manager(tmp_path, **environment)
    assert list(told.kept) == [3, 4]
    told.start(VirtualLoop(), str, lambda: {"map-1": read})
    assert listener.heard()[:3] == ["FDSTOREREMOVE=1", "FDNAME=map-2", "READY=1"]
    os.close(read)
    os.close(write)


def test_what_was_kept_for_another_process_is_not_ours() -> None:
    assert not Manager.of({"LISTEN_PID": "1", "LISTEN_FDS": "2"}).kept


def test_an_abstract_address() -> None:
    address = f"@pyteam-test-{os.getpid()}"
    listener = Listener(address)
    Manager.of({"NOTIFY_SOCKET": address}).start(VirtualLoop(), str, dict)
    assert listener.heard() == ["READY=1", "STATUS="]
    listener.socket.close()


def test_its_variables_are_not_for_children() -> None:
    environment = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "LISTEN_FDS": "0", "PATH": "/bin"}
    Manager.of(environment)
    assert environment == {"PATH": "/bin"}


def test_nobody_there_is_no_reason_to_fail(tmp_path: Path) -> None:
    for absent in Manager.of({}), manager(tmp_path):
        loop = VirtualLoop()
        absent.start(loop, str, lambda: {"map-1": 0})
        absent.status_changed()
        absent.objects_changed()
        loop.advance(60)
        absent.stop()
