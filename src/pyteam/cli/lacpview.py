"""LACP for people: what ``teamdctl TEAM lacp`` prints.

A pure function of the nested state of ``StateDump``; must not know the daemon or the terminal. What the
state does not have is not shown: the daemon may be another's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

State = Mapping[str, object]

#: The bits of a state octet, lowest first: the word where it is set, and where it is not, if there is one.
_BITS: Final = (
    ("active", "passive"),
    ("short-timeout", "long-timeout"),
    ("aggregation", "individual"),
    ("sync", ""),
    ("collecting", ""),
    ("distributing", ""),
    ("defaulted", ""),
    ("expired", ""),
)
#: Items of a port that are told only when they are true.
_REMARKS: Final = (
    ("fallback", "in use without a partner (fallback)"),
    ("actor_churn", "churn: we have not been in sync for a minute"),
    ("partner_churn", "churn: the partner has not been in sync for a minute"),
)
_COUNTERS: Final = (
    ("markers_received", "markers received"),
    ("marker_responses_sent", "markers answered"),
    ("marker_responses_received", "marker responses received"),
    ("illegal", "malformed"),
    ("unknown", "of other slow protocols"),
    ("control_dropped", "dropped in a flood"),
    ("state_changes", "changes of state"),
)
_LABEL: Final = 12
_USUAL_RETRY_COUNT: Final = 3


def render(device: str, state: State) -> str:
    """The whole text, each line ended by a newline."""
    return "".join(f"{line}\n" for line in _team(device, state))


def excerpt(state: State) -> dict[str, object]:
    """The same for programs: the runner's items, and those of each port."""
    ports = _group(state, "ports")
    return {
        "runner": dict(_group(state, "runner")),
        "ports": {
            name: {**_group(_group(ports, name), "runner"), **_dropped(_group(ports, name))} for name in ports
        },
    }


def _dropped(port: State) -> State:
    key = "control_dropped"
    statistics = _group(port, "statistics")
    return {key: statistics[key]} if key in statistics else {}


def spell(octet: object) -> str:
    """A state octet in words."""
    if not isinstance(octet, int):
        return str(octet)
    words = (yes if octet >> bit & 1 else no for bit, (yes, no) in enumerate(_BITS))
    return f"{octet:#04x} {' '.join(word for word in words if word)}"


def _team(device: str, state: State) -> Iterator[str]:
    runner, ports = _group(state, "runner"), _group(state, "ports")
    used = [name for name in ports if _is_used(_group(_group(ports, name), "runner"))]
    rate = "fast" if runner.get("fast_rate") else "slow"
    yield f"{device}: {'active' if runner.get('active') else 'passive'}, {rate} rate"
    needed = f", at least {runner['min_ports']} needed for carrier" if "min_ports" in runner else ""
    yield _line("in use", f"{len(used)} of {len(ports)} ports{needed}")
    if used:
        info = _group(_group(ports, used[0]), "runner")
        yield _line("system", _system(_group(info, "actor_lacpdu_info")))
        partner = _group(info, "partner_lacpdu_info")
        yield _line("partner", f"{_system(partner)}, key {partner.get('key')}")
    if "select_policy" in runner:
        yield _line("policy", f"{runner['select_policy']}{_policy_details(runner)}")
    for name in ports:
        yield ""
        port = _group(ports, name)
        yield from _port(name, _group(port, "runner"), _group(port, "statistics"))


def _policy_details(runner: State) -> str:
    details = []
    if runner.get("max_active_ports"):
        details.append(f"at most {runner['max_active_ports']} ports active")
    if runner.get("fallback"):
        details.append("fallback")
    if runner.get("independent_control"):
        details.append("independent control")
    if runner.get("retry_count", _USUAL_RETRY_COUNT) != _USUAL_RETRY_COUNT:
        details.append(f"retry count {runner['retry_count']}")
    return "".join(f", {detail}" for detail in details)


def _port(name: str, port: State, statistics: State) -> Iterator[str]:
    yield f"{name}: {_verdict(port)}"
    if "state" in port:
        mux = f", {port['mux_state']}" if "mux_state" in port else ""
        yield _line("state", f"{port['state']}{mux}")
    aggregator = _group(port, "aggregator")
    if aggregator:
        number = aggregator.get("id")
        use = "in use" if aggregator.get("selected") else "not in use"
        yield _line("aggregator", f"{number}, {use}" if number else "none")
    for side in ("actor", "partner"):
        info = _group(port, f"{side}_lacpdu_info")
        if info:
            place = f"key {info.get('key')}, port {info.get('port')}, priority {info.get('port_priority')}"
            yield _line(side, f"{_system(info)}, {place}")
            yield _line("", spell(info.get("state")))
    yield from _traffic(port, {**statistics, **_group(port, "counters")})
    for item, text in _REMARKS:
        if port.get(item):
            yield _line("note", text)
    if port.get("partner_retry_count", _USUAL_RETRY_COUNT) != _USUAL_RETRY_COUNT:
        yield _line("note", f"the partner's retry count is {port['partner_retry_count']}")


def _verdict(port: State) -> str:
    if _is_used(port):
        return "in use"
    if port.get("collecting"):
        return f"received from, not sent on: {port.get('why_not')}"
    word = "standby" if port.get("role") == "standby" else "not used"
    return f"{word}: {port['why_not']}" if port.get("why_not") else word


def _traffic(port: State, counters: State) -> Iterator[str]:
    if "lacpdus_sent" not in counters:
        return
    for way, label in (("received", "received"), ("sent", "sent")):
        when = port.get(f"last_{way}")
        last = f", the last {when / 1000:.1f} s ago" if isinstance(when, int) and when >= 0 else ""
        yield _line(label, f"{counters.get(f'lacpdus_{way}', 0)} LACPDUs{last}{_interval(port, way)}")
    others = [f"{counters[key]} {text}" for key, text in _COUNTERS if counters.get(key)]
    if others:
        yield _line("besides", ", ".join(others))


def _interval(port: State, way: str) -> str:
    """Who sends how often is for the other side to say: by its timeout bit."""
    side = "actor" if way == "received" else "partner"
    octet = _group(port, f"{side}_lacpdu_info").get("state")
    if not isinstance(octet, int):
        return ""
    who = "we ask" if way == "received" else "the partner asks"
    return f" ({who} for one {'a second' if octet & 2 else 'in 30 s'})"


def _is_used(port: State) -> bool:
    if "distributing" in port:
        return bool(port["distributing"])
    # Another's daemon: its octet says it.
    octet = _group(port, "actor_lacpdu_info").get("state")
    return isinstance(octet, int) and bool(octet & 0x20)


def _system(info: State) -> str:
    return f"{info.get('system')}, priority {info.get('system_priority')}"


def _line(label: str, text: object) -> str:
    return f"  {label:<{_LABEL}}{text}"


def _group(state: State, key: str) -> State:
    value = state.get(key)
    return value if isinstance(value, Mapping) else {}
