"""``bond2team``: a bond of Red Hat's network scripts as a team, ifcfg files or a teamd.conf.

Owns the command line of the original and its files; what a bond is as a team is `config.bonding`'s.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pyteam.cli import terminal
from pyteam.cli.convert import BACKUPS, load
from pyteam.cli.terminal import Failure, Option
from pyteam.config import ConfigError
from pyteam.config.bonding.bond import Bond, Member
from pyteam.config.bonding.readers import ifcfg
from pyteam.config.bonding.texts import Text, read_name
from pyteam.config.bonding.to_team import team_of
from pyteam.config.bonding.writers import ifcfg as writer
from pyteam.config.report import Report

#: Of the original whose options these are; scripts ask for it.
VERSION: Final = "0.97"
_CONFIGDIR: Final = "/etc/sysconfig/network-scripts"


@dataclass(slots=True)
class Options:
    """What the options said."""

    master: str = ""
    rename: str = ""
    json: bool = False
    bonding_opts: str = ""
    ports: list[str] = field(default_factory=list)
    configdir: str = _CONFIGDIR
    outputdir: str = ""
    stdout: bool = False
    debug: bool = False
    quiet: bool = False


OPTIONS: Final = (
    Option("", "master", "IFACE|FILE", "The bond: its name, or its ifcfg file"),
    Option("", "rename", "IFACE", "Name of the team; default: the bond's"),
    Option("", "ifcfg", "", "Write ifcfg files (default)"),
    Option("", "json", "", "Write a teamd.conf"),
    Option("", "bonding_opts", "OPTIONS", 'Instead of those of the ifcfg file, as in "mode=1 miimon=100"'),
    Option("", "port", "IFACE", "With --json, a port instead of those of the ifcfg files; may be repeated"),
    Option("", "configdir", "DIR", f"Where the ifcfg files are ({_CONFIGDIR})"),
    Option("", "outputdir", "DIR", "Write files there; default: a new directory in /tmp"),
    Option("", "stdout", "", "Print instead of writing files"),
    Option("", "debug", "", "Say what is read"),
    Option("", "quiet", "", "Say nothing but errors"),
    Option("", "version", "", "Print the version of the options"),
    Option("", "help", "", "Print this help"),
    Option("", "examples", "", "Print examples"),
)
EXAMPLES: Final = """\
The ifcfg files of bond0 and its ports as those of a team, to look at:
    bond2team --master bond0 --stdout
The same with another name, into files; what else uses the name, as firewall rules, stays as it is:
    bond2team --master bond0 --rename team0 --outputdir /tmp/team0
ifcfg files that are elsewhere:
    bond2team --master bond0 --configdir /mnt/etc/sysconfig/network-scripts
As a teamd.conf:
    bond2team --master bond0 --json --stdout
Without any file:
    bond2team --bonding_opts "mode=1 miimon=500 primary=eth1" --port eth1 --port eth2 --json --stdout
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 1 with the reasons on stderr. ``argv`` is without the program's name."""
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] == terminal.ASK:
        from pyteam.cli import completion

        return completion.main("bond2team", words[1:])
    return terminal.finish(_run(words), help_text)


def help_text() -> str:
    return "".join(f"{line}\n" for line in ("bond2team [options]", *terminal.option_lines(OPTIONS)))


def _run(argv: Sequence[str]) -> Iterator[str]:
    found, words = terminal.read_options("bond2team", OPTIONS, argv)
    options = Options()
    for option, value in found:
        match option.name:
            case "help":
                yield help_text()
                return
            case "version":
                yield f"{VERSION}\n"
                return
            case "examples":
                yield EXAMPLES
                return
            case "ifcfg":
                options.json = False
            case "port":
                options.ports.append(value)
            case name:
                setattr(options, name, value if option.value else True)
    if words:
        raise Failure(f"ERROR:  unknown parameter: {words[0]}", show_help=True)
    if not options.master and not options.bonding_opts:
        raise Failure("ERROR:  give --master or --bonding_opts", show_help=True)
    if options.outputdir and not os.path.isdir(options.outputdir):
        raise Failure(f"ERROR:  no such directory: {options.outputdir}")
    report = Report("")
    try:
        texts = _convert(options, report)
    except ConfigError as error:
        problems = [f"ERROR:  {line}" for line in error.problems]
        raise Failure("\n".join([*_remarks(options, report), *problems])) from None
    for line in _remarks(options, report):
        print(line, file=sys.stderr)
    yield from _deliver(options, texts)


