"""Hash functions of the user's own, on real interfaces: taken, or refused with the reason."""

from __future__ import annotations

import signal
import socket
import subprocess
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pyteam.datapath.ebpf.datapath import EbpfDatapath
from pyteam.datapath.ebpf.quiet import silence
from pyteam.netlink.rtnl import Rtnl
from pyteam.options import OptionKey
from pyteam.txhash import classic as c
from pyteam.txhash import encode, hash_program, parse
from pyteam.txhash.classic import Instruction
from tests.datapath.conformance import add, wait_for
from tests.datapath.veths import VethBench, veth_bench
from tests.netns.teams import host, program

FUNCTION = OptionKey("ebpf_hash_func")
QUEUE = (Instruction(c.LD | c.W | c.ABS, k=c.QUEUE), Instruction(c.RET | c.A))
SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); }
asked SEC(".maps");
__u32 mask = 0xff;

static long add_one(__u32 i, __u32 *sum) { *sum += 1; return 0; }

static __attribute__((noinline)) __u32 first_byte(struct __sk_buff *skb)
{
	__u8 byte = 0;

	return bpf_skb_load_bytes(skb, 14, &byte, 1) ? 0 : byte;
}

SEC("hash")
int by_first_byte(struct __sk_buff *skb)
{
	__u32 zero = 0, sum = 0, *count = bpf_map_lookup_elem(&asked, &zero);

	if (count)
		*count += 1;
	bpf_loop(3, add_one, &sum, 0);
	return (first_byte(skb) + sum - 3) & mask;
}

SEC("hash")
int reads_anywhere(struct __sk_buff *skb)
{
	return *(volatile int *)(long)skb->data;
}

char _license[] SEC("license") = "GPL";
"""


@pytest.fixture(name="code", scope="module")
def _code(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    source = tmp_path_factory.mktemp("hash") / "hash.c"
    source.write_text(SOURCE)
    target = source.with_suffix(".o")
    include = f"-I/usr/include/{sysconfig.get_config_var('MULTIARCH')}"
    subprocess.run(["clang", "-g", "-O2", "-target", "bpf", include, "-c", source, "-o", target], check=True)
    subprocess.run(["llvm-strip", "-g", target], check=True)
    return target.read_bytes()


def send(*hashes: int) -> None:
    """Frames of a protocol that nobody answers, with this byte behind the header."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("team0", 0))
        for hash_ in hashes:
            put(sender, hash_)


def put(sender: socket.socket, hash_: int) -> None:
    # Also when the programs drop it; but that shows in what they count, and behind them a busy
    # machine may have no room.
    with suppress(OSError):
        sender.send(bytes.fromhex("0200000000ff0200000000fe88b5") + bytes([hash_]) + bytes(45))


class Flood(threading.Thread):
    """Frames at an even pace, in this thread's namespace."""

    def __init__(self, count: int, pause: float) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.bind(("team0", 0))
        self._count, self._pause = count, pause

    def run(self) -> None:
        with self._socket:
            for number in range(self._count):
                put(self._socket, number & 0xFF)
                time.sleep(self._pause)


def sent(bench: VethBench, port: int) -> int:
    return bench.datapath.statistics(port)["tx_packets"]


@pytest.fixture(name="bench")
def _bench() -> Iterator[VethBench]:
    with veth_bench(EbpfDatapath.create, EbpfDatapath.adopt) as made, Rtnl() as rtnl:
        made.datapath.set_option(OptionKey("mode"), "loadbalance")
        # Packets are counted: nothing but what the test sends may pass.
        silence(rtnl, made.datapath.ifindex, "team0")
        yield made


@pytest.mark.needs("clang", "llvm-strip")
def test_a_function_of_an_object_file(bench: VethBench, code: bytes) -> None:
    """With a map, a variable, a function that is called and one that is called back."""
    a, b = add(bench, bench.plug()), add(bench, bench.plug())
    wait_for(bench, lambda: bench.datapath.actual().carrier)
    value = b"by_first_byte\0" + code
    bench.datapath.set_option(FUNCTION, value)
    assert bench.datapath.actual().options[FUNCTION] == value
    send(*[0] * 10, *[1] * 20)
    assert (sent(bench, a), sent(bench, b)) == (10, 20)
    # It is in force, and shown, when its owner is another.
    bench.reopen()
    assert bench.datapath.actual().options[FUNCTION] == value
    send(*[3] * 5)
    assert (sent(bench, a), sent(bench, b)) == (10, 25)
    bench.datapath.set_option(FUNCTION, b"")
    send(*[3] * 5)
    assert (sent(bench, a), sent(bench, b)) == (15, 25)


