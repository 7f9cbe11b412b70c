"""What mode ``loadbalance`` must do on every datapath: hash function, table, counters."""

from __future__ import annotations

import errno
import struct
import sys
from typing import Final, Protocol

import pytest

from pyteam.engine.events import OptionSeen
from pyteam.engine.hashtable import ENTRIES, KEYS
from pyteam.options import OptionKey, OptionValue
from tests.datapath.conformance import MODE, Bench, add, collect, refused, wait_for

#: Returns the first byte behind the Ethernet header: whoever sends a frame chooses its hash.
FIRST_BYTE: Final = struct.pack("=HBBIHBBI", 0x30, 0, 0, 14, 0x16, 0, 0, 0)
FUNCTION, METHOD = OptionKey("bpf_hash_func"), OptionKey("lb_tx_method")
INTERVAL = OptionKey("lb_stats_refresh_interval")


class SpreadingBench(Bench, Protocol):
    def send(self, hash_: int, size: int) -> None:
        """A frame of this size, in bytes without the checksum, whose first byte of payload is the hash."""


class Spreading:
    """Subclass it with a fixture ``bench``."""

    @pytest.fixture
    def ports(self, bench: SpreadingBench) -> tuple[int, int]:
        bench.datapath.set_option(MODE, "loadbalance")
        return add(bench, bench.plug()), add(bench, bench.plug())

    def test_the_options_come_and_go_with_the_mode(self, bench: SpreadingBench) -> None:
        expected: dict[OptionKey, OptionValue] = {FUNCTION: b"", METHOD: "hash", INTERVAL: 0}
        expected |= dict.fromkeys(KEYS, 0)
        expected |= {OptionKey("lb_hash_stats", 0, entry): bytes(8) for entry in range(ENTRIES)}
        assert not expected.keys() & bench.datapath.actual().options.keys()
        bench.datapath.set_option(MODE, "loadbalance")
        port = add(bench, bench.plug())
        found = bench.datapath.actual().options
        assert expected.items() <= found.items()
        assert found[OptionKey("lb_port_stats", port)] == bytes(8)
        bench.datapath.remove_port(port)
        bench.datapath.set_option(MODE, "roundrobin")
        assert not expected.keys() & bench.datapath.actual().options.keys()
        for key in (FUNCTION, METHOD, INTERVAL, KEYS[0]):
            with refused(errno.ENOENT):
                bench.datapath.set_option(key, expected[key])

    def test_a_hash_function_is_kept_as_it_is(self, bench: SpreadingBench, ports: tuple[int, int]) -> None:
        bench.datapath.set_option(FUNCTION, FIRST_BYTE)
        assert bench.datapath.actual().options[FUNCTION] == FIRST_BYTE
        with refused(errno.EINVAL):
            bench.datapath.set_option(FUNCTION, FIRST_BYTE[:-1])
        assert bench.datapath.actual().options[FUNCTION] == FIRST_BYTE
        bench.datapath.set_option(FUNCTION, b"")
        assert bench.datapath.actual().options[FUNCTION] == b""

    def test_methods(self, bench: SpreadingBench, ports: tuple[int, int]) -> None:
        for method in ("hash_to_port_mapping", "hash"):
            bench.datapath.set_option(METHOD, method)
            assert bench.datapath.actual().options[METHOD] == method
        with refused(errno.EINVAL):
            bench.datapath.set_option(METHOD, "dice")

    def test_an_entry_needs_a_port_that_is_enabled(
        self, bench: SpreadingBench, ports: tuple[int, int]
    ) -> None:
        a, b = ports
        bench.datapath.set_option(KEYS[255], a)
        assert bench.datapath.actual().options[KEYS[255]] == a
        bench.datapath.set_option(OptionKey("enabled", b), False)
        for other in (b, bench.index("lo"), 2**30):
            with refused(errno.ENODEV):
                bench.datapath.set_option(KEYS[255], other)
        with refused(errno.ENOENT):
            bench.datapath.set_option(OptionKey(KEYS[0].name, array_index=ENTRIES), a)
        assert bench.datapath.actual().options[KEYS[255]] == a

    def test_many_entries_are_set_at_one_go(self, bench: SpreadingBench, ports: tuple[int, int]) -> None:
        a, b = ports
        bench.datapath.set_entries(a, range(ENTRIES))
        bench.datapath.set_entries(b, (0, 17, 255))
        assert table(bench) == [b if entry in (0, 17, 255) else a for entry in range(ENTRIES)]

    def test_all_entries_are_set_or_none(self, bench: SpreadingBench, ports: tuple[int, int]) -> None:
        a, b = ports
        bench.datapath.set_entries(a, range(ENTRIES))
        bench.datapath.set_option(OptionKey("enabled", b), False)
        for other in (b, bench.index("lo")):
            with refused(errno.ENODEV):
                bench.datapath.set_entries(other, range(128))
        assert table(bench) == [a] * ENTRIES

    def test_entries_are_of_that_mode_alone(self, bench: SpreadingBench) -> None:
        bench.datapath.set_option(MODE, "activebackup")
        port = add(bench, bench.plug())
        with refused(errno.ENOENT):
            bench.datapath.set_entries(port, (1, 2))

    @pytest.mark.parametrize("how", ["disabled", "removed", "unplugged"])
    def test_a_port_takes_no_entry_along(
        self, bench: SpreadingBench, ports: tuple[int, int], how: str
    ) -> None:
        a, b = ports
        bench.datapath.set_entries(a, range(100))
        bench.datapath.set_entries(b, range(100, ENTRIES))
        match how:
            case "disabled":
                bench.datapath.set_option(OptionKey("enabled", b), False)
            case "removed":
                bench.datapath.remove_port(b)
            case "unplugged":
                bench.unplug(bench.datapath.link(b).name)
        wait_for(bench, lambda: table(bench) == [a] * 100 + [0] * 156)

    def test_counters_cannot_be_set(self, bench: SpreadingBench, ports: tuple[int, int]) -> None:
        for key in (OptionKey("lb_hash_stats", 0, 5), OptionKey("lb_port_stats", ports[0])):
            with refused(errno.EOPNOTSUPP):
                bench.datapath.set_option(key, bytes(8))

    def test_packets_leave_by_the_table_and_are_counted(
        self, bench: SpreadingBench, ports: tuple[int, int]
    ) -> None:
        a, b = ports
        bench.datapath.set_option(FUNCTION, FIRST_BYTE)
        bench.datapath.set_option(METHOD, "hash_to_port_mapping")
        bench.datapath.set_entries(a, range(ENTRIES))
        bench.datapath.set_entries(b, (7,))
        wait_for(bench, lambda: bench.datapath.actual().carrier)
        bench.datapath.set_option(INTERVAL, 1)
        assert bench.datapath.actual().options[INTERVAL] == 1
        for hash_, frames in ((7, 100), (8, 50)):
            for _ in range(frames):
                bench.send(hash_, 1000)
        seven, eight = (OptionKey("lb_hash_stats", 0, hash_) for hash_ in (7, 8))
        seen: dict[OptionKey, OptionValue] = {}

        def counted(key: OptionKey) -> int:
            value = seen.get(key, b"")
            return int.from_bytes(value if isinstance(value, bytes) else b"", sys.byteorder)

        def enough(events: list[object]) -> bool:
            seen.update({event.key: event.value for event in events if isinstance(event, OptionSeen)})
            return counted(seven) == 100_000 and counted(eight) == 50_000

        collect(bench, enough)  # type: ignore[arg-type]
        assert (counted(seven), counted(eight)) == (100_000, 50_000)
        # What the kernel itself sends is counted, too: its packets begin with 0x60 or 0.
        assert 100_000 <= counted(OptionKey("lb_port_stats", b)) < 110_000
        assert 50_000 <= counted(OptionKey("lb_port_stats", a)) < 100_000
        options = bench.datapath.actual().options
        assert all(options[key] == seen[key] for key in (seven, eight))

    def test_an_entry_without_a_port_falls_back_to_the_hash(
        self, bench: SpreadingBench, ports: tuple[int, int]
    ) -> None:
        bench.datapath.set_option(FUNCTION, FIRST_BYTE)
        bench.datapath.set_option(METHOD, "hash_to_port_mapping")
        wait_for(bench, lambda: bench.datapath.actual().carrier)
        bench.datapath.set_option(INTERVAL, 1)
        for hash_ in range(32, 64):
            bench.send(hash_, 1000)
        keys = [OptionKey("lb_port_stats", port) for port in ports]
        seen: dict[OptionKey, int] = {}

        def enough(events: list[object]) -> bool:
            for event in events:
                if isinstance(event, OptionSeen) and event.key in keys and isinstance(event.value, bytes):
                    seen[event.key] = int.from_bytes(event.value, sys.byteorder)
            return all(seen.get(key, 0) >= 16_000 for key in keys)

        collect(bench, enough)  # type: ignore[arg-type]
        assert all(16_000 <= seen.get(key, 0) < 26_000 for key in keys), seen

    def test_another_owner_finds_the_table(self, bench: SpreadingBench, ports: tuple[int, int]) -> None:
        a, b = ports
        bench.datapath.set_option(FUNCTION, FIRST_BYTE)
        bench.datapath.set_option(METHOD, "hash_to_port_mapping")
        bench.datapath.set_entries(a, range(0, ENTRIES, 2))
        bench.datapath.set_entries(b, range(1, ENTRIES, 2))
        wait_for(bench, lambda: bench.datapath.actual().carrier)
        before = bench.datapath.actual()
        bench.reopen()
        assert bench.datapath.actual() == before
        assert table(bench) == [a, b] * 128


def table(bench: Bench) -> list[int]:
    options = bench.datapath.actual().options
    return [int(options[key]) for key in KEYS]