def _remarks(options: Options, report: Report) -> list[str]:
    return [] if options.quiet else [f"WARNING:  {line}" for line in dict.fromkeys(report.warnings)]


def _convert(options: Options, report: Report) -> Sequence[Text]:
    master, others = _files(options, report)
    bond = _bond(options, master, others, report)
    document = team_of(replace(bond, name=options.rename or bond.name or "team0"), report)
    if options.json:
        return [Text("teamd.conf", f"{document.dump()}\n")]
    if options.ports:
        report.warn((), "--port counts with --json only: ports are those whose ifcfg files say so")
    ports = {port.device: port.text.text for port in ifcfg.members(bond.name, others) if port.device}
    return writer.write(document.raw, master.text.text if master else "", ports)


def _files(options: Options, report: Report) -> tuple[ifcfg.File | None, Sequence[ifcfg.File]]:
    """The bond's ifcfg file, and all others of the directory. Raises `ConfigError`."""
    if not options.master:
        return None, ()
    path = options.master
    if not os.path.isfile(path):
        path = os.path.join(options.configdir, f"ifcfg-{path}")
    there = os.path.isfile(path)
    if not there and not options.bonding_opts:
        raise ConfigError([f"Can't find ifcfg file for {options.master}: no {path}"])
    others: list[str] = []
    if os.path.isdir(options.configdir):
        with os.scandir(options.configdir) as entries:
            named = [
                entry.path
                for entry in entries
                if entry.name.startswith("ifcfg-") and not entry.name.endswith(BACKUPS) and entry.is_file()
            ]
        others = sorted(other for other in named if not there or not os.path.samefile(other, path))
    texts = list(load([path, *others] if there else others, (), report))
    if options.debug:
        print("".join(f"DEBUG:  read {text.name}\n" for text in texts), end="", file=sys.stderr)
    read = [ifcfg.read_file(text) for text in texts]
    return (read[0], read[1:]) if there else (None, read)


def _bond(options: Options, master: ifcfg.File | None, others: Sequence[ifcfg.File], report: Report) -> Bond:
    """The bond of the file, or of --bonding_opts. Raises `ConfigError`."""
    name = (master.device or "") if master else options.master
    for option, word in (
        ("--master", name),
        ("--rename", options.rename),
        *(("--port", p) for p in options.ports),
    ):
        if word:
            read_name(option, word, report)
    if options.bonding_opts:
        chosen = ifcfg.bonding_options("--bonding_opts", options.bonding_opts, report)
        report.raise_errors()
        names = [port.device for port in ifcfg.members(name, others) if port.device]
        bond = Bond(name=name, members=tuple(map(Member, names)), **chosen)
    else:
        assert master
        found = ifcfg.read([file.text for file in (master, *others)], name, report)
        if not isinstance(found, Bond):
            raise ConfigError([f"{master.text.name}: it is a team already."])
        bond = found
    if options.ports and options.json:
        bond = replace(bond, members=tuple(map(Member, dict.fromkeys(options.ports))))
    return bond


def _deliver(options: Options, texts: Sequence[Text]) -> Iterator[str]:
    if options.stdout:
        for text in texts:
            fence = f"---8<--- {text.name} ---8<---\n"
            yield f"{fence}{text.text}{fence}\n"
        return
    directory = options.outputdir or tempfile.mkdtemp(prefix="bond2team.")
    paths = [os.path.join(directory, text.name) for text in texts]
    try:
        for path, text in zip(paths, texts, strict=True):
            with open(path, "w") as file:
                file.write(text.text)
    except OSError as error:
        raise Failure(f"ERROR:  {error.filename}: {error.strerror}") from None
    if not options.outputdir:
        yield "\nResulted files:\n"
        yield from (f"  {path}\n" for path in paths)


if __name__ == "__main__":
    sys.exit(main())
