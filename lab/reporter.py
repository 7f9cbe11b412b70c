"""A pytest plugin for the guest: every report, as soon as there is one, as a line of a file.

Owns the writing only; `tests/lab/conftest.py` reads on the host, with the same two hooks of pytest.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import pytest

from lab.machine import SHARED

#: The file, in the directory that guest and host share.
REPORTS: Final = "reports"


class Reporter:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._path = Path(os.environ[SHARED], REPORTS)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        with self._path.open("a") as file:
            file.write(json.dumps(data) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Reporter(config))
