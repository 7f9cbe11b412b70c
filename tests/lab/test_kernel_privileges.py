"""Somebody who is not root, on the kernel's driver: the team, its guard, and who comes after."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns import teams
from tests.netns.manager import manager
from tests.netns.teams import TWO_PORTS, Host, host, wait_for
from tests.netns.test_teamd_privileges import NOBODY

#: A daemon takes half a minute to start where others work on the same machine.
pytestmark = [pytest.mark.needs("setpriv"), pytest.mark.timeout(300)]
#: The driver alone needs two.
WITHOUT_BPF = [word.replace(",+bpf,+perfmon", "") for word in NOBODY]


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(teams, "PATIENCE", 100.0)
    with host(tmp_path, "eth0", "eth1") as made:
        made.datapath = ("--datapath=kernel",)
        made.sh("mkdir -m 755 /run/teamd; chown 65534 /run/teamd")
        yield made


def test_the_driver_and_its_guard(box: Host) -> None:
    with manager(box) as keeper:
        first = keeper.start(config=TWO_PORTS, before=NOBODY).ready()
        keeper.hears("READY=1")
        box.ip("link", "set", "team0", "up")
        box.cut("eth0")
        first.says('Changed active port to "eth1".')
        # The guard's two programs and their map, loaded and hung when there is time.
        wait_for(lambda: box.programs("eth0") == 2, "the guard")
        wait_for(lambda: (keeper.listen(), len(keeper.kept))[1] == 3, "the guard to be kept")
        guard = set(keeper.kept)
        first.end(signal.SIGKILL)
        second = keeper.start(config=TWO_PORTS, before=NOBODY).ready()
        keeper.hears("READY=1")
        assert "taking it over" in second.log
        assert set(keeper.kept) == guard
        assert second.end() == 0
        assert box.programs("eth0") == 0
        assert "team0" not in box.links()


def test_without_bpf_there_is_a_team_without_a_guard(box: Host) -> None:
    daemon = box.start("-g", config=TWO_PORTS, before=WITHOUT_BPF).ready()
    assert "needs the capability CAP_PERFMON and CAP_BPF" in daemon.log
    box.cut("eth0")
    daemon.says('Changed active port to "eth1".')
    assert daemon.end() == 0


def test_the_mac_of_a_new_device_is_not_udevs_to_change(box: Host) -> None:
    box.start(config={**TWO_PORTS, "ports": {}}).ready()
    box.sh("mount -t sysfs none /mnt")
    # NET_ADDR_SET, include/uapi/linux/netdevice.h
    assert box.sh("cat /mnt/class/net/team0/addr_assign_type").strip() == "3"
