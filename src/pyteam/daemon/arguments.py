"""The command line of teamd: one table, from which the parser and the help are made."""

from __future__ import annotations

import getopt
import importlib.util
import os
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from pyteam.errors import PyteamError

Command = Literal["run", "help", "kill", "check", "version", "check-config", "schema"]


class UsageError(PyteamError, ValueError):
    """The command line cannot be understood, or asks for what cannot be; the text says what."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What was asked for; what was not is at its default."""

    command: Command = "run"
    daemonize: bool = False
    #: Absolute.
    config_file: str | None = None
    config_text: str | None = None
    #: Absolute.
    config_dir: str | None = None
    pid_file: str | None = None
    #: How many -g.
    debug: int = 0
    log_output: str | None = None
    force_recreate: bool = False
    take_over: bool = False
    no_quit_destroy: bool = False
    team_device: str | None = None
    no_ports: bool = False
    dbus: bool = False
    zmq: str | None = None
    usock: bool = True
    datapath: str | None = None
    run_dir: str | None = None
    #: Id of the group that may look at the control socket.
    group: int | None = None
    #: What is remarkable about them, a line each.
    warnings: tuple[str, ...] = ()


class _Option(NamedTuple):
    short: str
    long: str
    #: Name of the argument; empty where the option takes none.
    metavar: str
    meaning: str
    #: Attribute of `Arguments`, and the value it gets where the option takes no argument.
    attribute: str
    value: object = True


_COUNT: Final = object()
TABLE: Final = (
    _Option("h", "help", "", "Show this help", "command", "help"),
    _Option("d", "daemonize", "", "Run in the background", "daemonize"),
    _Option("k", "kill", "", "Stop the running daemon of this team and wait for it", "command", "kill"),
    _Option("e", "check", "", "Exit with 0 if the daemon of this team runs, else with 1", "command", "check"),
    _Option("v", "version", "", "Show the version", "command", "version"),
    _Option("f", "config-file", "FILE", "Read the configuration from FILE", "config_file"),
    _Option("c", "config", "TEXT", "Take TEXT as the configuration; wins over -f", "config_text"),
    _Option("", "config-dir", "DIR", "Run the teams of all DIR/*.conf in one process", "config_dir"),
    _Option(
        "", "check-config", "", "Only check the configuration, exit with 0 or 1", "command", "check-config"
    ),
    _Option(
        "",
        "schema",
        "",
        "Show the JSON Schema of the configuration",
        "command",
        "schema",
    ),
    _Option("p", "pid-file", "FILE", "Keep the process id in FILE", "pid_file"),
    _Option("", "run-dir", "DIR", "Keep control socket and pid file in DIR", "run_dir"),
    _Option("", "group", "GROUP", "Let the members of GROUP look, by the control socket", "group"),
    _Option("g", "debug", "", "Log more; each one raises the level", "debug", _COUNT),
    _Option("l", "log-output", "OUTPUT", "Log to stdout, stderr or syslog", "log_output"),
    _Option("r", "force-recreate", "", "Delete a device of that name first", "force_recreate"),
    _Option("o", "take-over", "", "Adopt a team device of that name if there is one", "take_over"),
    _Option("N", "no-quit-destroy", "", "Leave device, ports and traffic alone at exit", "no_quit_destroy"),
    _Option("t", "team-dev", "DEVNAME", "Name the team device; wins over the configuration", "team_device"),
    _Option("n", "no-ports", "", "Do not add the configured ports", "no_ports"),
    _Option("", "datapath", "NAME", "auto, kernel or ebpf; wins over the configuration", "datapath"),
    _Option("D", "dbus-enable", "", "Serve D-Bus", "dbus"),
    _Option("Z", "zmq-enable", "ADDRESS", "Serve ZeroMQ on ADDRESS", "zmq"),
    _Option("U", "usock-enable", "", "Serve the unix socket (the default)", "usock"),
    _Option("u", "usock-disable", "", "Do not serve the unix socket", "usock", False),
)
LOG_OUTPUTS: Final = ("stdout", "stderr", "syslog")
#: Attribute of `Arguments`, what it asks for, and the module and package that it needs.
_PACKAGES: Final = (("dbus", "D-Bus", "dbus_fast", "dbus-fast"), ("zmq", "ZeroMQ", "zmq", "pyzmq"))
_DATAPATHS: Final = ("auto", "kernel", "ebpf")


