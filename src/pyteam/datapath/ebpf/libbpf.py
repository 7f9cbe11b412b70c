"""A thin binding of libbpf.so.1: the dozen calls that the loader needs, and what it prints.

It knows file descriptors and bytes, nothing of teams. Source: libbpf's bpf.h and libbpf.h (1.1,
Debian 12's, has all of it). Attaching to tcx goes through BPF_PROG_ATTACH, not through a link: such
an attachment stays when its maker dies, and goes when its device goes.
"""

from __future__ import annotations

import ctypes as c
import errno as errnos
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pyteam.datapath.ebpf import held
from pyteam.datapath.interface import DatapathError

TCX_INGRESS: Final = 46  # BPF_TCX_INGRESS, uapi linux/bpf.h
TCX_EGRESS: Final = 47  # BPF_TCX_EGRESS
_F_REPLACE: Final = 1 << 2  # BPF_F_REPLACE
_F_BEFORE: Final = 1 << 3  # BPF_F_BEFORE; of nobody in particular: of all
_MOST_PROGRAMS: Final = 64  # BPF_MPROG_MAX, kernel/bpf/mprog.c
_SCHED_CLS: Final = 3  # BPF_PROG_TYPE_SCHED_CLS
_FUNCTION_INFO: Final = 8  # bytes of struct bpf_func_info
_NAME: Final = 15  # characters that the kernel keeps of a name
_NONE: Final[Mapping[str, int]] = MappingProxyType({})
_LOG: Final = 1 << 20  # bytes of the verifier's log that are looked at

_Printer = c.CFUNCTYPE(c.c_int, c.c_int, c.c_char_p, c.c_void_p)
_Sample = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_size_t)


class _AttachOptions(c.Structure):
    """struct bpf_prog_attach_opts as of libbpf 1.0; later ones read only what ``size`` covers."""

    _fields_ = [("size", c.c_size_t), ("flags", c.c_uint), ("replace_fd", c.c_int)]


class _QueryOptions(c.Structure):
    """struct bpf_prog_query_opts as of libbpf 1.0."""

    _fields_ = [
        ("size", c.c_size_t),
        ("query_flags", c.c_uint32),
        ("attach_flags", c.c_uint32),
        ("program_ids", c.c_void_p),
        ("program_count", c.c_uint32),
        ("program_attach_flags", c.c_void_p),
    ]


class _LoadOptions(c.Structure):
    """struct bpf_prog_load_opts as of libbpf 1.0."""

    _fields_ = [
        ("size", c.c_size_t),
        ("attempts", c.c_int),
        ("expected_attach_type", c.c_int),
        ("btf", c.c_uint32),
        ("flags", c.c_uint32),
        ("ifindex", c.c_uint32),
        ("kernel_version", c.c_uint32),
        ("attach_btf_id", c.c_uint32),
        ("attach_program", c.c_uint32),
        ("attach_btf", c.c_uint32),
        ("descriptors", c.c_void_p),
        ("function_info", c.c_char_p),
        ("function_count", c.c_uint32),
        ("function_info_size", c.c_uint32),
        ("line_info", c.c_void_p),
        ("line_count", c.c_uint32),
        ("line_info_size", c.c_uint32),
        ("log_level", c.c_uint32),
        ("log_size", c.c_uint32),
        ("log", c.c_char_p),
    ]


class _ProgramInfo(c.Structure):
    """struct bpf_prog_info, up to the fields in use."""

    _fields_ = [
        ("type", c.c_uint32),
        ("id", c.c_uint32),
        ("tag", c.c_uint8 * 8),
        ("jited_length", c.c_uint32),
        ("xlated_length", c.c_uint32),
        ("jited", c.c_uint64),
        ("xlated", c.c_uint64),
        ("load_time", c.c_uint64),
        ("uid", c.c_uint32),
        ("map_count", c.c_uint32),
        ("map_ids", c.c_uint64),
        ("name", c.c_char * 16),
    ]


class _MapInfo(c.Structure):
    """struct bpf_map_info, up to the fields in use."""

    _fields_ = [
        ("type", c.c_uint32),
        ("id", c.c_uint32),
        ("key_size", c.c_uint32),
        ("value_size", c.c_uint32),
        ("max_entries", c.c_uint32),
        ("flags", c.c_uint32),
        ("name", c.c_char * 16),
    ]


