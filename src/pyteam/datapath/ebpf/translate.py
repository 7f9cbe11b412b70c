"""A hash function in classic BPF, translated to eBPF: the same result for every packet. Pure.

The translation is one function, ``int hash(struct __sk_buff *)``, and holds the program twice:

* fast: reads the packet in place, after a comparison with its end. What was compared once is known
  from there on, so that few loads need one of their own.
* exact: leaves each load to the kernel (BPF_LD_ABS, BPF_LD_IND), whose rules for what lies beyond the
  first fragment, before the packet or behind it are then the driver's, to the letter.

A comparison that fails goes from the fast to the exact one, at the same place, for good. A function
that uses the kernel's loads returns 0 where one fails, as a classic program does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pyteam.datapath.ebpf import bytecode as e
from pyteam.datapath.ebpf.bytecode import Code, Instruction, signed
from pyteam.txhash import classic as c
from pyteam.txhash.classic import Program

# Registers: what calls leave alone, and the rest for passing results.
_RESULT, _AHEAD, _END, _AT = 0, 1, 2, 3
_CONTEXT, _A, _X, _DATA = 6, 7, 8, 9
_ACCUMULATOR_OR_INDEX: Final = {c.LD: _A, c.LDX: _X, c.ST: _A, c.STX: _X}

# struct __sk_buff, uapi linux/bpf.h.
_LENGTH, _PKT_TYPE, _MARK, _PROTOCOL = 0, 4, 8, 16
_VLAN_PRESENT, _VLAN_TCI, _VLAN_PROTO, _HASH = 20, 24, 28, 68
_PACKET, _PACKET_END = 76, 80

# enum bpf_func_id.
_GET_PRANDOM_U32, _GET_SMP_PROCESSOR_ID = 7, 8
_ARPHRD_ETHER: Final = 1

_FIELDS: Final = {
    c.PKTTYPE: _PKT_TYPE,
    c.MARK: _MARK,
    c.RXHASH: _HASH,
    c.VLAN_TAG: _VLAN_TCI,
    c.VLAN_TAG_PRESENT: _VLAN_PRESENT,
}
_BIG_ENDIAN_FIELDS: Final = {c.PROTOCOL: _PROTOCOL, c.VLAN_TPID: _VLAN_PROTO}
_CALLS: Final = {c.CPU: _GET_SMP_PROCESSOR_ID, c.RANDOM: _GET_PRANDOM_U32}

#: What a program may ask of the kernel driver, and not of this datapath: why.
_REFUSED: Final = {
    c.QUEUE: "a packet's transmit queue (#queue) is chosen later on this datapath than in the kernel driver",
    c.PAY_OFFSET: "the kernel does not tell an eBPF program where the payload begins (#poff)",
    c.NLATTR: "netlink attributes (#nla) are of no meaning in a packet",
    c.NLATTR_NEST: "netlink attributes (#nlan) are of no meaning in a packet",
}

_SIZES: Final = {c.W: 4, c.H: 2, c.B: 1}
_INVERSE: Final = {c.JEQ: e.JNE, c.JGT: e.JLE, c.JGE: e.JLT}
#: Bytes that are compared with the packet's end at once, if the program wants so many: an ARP packet
#: has the first, a UDP packet over IPv6 the second.
_GULPS: Final = (42, 62)
#: Instructions of the longest translation that has both halves.
_LONG: Final = 4096
#: How far into a packet the fast program reads by itself; the machine's offsets are 16 bits.
_FAR: Final = 0x7000

#: Half of the translation, and instruction of the program.
Place = tuple[str, int]
_ZERO: Final = ("zero", 0)


class UntranslatableError(ValueError):
    """The program cannot work on this datapath; the text says why."""


def translate(program: Program, ifindex: int = 0) -> Code:
    """The function for a program that `pyteam.txhash` found correct. Raises `UntranslatableError`.

    ``ifindex``: the team device, which is where the kernel driver sees a packet.
    """
    for at, (code, _, _, k) in enumerate(program):
        if _is_absolute(code) and k in _REFUSED:
            raise UntranslatableError(f"instruction {at}: {_REFUSED[k]}")
    text = _Writer(program, ifindex).both()
    if text.length > _LONG:
        # Jumps would not reach in the end, and the kernel's verifier takes its time: the exact half will do.
        text = _Writer(program, ifindex).only_exact()
    return text.code()


class _Text:
    """Code in the making. A jump names its place, which is known when everything is written."""

    def __init__(self) -> None:
        self._code: Code = []
        self._places: dict[Place, int] = {}
        self._jumps: dict[int, Place] = {}

    def __call__(self, code: int, to: int = 0, source: int = 0, offset: int = 0, k: int = 0) -> None:
        self._code.append(Instruction(code, to, source, offset, signed(k)))

    def place(self, place: Place) -> None:
        self._places[place] = len(self._code)

    def jump(self, place: Place, code: int = c.JMP | c.JA, a: int = 0, b: int = 0, k: int = 0) -> None:
        self._jumps[len(self._code)] = place
        self(code, a, b, k=k)

    def leave(self, value: int | None = None) -> None:
        """Return the accumulator, or a number."""
        if value is None:
            self(c.ALU | e.MOV | c.X, _RESULT, _A)
        else:
            self(c.ALU | e.MOV | c.K, _RESULT, k=value)
        self(e.EXIT)

    @property
    def length(self) -> int:
        return len(self._code)

    def code(self) -> Code:
        for at, place in self._jumps.items():
            self._code[at] = self._code[at]._replace(offset=self._places[place] - at - 1)
        return self._code


class _Writer:
    def __init__(self, program: Program, ifindex: int) -> None:
        self._program = program
        self._about = {c.IFINDEX: ifindex, c.HATYPE: _ARPHRD_ETHER}
        #: Where the loads that can be compared beforehand end.
        self._ends = [k + _SIZES[code & 0x18] for code, _, _, k in program if _is_static(code, k)]
        #: Where the fast half may be left.
        self._left: set[int] = set()
        self._zero_wanted = False
        self._text = text = _Text()
        text(e.ALU64 | e.MOV | c.X, _CONTEXT, 1)
        text(c.ALU | e.MOV | c.K, _A)
        text(c.ALU | e.MOV | c.K, _X)

    def both(self) -> _Text:
        self._text(c.LDX | c.W | c.MEM, _DATA, _CONTEXT, _PACKET)
        self._write("fast", {0}, self._load_in_place)
        return self._finish(self._left)

    def only_exact(self) -> _Text:
        return self._finish({0})

    def _finish(self, entries: set[int]) -> _Text:
        self._write("exact", entries, self._kernel_load)
        if self._zero_wanted:
            self._text.place(_ZERO)
            self._text.leave(0)
        return self._text

    def _write(self, half: str, entries: set[int], load: Callable[[int, int], int]) -> None:
        """The program as far as it is reached: the kernel refuses code that is not, classic BPF does not.

        ``load`` writes a load, given how many bytes of the packet are known to be there; and answers
        how many are afterwards.
        """
        known = dict.fromkeys(entries, 0)
        for at, (code, _, _, _) in enumerate(self._program):
            if at not in known:
                continue
            self._text.place((half, at))
            there = known[at]
            if code & 7 in (c.LD, c.LDX) and code & 0xE0 in (c.ABS, c.IND, c.MSH):
                there = load(at, there)
            else:
                self._write_one(half, at)
            for following in _successors(self._program, at):
                known[following] = min(known.get(following, there), there)

    def _write_one(self, half: str, at: int) -> None:
        text = self._text
        code, jt, jf, k = self._program[at]
        class_, operation, source = code & 7, code & 0xF0, code & c.X
        match class_:
            case c.LD | c.LDX:
                register = _ACCUMULATOR_OR_INDEX[class_]
                match code & 0xE0:
                    case c.IMM:
                        text(c.ALU | e.MOV | c.K, register, k=k)
                    case c.LEN:
                        text(c.LDX | c.W | c.MEM, register, _CONTEXT, _LENGTH)
                    case c.MEM:
                        text(c.LDX | c.W | c.MEM, register, e.FRAME, _word(k))
            case c.ST | c.STX:
                text(c.STX | c.W | c.MEM, e.FRAME, _ACCUMULATOR_OR_INDEX[class_], _word(k))
            case c.ALU if operation == c.NEG:
                text(c.ALU | c.NEG, _A)
            case c.ALU if source:
                if operation in (c.DIV, c.MOD):
                    self._zero_wanted = True
                    text.jump(_ZERO, e.JMP32 | c.JEQ | c.K, _X)
                text(c.ALU | operation | c.X, _A, _X)
            case c.ALU:
                text(c.ALU | operation | c.K, _A, k=k)
            case c.JMP:
                after = at + 1
                if operation == c.JA or jt == jf:
                    self._go(half, after, after + (k if operation == c.JA else jt))
                    return
                test, near, far = operation, after + jf, after + jt
                if jt == 0 and operation in _INVERSE:
                    test, near, far = _INVERSE[operation], far, near
                compared = {"b": _X} if source else {"k": k}
                text.jump((half, far), e.JMP32 | test | source, _A, **compared)
                self._go(half, after, near)
            case c.RET:
                text.leave(None if code & 0x18 == c.A else k)
            case c.MISC if code & 0xF8 == c.TXA:
                text(c.ALU | e.MOV | c.X, _A, _X)
            case c.MISC:
                text(c.ALU | e.MOV | c.X, _X, _A)

    def _go(self, half: str, after: int, to: int) -> None:
        if to != after:
            self._text.jump((half, to))

    # Loads from and about the packet

    def _kernel_load(self, at: int, there: int) -> int:
        code, _, _, k = self._program[at]
        if code & 0xE0 == c.MSH:
            self._text(c.LD | c.ABS | c.B, k=k)
            self._header_length()
        elif not (_is_absolute(code) and self._ancillary(k)):
            self._text(code, source=_X if code & 0xE0 == c.IND else 0, k=k)
            self._text(c.ALU | e.MOV | c.X, _A, _RESULT)
        return there

    def _load_in_place(self, at: int, there: int) -> int:
        code, _, _, k = self._program[at]
        end = k + _SIZES[code & 0x18]
        if end > _FAR:
            return self._kernel_load(at, there)
        if code & 0xE0 == c.IND:
            self._text(c.ALU | e.MOV | c.X, _AT, _X)
            self._leave_if(at, e.JMP32 | c.JGT | c.K, _AT, k=_FAR)
            self._text(e.ALU64 | c.ADD | c.X, _AT, _DATA)
            self._compare(at, _AT, end)
            self._read(code, _A, _AT, k)
            return there
        if end > there:
            gulp = next((gulp for gulp in _GULPS if gulp >= end), end)
            there = max(end for end in self._ends if end <= gulp)
            self._compare(at, _DATA, there)
        if code & 0xE0 == c.MSH:
            self._read(c.B, _RESULT, _DATA, k)
            self._header_length()
        else:
            self._read(code, _A, _DATA, k)
        return there

    def _leave_if(self, at: int, code: int, a: int, b: int = 0, k: int = 0) -> None:
        self._left.add(at)
        self._text.jump(("exact", at), code, a, b, k)

    def _compare(self, at: int, register: int, more: int) -> None:
        """Leave the fast half unless the packet has so many more bytes than where the register is."""
        text = self._text
        text(e.ALU64 | e.MOV | c.X, _AHEAD, register)
        text(e.ALU64 | c.ADD | c.K, _AHEAD, k=more)
        text(c.LDX | c.W | c.MEM, _END, _CONTEXT, _PACKET_END)
        self._leave_if(at, c.JMP | c.JGT | c.X, _AHEAD, _END)

    def _read(self, code: int, to: int, base: int, offset: int) -> None:
        size = code & 0x18
        self._text(c.LDX | size | c.MEM, to, base, offset)
        if size != c.B:
            self._text(c.ALU | e.BIG_ENDIAN, to, k=8 * _SIZES[size])

    def _header_length(self) -> None:
        text = self._text
        text(c.ALU | e.MOV | c.X, _X, _RESULT)
        text(c.ALU | c.AND | c.K, _X, k=0xF)
        text(c.ALU | c.LSH | c.K, _X, k=2)

    def _ancillary(self, k: int) -> bool:
        """What is not of the packet but about it; False for another load."""
        text = self._text
        if k == c.ALU_XOR_X:
            text(c.ALU | c.XOR | c.X, _A, _X)
        elif k in self._about:
            text(c.ALU | e.MOV | c.K, _A, k=self._about[k])
        elif k in _FIELDS:
            text(c.LDX | c.W | c.MEM, _A, _CONTEXT, _FIELDS[k])
        elif k in _BIG_ENDIAN_FIELDS:
            text(c.LDX | c.W | c.MEM, _A, _CONTEXT, _BIG_ENDIAN_FIELDS[k])
            text(c.ALU | e.BIG_ENDIAN, _A, k=16)
        elif k in _CALLS:
            text(e.CALL, k=_CALLS[k])
            text(c.ALU | e.MOV | c.X, _A, _RESULT)
        else:
            return False
        return True


def _successors(program: Program, at: int) -> tuple[int, ...]:
    """The instructions that may come next."""
    code, jt, jf, k = program[at]
    if code & 7 == c.RET:
        return ()
    if code & 7 != c.JMP:
        return (at + 1,)
    return (at + 1 + k,) if code & 0xF0 == c.JA else (at + 1 + jt, at + 1 + jf)


def _is_absolute(code: int) -> bool:
    return code & 0xE7 == c.LD | c.ABS


def _is_static(code: int, k: int) -> bool:
    """Whether it is a load from a place that is known, and not far."""
    return (_is_absolute(code) or code == c.LDX | c.B | c.MSH) and k + 4 <= _FAR


def _word(k: int) -> int:
    """Where on the stack a word of scratch memory is."""
    return -4 * (k + 1)
