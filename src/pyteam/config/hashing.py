"""The kinds of values by which users say how packets are hashed: words, or a function of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pyteam.config.fields import Kind, Words, quoted
from pyteam.config.records import read_record, record_schema
from pyteam.config.report import Path, Report
from pyteam.txhash import ProgramError, check, encode, make, parse

#: The keys of which one is given, and what each says.
_ONE_OF: Final = ("bpf", "bpf_file", "ebpf_file")


@dataclass(kw_only=True, eq=False, repr=False)
class Program(Kind):
    """A classic BPF program that the kernel would take; typed, the bytes of struct sock_filter."""

    def allowed(self) -> str:
        return "an array of [code, jt, jf, k] arrays, or the text that tcpdump -ddd prints"

    def decode(self, value: object, path: Path, report: Report) -> Any:
        try:
            if isinstance(value, str):
                return encode(parse(value))
            if isinstance(value, list):
                return self._from_numbers(value, path, report)
        except ProgramError as error:
            return self.refuse(value, path, report, f"{error}.")
        return self.refuse(value, path, report)

    def _from_numbers(self, value: list[object], path: Path, report: Report) -> Any:
        program = []
        for at, item in enumerate(value):
            numbers = item if isinstance(item, list) else []
            try:
                if not numbers or any(type(number) is not int for number in numbers):
                    raise ProgramError("not an array of integers")
                program.append(make(numbers))
            except ProgramError as error:
                report.error((*path, at), f"{error}.")
        return encode(check(tuple(program))) if len(program) == len(value) else None

    def schema(self) -> dict[str, Any]:
        number = {"type": "integer", "minimum": 0}
        instruction = {"type": "array", "items": number, "minItems": 4, "maxItems": 4}
        return {
            "anyOf": [{"type": "string"}, {"type": "array", "items": instruction, "minItems": 1}],
            "examples": [[[0x80, 0, 0, 0], [0x16, 0, 0, 0]], "1\n6 0 0 0\n"],
        }


@dataclass(kw_only=True, eq=False, repr=False)
class WordsOrFunction(Words):
    """Words, or an object that is a record: a function of the user's own, given in one of the ways."""

    of: type

    def allowed(self) -> str:
        return f"{super().allowed()}, or an object with one of {quoted(_ONE_OF)}"

    def decode(self, value: object, path: Path, report: Report) -> Any:
        if not isinstance(value, dict):
            return super().decode(value, path, report)
        given = [key for key in _ONE_OF if key in value]
        if len(given) != 1:
            found = f"found {quoted(given)}" if given else "found none of them"
            return self.refuse(value, path, report, f"{found}; one is needed, and only one.")
        needs_name = given == ["ebpf_file"]
        if needs_name and "function" not in value:
            return self.refuse(value, path, report, '"function" is missing: its name in the file.')
        if not needs_name and "function" in value:
            report.warn((*path, "function"), 'has no meaning without "ebpf_file"; ignored.')
        return read_record(self.of, value, path, report)

    def schema(self) -> dict[str, Any]:
        keys = record_schema(self.of)["properties"]
        ways = []
        for key in _ONE_OF:
            needed = [key, "function"] if key == "ebpf_file" else [key]
            others = [{"required": [other]} for other in _ONE_OF if other != key]
            ways.append(
                {
                    "type": "object",
                    "properties": {name: keys[name] for name in needed},
                    "required": needed,
                    "not": {"anyOf": others},
                }
            )
        return {"anyOf": [super().schema(), *ways]}
