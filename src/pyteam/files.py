"""Files that another process may read at any moment."""

from __future__ import annotations

import contextlib
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """The whole new file in place of the old one, or, with an OSError, the old one as it was."""
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_text(text)
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
