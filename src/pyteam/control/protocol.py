r"""The language of the control socket: packets <-> values, pure, and where the socket is found.

One packet is one message. A request is lines: ``REQUEST``, the method, an argument a line; in an
argument a backslash is ``\\`` and a newline ``\n`` (two characters each). A reply is
``REPLY_SUCCESS\n`` and the result as it is, or ``REPLY_ERROR\n<code>\n<text>\n``. Who subscribed is
sent more packets: ``EVENT``, its name, a value a line. Must not know sockets or the daemon; both
ends of the wire are here, so that they cannot drift apart.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from pyteam.control.core import MethodError
from pyteam.control.events import EVENTS, Event
from pyteam.control.methods import ERRORS, INVALID_ARGS, METHODS, Method
from pyteam.errors import PyteamError

DEFAULT_RUN_DIR: Final = "/var/run/teamd"
#: Environment variable that replaces `DEFAULT_RUN_DIR`.
RUN_DIR_VARIABLE: Final = "TEAMD_RUN_DIR"

REQUEST: Final = "REQUEST"
SUCCESS: Final = "REPLY_SUCCESS"
ERROR: Final = "REPLY_ERROR"
EVENT: Final = "EVENT"

#: Characters of somebody's text that an error message repeats.
_QUOTED: Final = 64


class ProtocolError(PyteamError, ValueError):
    """A packet that no daemon and no client of this protocol sends."""


def run_directory(chosen: str | None = None) -> str:
    """Where sockets are: what was chosen, else ``TEAMD_RUN_DIR``, else ``/var/run/teamd``."""
    return chosen or os.environ.get(RUN_DIR_VARIABLE) or DEFAULT_RUN_DIR


def socket_path(device: str, run_dir: str | None = None) -> str:
    """The control socket of the team ``device``."""
    return os.path.join(run_directory(run_dir), f"{device}.sock")


def escape(argument: str) -> str:
    """An argument fit for one line."""
    return argument.replace("\\", "\\\\").replace("\n", "\\n")


def unescape(line: str) -> str:
    """The inverse of `escape`. Raises `ProtocolError` on an escape that it does not make."""
    # Splitting at escaped backslashes, leftmost first, leaves pieces in which every backslash that
    # is left begins an escape of its own: no escape can be mistaken for half of its neighbour.
    pieces = line.split("\\\\")
    if any("\\" in piece.replace("\\n", "") for piece in pieces):
        raise ProtocolError(f'Unknown escape in "{_quote(line)}"; only \\\\ and \\n are known.')
    return "\\".join(piece.replace("\\n", "\n") for piece in pieces)


def encode_request(method: Method, arguments: Sequence[str], *, escapes: bool = True) -> bytes:
    """Raises `ProtocolError` for a text that the protocol cannot carry."""
    if any("\0" in argument for argument in arguments):
        raise ProtocolError(f"{method.name}: an argument contains a NUL character.")
    if not escapes and any("\n" in argument for argument in arguments[:-1]):
        raise ProtocolError(f"{method.name}: only the last argument may have more than one line.")
    lines = [REQUEST, method.name, *(map(escape, arguments) if escapes else arguments)]
    try:
        return "".join(f"{line}\n" for line in lines).encode()
    except UnicodeEncodeError as error:
        raise ProtocolError(f"{method.name}: an argument is not valid UTF-8.") from error


def decode_request(packet: bytes, *, escapes: bool = True) -> tuple[Method, list[str]]:
    """The method that is asked for, with exactly its number of arguments; more are ignored.

    Blank lines are skipped, as clients rely on; where that leaves too few arguments, a blank line
    is an empty argument. Without ``escapes``, as over ZeroMQ, the last argument is all that is left of
    the packet, and blank lines are what they are. Raises `MethodError` ``InvalidArgs``, fit to be the reply.
    """
    try:
        # Clients that count the terminator of a C string send a NUL at the end.
        text = packet.rstrip(b"\0").decode()
    except UnicodeDecodeError as error:
        raise MethodError(INVALID_ARGS, f"The request is not UTF-8 (byte {error.start}).") from error
    if "\0" in text:
        raise MethodError(INVALID_ARGS, "The request contains a NUL byte.")
    first, text = _first_line(text)
    if first != REQUEST:
        raise MethodError(INVALID_ARGS, f'The request begins with "{_quote(first)}", not with "{REQUEST}".')
    name, text = _first_line(text)
    method = METHODS.get(name)
    if method is None:
        known = " ".join(METHODS)
        raise MethodError(INVALID_ARGS, f'No method "{_quote(name)}"; there are: {known}.')
    count = len(method.arguments)
    every = text.removesuffix("\n").split("\n", -1 if escapes else count - 1)
    lines = [line for line in every if line]
    if len(lines) < count or not escapes:
        lines = every
    # A request without any argument line still splits into one blank: nobody meant that one.
    if len(lines) < count or (count and not text):
        wanted = ", ".join(method.arguments)
        raise MethodError(INVALID_ARGS, f"{ERRORS[INVALID_ARGS]} {method.name} takes: {wanted}.")
    if not escapes:
        return method, lines[:count]
    try:
        return method, [unescape(line) for line in lines[:count]]
    except ProtocolError as error:
        raise MethodError(INVALID_ARGS, str(error)) from error


def encode_result(result: str) -> bytes:
    """The reply to a request that succeeded."""
    return f"{SUCCESS}\n{result}".encode(errors="backslashreplace")


def encode_error(error: MethodError) -> bytes:
    """The reply to a request that failed; the text becomes one line."""
    text = " ".join((error.text or ERRORS.get(error.code, error.code)).split())
    return f"{ERROR}\n{error.code}\n{text}\n".encode(errors="backslashreplace")


def decode_reply(packet: bytes) -> str:
    """The result. Raises `MethodError` as the daemon did, or `ProtocolError`."""
    text = packet.decode(errors="backslashreplace")
    status, _, body = text.partition("\n")
    if status == SUCCESS:
        return body
    if status == ERROR:
        code, _, message = body.partition("\n")
        raise MethodError(code, message.removesuffix("\n"))
    raise ProtocolError(f'The answer begins with "{_quote(status)}": that is not teamd.')


def encode_event(event: Event) -> bytes:
    """One change, for a subscriber."""
    values = (_spell(getattr(event, field)) for field in EVENTS[event.name].fields)
    lines = [EVENT, event.name, *map(escape, values)]
    return "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace")


def decode_event(packet: bytes) -> Event | None:
    """The inverse of `encode_event`; None for one that this version does not know.

    Raises `ProtocolError`.
    """
    first, *lines = packet.decode(errors="backslashreplace").removesuffix("\n").split("\n")
    if first != EVENT or not lines:
        raise ProtocolError(f'An event begins with "{_quote(first)}": that is not teamd.')
    kind = EVENTS.get(lines[0])
    if kind is None:
        return None
    values = [unescape(line) for line in lines[1:]]
    if len(values) < len(kind.fields):
        raise ProtocolError(f"{kind.name}: {len(values)} values; it has: {', '.join(kind.fields)}.")
    found = dict(zip(kind.fields, values, strict=False))
    return Event(kind.name, found.get("port"), _read(found.get("up")))


def _spell(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _read(text: str | None) -> bool | None:
    return None if text is None else text == "true"


def _first_line(text: str) -> tuple[str, str]:
    """The first line that is not blank, and what follows it."""
    line, _, rest = text.lstrip("\n").partition("\n")
    return line, rest


def _quote(text: str) -> str:
    """Text of unknown origin, short and printable."""
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:_QUOTED])
    return shown + "..." * (len(text) > _QUOTED)