class MapModel(NamedTuple):
    """What a map is made by; see struct bpf_map_info."""

    type: int
    name: bytes
    key_size: int
    value_size: int
    max_entries: int
    flags: int


class _MapOptions(c.Structure):
    """struct bpf_map_create_opts, up to the fields in use."""

    _fields_ = [
        ("size", c.c_size_t),
        ("btf", c.c_uint32),
        ("btf_key", c.c_uint32),
        ("btf_value", c.c_uint32),
        ("btf_vmlinux_value", c.c_uint32),
        ("inner_map", c.c_uint32),
        ("flags", c.c_uint32),
    ]


class _Library:
    """libbpf, opened at first use: a machine on the kernel's datapath need not have it."""

    def __init__(self) -> None:
        try:
            self._library = c.CDLL("libbpf.so.1", use_errno=True)
        except OSError as error:
            raise DatapathError(
                errnos.EOPNOTSUPP, "the eBPF datapath needs libbpf.so.1 (package libbpf1, or libbpf)"
            ) from error
        self.said: list[str] = []
        self._printer = _Printer(self._note)
        libc = c.CDLL(None)
        self._vsnprintf = libc.vsnprintf
        self._vsnprintf.argtypes = [c.c_char_p, c.c_size_t, c.c_char_p, c.c_void_p]
        self._library.libbpf_set_print(self._printer)

    def _note(self, level: int, template: bytes, arguments: int) -> int:
        # A warning may carry the verifier's whole log, and its end is what tells.
        text = c.create_string_buffer(8192 if level else _LOG)
        length = int(self._vsnprintf(text, len(text), template, arguments))
        if level == 0:  # LIBBPF_WARN
            self.said.append(text.value.decode(errors="replace").strip())
            del self.said[:-20]
        return length

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._library, name)
        setattr(self, name, function)
        return function


_loaded: list[_Library] = []


def _libbpf() -> _Library:
    if not _loaded:
        library = _Library()
        for name in (
            "bpf_object__open_mem",
            "bpf_object__next_program",
            "bpf_object__next_map",
            "bpf_program__insns",
        ):
            getattr(library, name).restype = c.c_void_p
        library.bpf_program__insn_cnt.restype = c.c_size_t
        for name in ("bpf_program__name", "bpf_map__name"):
            getattr(library, name).restype = c.c_char_p
        library.ring_buffer__new.restype = c.c_void_p
        _loaded.append(library)
    return _loaded[0]


def _check(result: int, what: str) -> int:
    """libbpf 1.x returns -errno, and sets errno."""
    if result >= 0:
        return result
    raise DatapathError(-result if result != -1 else c.get_errno() or errnos.EPERM, what)


