"""The record outlives the daemon: what is read back is what was written, or an error."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.datapath.ebpf.record import Original, OtherVersionError, PortRecord, Record
from pyteam.datapath.ebpf.shared import MAX_PORTS, RECORD_SIZE

ifindexes = st.integers(1, 2**31 - 1)
originals = st.builds(
    Original,
    address=st.just("02:00:00:00:00:01"),
    mtu=st.integers(68, 65535),
    promiscuous=st.booleans(),
    allmulticast=st.booleans(),
    disable_ipv6=st.none() | st.booleans(),
)
ports = st.builds(PortRecord, original=originals, priority=st.integers(-(2**31), 2**31 - 1))
records = st.builds(
    Record,
    build=st.text("0123456789abcdef", min_size=16, max_size=16),
    released=st.booleans(),
    options=st.dictionaries(st.sampled_from(["mode", "activeport"]), ifindexes | st.just("activebackup")),
    failover_order=st.lists(ifindexes, max_size=8),
    ports=st.dictionaries(ifindexes, ports, max_size=8),
)


@given(records)
def test_what_was_written_is_read(record: Record) -> None:
    assert Record.decode(record.encode().ljust(RECORD_SIZE, b"\0")) == record


@given(st.binary(max_size=200) | st.from_regex(rb'\{"ports": ?\{.*\}\}', fullmatch=True))
def test_garbage_is_an_error_and_nothing_else(data: bytes) -> None:
    with contextlib.suppress(OtherVersionError):
        Record.decode(data)


def test_a_full_team_fits() -> None:
    original = Original("ff:ff:ff:ff:ff:ff", 65535, False, False, False)
    port = PortRecord(original, priority=-(2**31), queue_id=65535)
    indexes = [2**31 - 1 - at for at in range(MAX_PORTS)]
    record = Record("f" * 16, failover_order=indexes, ports=dict.fromkeys(indexes, port))
    assert len(record.encode()) <= RECORD_SIZE


def test_the_record_of_another_version_is_refused() -> None:
    with pytest.raises(OtherVersionError, match="made by another version of pyteam"):
        Record.decode(b'{"ports": {"3": {"original": {"address": "x"}}}}')
