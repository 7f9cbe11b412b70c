"""Programs that are loaded a second time: the same to the kernel, and nothing shared but the instructions."""

from __future__ import annotations

import os

import pytest

from pyteam.datapath.ebpf import hooks, libbpf
from pyteam.datapath.ebpf.hooks import Hooks


def shapes(loaded: Hooks) -> set[libbpf.MapModel]:
    """Of the maps that the two programs keep, the name of the object aside."""
    ids = {*libbpf.program_maps(loaded.transmit), *libbpf.program_maps(loaded.receive)}
    found = set()
    for map_id in ids:
        fd = libbpf.map_by_id(map_id)
        model = libbpf.map_model(fd)
        libbpf.close(fd)
        found.add(
            model._replace(name=model.name[model.name.find(b".") :] if b"." in model.name else model.name)
        )
    return found


@pytest.mark.parametrize("mode", hooks.TRANSMIT)
def test_the_second_is_like_the_first(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_moulds", {})
    code = hooks.object_code()
    first, second = Hooks.load(code, mode), Hooks.load(code, mode)
    try:
        assert first._owned is not None
        assert second._owned is None
        assert libbpf.program_name(second.transmit) == libbpf.program_name(first.transmit)
        assert shapes(second) == shapes(first)
        second.shared.start(7)
        second.write_record(b"second")
        assert (first.shared.state.ifindex, second.shared.state.ifindex) == (0, 7)
        assert not first.read_record().startswith(b"second")
    finally:
        first.close()
        second.close()


def test_another_object_is_another_mould(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_moulds", {})
    code = hooks.object_code()
    for one in (code, code + bytes(16)):
        Hooks.load(one, "activebackup").close()
    assert len(hooks._moulds) == 2


def test_no_descriptor_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    code = hooks.object_code()
    Hooks.load(code, "activebackup").close()
    before = len(os.listdir("/proc/self/fd"))
    Hooks.load(code, "activebackup").close()
    monkeypatch.setattr(libbpf, "bind_map", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Hooks.load(code, "activebackup")
    assert len(os.listdir("/proc/self/fd")) == before
