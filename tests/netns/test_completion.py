"""Completion asks the daemon that runs: teams, ports and state items as they are now."""

from __future__ import annotations

from pathlib import Path

from pyteam.control.items import leaves
from tests.netns.teams import TWO_PORTS, Host, host, program


def offered(box: Host, *words: str) -> list[str]:
    done = box.run(*program("teamdctl"), "--complete", *words)
    assert (done.code, done.err) == (0, "")
    return [line.partition("\t")[0] for line in done.out.splitlines()]


def test_what_there_is(tmp_path: Path) -> None:
    with host(tmp_path, "eth0", "eth1", "eth2") as box:
        assert offered(box, "") == []
        daemon = box.start(config=TWO_PORTS).ready()
        assert offered(box, "") == ["team0"]
        assert offered(box, "team0", "port", "remove", "") == ["eth0", "eth1"]
        assert "eth2" in offered(box, "team0", "port", "add", "")
        assert offered(box, "team0", "state", "item", "set", "r") == ["runner.active_port"]
        items = offered(box, "team0", "state", "item", "get", "")
        assert sorted(items) == sorted(path for path, _ in leaves(box.state()))
        assert box.item("ports.eth1.link_watches.list.link_watch_0.delay_up") == "0"
        daemon.end()
