"""LACP with bonding and with the original, on both datapaths: four columns of docs/interoperability.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.interop.columns import EVERY, LAB
from tests.interop.runs import Case, Runs, cases, selected
from tests.interop.trial import Pace

CASES = cases(LAB, every=EVERY)


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    made = Runs(selected(request), tmp_path_factory.mktemp("interop"), most=2, pace=Pace(50, 0.4))
    yield made
    made.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_row(case: Case, runs: Runs, record_property: Callable[[str, object], None]) -> None:
    runs.check(case, record_property)
