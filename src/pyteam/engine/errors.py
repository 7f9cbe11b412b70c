"""What the engine refuses when it is given a configuration that it cannot run."""

from __future__ import annotations

from pyteam.errors import PyteamError


class UnsupportedError(PyteamError, NotImplementedError):
    """A runner or watch that teamd.conf knows, but this version cannot run; or a change of the
    configuration that a team cannot take while it runs."""
