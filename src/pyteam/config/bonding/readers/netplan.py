"""netplan's YAML. Needs PyYAML (the extra ``netplan``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pyteam.config.bonding.bond import Bond, Member, options
from pyteam.config.bonding.texts import (
    Setting,
    Text,
    choose,
    read_name,
    read_settings,
    read_word,
    refuse,
    unknown,
)
from pyteam.config.bonding.words import Address, Number
from pyteam.config.report import ConfigError, Report

_TIME: Final = re.compile(r"([0-9]{1,10})\s*(ms|s|)", re.ASCII)
_MS: Final = {"ms": 1, "s": 1000}
_OURS: Final = ("interfaces", "parameters", "macaddress")
#: What netplan takes for a bond besides; it says nothing of the bond itself.
_ABOUT_NETPLAN: Final = ("renderer", "optional")


def read(texts: Sequence[Text], name: str, report: Report) -> Bond:
    """The bond of that name, or the only one. Raises `ConfigError`."""
    try:
        import yaml
    except ImportError:
        raise ConfigError(["netplan: needs PyYAML: pip install PyYAML (Debian: python3-yaml)"]) from None
    bonds: dict[str, Bond] = {}
    networks = []
    for text in texts:
        try:
            root = yaml.compose(text.text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            report.error((), f"{text.name}:{line}: no YAML: {error.problem or error.context}.")
        except yaml.YAMLError as error:
            report.error((), f"{text.name}: no YAML: {str(error).splitlines()[0]}.")
        except RecursionError:
            report.error((), f"{text.name}: no configuration is nested that deep.")
        else:
            networks.append(_Node(text.name, "", root).member("network", report))
    devices = [node.member(kind, report) for node in networks for kind in ("ethernets", "wifis", "modems")]
    renamed = {
        key: value
        for node in devices
        for key, device in node.members(report)
        if (value := device.member("set-name", report).text(report))
    }
    for network in networks:
        for found, node in network.member("bonds", report).members(report):
            if read_name(node.where, found, report):
                bonds[found] = _bond(found, node, renamed, report)
    return choose(bonds, name, " ".join(text.name for text in texts), report)


class _Node:
    """A place in the YAML; one that is not there is empty."""

    def __init__(self, file: str, path: str, node: Any) -> None:
        self._file = file
        self._path = path
        self._node = node

    @property
    def where(self) -> str:
        line = f":{self._node.start_mark.line + 1}" if self._node else ""
        return f"{self._file}{line}: {self._path}"

    def __bool__(self) -> bool:
        return self._node is not None

    def members(self, report: Report) -> Iterator[tuple[str, _Node]]:
        if not self or self._is("null"):
            return
        if self._node.id != "mapping":
            refuse(report, self.where, self._node.id, "a mapping")
            return
        for key, value in self._node.value:
            if key.id == "scalar":
                yield key.value, _Node(self._file, f"{self._path}.{key.value}".lstrip("."), value)
            else:
                refuse(
                    report, f"{self._file}:{key.start_mark.line + 1}: {self._path}", key.id, "a word as key"
                )

    def member(self, key: str, report: Report) -> _Node:
        found = [node for name, node in self.members(report) if name == key]
        return found[-1] if found else _Node(self._file, f"{self._path}.{key}".lstrip("."), None)

    def text(self, report: Report) -> str:
        """The words of a scalar; empty, after an error, where it is none."""
        if self and self._node.id != "scalar":
            refuse(report, self.where, self._node.id, "one value")
        return str(self._node.value) if self and self._node.id == "scalar" else ""

    def items(self, report: Report) -> list[_Node]:
        """Each item of a sequence; a scalar is one."""
        if not self or self._is("null"):
            return []
        if self._node.id != "sequence":
            return [self]
        return [_Node(self._file, f"{self._path}[{at}]", item) for at, item in enumerate(self._node.value)]

    def _is(self, tag: str) -> bool:
        return bool(self._node.tag == f"tag:yaml.org,2002:{tag}")


def _bond(name: str, node: _Node, renamed: dict[str, str], report: Report) -> Bond:
    by_key = {key: known for known, option in options().items() for key in option.netplan}
    settings = []
    for key, value in node.member("parameters", report).members(report):
        option = by_key.get(key)
        if option is None:
            unknown(report, value.where, key, by_key)
            continue
        words = [text for item in value.items(report) if (text := item.text(report))]
        if words:
            settings.append(Setting(value.where, option, _own_unit(option, ",".join(words))))
    address = node.member("macaddress", report)
    found = read_word(Address(), address.where, text, report) if (text := address.text(report)) else None
    others = [key for key, _ in node.members(report) if key not in (*_OURS, *_ABOUT_NETPLAN)]
    if others:
        report.warn((), f"{node.where}: left to whatever gives addresses: {', '.join(others)}.")
    members = [
        Member(renamed.get(text, text))
        for item in node.member("interfaces", report).items(report)
        if (text := item.text(report)) and read_name(item.where, renamed.get(text, text), report)
    ]
    options_found = read_settings(settings, report)
    if "primary" in options_found:
        options_found["primary"] = renamed.get(options_found["primary"], options_found["primary"])
    return Bond(name=name, address=found or "", members=tuple(dict.fromkeys(members)), **options_found)


def _own_unit(option: str, text: str) -> str:
    """Numbers without a unit have bonding's own."""
    kind = options()[option].kind
    match = _TIME.fullmatch(text)
    if not isinstance(kind, Number) or not kind.unit or not match or not match[2]:
        return text
    return str(int(match[1]) * _MS[match[2]] // _MS[kind.unit])
