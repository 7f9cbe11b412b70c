"""The state of a team as text for people: what ``teamdctl TEAM state view`` prints.

A pure function of the nested state of ``StateDump``; must not know the daemon or the terminal. The
text is the original's, line by line, for scripts match on it, but for items that only we have. What
the state does not have is not shown: a port that is only half there must not hide the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

State = Mapping[str, object]


def _plain(value: object) -> str:
    return str(value)


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _up(value: object) -> str:
    return "up" if value else "down"


def _hex(value: object) -> str:
    return f"{value:#x}" if isinstance(value, int) else str(value)


class Row(NamedTuple):
    """One line: its label, the item it shows, how, and whether ``-v`` must be given for it."""

    label: str
    key: str
    show: Callable[[object], str] = _plain
    verbose: bool = False


SETUP = (
    Row("runner", "runner_name"),
    Row("kernel team mode", "kernel_team_mode_name", verbose=True),
    Row("D-BUS enabled", "dbus_enabled", _yes, verbose=True),
    Row("ZeroMQ enabled", "zmq_enabled", _yes, verbose=True),
    Row("debug level", "debug_level", verbose=True),
    Row("daemonized", "daemonized", _yes, verbose=True),
    Row("PID", "pid", verbose=True),
    Row("PID file", "pid_file", verbose=True),
    Row("datapath", "datapath", verbose=True),
)
PORT = (
    Row("ifindex", "ifindex", verbose=True),
    Row("addr", "dev_addr", verbose=True),
)
WATCH = (
    Row("name", "name"),
    Row("link", "up", _up),
    Row("down count", "down_count"),
    Row("problem", "problem"),
    Row("link up delay", "delay_up", verbose=True),
    Row("link down delay", "delay_down", verbose=True),
    Row("source host", "source_host", verbose=True),
    Row("target host", "target_host", verbose=True),
    Row("interval", "interval", verbose=True),
    Row("missed packets", "missed_packets", verbose=True),
    Row("validate_active", "validate_active", _yes, verbose=True),
    Row("validate_inactive", "validate_inactive", _yes, verbose=True),
    Row("send_always", "send_always", _yes, verbose=True),
    Row("initial wait", "init_wait", verbose=True),
    Row("VLAN", "vlanid", verbose=True),
    Row("tipc bearer", "tipc_bearer", verbose=True),
)
PORT_RUNNER = (
    Row("aggregator ID", "aggregator"),
    Row("selected", "selected", _yes),
    Row("state", "state"),
    Row("key", "key", verbose=True),
    Row("priority", "prio", verbose=True),
    Row("entries", "entries", verbose=True),
    Row("weight", "weight", verbose=True),
)
LACPDU = (
    Row("system priority", "system_priority"),
    Row("system", "system"),
    Row("key", "key"),
    Row("port_priority", "port_priority"),
    Row("port", "port"),
    Row("state", "state", _hex),
)
RUNNER = (
    Row("active port", "active_port"),
    Row("active", "active", _yes),
    Row("fast rate", "fast_rate", _yes),
    Row("system priority", "sys_prio", verbose=True),
)
RX_BALANCER = (
    Row("name", "name"),
    Row("primary port", "primary"),
    Row("neighbours", "neighbours"),
    Row("moves", "moves", verbose=True),
)
NEIGHBOUR = (
    Row("sends to", "uses"),
    Row("received bytes", "rx_bytes"),
)


def render(state: State, verbose: bool = False) -> str:
    """The whole text, each line ended by a newline; ``verbose`` shows every line there is."""
    return "".join(f"{line}\n" for line in _team(state, verbose))


def _team(state: State, verbose: bool) -> Iterator[str]:
    yield "setup:"
    yield from _rows(SETUP, _group(state, "setup"), verbose, 2)
    if "ports" in state:
        yield "ports:"
        ports = _group(state, "ports")
        for name in ports:
            yield f"  {name}"
            yield from _port(_group(ports, name), verbose)
    runner = [
        *_rows(RUNNER, _group(state, "runner"), verbose, 2),
        *_section("rx balancer", RX_BALANCER, _group(_group(state, "runner"), "rx_balancer"), verbose, 2),
    ]
    if runner:
        yield "runner:"
        yield from runner


def _port(port: State, verbose: bool) -> Iterator[str]:
    yield from _rows(PORT, _group(port, "ifinfo"), verbose, 4)
    link = _group(port, "link")
    if verbose and link:
        speed, duplex = link.get("speed"), link.get("duplex")
        yield f"    ethtool link: {speed}mbit/{duplex}duplex/{_up(link.get('up'))}"
    if "link_watches" in port:
        yield "    link watches:"
        watches = _group(port, "link_watches")
        yield f"      link summary: {_up(watches.get('up'))}"
        instances = _group(watches, "list")
        for name in instances:
            yield f"      instance[{name}]:"
            yield from _rows(WATCH, _watch(_group(instances, name)), verbose, 8)
    runner = list(_port_runner(_group(port, "runner"), verbose))
    if runner:
        yield "    runner:"
        yield from runner


def _rx_neighbours(neighbours: State, verbose: bool) -> Iterator[str]:
    if "count" in neighbours:
        yield f"      rx neighbours: {neighbours['count']}"
    stations = _group(neighbours, "list") if verbose else {}
    for mac in stations:
        yield from _section(mac, NEIGHBOUR, _group(stations, mac), verbose, 8)


def _watch(watch: State) -> State:
    if "missed" in watch and "missed_max" in watch:
        return {**watch, "missed_packets": f"{watch['missed']}/{watch['missed_max']}"}
    return watch


def _port_runner(runner: State, verbose: bool) -> Iterator[str]:
    aggregator = _group(runner, "aggregator")
    if aggregator:
        selected = ", Selected" if aggregator.get("selected") else ""
        runner = {**runner, "aggregator": f"{aggregator.get('id')}{selected}"}
    yield from _rows(PORT_RUNNER, runner, verbose, 6)
    yield from _rx_neighbours(_group(runner, "rx_neighbours"), verbose)
    for end in ("actor", "partner"):
        lacpdu = _group(runner, f"{end}_lacpdu_info")
        if verbose and lacpdu:
            yield f"      {end} LACPDU info:"
            yield from _rows(LACPDU, lacpdu, verbose, 8)


def _rows(rows: tuple[Row, ...], values: State, verbose: bool, indent: int) -> Iterator[str]:
    for row in rows:
        if row.key in values and (verbose or not row.verbose):
            yield f"{' ' * indent}{row.label}: {row.show(values[row.key])}"


def _section(title: str, rows: tuple[Row, ...], values: State, verbose: bool, indent: int) -> Iterator[str]:
    lines = list(_rows(rows, values, verbose, indent + 2))
    if lines:
        yield f"{' ' * indent}{title}:"
        yield from lines


def _group(state: State, key: str) -> State:
    value = state.get(key)
    return value if isinstance(value, dict) else {}