@pytest.mark.needs("clang", "llvm-strip")
def test_a_function_that_is_refused_changes_nothing(bench: VethBench, code: bytes) -> None:
    a, b = add(bench, bench.plug()), add(bench, bench.plug())
    wait_for(bench, lambda: bench.datapath.actual().carrier)
    good = b"by_first_byte\0" + code
    bench.datapath.set_option(FUNCTION, good)
    for bad, reason in (
        (b"reads_anywhere\0" + code, "R1 offset is outside of the packet"),
        (
            b"elsewhere\0" + code,
            "no program elsewhere in the BPF object; it has by_first_byte",
        ),
        (b"by_first_byte\0" + code[:100], "cannot read the BPF object"),
        (b"by_first_byte", "cannot read the BPF object"),
    ):
        with pytest.raises(OSError, match=reason):
            bench.datapath.set_option(FUNCTION, bad)
    with pytest.raises(OSError, match=r"hash function cannot be used: instruction 0.*\(#queue\)"):
        bench.datapath.set_option(OptionKey("bpf_hash_func"), encode(QUEUE))
    assert bench.datapath.actual().options[FUNCTION] == good
    send(*[1] * 7)
    assert (sent(bench, a), sent(bench, b)) == (0, 7)


def test_no_packet_is_lost_while_functions_are_swapped(bench: VethBench) -> None:
    ports = [add(bench, bench.plug()) for _ in range(2)]
    wait_for(bench, lambda: bench.datapath.actual().carrier)
    functions = [hash_program(words) for words in (["eth"], ["l3", "l4"])]
    flood = Flood(2000, 0.0002)
    flood.start()
    swaps = 0
    while flood.is_alive():
        bench.datapath.set_option(OptionKey("bpf_hash_func"), functions[swaps % 2])
        swaps += 1
    assert swaps > 5
    assert sum(sent(bench, port) for port in ports) == 2000


#: What is wrong, and what the terminal shows last.
WRONG = [
    (
        {"bpf": [[5, 0, 0, 9], [6, 0, 0, 0]]},
        "runner.tx_hash.bpf: instruction 0 (code 0x5): a jump beyond the end.",
    ),
    ({"bpf_file": "/absent"}, "runner.tx_hash.bpf_file: /absent: No such file or directory"),
    (
        {"bpf": [[0x20, 0, 0, 0xFFFFF018], [0x16, 0, 0, 0]]},
        "Failed to set bpf_hash_func to 2000000018f0ffff1600000000000000: the hash function cannot be used: "
        "instruction 0: a packet's transmit queue (#queue) is chosen later on this datapath",
    ),
]


@pytest.mark.parametrize(("tx_hash", "reason"), WRONG)
def test_a_start_with_a_function_that_cannot_be(tmp_path: Path, tx_hash: object, reason: str) -> None:
    with host(tmp_path, "eth0") as box:
        runner = {"name": "loadbalance", "tx_hash": tx_hash}
        done = box.teamd(config={"device": "team0", "runner": runner, "ports": {"eth0": {}}})
        assert done.code == 1
        assert reason in done.err
        assert "team0" not in box.links()
        box.leaves_nothing()


def test_teamnl_shows_what_is_in_force(tmp_path: Path) -> None:
    """The options of the mode, also to a process that does not own the team, and after the owner's death."""
    text = "2\n48 0 0 14\n22 0 0 0\n"
    (tmp_path / "hash.ddd").write_text(text)
    with host(tmp_path, "eth0", "eth1") as box:
        runner = {"name": "loadbalance", "tx_hash": {"bpf_file": str(tmp_path / "hash.ddd")}}
        config = {"device": "team0", "runner": runner, "ports": {"eth0": {}, "eth1": {}}}
        ports = {str(box.links()[name]["ifindex"]) for name in ("eth0", "eth1")}

        def shown(*words: str) -> str:
            return box.sh(" ".join((*program("teamnl"), *words))).strip()

        daemon = box.start(config=config).ready()
        for _ in range(2):
            function = "".join(f"\\{byte:02x}" for byte in encode(parse(text)))
            assert shown("team0", "getoption", "bpf_hash_func") == function
            assert shown("team0", "getoption", "ebpf_hash_func") == ""
            assert shown("team0", "getoption", "lb_tx_method") == "hash_to_port_mapping"
            entries = [
                shown("-a", at, "team0", "getoption", "lb_tx_hash_to_port_mapping") for at in ("0", "255")
            ]
            assert set(entries) <= ports
            assert shown("-a", "9", "team0", "getoption", "lb_hash_stats") == "\\00" * 8
            if daemon.process.poll() is None:
                daemon.end(signal.SIGKILL)
        assert box.start(config=config).ready().end() == 0
