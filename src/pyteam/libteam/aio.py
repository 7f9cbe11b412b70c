"""Watching a team device in an asyncio program: the only part of libteam that knows the loop.

with libteam.Team("team0") as team, team.watch() as watch:
    async for change in aio.changes(watch):
        ...
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from pyteam.libteam.watch import Change, Watch


async def changes(watch: Watch) -> AsyncIterator[Change]:
    """Every change, for ever. One reader a watch at a time; cancelling the task ends it."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(watch.fileno(), ready.set)
    try:
        while True:
            await ready.wait()
            ready.clear()
            for change in watch.receive():
                yield change
    finally:
        loop.remove_reader(watch.fileno())
