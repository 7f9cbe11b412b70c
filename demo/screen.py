"""What a spectator sees while the demo runs: a headline an event, and under it the counters, live.

On a terminal the counters are one line that is written over; elsewhere each headline's last counters
are printed once. Colour only on a terminal, and never when NO_COLOR is set.
"""

from __future__ import annotations

import os
from typing import Final, TextIO

BOLD: Final = "1"
GREEN: Final = "32"
RED: Final = "31"
#: Carriage return, erase the line (ECMA-48 EL).
REWIND: Final = "\r\x1b[2K"


class Screen:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._colour = self._live and not os.environ.get("NO_COLOR")
        self._status = ""

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text

    def headline(self, text: str) -> None:
        self.settle()
        self.line(self.paint(text, BOLD))

    def status(self, text: str) -> None:
        """The counters now; the next call replaces them."""
        self._status = text
        if self._live:
            self._stream.write(f"{REWIND}   {text}")
            self._stream.flush()

    def settle(self) -> None:
        """Leave the last counters standing."""
        if self._status:
            self.line(f"{REWIND if self._live else ''}   {self._status}")
        self._status = ""

    def line(self, text: str = "") -> None:
        self._stream.write(text + "\n")
        self._stream.flush()
