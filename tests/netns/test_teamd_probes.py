"""Real daemons whose ports keep their carrier while nothing comes through: ARP and neighbour discovery."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.netns.teams import Host, host, wait_for

IPV4: Final = "10.5.0.9"
IPV6: Final = "fd00::9"
ARP: Final = {"name": "arp_ping", "target_host": IPV4, "interval": 100, "missed_max": 2}
NS: Final = {"name": "nsna_ping", "target_host": IPV6, "interval": 100, "missed_max": 2}
WATCHES: Final = {"arp_ping": ARP, "nsna_ping": NS}
ROOT: Final = Path(__file__).parents[2]
LIST: Final = "link_watches.list.link_watch_0"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Host]:
    """Both cables lead to somebody who has the addresses."""
    with host(tmp_path, "eth0", "eth1") as made:
        for far in ("far0", "far1"):
            # A kernel answers for all its addresses on all its interfaces.
            made.sh(f"echo 1 > /proc/sys/net/ipv4/conf/{far}/arp_ignore")
            made.ip("addr", "add", f"{IPV4}/24", "dev", far)
            made.ip("addr", "add", f"{IPV6}/64", "dev", far, "nodad")
        yield made


def config(*watches: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {
        "device": "team0",
        "runner": {"name": "activebackup"},
        "link_watch": list(watches),
        "ports": {"eth0": {"prio": 10}, "eth1": {}},
        **keys,
    }


def lose(there: Host, far: str) -> None:
    """The carrier stays."""
    there.ip("addr", "flush", "dev", far)


def find(there: Host, far: str) -> None:
    there.ip("addr", "add", f"{IPV4}/24", "dev", far)
    there.ip("addr", "add", f"{IPV6}/64", "dev", far, "nodad")


@pytest.mark.parametrize("always", [False, True])
@pytest.mark.parametrize("name", WATCHES)
def test_silent_loss(there: Host, name: str, always: bool) -> None:
    watch = WATCHES[name] | {"send_always": always}
    daemon = there.start(config=config(watch)).ready()
    there.becomes("runner.active_port", "eth0")
    if always:
        there.becomes("ports.eth1.link_watches.up", "true")
    lose(there, "far0")
    there.becomes("runner.active_port", "eth1")
    assert there.item("ports.eth0.link.up") == "true"
    assert there.item(f"ports.eth0.{LIST}.down_count") == "1"
    find(there, "far0")
    if not always:
        # Only who carries traffic asks, and so is found.
        lose(there, "far1")
    there.becomes("runner.active_port", "eth0")
    assert daemon.end() == 0
    assert f"eth0: {name}-link went down." in daemon.log
    there.leaves_nothing()


def test_packets_go_where_the_answers_come_from(there: Host) -> None:
    there.start(config=config(ARP | {"send_always": True})).ready()
    there.becomes("ports.eth1.link_watches.up", "true")
    there.becomes("runner.active_port", "eth0")
    lose(there, "far0")
    there.becomes("runner.active_port", "eth1")
    before = int(there.item("ports.eth1.statistics.tx_packets"))
    there.sh(
        "ip link set team0 up; ip addr add 10.6.0.1/24 dev team0;"
        "ip neigh add 10.6.0.2 lladdr 2:0:0:0:0:9 dev team0"
    )
    there.run("ping", "-c1", "-W1", "10.6.0.2")
    assert int(there.item("ports.eth1.statistics.tx_packets")) > before


@pytest.mark.parametrize("name", WATCHES)
def test_in_a_vlan(there: Host, name: str) -> None:
    """The far ends have no VLAN device here: a program answers for them, in the VLAN or beside it."""
    there.start(config=config(WATCHES[name] | {"vlanid": 7})).ready()
    asked = there.run(sys.executable, "-c", ANSWER_TAGGED, "far0", "7", cwd=ROOT)
    assert asked.code == 0, asked.err
    there.becomes(f"ports.eth0.{LIST}.up", "true")
    assert there.item(f"ports.eth0.{LIST}.vlanid") == "7"
    wait_for(lambda: there.item(f"ports.eth0.{LIST}.up") == "false", "silence to be noticed")


def test_what_we_send_ourselves_is_no_sign_of_life(there: Host) -> None:
    lose(there, "far1")
    there.start(config=config(ARP)).ready()
    there.becomes("runner.active_port", "eth0")
    there.sh("ip link set team0 up; ip addr add 10.6.0.1/24 dev team0")
    lose(there, "far0")
    # The team itself asks for somebody who is not there, once a second and by the port that is watched.
    with subprocess.Popen(
        there.within("ping", "-q", "-i", "0.2", "10.6.0.2"), stdout=subprocess.DEVNULL
    ) as ping:
        try:
            there.becomes("ports.eth0.link_watches.up", "false")
        finally:
            ping.kill()


def test_a_name_is_looked_up_again(there: Host) -> None:
    there.sh("cp /etc/hosts /run/hosts; mount --bind /run/hosts /etc/hosts")
    watch = ARP | {"target_host": "gw.invalid"}
    daemon = there.start(config=config(watch)).ready()
    there.becomes(f"ports.eth0.{LIST}.target_host", "gw.invalid")
    daemon.says("it is tried again.")
    assert "getaddrinfo failed" in there.item(f"ports.eth0.{LIST}.problem")
    assert "problem: target_host: getaddrinfo failed" in there.ctl("state").out
    there.sh(f"echo '{IPV4} gw.invalid' >> /run/hosts")
    there.becomes("runner.active_port", "eth0")
    assert there.item(f"ports.eth0.{LIST}.target_host") == IPV4
    assert daemon.end() == 0


def test_a_restart_asks_before_it_judges(there: Host) -> None:
    words = config(ARP | {"send_always": True, "interval": 300})
    first = there.start(config=words).ready()
    there.becomes("ports.eth1.link_watches.up", "true")
    there.becomes("runner.active_port", "eth0")
    first.send(9)
    first.wait()
    second = there.start(config=words).ready()
    there.becomes(f"ports.eth0.{LIST}.missed", "0")
    there.becomes("runner.active_port", "eth0")
    assert "went" not in second.log


def test_a_storm_of_arp_breaks_nothing(there: Host) -> None:
    daemon = there.start(config=config(ARP)).ready()
    there.becomes("runner.active_port", "eth0")
    storm = there.run(sys.executable, "-c", STORM, "far0", "1.0")
    assert storm.code == 0, storm.err
    assert int(storm.out) > 1000
    assert there.item("runner.active_port") == "eth0"
    assert daemon.end() == 0


def test_sockets_come_and_go_with_the_watches(there: Host) -> None:
    there.start(config=config()).ready()

    def sockets() -> int:
        return len(there.sh("cat /proc/net/packet").splitlines()) - 1

    assert sockets() == 0
    there.ctl(
        "port",
        "config",
        "update",
        "eth1",
        f'{{"link_watch": {{"name": "arp_ping", "target_host": "{IPV4}"}}}}',
    )
    wait_for(lambda: sockets() == 1, "a socket")
    there.ctl("port", "config", "update", "eth1", "{}")
    wait_for(lambda: sockets() == 0, "no socket")


#: For half a second, answers what is asked in a VLAN, at one end of a cable.
ANSWER_TAGGED: Final = """
import socket, sys, time
from pyteam.frames import arp, ethernet
from tests.simulation.neighbours import Neighbour
from pyteam.frames.ethernet import Vlan
far, vlan = sys.argv[1], int(sys.argv[2])
tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
tap.setsockopt(263, 8, 1)
tap.bind((far, 3))
tap.settimeout(0.1)
neighbour, end, seen = Neighbour(), time.monotonic() + 0.5, 0
while time.monotonic() < end:
    try:
        data, ancillary, _, (_, _, kind, _, _) = tap.recvmsg(2048, 64)
    except TimeoutError:
        continue
    if kind == 4 or not ancillary:
        continue
    auxiliary = ancillary[0][2]
    tci = int.from_bytes(auxiliary[16:18], sys.byteorder)
    if not int.from_bytes(auxiliary[:4], sys.byteorder) & 16 or tci & 0xfff != vlan:
        continue
    frame = ethernet.parse(data).behind(Vlan(vlan))
    for reply in neighbour(far, frame.build()):
        tap.send(reply)
        seen += 1
assert seen, "nothing was asked in the VLAN"
"""

#: ARP requests of a stranger for so many seconds; how many.
STORM: Final = """
import socket, sys, time
from pyteam.frames import arp
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
raw.bind((sys.argv[1], 0))
frame = arp.probe(bytes.fromhex("0a0000000001"), bytes((10, 5, 0, 1)), bytes((10, 5, 0, 2)))
end, count = time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < end:
    for _ in range(100):
        raw.send(frame)
    count += 100
print(count)
"""
