"""Whose turn it is: requests of many, one of each in turn, so that who asks much delays nobody else.

Pure. At most so many of one client wait; a client can be made to wait, with all that it asks.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Request = TypeVar("Request")


class Turns(Generic[Request]):
    """``depth``: how many requests of one client may wait."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._waiting: dict[str, deque[Request]] = {}
        #: Who can be served; the one that was served longest ago is first.
        self._ready: deque[str] = deque()

    def add(self, client: str, request: Request) -> bool:
        """False when the client has too many waiting already: the request is not taken."""
        mine = self._waiting.get(client)
        if mine is None:
            self._waiting[client] = deque([request])
            self._ready.append(client)
            return True
        if len(mine) >= self._depth:
            return False
        mine.append(request)
        return True

    def take(self) -> tuple[str, Request] | None:
        """The next request, None when there is none. The client is not served again before `done`."""
        if not self._ready:
            return None
        client = self._ready.popleft()
        return client, self._waiting[client].popleft()

    def done(self, client: str) -> None:
        """It may be served again, when its turn comes."""
        if self._waiting[client]:
            self._ready.append(client)
        else:
            del self._waiting[client]

    @property
    def more(self) -> bool:
        """Whether somebody can be served now."""
        return bool(self._ready)
