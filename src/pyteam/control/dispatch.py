"""A request reaches the running team: one method called, its failures turned into protocol errors.

Every transport calls through here; none of them may call the `Core` by itself. Whatever a method
raises ends here, so that no request can end the daemon.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pyteam.control import protocol
from pyteam.control.core import Core, MethodError
from pyteam.control.methods import INVALID_ARGS, Method

_log = logging.getLogger(__name__)


def call(core: Core, method: Method, arguments: Sequence[str]) -> str:
    """The result, empty where the method has none. Raises `MethodError` and nothing else."""
    if len(arguments) != len(method.arguments):
        raise MethodError(INVALID_ARGS)
    try:
        result: object = getattr(core, method.attribute)(*arguments)
    except MethodError:
        raise
    except Exception as error:
        _log.exception("control: %s failed unexpectedly", method.name)
        reason = f"{method.name}: internal error ({type(error).__name__}: {error}), see the log of teamd."
        raise MethodError(method.failure, reason) from error
    return str(result) if method.returns else ""


def answer(
    core: Core,
    packet: bytes,
    follow: Callable[[], None] | None = None,
    *,
    escapes: bool = True,
    may_change: bool = True,
) -> bytes:
    """One request packet in, one reply packet out; never raises.

    ``follow``: what the transport does for a client that wants to be told of changes, if it can.
    ``escapes``: see `protocol.decode_request`. ``may_change``: whether who asks may do more than look.
    """
    try:
        method, arguments = protocol.decode_request(packet, escapes=escapes)
        if not may_change and not method.public:
            raise MethodError(method.failure, f"{method.name} is for root only.")
        if not method.streams:
            return protocol.encode_result(call(core, method, arguments))
        if follow is None:
            raise MethodError(method.failure, f"{method.name}: this way of asking has one answer only.")
        follow()
        return protocol.encode_result("")
    except MethodError as error:
        _log.debug("control: answered %s: %s", error.code, error)
        return protocol.encode_error(error)
