"""``python -m lab COMMAND...``: one command in the lab's kernel; without one, a prompt.

Owns the command line of the lab. What the command prints is shown while it runs; its exit code is ours.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lab.machine import Machine, MachineError, shell


def main(command: Sequence[str]) -> int:
    try:
        if not command:
            return shell()
        with Machine(command) as machine:
            return machine.follow(_show)
    except MachineError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