def parse(words: list[str]) -> Arguments:
    """Read the words after the program's name. Raises `UsageError`.

    Of -h, -k, -e, -v, --check-config and --schema the last one wins; so of -U and -u.
    """
    short = "".join(option.short + ":" * bool(option.metavar) for option in TABLE if option.short)
    long = [option.long + "=" * bool(option.metavar) for option in TABLE]
    try:
        pairs, rest = getopt.gnu_getopt(words, short, long)
    except getopt.GetoptError as error:
        raise UsageError(f"{error.msg} (teamd --help lists the options)") from None
    if rest:
        raise UsageError(f'Too many arguments: the first is "{rest[0]}"')
    by_flag = {f"-{option.short}": option for option in TABLE if option.short}
    by_flag |= {f"--{option.long}": option for option in TABLE}
    given: dict[str, Any] = {}
    for flag, text in pairs:
        option = by_flag[flag]
        if option.value is _COUNT:
            given[option.attribute] = given.get(option.attribute, 0) + 1
        else:
            given[option.attribute] = text if option.metavar else option.value
    return _examined(given)


def _examined(given: dict[str, Any]) -> Arguments:
    """What was given by attribute, made sense of."""
    if given.get("datapath", "auto") not in _DATAPATHS:
        raise UsageError(f'--datapath: "{given["datapath"]}" is not one of {", ".join(_DATAPATHS)}')
    if given.get("command") in ("help", "version", "schema"):
        return Arguments(**given)
    for attribute, what, module, package in _PACKAGES:
        if attribute in given and importlib.util.find_spec(module) is None:
            raise UsageError(
                f"{what} support is not installed: no Python package {package} (pip install {package})"
            )
    if "group" in given:
        given["group"] = _group(given["group"])
    warnings = []
    if given.get("log_output", "stderr") not in LOG_OUTPUTS:
        output = given.pop("log_output")
        warnings.append(f'-l: "{output}" is not one of {", ".join(LOG_OUTPUTS)}; ignored.')
    if "config_dir" in given:
        of_one = (("config_file", "-f"), ("config_text", "-c"), ("team_device", "-t"), ("zmq", "-Z"))
        for attribute, flag in of_one:
            if attribute in given:
                raise UsageError(f"--config-dir: {flag} is for one team, the directory for many")
        given["config_dir"] = os.path.abspath(given["config_dir"])
    if "config_file" in given:
        # At once, as a daemon leaves the working directory; also when -c makes it useless.
        file = given["config_file"]
        try:
            given["config_file"] = os.path.realpath(file, strict=True)
        except OSError as error:
            raise UsageError(f'Failed to get absolute path of "{file}": {error.strerror}') from None
        if "config_text" in given:
            warnings.append("Command line config string is present, ignoring given config file.")
    return Arguments(**given, warnings=tuple(warnings))


def _group(name: str) -> int:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UsageError(f'--group: there is no group "{name}"') from None


def help_text(program: str, runners: list[str]) -> str:
    """What --help prints."""
    lines = [f"{program} [options]"]
    for option in TABLE:
        flags = f"-{option.short} " if option.short else "   "
        argument = f"={option.metavar}" if option.metavar else ""
        lines.append(f"    {flags}--{option.long + argument:<24} {option.meaning}")
    lines.append(f"Available runners: {', '.join(runners)}")
    return "\n".join(lines)