class Object:
    """A compiled BPF object, loaded: only the programs asked for, and all its maps.

    ``maps``: descriptors of maps by name, as the kernel has it, that are there already and to be used.
    ``sizes``: of one value, in bytes, of new maps that are not to have the size that they were compiled with.
    ``for_tc``: the programs are for tcx hooks, whatever their sections are called.
    """

    def __init__(
        self,
        code: bytes,
        programs: set[str],
        maps: Mapping[str, int] = _NONE,
        *,
        sizes: Mapping[str, int] = _NONE,
        for_tc: bool = False,
    ) -> None:
        library = _libbpf()
        library.said.clear()
        c.set_errno(0)
        self._handle = c.c_void_p(library.bpf_object__open_mem(code, c.c_size_t(len(code)), None))
        if not self._handle:
            raise DatapathError(c.get_errno(), "libbpf cannot read the BPF object" + self._reason())
        self.programs: dict[str, int] = {}
        self.maps: dict[str, int] = {}
        wanted: dict[str, c.c_void_p] = {}
        present: list[str] = []
        for entry in self._walk(library.bpf_object__next_map) if maps else ():
            name = library.bpf_map__name(entry).decode()
            # The name of .bss begins with the object's, which is where it was in memory: never the same.
            known_by = name[name.find(".") :] if "." in name else name[:_NAME]
            fd = next((fd for known, fd in maps.items() if known.endswith(known_by)), None)
            if fd is not None:
                _check(library.bpf_map__reuse_fd(entry, fd), f"cannot use the BPF map {name} again")
        for program in self._walk(library.bpf_object__next_program):
            name = library.bpf_program__name(program).decode()
            library.bpf_program__set_autoload(program, c.c_bool(name in programs))
            if name in programs:
                wanted[name] = program
                if for_tc:
                    library.bpf_program__set_type(program, _SCHED_CLS)
            present.append(name)
        missing = programs - wanted.keys()
        if missing:
            self.close()
            what = f"no program {', '.join(sorted(missing))} in the BPF object; it has {', '.join(present)}"
            raise DatapathError(errnos.ENOENT, what)
        for entry in self._walk(library.bpf_object__next_map):
            name = library.bpf_map__name(entry).decode()
            if name in sizes:
                _check(
                    library.bpf_map__set_value_size(entry, c.c_uint32(sizes[name])), "cannot size a BPF map"
                )
        result = library.bpf_object__load(self._handle)
        if result < 0:
            reason = self._reason()
            self.close()
            _check(result, "the kernel refused the BPF programs" + reason)
        self._handles = wanted
        self.programs = {name: library.bpf_program__fd(program) for name, program in wanted.items()}
        for entry in self._walk(library.bpf_object__next_map):
            self.maps[library.bpf_map__name(entry).decode()] = library.bpf_map__fd(entry)
        for fd in self.programs.values():
            held.note(fd, "program", program_id(fd))
        for fd in self.maps.values():
            held.note(fd, "map", map_id(fd))

    def _walk(self, following: Callable[..., int | None]) -> list[c.c_void_p]:
        found: list[c.c_void_p] = []
        while at := following(self._handle, found[-1] if found else None):
            found.append(c.c_void_p(at))
        return found

    def instructions(self, program: str) -> bytes:
        """A loaded program as it went to the kernel: fit for it, with its functions and descriptors."""
        library, handle = _libbpf(), self._handles[program]
        size = 8 * library.bpf_program__insn_cnt(handle)
        return c.string_at(library.bpf_program__insns(handle), size)

    @staticmethod
    def _reason() -> str:
        """The verifier's last words, or else libbpf's."""
        for text in _libbpf().said:
            if "BEGIN PROG LOAD LOG" in text:
                return f": {_last_words(text)}"
        said = [line for text in _libbpf().said for line in text.splitlines() if line]
        return f": {said[-1]}" if said else ""

    def close(self) -> None:
        """Close all its descriptors. What is attached stays attached."""
        if self._handle:
            for fd in (*self.programs.values(), *self.maps.values()):
                held.forget(fd)
            _libbpf().bpf_object__close(self._handle)
            self._handle = c.c_void_p()


def load_program(name: str, code: bytes, btf: bytes, function_info: bytes) -> int:
    """A program for tcx hooks from its instructions; its descriptor. ``btf`` describes its functions."""
    library = _libbpf()
    described = _check(
        library.bpf_btf_load(btf, c.c_size_t(len(btf)), None), "the kernel refused a BPF type description"
    )
    log = c.create_string_buffer(_LOG)
    options = _LoadOptions(
        size=c.sizeof(_LoadOptions),
        btf=described,
        function_info=function_info,
        function_count=len(function_info) // _FUNCTION_INFO,
        function_info_size=_FUNCTION_INFO,
    )

    def load() -> int:
        count = c.c_size_t(len(code) // 8)
        license_ = b"Dual BSD/GPL"
        return int(library.bpf_prog_load(_SCHED_CLS, name.encode(), license_, code, count, c.byref(options)))

    try:
        result = load()
        if result < 0:
            # Once more for the reason: with a log it takes longer, and may fail for want of room in it.
            options.log, options.log_size, options.log_level = c.cast(log, c.c_char_p), _LOG, 1
            load()
            why = _last_words(log.value.decode(errors="replace"))
            _check(result, "the kernel refused the BPF program" + (f": {why}" if why else ""))
        held.note(result, "program", program_id(result))
        return result
    finally:
        close(described)


def _last_words(log: str) -> str:
    """The line of a verifier's log that says what is wrong: the last one, statistics aside."""
    after = ("processed ", "verification time", "stack depth", "-- END PROG LOAD LOG", "libbpf:")
    lines = [line.strip() for line in log.splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith(after)), "")


