"""The lab's tests on the host: each stands for the test of the same name that runs in the guest.

One boot for all that were selected, at the start: it runs beside the tests of the host, which together take
as long. Those that want another kind of machine come last, in a boot of their own. Reports come back one by
one through the shared directory and are shown as if the test had run here: name, outcome, duration,
traceback, captured output. In the guest itself this file does nothing.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, suppress
from typing import Final

import pytest

from lab.machine import FAST, LONGEST, SHARED, Machine, MachineError
from lab.reporter import REPORTS

#: Plugins are loaded by name: finding those that happen to be installed takes seconds there.
PYTEST: Final = ("-m", "pytest", "-p", "pytest_timeout", "-p", "lab.reporter", "-p", "no:cacheprovider")
#: Kept for the guest: whether a test that cannot run skips or fails, and whether all rows are wanted.
PASSED_ON: Final = ("CI", "PYTEAM_INTEROP")
#: By what the machine is started with.
RUNS: Final = pytest.StashKey["dict[tuple[str, ...], Run]"]()


class Run:
    """One run in a guest."""

    def __init__(self, config: pytest.Config, tests: Sequence[str], options: Sequence[str]) -> None:
        self._config = config
        self._tests = tests
        self._options = options
        self._cleanup = ExitStack()
        self._machine: Machine | None = None
        #: Bytes of the reports that were read.
        self._read = 0
        self._reports: dict[str, list[pytest.TestReport]] = {}
        self._ended = False

    def begin(self) -> None:
        """Boot; what keeps it from that is told by the first test."""
        if self._tests:
            with suppress(MachineError):
                self._machine = self._start()

    def reports(self, test: str) -> list[pytest.TestReport]:
        """All reports of a test, its teardown's the last; waits for them. Raises `MachineError`."""
        if self._machine is None:
            self._machine = self._start()
        while not self._over(test):
            running = self._machine.running
            self._fetch(self._machine)
            if self._over(test):
                break
            if self._ended:
                raise MachineError("the guest had ended before this test")
            if not running:
                self._ended = True
                raise MachineError(
                    f"the guest ended without a word of this test\n{self._machine.last_words()}"
                )
            time.sleep(0.1)
        return self._reports[test]

    def close(self) -> None:
        self._cleanup.close()

    def _start(self) -> Machine:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        command = [sys.executable, *PYTEST, *self._tests]
        return self._cleanup.enter_context(Machine(command, environment, self._options))

    def _over(self, test: str) -> bool:
        found = self._reports.get(test, [])
        return bool(found) and found[-1].when == "teardown"

    def _fetch(self, machine: Machine) -> None:
        path = machine.shared / REPORTS
        if not path.exists():
            return
        with path.open() as file:
            file.seek(self._read)
            # The last line may be half written.
            while (line := file.readline()).endswith("\n"):
                self._read = file.tell()
                report = self._config.hook.pytest_report_from_serializable(
                    config=self._config, data=json.loads(line)
                )
                self._reports.setdefault(report.nodeid, []).append(report)


class GuestItem(pytest.Item):
    """Stands for a test that runs in the guest; has neither its fixtures nor its marks."""

    def __init__(self, *, test: pytest.Item, run: Run, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self._run = run
        self._location = test.reportinfo()
        self.outcome: pytest.TestReport | None = None
        # The first of them boots the machine.
        self.add_marker(pytest.mark.timeout(LONGEST))

    def runtest(self) -> None:
        self.outcome = outcome(self._run.reports(self.nodeid))

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self._location

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        return str(excinfo.value)


def outcome(reports: Sequence[pytest.TestReport]) -> pytest.TestReport:
    """Set-up, call and teardown as one report: the first that did not pass, or the call's."""
    worst = next((report for report in reports if not report.passed), None)
    found = worst or next(report for report in reports if report.when == "call")
    found.when = "call"
    if isinstance(found.longrepr, list):
        found.longrepr = tuple(found.longrepr)  # where and why it was skipped; JSON has no tuples
    found.duration = sum(report.duration for report in reports)
    return found


def machine(test: pytest.Item) -> tuple[str, ...]:
    """Options of the machine that the test's module asks for, as its MACHINE."""
    assert isinstance(test, pytest.Function)
    return tuple(getattr(test.module, "MACHINE", FAST))


# The last of all implementations: stand-ins only for what was selected, by marks and names of the tests.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    if SHARED in os.environ:
        return
    here = os.path.dirname(__file__)
    tests = [item for item in items if os.path.dirname(item.path) == here]
    items.sort(key=lambda item: item in tests and machine(item) != FAST)
    tests.sort(key=lambda test: machine(test) != FAST)
    runs = session.stash[RUNS] = {}
    for options in {machine(test): None for test in tests}:
        selected = [test.nodeid for test in tests if machine(test) == options]
        runs[options] = Run(session.config, selected, options)
    for number, item in enumerate(items):
        if item in tests and item.parent:
            items[number] = GuestItem.from_parent(
                item.parent, name=item.name, test=item, run=runs[machine(item)]
            )


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    runs = session.stash.get(RUNS, {})
    if runs and not session.config.option.collectonly:
        next(iter(runs.values())).begin()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if isinstance(item, GuestItem) and call.when == "call" and item.outcome:
        return item.outcome
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    for run in session.stash.get(RUNS, {}).values():
        run.close()
