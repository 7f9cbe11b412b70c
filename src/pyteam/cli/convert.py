"""``pyteam convert`` and ``team2bond``: a bond or a team from one form into another.

Owns the files and the messages; what is read, translated and written is `config.bonding`'s.
"""

from __future__ import annotations

import fnmatch
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pyteam.cli import terminal
from pyteam.cli.terminal import Failure, Option
from pyteam.config import ConfigError
from pyteam.config.bonding import forms
from pyteam.config.bonding.readers import READERS
from pyteam.config.bonding.texts import Text
from pyteam.config.bonding.words import interface_name
from pyteam.config.report import Report


@dataclass(slots=True)
class Options:
    """What the options said."""

    help: bool = False
    source: str = ""
    to: str = "teamd"
    name: str = ""
    rename: str = ""
    outputdir: str = ""


_COMMON: Final = (
    Option("h", "help", "", "Print this help"),
    Option("r", "rename", "NAME", "Name of what is made; default: the same as before"),
    Option("o", "outputdir", "DIR", "Write files there instead of printing them; none is overwritten"),
)
CONVERT: Final = (
    *_COMMON,
    Option("f", "from", "FORM", f"{', '.join(forms.READABLE)}; default: by the names of the files"),
    Option("t", "to", "FORM", f"{', '.join(forms.WRITABLE)}; default: teamd"),
    Option("n", "name", "NAME", "Which bond or team, where there are several"),
)
TEAM2BOND: Final = (
    *_COMMON,
    Option("O", "output", "FORM", f"{', '.join(forms.WRITABLE[1:])}; default: iproute2"),
)
#: Ends of names of files that are not in use, as Red Hat's network scripts have it.
BACKUPS: Final = ("~", ".bak", ".orig", ".rpmnew", ".rpmorig", ".rpmsave")
#: Options whose fields have other names.
_FIELDS: Final = {"from": "source", "output": "to"}


def convert(argv: Sequence[str]) -> int:
    """``pyteam convert``. The exit code: 0, or 1 with the reasons on stderr."""
    usage = "pyteam convert [options] FILE|DIRECTORY|- ..."
    return _run("pyteam convert", usage, CONVERT, Options(), argv)


def team2bond(argv: Sequence[str] | None = None) -> int:
    """``team2bond``. The exit code: 0, or 1 with the reasons on stderr."""
    defaults = Options(source="teamd", to="iproute2")
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] == terminal.ASK:
        from pyteam.cli import completion

        return completion.main("team2bond", words[1:])
    return _run("team2bond", "team2bond [options] FILE|-", TEAM2BOND, defaults, words)


def _run(program: str, usage: str, table: Sequence[Option], options: Options, argv: Sequence[str]) -> int:
    def help_text() -> str:
        return "".join(f"{line}\n" for line in (usage, *terminal.option_lines(table)))

    def output() -> Iterator[str]:
        found, words = terminal.read_options(program, table, argv)
        for option, value in found:
            setattr(options, _FIELDS.get(option.name, option.name), value if option.value else True)
        if options.help:
            yield help_text()
            return
        if not words:
            raise Failure(f"{program}: no file given.", show_help=True)
        report = Report("")
        try:
            texts = _convert(options, words, report)
        except ConfigError as error:
            lines = [f"{program}: {line}" for line in (*report.warnings, *error.warnings, *error.problems)]
            raise Failure("\n".join(dict.fromkeys(lines))) from None
        for warning in dict.fromkeys(report.warnings):
            print(f"{program}: {warning}", file=sys.stderr)
        yield from deliver(texts, options.outputdir)

    return terminal.finish(output(), help_text)


def _convert(options: Options, words: Sequence[str], report: Report) -> Sequence[Text]:
    source = options.source
    for way, form, known in (("read", source, forms.READABLE), ("write", options.to, forms.WRITABLE)):
        if form and form not in known:
            raise ConfigError([f"{form}: no form to {way}. Allowed: {', '.join(known)}."])
    for name in filter(None, (options.name, options.rename)):
        try:
            interface_name(name)
        except ValueError:
            raise ConfigError([f"{name}: no interface can have this name."]) from None
    texts = list(load(words, READERS[source].files if source else (), report))
    source = source or next(filter(None, (forms.guess(text.name) for text in texts)), "")
    if not source:
        what = f"{' '.join(words)}: the name does not say what it is"
        raise ConfigError([f"{what}. Give --from, one of {', '.join(forms.READABLE)}."])
    found = forms.read(source, texts, options.name, report)
    return forms.write(options.to, found, options.rename, report)


def load(words: Iterable[str], patterns: Sequence[str], report: Report) -> Iterator[Text]:
    """The files by name; of a directory those that match, of one with no patterns those of any form.

    ``-`` is standard input. Raises `ConfigError`.
    """
    patterns = patterns or [pattern for reader in READERS.values() for pattern in reader.files]
    for word in words:
        paths = [word]
        try:
            if os.path.isdir(word):
                names = sorted(os.listdir(word))
                paths = [
                    os.path.join(word, name)
                    for name in names
                    if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
                    and not name.endswith(BACKUPS)
                ]
                if not paths:
                    report.error((), f"{word}: no file named {' or '.join(patterns)} there.")
            for path in paths:
                yield Text(path, _read(path, report))
        except OSError as error:
            report.error((), f"{error.filename or word}: {error.strerror}.")
    report.raise_errors()


def _read(path: str, report: Report) -> str:
    if path == "-":
        content = sys.stdin.buffer.read()
    else:
        with open(path, "rb") as file:
            content = file.read()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        report.error((), f"{path}: {error.reason}, not UTF-8, at byte {error.start}.")
        return ""


def deliver(texts: Sequence[Text], directory: str) -> Iterator[str]:
    """What is to be printed; nothing where it goes into files. Raises `Failure`."""
    for text in texts:
        if not directory:
            yield f"# {text.name}\n{text.text}\n" if len(texts) > 1 else text.text
            continue
        try:
            with open(os.path.join(directory, text.name), "x") as file:
                file.write(text.text)
        except OSError as error:
            raise Failure(f"{error.filename}: {error.strerror}.") from None


if __name__ == "__main__":
    sys.exit(team2bond())