def attach(program: int, ifindex: int, hook: int, *, replace: int = 0, first: bool = False) -> None:
    """Hang a program on a device of this namespace, behind those that are there, or in place of one.

    ``replace`` is the descriptor of the program to be replaced; the swap is atomic. ``first``: ahead of
    those that are there.
    """
    flags = _F_REPLACE if replace else _F_BEFORE if first else 0
    options = _AttachOptions(c.sizeof(_AttachOptions), flags, replace)
    what = f"cannot attach a BPF program to interface {ifindex}"
    _check(_libbpf().bpf_prog_attach_opts(program, ifindex, hook, c.byref(options)), what)


def detach(program: int, ifindex: int, hook: int) -> None:
    """Take a program off a device."""
    what = f"cannot detach a BPF program from interface {ifindex}"
    _check(_libbpf().bpf_prog_detach2(program, ifindex, hook), what)


def attached(ifindex: int, hook: int) -> list[int]:
    """The ids of the programs on a hook, in their order. EINVAL: a kernel without tcx."""
    ids = (c.c_uint32 * _MOST_PROGRAMS)()
    options = _QueryOptions(
        c.sizeof(_QueryOptions), program_ids=c.cast(ids, c.c_void_p), program_count=_MOST_PROGRAMS
    )
    result = _libbpf().bpf_prog_query_opts(ifindex, hook, c.byref(options))
    if result == -errnos.ENOENT:
        return []
    _check(result, f"cannot query the BPF programs of interface {ifindex}")
    return list(ids[: options.program_count])


def program_by_id(number: int) -> int:
    """A descriptor of a loaded program. EPERM: this process does not hold it, and lacks CAP_SYS_ADMIN."""
    return _by_id("program", number, "bpf_prog_get_fd_by_id")


def map_by_id(number: int) -> int:
    """A descriptor of a map. EPERM as `program_by_id`."""
    return _by_id("map", number, "bpf_map_get_fd_by_id")


def _by_id(kind: held.Kind, number: int, function: str) -> int:
    fd = held.find(kind, number)
    fd = (
        os.dup(fd) if fd else _check(getattr(_libbpf(), function)(number), f"cannot open BPF {kind} {number}")
    )
    held.note(fd, kind, number)
    return fd


def _info(fd: int, info: c.Structure) -> None:
    size = c.c_uint32(c.sizeof(info))
    _check(_libbpf().bpf_obj_get_info_by_fd(fd, c.byref(info), c.byref(size)), "cannot query a BPF object")


def program_id(fd: int) -> int:
    info = _ProgramInfo()
    _info(fd, info)
    return int(info.id)


def map_id(fd: int) -> int:
    info = _MapInfo()
    _info(fd, info)
    return int(info.id)


def accept(fds: Iterable[int]) -> None:
    """Programs and maps that a predecessor held; what else is among them is closed."""
    for fd in fds:
        kind = held.kind_of(fd)
        if kind is None:
            os.close(fd)
        else:
            held.accept([(fd, kind, program_id(fd) if kind == "program" else map_id(fd))])


def program_name(fd: int) -> str:
    """At most 15 characters, as the kernel keeps them."""
    info = _ProgramInfo()
    _info(fd, info)
    return bytes(info.name).decode()


def program_maps(fd: int) -> list[int]:
    """The ids of the maps that a program uses."""
    ids = (c.c_uint32 * 64)()
    info = _ProgramInfo(map_count=64, map_ids=c.addressof(ids))
    _info(fd, info)
    return list(ids[: info.map_count])


def bind_map(program: int, map_fd: int) -> None:
    """Let a program keep a map that it does not use, for as long as it lives."""
    _check(_libbpf().bpf_prog_bind_map(program, map_fd, None), "cannot bind a BPF map to a program")


def map_shape(fd: int) -> tuple[str, int]:
    """Name and size of one value in bytes."""
    info = _MapInfo()
    _info(fd, info)
    return bytes(info.name).decode(), int(info.value_size)


def map_model(fd: int) -> MapModel:
    """By which another one like it can be made."""
    info = _MapInfo()
    _info(fd, info)
    return MapModel(info.type, bytes(info.name), info.key_size, info.value_size, info.max_entries, info.flags)


