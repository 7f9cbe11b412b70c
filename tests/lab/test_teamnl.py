"""Our teamnl and the original's on the same team: the same words, the same exit codes."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable, Iterator

import pytest

from pyteam.cli import teamnl
from pyteam.libteam import OptionKey, OptionValue, Team
from pyteam.netlink.rtnl import Rtnl
from tests.netns.anonymous import inside, namespace

pytestmark = pytest.mark.needs("teamnl")

Outcome = tuple[int, str, str]
Run = Callable[..., Outcome]


@pytest.fixture
def team() -> Iterator[Team]:
    """Two ports with a link: one without would be told some time later."""
    with namespace() as own, inside(own), Rtnl() as rtnl, Team.create("team0") as made:
        made.mode = "loadbalance"
        for number in (1, 2):
            rtnl.add_veth(f"eth{number}", f"far{number}", peer_up=True)
            made.add_port(f"eth{number}")
        yield made


@pytest.fixture
def ours(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> Outcome:
        code = teamnl.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def theirs(*words: str) -> Outcome:
    done = subprocess.run(["/usr/bin/teamnl", *words], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "team0 ports",
        "team0 p",
        "team0 ports extra",
        "team0 options",
        "team0 getoption mode",
        "team0 g mode extra",
        "team0 getoption notify_peers_count",
        "team0 getoption lb_tx_method",
        "-p eth1 team0 getoption enabled",
        "-p eth2 team0 getoption priority",
        "team0 getoption queue_id --port_name=eth2",
        "--port=eth2 team0 getoption lb_port_stats",
        "-a 0 team0 getoption lb_hash_stats",
        "-a 255 team0 getoption lb_tx_hash_to_port_mapping",
        # Refusals.
        "team0 getoption",
        "team0 getoption nope",
        "team0 getoption enabled",
        "team0 setoption",
        "team0 setoption mode",
        "team0 setoption mode random",
        "team0 setoption notify_peers_count 4294967296",
        "team0 setoption notify_peers_count 1x",
        "team0 setoption bpf_hash_func zz",
        "team0 setoption lb_tx_method dice",
        "-p eth1 team0 setoption enabled True",
        "-p eth1 team0 setoption priority 99999999999",
        "-p eth1 team0 setoption priority 0x10",
        "-p eth1 -a 3 team0 getoption lb_hash_stats",
        "-a 300 team0 getoption lb_hash_stats",
        "-a x team0 ports",
        "-a 99999999999 team0 ports",
        "-a 255 team0 setoption lb_tx_hash_to_port_mapping 4711",
        "-p far1 team0 getoption enabled",
        "-p nobody team0 getoption enabled",
        "nodev ports",
        "team0 monitor bad",
    ],
)
def test_the_same_words(team: Team, ours: Run, line: str) -> None:
    assert ours(*line.split()) == theirs(*line.split())


@pytest.mark.parametrize(
    "line",
    [
        "team0 setoption notify_peers_count 010",
        "team0 setoption lb_tx_method hash_to_port_mapping",
        r"team0 setoption bpf_hash_func \06\00\00\00\00\00\00\00" + r"\06\00\00\00\00\00\00\00" * 5,
        "-p eth1 team0 setoption enabled false",
        "-p eth1 team0 setoption priority -- -7",
        "-p eth2 team0 setoption queue_id 3",
    ],
)
def test_the_same_effect(team: Team, ours: Run, line: str) -> None:
    words = line.split()
    before = team.options()
    assert ours(*words) == (0, "", "")
    by_us = values(team)
    changed = [option for option in before if by_us[option.key] != option.value]
    assert changed
    assert ours("team0", "options") == theirs("team0", "options")
    team.write(*changed)
    assert theirs(*words) == (0, "", "")
    assert values(team) == by_us


def values(team: Team) -> dict[OptionKey, OptionValue]:
    return {option.key: option.value for option in team.options()}


@pytest.mark.parametrize("line", ["", "team0", "team0 bogus", "-x"])
def test_misuse(team: Team, ours: Run, line: str) -> None:
    code, out, err = ours(*line.split())
    assert (code, bool(out)) == (1, True)
    assert err.splitlines()[-1:] == theirs(*line.split())[2].splitlines()[-1:]


def test_an_array_index_of_a_port_option_counts(team: Team, ours: Run) -> None:
    assert ours("-p", "eth1", "-a", "1", "team0", "getoption", "enabled")[0] == 1


def test_not_a_team(team: Team, ours: Run) -> None:
    code, _, err = ours("lo", "ports")
    _, _, their_words = theirs("lo", "ports")
    assert code == 1
    assert err.splitlines() == their_words.splitlines()[-2:]
    assert str(errno.EINVAL) not in err
