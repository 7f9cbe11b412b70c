"""Which port each hash goes to, by the driver's rules: order of enabling, table, remainder."""

from __future__ import annotations

import pytest

from pyteam.datapath.ebpf import loadbalance
from pyteam.datapath.ebpf.options import Options
from pyteam.datapath.ebpf.record import Original, PortRecord, Record
from pyteam.datapath.interface import DatapathError
from pyteam.options import OptionKey

PORT = Original("02:00:00:00:00:01", 1500, False, False)
TABLE = OptionKey("lb_tx_method")


@pytest.fixture(name="options")
def _options() -> Options:
    options = Options(Record(options={"mode": "loadbalance"}))
    for ifindex in (11, 12, 13):
        add(options, ifindex)
    return options


def add(options: Options, ifindex: int) -> None:
    options._record.ports[ifindex] = PortRecord(PORT)


def enable(options: Options, ifindex: int, enabled: bool) -> None:
    options.put(OptionKey("enabled", ifindex), enabled)


def ports(options: Options) -> list[int]:
    senders = options.senders()
    return [senders[at] for at in options.destinations()]


def test_the_remainder_counts_in_the_order_of_enabling(options: Options) -> None:
    assert ports(options)[:6] == [11, 12, 13, 11, 12, 13]
    enable(options, 11, False)
    assert ports(options)[:4] == [12, 13, 12, 13]
    enable(options, 11, True)
    assert ports(options)[:4] == [12, 13, 11, 12]
    # A new one is enabled last of all, an old one that is enabled again after it.
    add(options, 14)
    enable(options, 12, True)
    assert ports(options)[:4] == [12, 13, 11, 14]
    enable(options, 12, False)
    enable(options, 12, True)
    assert ports(options)[:4] == [13, 11, 14, 12]
    again = Options(Record.decode(options._record.encode()))
    assert ports(again) == ports(options)


def test_entries_without_an_enabled_port_go_by_the_remainder(options: Options) -> None:
    options.put(TABLE, "hash_to_port_mapping")
    options.set_entries(13, range(100))
    assert ports(options)[:3] + ports(options)[99:102] == [13, 13, 13, 13, 12, 13]
    enable(options, 13, False)
    assert ports(options) == [11, 12] * 128
    enable(options, 13, True)
    assert ports(options) == [entry % 3 + 11 for entry in range(256)]  # it took no entry along
    options.set_entries(13, range(100))
    options.forget_port(13)
    assert ports(options) == [11, 12] * 128


def test_with_the_method_hash_the_table_has_no_say(options: Options) -> None:
    options.set_entries(13, range(256))
    assert ports(options)[:3] == [11, 12, 13]
    options.put(TABLE, "hash_to_port_mapping")
    assert ports(options) == [13] * 256


def test_what_user_space_says_of_a_link_takes_a_port_out_but_no_hash_of_the_others(options: Options) -> None:
    before = ports(options)
    options.put(OptionKey("user_linkup_enabled", 12), True)
    assert options.senders() == [11, 13]
    after = ports(options)
    assert all(now == then for now, then in zip(after, before, strict=True) if then != 12)
    moved = [now for now, then in zip(after, before, strict=True) if then == 12]
    assert sorted(map(moved.count, (11, 13))) == [42, 43]
    options.put(OptionKey("user_linkup", 12), True)
    assert ports(options) == before


def test_without_a_port_nothing_goes_anywhere(options: Options) -> None:
    for ifindex in (11, 12, 13):
        enable(options, ifindex, False)
    assert options.destinations() == []


def test_a_function_that_cannot_be_remembered_is_refused(options: Options) -> None:
    from random import Random

    noise = Random(1).randbytes(50_000)
    with pytest.raises(DatapathError, match=r"ebpf_hash_func is too big \(50000 bytes\): strip it"):
        options.put(OptionKey("ebpf_hash_func"), noise)
    assert loadbalance.options(options._record)[OptionKey("ebpf_hash_func")] == b""


def test_one_function_takes_the_other_away(options: Options) -> None:
    classic, own = loadbalance.HASH_FUNCTIONS
    options.put(classic, bytes(8))
    options.put(own, b"f\0code")
    assert options.all()[classic] == b""
    assert options.all()[own] == b"f\0code"
