"""Where we are meant to differ from the original, as far as a side-by-side run can tell: the one table.

What differs and is not here is a defect. Each line is one of docs/differences.md, which says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Final

from tests.lab.sidebyside import Picture, differences


@dataclass(frozen=True)
class Difference:
    """``path``: of a picture, or ``log/original/<line>``, ``log/ours/<line>``; as a pattern.

    ``row``: the first cell of its row in docs/differences.md. ``step``, ``scenario``: where it is meant, as
    patterns. ``values``: only these, the original's and ours.
    """

    path: str
    row: str
    step: str = "*"
    scenario: str = "*"
    values: tuple[object, object] | None = None

    def explains(self, scenario: str, step: str, path: str, values: tuple[object, object]) -> bool:
        return (
            self.values in (None, values)
            and fnmatchcase(path, self.path)
            and fnmatchcase(step, self.step)
            and fnmatchcase(scenario, self.scenario)
        )


#: What a port that leaves makes the original say.
_FAREWELL: Final = (
    "ethtool-link went down.",
    "Failed to remove port.",
    "Failed to enable active port.",
    "Can't get port priority. Using default.",
)
#: When ports leave.
_LEAVING: Final = ("port remove *", "ip link set * nomaster", "ip link delete *", "end", "leave")
_CHOICE: Final = (
    "options/activeport",
    "options/enabled(*)",
    "state/runner/active_port",
    "log/*/Changed active port *",
)

INTENDED: Final = (
    Difference("state/setup/pid", "state dump, new"),
    Difference("state/setup/datapath", "state dump, new"),
    Difference("state/ports/*/statistics*", "state dump, new"),
    Difference("log/original/This program is not intended*", "warning about running as root", "teamd*"),
    Difference("log/*/successfully started.", '"successfully started."', "teamd*"),
    Difference("options/user_linkup(*)", "`user_linkup` of ports added at start", values=("false", "true")),
    Difference("log/ours/Repairing what was changed from outside: *", "what others change", "ip link set *"),
    Difference("log/*/libteamdctl: *: Error message content: *", "error texts", scenario="teamdctl"),
    Difference(
        "log/*/libteamdctl: *: dbus: Error message received: *", "names of errors", scenario="teamdctl"
    ),
    *(
        Difference(f"log/original/*: {line}", "log when a port leaves", step)
        for step in _LEAVING
        for line in _FAREWELL
    ),
    Difference("log/original/Changed active port *", "log when a port leaves", "end"),
    *(
        Difference(path, "`-N` at exit", "leave")
        for path in ("files", "links/eth?/*", "links/team0/carrier", "log/original/Changed active port *")
    ),
    *(Difference(path, "`-o` at start", "teamd -o", "restart") for path in _CHOICE),
    Difference("log/original/*: ethtool-link went up.", "`-o` at start", "teamd -o", "restart"),
    *(Difference(path, "best of equal ports", scenario="equals") for path in _CHOICE),
    *(
        Difference(
            path,
            "MAC of an active port, set by hand, `only_active`",
            "ip link set eth? address *",
            "only_active",
        )
        for path in ("links/eth1/address", "state/ports/eth1/ifinfo/dev_addr")
    ),
)


#: Rows of the document that explained something so far, and scenarios that were gone through.
met: set[str] = set()
gone_through: set[str] = set()


def unexplained(
    scenario: str, step: str, theirs: tuple[Picture, list[str]], ours: tuple[Picture, list[str]]
) -> dict[str, tuple[object, object]]:
    """What differs after a step of a scenario and is not meant to, by path: the original's and ours."""

    def meant(path: str, values: tuple[object, object]) -> bool:
        rows = {one.row for one in INTENDED if one.explains(scenario, step, path, values)}
        met.update(rows)
        return bool(rows)

    gone_through.add(scenario)
    left = {path: pair for path, pair in differences(theirs[0], ours[0]).items() if not meant(path, pair)}
    their_lines = [line for line in theirs[1] if not meant(f"log/original/{line}", (line, None))]
    our_lines = [line for line in ours[1] if not meant(f"log/ours/{line}", (None, line))]
    # The original tells the new active port when it knows that the old one leaves, and when that is gone.
    their_lines = [
        line
        for line, after in pairwise([*their_lines, ""])
        if line != after or not line.startswith("Changed active port")
    ]
    if _order(their_lines) != _order(our_lines) or sorted(their_lines) != sorted(our_lines):
        left["log"] = their_lines, our_lines
    return left


def _order(lines: list[str]) -> list[str]:
    """Without the second line of a port with two watches: when the original tells it, is chance."""
    return [
        line for number, line in enumerate(lines) if "-link went" not in line or line not in lines[:number]
    ]
