"""The base of every error that pyteam raises on purpose.

A subclass also inherits the matching builtin (``OSError``, ``ValueError``, ...), so a caller may
catch either. The text says what, where and, where it helps, what to do; it is one line and fit to
be shown to a user as it is.
"""

from __future__ import annotations


class PyteamError(Exception):
    """Something that a user can act on; the text is for them."""
