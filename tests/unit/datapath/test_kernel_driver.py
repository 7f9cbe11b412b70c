"""A kernel without the team driver, or with one that it has to load."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pyteam.datapath.interface import DatapathError
from pyteam.datapath.kernel import datapath
from pyteam.datapath.kernel.datapath import KernelDatapath
from pyteam.netlink.rtnl import NetlinkError


class Kernel:
    """``loadable``: the driver is there once its module has been asked for."""

    loadable = False
    failure = errno.ENOENT

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None: ...

    def load_kind(self, kind: str) -> None:
        self.loaded.append(kind)

    def family(self) -> Kernel:
        if self.loadable and self.loaded:
            return self
        raise NetlinkError(self.failure, "cannot find the family")


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(datapath, "Rtnl", lambda: made)
    monkeypatch.setattr(datapath, "TeamFamily", made.family)
    return made


def test_a_kernel_without_the_driver_names_both_ways_out(kernel: Kernel, tmp_path: Path) -> None:
    assert not KernelDatapath.available()
    for way in (KernelDatapath.create, KernelDatapath.adopt):
        with pytest.raises(DatapathError, match=r"modprobe team.*--datapath ebpf") as caught:
            way("pyteam-unit", tmp_path)
        assert caught.value.errno == errno.EOPNOTSUPP
    assert list(tmp_path.iterdir()) == []


def test_the_module_is_loaded_where_there_is_one(kernel: Kernel) -> None:
    kernel.loadable = True
    assert KernelDatapath.available()
    assert kernel.loaded == ["team"]


def test_other_failures_are_not_taken_for_a_missing_driver(kernel: Kernel) -> None:
    kernel.failure = errno.EPERM
    with pytest.raises(NetlinkError):
        KernelDatapath.available()
