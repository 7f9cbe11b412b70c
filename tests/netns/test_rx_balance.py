"""Receive balancing over a switch that knows nothing of it, with the real daemon and real neighbours."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.netns.balanced import (
    PAUSE,
    counts,
    guests_behind,
    guests_pass_unharmed,
    knowing,
    run,
    settled,
    team_address,
    traffic,
)
from tests.netns.switched import TEAM_IPV4, Network, config, network, start
from tests.netns.teams import wait_for

pytestmark = pytest.mark.needs("ip", "unshare", "nsenter")


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    with network(tmp_path, ports=4, neighbours=8) as made:
        start(made)
        yield made


def test_each_port_receives_from_as_many(net: Network) -> None:
    with traffic(net):
        assert counts(net) == [2, 2, 2, 2]
        ports = {link["address"] for name, link in net.host.links().items() if name in net.ports}
        assert {neighbour.knows(team_address(neighbour)) for neighbour in net.neighbours} == ports
        state = net.host.state()
        assert state["runner"]["rx_balancer"]["neighbours"] == 8
        assert net.host.item("ports.eth1.runner.rx_neighbours.count") == "2"
        view = net.host.ctl("state", "view").out
        assert "  rx balancer:\n    name: arp\n    primary port: eth0\n    neighbours: 8\n" in view


@pytest.mark.parametrize("stopped", [False, True], ids=["", "daemon stopped"])
def test_nothing_is_lost_when_a_port_is_cut_and_mended(net: Network, stopped: bool) -> None:
    """Neither of its own neighbours nor of others; that is a count, and this test is no race: the
    switch itself forgets, and floods, before it lets go of the port."""
    with traffic(net) as flow:
        before = net.shares()
        daemon = net.host.daemons[0]
        if stopped:
            daemon.send(signal.SIGSTOP)
        run(net, flow, cut="eth1")
        lost = flow.lost()
        daemon.send(signal.SIGCONT)
        numbers = {n.number for n in net.neighbours if n.mac in before["eth1"]}
        assert not lost.keys() - numbers
        # One round may be on its way in the moment of the cut.
        assert all(count <= 1 for count in lost.values())


def test_64_neighbours_on_4_ports(tmp_path: Path) -> None:
    """20 000 packets a second where the machine can; ``-s`` shows what came of it."""
    with network(tmp_path, ports=4, neighbours=64) as net:
        start(net)
        with traffic(net) as flow:
            shares = net.shares()
            assert all(15 <= len(macs) <= 17 for macs in shares.values())
            pause = 64 / 20_000
            rate = run(net, flow, cut="eth1", rounds=600, pause=pause)
            lost = flow.lost()
            own = {n.number for n in net.neighbours if n.mac in shares["eth1"]}
            dark = max((count for number, count in lost.items() if number in own), default=0)
            print(
                f"{rate:.0f}/s: {sum(lost.values())} lost, the longest gap of one neighbour {dark} datagrams"
            )
            assert not lost.keys() - own
            assert dark * pause <= 0.05


def test_neighbours_learn_another_port_when_theirs_fails_and_when_it_returns(net: Network) -> None:
    with traffic(net):
        mac = net.host.links()["eth2"]["address"]
        mine = [n for n in net.neighbours if n.mac in net.shares()["eth2"]]
        net.cut("eth2")
        wait_for(lambda: mac not in {n.knows(team_address(n)) for n in mine}, "news of another port")
        assert counts(net) == [0, 2, 3, 3]
        net.mend("eth2")
        wait_for(lambda: counts(net) == [2, 2, 2, 2], "even shares")
        wait_for(lambda: knowing(net, mac) == 2, "two neighbours to know the port again")


def test_a_removed_ports_neighbours_go_elsewhere(net: Network) -> None:
    with traffic(net):
        mine = [n for n in net.neighbours if n.mac in net.shares()["eth3"]]
        mac = net.host.links()["eth3"]["address"]
        assert net.host.ctl("port", "remove", "eth3").code == 0
        wait_for(lambda: mac not in {n.knows(team_address(n)) for n in mine}, "news of another port")
        assert counts(net) == [2, 3, 3]
        assert net.host.programs("eth3") == 0


def test_a_deleted_ports_mac_is_taken_over(net: Network) -> None:
    """Its neighbours lose what is on its way in that moment, and nothing after it."""
    with traffic(net) as flow:
        before = net.shares()
        numbers = {n.number for n in net.neighbours if n.mac in before["eth3"]}
        for at in range(100):
            if at == 30:
                net.host.ip("link", "del", "eth3")
            flow.round()
            time.sleep(PAUSE)
        lost = flow.lost()
        assert not lost.keys() - numbers
        assert all(count <= 10 for count in lost.values()), lost
        assert counts(net) == [2, 3, 3]


def test_a_port_that_a_watch_gives_up_is_stood_in_for(tmp_path: Path) -> None:
    """Its carrier stays and no switch forgets its MAC: they have to be shown where it is now."""
    watch = {"name": "arp_ping", "target_host": "10.99.1.1", "interval": 100, "missed_max": 2}
    with network(tmp_path, ports=3, neighbours=7) as net:
        start(net, link_watch=watch)
        for name in net.ports:
            net.host.becomes(f"ports.{name}.link_watches.up", "true")
        with traffic(net) as flow:
            mac = net.host.links()["eth1"]["address"]
            own = {n.number for n in net.neighbours if n.mac in net.shares()["eth1"]}
            net.swallow("eth1")

            def watched() -> bool:
                flow.round()
                return net.host.item("ports.eth1.link_watches.up") == "false"

            wait_for(watched, "the watch to notice")
            wait_for(lambda: knowing(net, mac) == 0, "news of another port")
            assert not flow.lost().keys() - own
            flow.warm_up()
            for _ in range(20):
                flow.round()
            assert not flow.lost()


def test_our_own_questions_do_not_move_anybody(net: Network) -> None:
    with traffic(net):
        before = {n.number: n.knows(team_address(n)) for n in net.neighbours}
        net.host.sh(
            "for i in 1 2 3; do ping -c1 -W1 10.99.200.$i || true; ping -c1 -W1 fd99::200:$i || true; done"
        )
        assert {n.number: n.knows(team_address(n)) for n in net.neighbours} == before


def test_an_announcement_to_all_is_put_right_again(net: Network) -> None:
    with traffic(net) as flow:
        announcement = (
            "import socket,sys; from pyteam.frames.announce import gratuitous_arp as g;"
            "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('team0', 0));"
            "s.send(g(s.getsockname()[4], socket.inet_aton('10.99.0.1')))"
        )
        done = net.host.run(sys.executable, "-c", announcement)
        assert done.code == 0, done.err
        assert len({n.knows(TEAM_IPV4) for n in net.neighbours if team_address(n) == TEAM_IPV4}) == 1
        wait_for(partial(settled, net, flow), "everybody to know its own port again")


def test_a_successor_finds_all_as_it_was(net: Network) -> None:
    with traffic(net) as flow:
        before = net.shares()
        daemon = net.host.daemons[0]
        daemon.send(signal.SIGKILL)
        daemon.wait()
        for _ in range(10):
            flow.round()
        net.host.start("-o", config=config(net.ports)).ready()
        for _ in range(10):
            flow.round()
        assert net.shares() == before
        assert flow.lost() == {}


def test_a_successor_without_it_takes_it_away(net: Network) -> None:
    with traffic(net):
        with_it = [net.host.programs(name) for name in net.ports]
        daemon = net.host.daemons[0]
        daemon.send(signal.SIGKILL)
        daemon.wait()
        plain = {"runner": {"name": "loadbalance", "tx_hash": ["l3", "l4"]}}
        net.host.start("-o", config=config(net.ports, **plain)).ready()
        assert [net.host.programs(name) for name in net.ports] == [count - 2 for count in with_it]
        assert "rx_balancer" not in net.host.state().get("runner", {})


def test_ports_are_given_back_as_they_were(tmp_path: Path) -> None:
    with network(tmp_path, ports=2, neighbours=1) as net:
        before = net.host.looks(*net.ports)
        start(net)
        assert net.host.daemons[0].end() == 0
        assert net.host.looks(*net.ports) == before


def test_bridged_guests_pass_unharmed(net: Network) -> None:
    with traffic(net) as flow, guests_behind(net, 6) as guests:
        guests_pass_unharmed(net, guests)
        # The host itself is still reached, now by the bridge's address.
        flow.warm_up()


def test_with_activebackup_it_is_refused(tmp_path: Path) -> None:
    with network(tmp_path, ports=2, neighbours=0) as net:
        wrong = {"device": "team0", "runner": {"name": "activebackup", "rx_balancer": {"name": "arp"}}}
        done = net.host.teamd(config=wrong)
        assert done.code == 1
        assert "runner.rx_balancer: One port receives everything in activebackup" in done.err
        assert "team0" not in net.host.links()
