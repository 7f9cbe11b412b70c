"""``python -m manual DIRECTORY``: write every page, and teamd.schema.json, into the directory."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Final

import pyteam
from manual import pages, roff
from pyteam.config import json_schema

SCHEMA: Final = "teamd.schema.json"


def write(directory: Path, date: str) -> list[Path]:
    """``date``, as in 2026-01-31, is shown at the foot of each page. The files that were written."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {SCHEMA: json.dumps(json_schema(), indent=2) + "\n"}
    for name in pages.names():
        texts[name] = roff.page(pages.read(name), f"pyteam {pyteam.__version__}", date)
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    return [directory / name for name in texts]


if __name__ == "__main__":
    # Who builds packages wants the same bytes tomorrow.
    moment = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    for path in write(Path(sys.argv[1]), time.strftime("%Y-%m-%d", moment)):
        print(path)
