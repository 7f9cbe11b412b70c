"""The machines as diagrams: ``python -m tests.simulation.lacp.diagrams docs/lacp-machines.md`` mends a page.

Between ``<!-- machine: NAME -->`` and ``<!-- end -->`` stands what the table of that machine yields; the rest
of the page is its author's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pyteam.engine.lacp import churn, mux, periodic, receive
from pyteam.engine.lacp.machine import Machine

MACHINES: Final = {
    "receive": receive.MACHINE,
    "periodic": periodic.MACHINE,
    "mux-coupled": mux.COUPLED,
    "mux-independent": mux.INDEPENDENT,
    "churn-actor": churn.ACTOR,
    "churn-partner": churn.PARTNER,
}
_BLOCK: Final = re.compile(r"(<!-- machine: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def weave(page: str) -> str:
    """The page with every block as its machine is now. Raises KeyError for a machine that there is not."""
    return _BLOCK.sub(lambda found: found[1] + "".join(draw(MACHINES[found[2]])) + found[3], page)


def draw(machine: Machine) -> Iterator[str]:
    """Markdown: a Mermaid state diagram, and below it what is done on entry."""
    yield "```mermaid\nstateDiagram-v2\n"
    for row in machine.rows:
        source = row.source.name if row.source else "any_other"
        yield f"    {source} --> {row.target.name}: {row.when}\n"
    yield "```\n\n| state | on entry |\n|---|---|\n"
    for state in machine.states:
        entry = machine.entries.get(state)
        yield f"| {state.name} | {entry.what if entry else ''} |\n"
    yield "\n| from | to | when | clause |\n|---|---|---|---|\n"
    for row in machine.rows:
        source = row.source.name if row.source else "any other"
        yield f"| {source} | {row.target.name} | {row.when} | {row.clause} |\n"


def main(paths: list[str]) -> None:
    for path in map(Path, paths):
        path.write_text(weave(path.read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])