def create_map(model: MapModel) -> int:
    """An empty map; its descriptor."""
    options = _MapOptions(size=c.sizeof(_MapOptions), flags=model.flags)
    sizes = (c.c_uint32(model.key_size), c.c_uint32(model.value_size), c.c_uint32(model.max_entries))
    result = _libbpf().bpf_map_create(model.type, model.name, *sizes, c.byref(options))
    fd = _check(result, f"cannot create the BPF map {model.name.decode()}")
    held.note(fd, "map", map_id(fd))
    return fd


def read_map(fd: int, key: int, size: int) -> bytes:
    """One value of an array map; of a per-CPU one, the values of all possible CPUs in a row."""
    value = c.create_string_buffer(size)
    index = c.c_uint32(key)
    _check(_libbpf().bpf_map_lookup_elem(fd, c.byref(index), value), "cannot read a BPF map")
    return value.raw


def write_map(fd: int, key: int, value: bytes) -> None:
    """One value of an array map, whole."""
    index = c.c_uint32(key)
    _check(_libbpf().bpf_map_update_elem(fd, c.byref(index), value, c.c_uint64(0)), "cannot write a BPF map")


def read_hash(fd: int, key_size: int, value_size: int, most: int) -> dict[bytes, bytes]:
    """Everything in a hash map, at most ``most`` entries, in one call."""
    keys, values = c.create_string_buffer(key_size * most), c.create_string_buffer(value_size * most)
    count, following = c.c_uint32(most), c.create_string_buffer(8)
    result = _libbpf().bpf_map_lookup_batch(fd, None, following, keys, values, c.byref(count), None)
    if result != -errnos.ENOENT:  # said at the end of the map
        _check(result, "cannot read a BPF map")
    found = range(count.value)
    data, contents = keys.raw[: key_size * len(found)], values.raw[: value_size * len(found)]
    return {
        data[at * key_size : (at + 1) * key_size]: contents[at * value_size : (at + 1) * value_size]
        for at in found
    }


def write_hash(fd: int, key: bytes, value: bytes) -> None:
    """One entry of a hash map, new or not."""
    _check(_libbpf().bpf_map_update_elem(fd, key, value, c.c_uint64(0)), "cannot write a BPF map")


def delete_hash(fd: int, key: bytes) -> None:
    """Nothing to do where there is no such entry."""
    result = _libbpf().bpf_map_delete_elem(fd, key)
    if result != -errnos.ENOENT:
        _check(result, "cannot delete from a BPF map")


def possible_cpus() -> int:
    """How many values an entry of a per-CPU map has."""
    return _check(_libbpf().libbpf_num_possible_cpus(), "cannot count the CPUs")


@cache
def cpus() -> int:
    """One more than the highest number that a CPU of this machine can have; there may be gaps below."""
    try:
        # A list of ranges in ascending order.
        with open("/sys/devices/system/cpu/possible") as file:
            return int(re.split("[-,]", file.read())[-1]) + 1
    except OSError as error:
        raise DatapathError(error.errno or errnos.EIO, "cannot count the CPUs") from error


class RingBuffer:
    """The reading end of a ring buffer map; readable as a file when something was written to it."""

    def __init__(self, map_fd: int) -> None:
        self._samples: list[bytes] = []
        self._callback = _Sample(self._keep)
        handle = _libbpf().ring_buffer__new(map_fd, self._callback, None, None)
        if not handle:
            raise DatapathError(c.get_errno(), "cannot open the BPF ring buffer")
        self._handle = c.c_void_p(handle)

    def _keep(self, _context: int, data: int, size: int) -> int:
        self._samples.append(c.string_at(data, size))
        return 0

    def fileno(self) -> int:
        return int(_libbpf().ring_buffer__epoll_fd(self._handle))

    def take(self) -> list[bytes]:
        """What was written since the last call, without waiting."""
        _check(_libbpf().ring_buffer__consume(self._handle), "cannot read the BPF ring buffer")
        taken, self._samples = self._samples, []
        return taken

    def close(self) -> None:
        if self._handle:
            _libbpf().ring_buffer__free(self._handle)
            self._handle = c.c_void_p()


def duplicate(program: int) -> int:
    """Another descriptor of a program, that lives by itself."""
    fd = os.dup(program)
    held.note(fd, "program", program_id(fd))
    return fd


def close(fd: int) -> None:
    """Let go of a descriptor; what it stood for lives on while it is attached or used."""
    held.forget(fd)
    os.close(fd)
