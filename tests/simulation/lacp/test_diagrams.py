"""The page that shows the machines of LACP shows them as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.lacp.diagrams import MACHINES, draw, main, weave

PAGE = Path(__file__).parents[3] / "docs/lacp-machines.md"


def test_the_page_is_what_the_tables_yield() -> None:
    page = PAGE.read_text()
    assert weave(page) == page, "python -m tests.simulation.lacp.diagrams docs/lacp-machines.md"
    shown = {name for name in MACHINES if f"<!-- machine: {name} -->" in page}
    assert shown == MACHINES.keys() - {"churn-partner"}


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_as_a_diagram(name: str) -> None:
    machine = MACHINES[name]
    lines = "".join(draw(machine)).splitlines()
    arrows = [line for line in lines if "-->" in line]
    assert len(arrows) == len(machine.rows)
    # What would end a label early.
    assert not any(";" in line or line.count(":") > 1 for line in arrows)
    assert {state.name for state in machine.states} == {
        line.split(" ")[1] for line in lines if line.startswith("| ") and line.count("|") == 3
    } - {"state"}


@pytest.mark.parametrize("name", MACHINES)
def test_a_table_is_whole(name: str) -> None:
    """Every state can be reached and left, and every row says by which clause it is."""
    machine = MACHINES[name]
    targets = {row.target for row in machine.rows}
    sources = {row.source for row in machine.rows}
    assert set(machine.states) - targets <= {machine.states[0]}
    assert None in sources or set(machine.states) == sources
    assert all(row.clause and row.when for row in machine.rows)
    assert machine.entries.keys() <= set(machine.states)


def test_a_stale_page_is_mended(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- machine: receive -->\nold\n<!-- end -->\nafter\n")
    main([str(page)])
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("before\n<!-- machine: receive -->\n```mermaid\n")
    assert text.endswith("<!-- end -->\nafter\n")
