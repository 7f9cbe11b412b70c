"""ifcfg files of a bond as those of the team that takes its place, with all that they say of other things."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pyteam.config.bonding.readers.ifcfg import logical_lines
from pyteam.config.bonding.texts import Text

#: Variables that say what the device is; the names of a team's begin with TEAM.
_DROPPED: Final = re.compile(
    r"\s*(?:export\s+)?(?:BONDING_OPTS|BONDING_MASTER|SLAVE|MASTER|TYPE|DEVICETYPE|TEAM\w*)=", re.I | re.A
)
_DEVICE: Final = re.compile(r"\s*(?:export\s+)?DEVICE=", re.IGNORECASE | re.ASCII)


def write(team: Mapping[str, Any], master: str, ports: Mapping[str, str]) -> Sequence[Text]:
    """The files of the team, then of each port; ``master`` and ``ports`` are what they said as a bond.

    ``team`` is a configuration with ``device``; ``master`` is empty where there was no file.
    """
    name = team["device"]
    own = {key: value for key, value in team.items() if key not in ("device", "ports")}
    lines = [f"DEVICE={shlex.quote(name)}", 'DEVICETYPE="Team"', f"TEAM_CONFIG={_quoted(own)}"]
    texts = [_text(name, master, lines)]
    for port, said in ports.items():
        master_name = f'"{name}"' if shlex.quote(name) == name else shlex.quote(name)
        lines = [f"DEVICE={shlex.quote(port)}", 'DEVICETYPE="TeamPort"', f"TEAM_MASTER={master_name}"]
        if config := team["ports"].get(port):
            lines.append(f"TEAM_PORT_CONFIG={_quoted(config)}")
        texts.append(_text(port, said, lines))
    return texts


def _text(device: str, said: str, lines: list[str]) -> Text:
    kept = [line for _, line in logical_lines(said) if not _DROPPED.match(line) and not _DEVICE.match(line)]
    # As it was, the name stands first.
    return Text(f"ifcfg-{device}", "".join(f"{line}\n" for line in [lines[0], *kept, *lines[1:]]))


def _quoted(value: object) -> str:
    return shlex.quote(json.dumps(value))
