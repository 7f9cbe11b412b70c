"""The eBPF datapath does what every datapath must do: real interfaces, real programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyteam.datapath.ebpf.datapath import EbpfDatapath
from tests.datapath.conformance import Conformance
from tests.datapath.spreading import Spreading
from tests.datapath.veths import VethBench, veth_bench


class TestEbpf(Conformance, Spreading):
    @pytest.fixture
    def bench(self) -> Iterator[VethBench]:
        with veth_bench(EbpfDatapath.create, EbpfDatapath.adopt) as bench:
            yield bench
