"""Log lines: bare, complete, and where they were asked to be."""

from __future__ import annotations

import io
import logging
import sys
import syslog
from collections.abc import Iterator

import pytest

from pyteam.daemon import logs

log = logging.getLogger("pyteam.somewhere")


@pytest.fixture(autouse=True)
def root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("output", ["stdout", "stderr"])
def test_a_terminal_gets_the_bare_message(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, output, stream)
    logs.start(output, "teamd_team0", 0)
    log.debug("not shown")
    log.info("eth0: ethtool-link went up.")
    log.error("Failed: %s", "100 %")
    assert stream.getvalue() == "eth0: ethtool-link went up.\nFailed: 100 %\n"


def test_level_zero_again_mutes_no_information(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.start("stderr", "teamd_team0", 2)
    logging.getLogger("asyncio").debug("Using selector: EpollSelector")
    log.debug("one")
    logs.set_debug_level(0)
    log.debug("two")
    log.info("three")
    assert stream.getvalue() == "one\nthree\n"


def test_syslog_gets_identity_and_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[object, ...]] = []
    monkeypatch.setattr(syslog, "openlog", lambda *words: said.append(words))
    monkeypatch.setattr(syslog, "syslog", lambda *words: said.append(words))
    logs.start("syslog", "teamd_team0", 1)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        log.log(level, "a line")
    assert said == [
        ("teamd_team0", syslog.LOG_PID, syslog.LOG_DAEMON),
        (syslog.LOG_DEBUG, "a line"),
        (syslog.LOG_INFO, "a line"),
        (syslog.LOG_WARNING, "a line"),
        (syslog.LOG_ERR, "a line"),
        (syslog.LOG_CRIT, "a line"),
    ]


def test_starting_anew_replaces_what_was(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.StringIO(), io.StringIO()
    for stream in first, second:
        monkeypatch.setattr(sys, "stderr", stream)
        logs.start("stderr", "teamd")
    log.info("once")
    assert (first.getvalue(), second.getvalue()) == ("", "once\n")
