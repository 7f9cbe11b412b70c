"""LACP with Open vSwitch, on the eBPF datapath: a column of docs/interoperability.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.interop.columns import EVERY, HOST
from tests.interop.runs import Case, Runs, cases, selected
from tests.interop.trial import Pace

CASES = cases(HOST, every=EVERY)


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    made = Runs(selected(request), tmp_path_factory.mktemp("interop"), most=4, pace=Pace(1000, 0.02))
    yield made
    made.close()


@pytest.mark.needs("ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-appctl")
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_row(case: Case, runs: Runs, record_property: Callable[[str, object], None]) -> None:
    runs.check(case, record_property)
