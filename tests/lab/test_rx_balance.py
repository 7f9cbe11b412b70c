"""Receive balancing on the kernel's driver, and for neighbours in VLANs on both datapaths."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.netns import teams
from tests.netns.anonymous import inside
from tests.netns.balanced import counts, guests_behind, guests_pass_unharmed, knowing, run, traffic
from tests.netns.switched import Network, ip, network, start
from tests.netns.teams import wait_for

VLAN = "10"
IN_VLAN = "10.98.0.1"
#: Seconds: the first start in a fresh guest reads all that it needs from disk, and computes slowly.
PATIENCE = 250.0
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", params=["kernel", "ebpf"])
def net(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """One for all tests of a datapath, since a start is most of what they take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teams, "PATIENCE", PATIENCE)
        directory = tmp_path_factory.mktemp(request.param)
        with network(directory, ports=3, neighbours=6, datapath=request.param) as made:
            before = made.host.looks(*made.ports)
            start(made)
            assert made.host.item("setup.datapath") == request.param
            assert all(made.host.links()[name]["promiscuity"] for name in made.ports)
            yield made
            assert made.host.daemons[0].end() == 0
            assert made.host.looks(*made.ports) == before


def test_shares_and_a_cut(net: Network) -> None:
    with traffic(net) as flow:
        assert counts(net) == [2, 2, 2]
        before = net.shares()
        mac = net.host.links()["eth1"]["address"]
        run(net, flow, cut="eth1", mend=False)
        lost = flow.lost()
        own = {n.number for n in net.neighbours if n.mac in before["eth1"]}
        print(f"lost by the neighbours of the port that was cut: {sum(lost.values())}")
        assert not lost.keys() - own
        assert counts(net) == [0, 3, 3]
        wait_for(lambda: knowing(net, mac) == 0, "news of another port")
        net.mend("eth1")
        wait_for(lambda: knowing(net, mac) == 2, "two neighbours to know the port again")


def test_neighbours_in_a_vlan(net: Network) -> None:
    """Tags that the kernel keeps beside the frame; each VLAN of a neighbour is one of its own."""
    net.host.sh(
        f"ip link add link team0 name team0.{VLAN} type vlan id {VLAN}; ip link set team0.{VLAN} up;"
        f"ip addr add {IN_VLAN}/16 dev team0.{VLAN}"
    )
    for neighbour in net.neighbours:
        with inside(neighbour.netns):
            ip("link", "add", "link", "eth0", "name", "vlan", "type", "vlan", "id", VLAN)
            ip("link", "set", "vlan", "up")
            ip("addr", "add", f"10.98.1.{neighbour.number}/16", "dev", "vlan")
            ip("neigh", "flush", "dev", "vlan")

    def ask() -> None:
        for neighbour in net.neighbours:
            with inside(neighbour.netns):
                ping(IN_VLAN)

    ask()
    shares = net.shares()
    assert sum(mac.endswith(f"@{VLAN}") for macs in shares.values() for mac in macs) == 6
    assert max(map(len, shares.values())) - min(map(len, shares.values())) <= 1
    mine = [n for n in net.neighbours if f"{n.mac}@{VLAN}" in shares["eth2"]]
    assert mine
    mac = net.host.links()["eth2"]["address"]
    assert {n.knows(IN_VLAN) for n in mine} == {mac}
    net.cut("eth2")
    wait_for(lambda: mac not in {n.knows(IN_VLAN) for n in mine}, "news of another port")
    ask()
    net.mend("eth2")


def test_bridged_guests_pass_unharmed(net: Network) -> None:
    with traffic(net) as flow, guests_behind(net, 4) as guests:
        guests_pass_unharmed(net, guests)
        flow.warm_up()
    # Last of all: the bridge has taken the addresses.


def ping(address: str) -> None:
    """Once; it is to be answered."""
    done = subprocess.run(["ping", "-c1", "-W3", address], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
