"""NetworkManager drives our teamd, as it drives the original: each test is one story, told of both."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from lab.machine import COUNTING, FAST
from tests.lab.manager import NETWORK_MANAGER, NMCLI, Manager, manager, port, team
from tests.netns.anonymous import inside
from tests.netns.teams import Host, host, wait_for

#: NetworkManager waits five seconds for a teamd: they are to be the guest's, not those of a busy host.
MACHINE = (*FAST, *COUNTING)

pytestmark = pytest.mark.needs(NETWORK_MANAGER, NMCLI, "/usr/bin/teamd", "dbus-daemon")

CABLES: Final = ("eth0", "eth1")
ADDRESSES: Final = ("192.0.2.1", "192.0.2.2")
#: Of the datagrams that are counted, and of those that only show that they pass.
COUNTED, TRIED = 9000, 9001
#: Seconds between two datagrams.
BEAT: Final = 0.01
#: Room for all that come while nobody reads, whatever the system's limit (asm-generic/socket.h).
SO_RCVBUFFORCE: Final = 33
#: What stands at the other end of the cables.
#: Of runners, so that a test takes no longer than it must.
OPTIONS: Final[dict[str, Any]] = {"lacp": {"fast_rate": True}}
BRIDGE: Final = "bridge"
PARTNER: Final = "bond mode 802.3ad lacp_rate fast miimon 100"

Story = Callable[["Place", str], Any]


@dataclass
class Place:
    """A host with NetworkManager, and ``peer`` behind its two cables."""

    nm: Manager
    host: Host
    peer: Host

    def face(self, kind: str) -> None:
        """What the peer joins the cables to."""
        self.peer.run("ip", "link", "delete", "wall0")
        self.peer.sh(
            f"ip link add wall0 type {kind}; ip link set wall0 address 02:00:00:00:00:ff up; "
            f"ip addr add {ADDRESSES[1]}/24 dev wall0; "
            "for far in far0 far1; do ip link set $far down master wall0; ip link set $far up; done"
        )

    def up(self, config: Mapping[str, Any], more: str = "", ports: Mapping[str, Any] | None = None) -> None:
        """Profiles anew, and active."""
        ports = ports or {"eth0": {"prio": 10}, "eth1": None}
        self.nm.load({"team0": team(config, more), **{name: port(name, ports[name]) for name in ports}})
        self.nm.cli("connection", "up", "team0")
        print(f"its name was on the bus after {self.nm.waited():.2f} s")
        self.settles()

    def settles(self) -> None:
        """All is active, and datagrams pass."""
        everything = dict.fromkeys(("team0", *CABLES), "connected")
        self.nm.until(lambda: self.nm.devices(*everything) == everything, "all to be connected")
        self.nm.until(self.passes, "a datagram to pass")

    def passes(self) -> bool:
        with traffic(self, TRIED) as count:
            threading.Event().wait(10 * BEAT)
        return min(count.came) > 0

    def down(self) -> None:
        self.nm.cli("connection", "down", "team0")

    def ctl(self, *words: str) -> Any:
        done = self.host.run("/usr/bin/teamdctl", "team0", *words)
        assert done.code == 0, done.err
        return json.loads(done.out)

    def looks(self) -> dict[str, Any]:
        """What a user sees."""
        state = self.ctl("state", "dump")
        return {
            "devices": self.nm.devices("team0", *CABLES),
            "config": self.ctl("config", "dump"),
            "actual": self.ctl("config", "dump", "actual"),
            "runner": state["setup"]["runner_name"],
            "up": {name: one["link_watches"]["up"] for name, one in state["ports"].items()},
            "links": self.links(),
        }

    def links(self) -> dict[str, Any]:
        """Of the team and its ports: MAC, master, flags that a user may set, carrier."""
        return {
            name: (
                link["address"],
                link.get("master"),
                sorted({"UP", "LOWER_UP"} & set(link["flags"])),
                link["mtu"],
            )
            for name, link in self.host.links().items()
            if name in ("team0", *CABLES)
        }


@dataclass
class Count:
    """Of datagrams, from the host to the peer and back."""

    sent: list[int]
    came: list[int]

    @property
    def lost(self) -> tuple[int, int]:
        return self.sent[0] - self.came[0], self.sent[1] - self.came[1]


@contextmanager
def traffic(place: Place, port: int = COUNTED) -> Iterator[Count]:
    """A datagram each `BEAT`, both ways; counted when the block has ended."""
    count, over = Count([0, 0], [0, 0]), threading.Event()
    with ExitStack() as stack:
        ends = []
        for one in (place.host, place.peer):
            with open(f"/proc/{one.holder}/ns/net") as namespace, inside(namespace.fileno()):
                end = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
            end.setblocking(False)
            end.bind(("0.0.0.0", port))
            ends.append(end)

        def send() -> None:
            while not over.wait(BEAT):
                for number, end in enumerate(ends):
                    count.sent[number] += 1
                    with suppress(OSError):
                        end.sendto(str(count.sent[number]).encode(), (ADDRESSES[1 - number], port))

        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield count
        finally:
            over.set()
            sender.join()
            over.clear()
            over.wait(5 * BEAT)
            for number, end in enumerate(ends):
                seen = set()
                with suppress(BlockingIOError):
                    while True:
                        seen.add(end.recv(100))
                count.came[1 - number] = len(seen)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directories = [tmp_path_factory.mktemp(name) for name in ("host", "peer")]
    with host(directories[0], *CABLES) as one, host(directories[1]) as peer:
        for number, cable in enumerate(CABLES):
            one.sh(f"ip link set {cable} address 02:00:00:00:00:0{number}")
            one.sh(f"ip link set far{number} netns {peer.holder}")
        with manager(one) as nm:
            made = Place(nm, one, peer)
            made.face(BRIDGE)
            yield made


def both(place: Place, story: Story) -> tuple[Any, Any]:
    """What it comes to with the original and with ours."""
    return told(place, story, "original"), told(place, story, "ours")


def told(place: Place, story: Story, contender: str) -> Any:
    """What it comes to, on a host without a team."""
    place.nm.use(contender)
    try:
        end = story(place, contender)
    finally:
        place.down()
    wait_for(lambda: "team0" not in place.host.links(), "the end of the team")
    # Ports are as they were.
    assert [link[:2] for link in place.links().values()] == [
        (f"02:00:00:00:00:0{number}", None) for number in range(len(CABLES))
    ]
    return end


@pytest.mark.parametrize(
    "runner", ["broadcast", "roundrobin", "random", "activebackup", "loadbalance", "lacp"]
)
def test_every_runner(place: Place, runner: str) -> None:
    def story(place: Place, contender: str) -> Any:
        place.face(PARTNER if runner == "lacp" else BRIDGE)
        place.up({"runner": {"name": runner, **OPTIONS.get(runner, {})}})
        return place.looks()

    theirs, ours = both(place, story)
    place.face(BRIDGE)
    assert ours == theirs


def test_it_runs_ours_with_one_variable(place: Place) -> None:
    place.nm.use("ours")
    place.up({"runner": {"name": "activebackup"}})
    process = Path(f"/proc/{place.nm.started()}")
    assert (process / "environ").read_bytes() == b"TEAM_LOG_OUTPUT=stderr\0"
    words = (process / "cmdline").read_text()
    assert "-o\0-n\0-U\0-D\0-N\0-t\0team0\0-c\0" in words
    place.down()


def test_ports_in_and_out_and_a_cloned_mac(place: Place) -> None:
    def story(place: Place, contender: str) -> Any:
        place.up(
            {"runner": {"name": "activebackup"}},
            "[ethernet]\ncloned-mac-address=02:00:00:00:00:77",
            {"eth0": {"prio": 10}, "eth1": {"prio": 20, "sticky": True}},
        )
        seen = [place.looks()]
        place.nm.cli("connection", "down", "eth1")
        seen.append(place.looks())
        place.nm.cli("connection", "up", "eth1")
        place.settles()
        seen.append(place.looks())
        return seen

    theirs, ours = both(place, story)
    assert ours == theirs


@dataclass
class Cost:
    """Of a trouble: ``lost`` datagrams, each way, what does not look as before, and whether a cable may
    still be cut.
    """

    lost: tuple[int, int]
    changed: dict[str, Any]
    fails_over: bool


def with_traffic(place: Place, contender: str, trouble: Callable[[], None]) -> Cost:
    """A team that has been up for some time, then ``trouble``, at the end of which all is active."""
    place.up({"runner": {"name": "activebackup"}})
    place.nm.trusts()
    before, mark = place.looks(), len(place.nm.log)
    with traffic(place) as count:
        trouble()
        threading.Event().wait(20 * BEAT)
    place.settles()
    after = place.looks()
    changed = {
        what: after[what] for what in ("devices", "runner", "up", "links") if after[what] != before[what]
    }
    prios = {name: one.get("prio") for name, one in after["actual"]["ports"].items()}
    if prios != {"eth0": 10, "eth1": None}:
        changed["prios"] = prios
    place.peer.sh("ip link set far0 down")
    cost = Cost(count.lost, changed, place.passes())
    place.peer.sh("ip link set far0 up")
    print(f"{contender}: {cost} of {count.sent}\n{place.nm.log[mark:]}")
    return cost


def test_teamd_is_killed_and_started_again(place: Place) -> None:
    def trouble() -> None:
        first = place.nm.started()
        os.kill(first, signal.SIGKILL)
        place.nm.until(lambda: place.nm.started() != first and place.nm.teamd_answers(), "another teamd")

    ours = told(place, lambda place, contender: with_traffic(place, contender, trouble), "ours")
    assert ours == Cost((0, 0), {}, fails_over=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_networkmanager_is_restarted(place: Place, number: int) -> None:
    """Its child of before serves on, or another does."""

    def trouble() -> None:
        place.nm.stop(number)
        place.nm.start()
        everything = dict.fromkeys(("team0", *CABLES), "connected")
        place.nm.until(lambda: place.nm.devices(*everything) == everything, "all to be connected")

    ours = told(place, lambda place, contender: with_traffic(place, contender, trouble), "ours")
    # Nobody touches the team meanwhile; but the guest's processor has more to do than to count.
    assert sum(ours.lost) <= 1
    assert (ours.changed, ours.fails_over) == ({}, True)


def test_what_is_wrong_fails_at_once(place: Place) -> None:
    """The end of teamd is told, not the end of the five seconds."""
    place.nm.use("ours")
    place.nm.load({"team0": team({"runner": {"name": "nosuch"}})})
    done = place.host.run(NMCLI, "connection", "up", "team0")
    assert done.code != 0
    assert "teamd timed out" not in place.nm.log
    assert "quit unexpectedly" in place.nm.log
    assert "runner.name" in place.nm.log
