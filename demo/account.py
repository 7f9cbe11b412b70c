"""The table at the end, and whether the goals were met. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.loss import Tally
from bench.table import duration, render

#: Packets a second that a flow must have had for its losses to prove anything.
LOWEST_RATE = 20_000


def table(events: Sequence[Sequence[Tally]], flows: Sequence[str], allowed: Mapping[str, int]) -> str:
    """One row an event, three columns a flow; ``events`` holds each event's tallies, flow by flow."""
    head = ["event"]
    for flow in flows:
        head += [f"{flow}: sent", "lost", "dark"]
    head.append("allowed")
    rows = []
    for tallies in events:
        row = [tallies[0].name]
        for tally in tallies:
            row += [str(tally.sent), str(tally.lost), duration(tally.dark)]
        rows.append([*row, str(allowed[tallies[0].name])])
    total = ["in all"]
    for of_flow in zip(*events, strict=True):
        total += [str(sum(tally.sent for tally in of_flow)), str(sum(tally.lost for tally in of_flow)), ""]
    return render(head, [*rows, [*total, ""]])


def failures(
    events: Sequence[Sequence[Tally]],
    flows: Sequence[str],
    allowed: Mapping[str, int],
    rates: Sequence[float],
    missed: Sequence[int],
) -> list[str]:
    """Every goal that was missed, in one line each; empty when all is well."""
    found = [
        f"{tally.name}: {flow} lost {tally.lost} packets, {allowed[tally.name]} allowed"
        for tallies in events
        for flow, tally in zip(flows, tallies, strict=True)
        if tally.lost > allowed[tally.name]
    ]
    for flow, rate, late in zip(flows, rates, missed, strict=True):
        if rate < LOWEST_RATE:
            found.append(f"{flow}: only {rate:.0f} packets/s: this machine is too busy to prove anything")
        if late:
            found.append(f"{flow}: the receiving process was too slow for {late} packets (try --rate 30000)")
    return found
