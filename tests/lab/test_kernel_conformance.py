"""The kernel datapath does what every datapath must do, on the real team driver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pyteam.datapath.kernel.datapath import KernelDatapath
from tests.datapath.conformance import Conformance
from tests.datapath.spreading import Spreading
from tests.datapath.veths import VethBench, veth_bench


class TestKernel(Conformance, Spreading):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[VethBench]:
        with veth_bench(
            lambda name: KernelDatapath.create(name, tmp_path),
            lambda name: KernelDatapath.adopt(name, tmp_path),
        ) as bench:
            yield bench
