"""The Python libteamdctl: talk to a running teamd over its control socket.

    with Client("team0") as team:
        team.port_add("eth0")
        print(team.state_item_get("runner.active_port"))

Synchronous, and cheap to import: the standard library only, as ``teamdctl`` lives on it. Must not
print, and must not know what the JSON that it carries means.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

from pyteam.control.core import MethodError
from pyteam.control.methods import METHODS
from pyteam.control.protocol import ProtocolError, decode_reply, encode_request, socket_path
from pyteam.errors import PyteamError

#: Seconds that a connection or an answer may take.
TIMEOUT: Final = 5.0
#: Bytes of one answer.
MAX_REPLY: Final = 4 * 1024 * 1024


class ClientError(PyteamError, OSError):
    """No answer, or not the one hoped for; ``errno`` says why.

    Where teamd itself refused, ``errno`` is EINVAL, ``code`` the protocol's error code
    (``PathDoesNotExist``, ...) and ``text`` its sentence; else both are empty.
    """

    def __init__(self, number: int, what: str, code: str = "", text: str = "") -> None:
        super().__init__(number, what)
        self.what = what
        self.code = code
        self.text = text

    def __str__(self) -> str:
        if self.code:
            return f"{self.what}: {self.code}: {self.text}"
        return f"{self.what}: {os.strerror(self.errno or 0)}"


class ConnectError(ClientError):
    """There is no daemon to talk to; ``path`` is the socket that was tried."""

    def __init__(self, number: int, path: str) -> None:
        super().__init__(number, path)
        self.path = path


class Client:
    """A connection to the daemon of the team ``device``; every call may raise `ClientError`.

    ``run_dir`` None: ``TEAMD_RUN_DIR``, else ``/var/run/teamd``. ``timeout`` is in seconds. After
    an error that is not teamd's own answer the connection is closed.
    """

    def __init__(self, device: str, run_dir: str | None = None, timeout: float = TIMEOUT) -> None:
        self.device = device
        self.path = socket_path(device, run_dir)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(self.path)
        except (OSError, ValueError) as error:
            self.close()
            raise ConnectError(_number(error), self.path) from error

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; closing twice is fine."""
        self._socket.close()

    def port_config_update(self, port: str, config: str) -> None:
        """Replace the configuration (JSON) of a port, which need not be a port yet."""
        self._call("PortConfigUpdate", port, config)

    def port_config_dump(self, port: str) -> str:
        """The configuration of a port, as JSON."""
        return self._call("PortConfigDump", port)

    def port_add(self, port: str) -> None:
        """Make an interface a port."""
        self._call("PortAdd", port)

    def port_remove(self, port: str) -> None:
        """Release a port."""
        self._call("PortRemove", port)

    def config_dump(self) -> str:
        """The configuration with its defaults, as JSON."""
        return self._call("ConfigDump")

    def config_dump_actual(self) -> str:
        """The same with the ports that there are, rather than those that were configured."""
        return self._call("ConfigDumpActual")

    def state_dump(self) -> str:
        """The state of the team, its ports and their link watches, as JSON."""
        return self._call("StateDump")

    def state_item_get(self, path: str) -> str:
        """One value of the state, as plain text."""
        return self._call("StateItemValueGet", path)

    def state_item_set(self, path: str, value: str) -> None:
        """Change one value of the state."""
        self._call("StateItemValueSet", path, value)

    def config_reload(self) -> str:
        """Let teamd read its configuration file again; what was changed, a line each."""
        return self._call("ConfigReload")

    def config_replace(self, config: str) -> str:
        """Replace the whole configuration (JSON) of the running team; what was changed, a line each."""
        return self._call("ConfigReplace", config)

    def config_diff(self, config: str) -> str:
        """What `config_replace`, or where this is empty `config_reload`, would change, a line each."""
        return self._call("ConfigDiff", config)

    def option_set(self, name: str, port: str, index: str, value: str) -> None:
        """Set an option of the team, or of a port when that is not empty; the value as teamnl takes it.

        It stands until the team decides anew, or for good where there is nothing to decide.
        """
        self._call("OptionSet", name, port, index, value)

    def _call(self, name: str, *arguments: str) -> str:
        try:
            request = encode_request(METHODS[name], arguments)
        except ProtocolError as error:
            raise ClientError(errno.EINVAL, str(error)) from error
        try:
            return decode_reply(self._exchange(request))
        except MethodError as error:
            raise ClientError(errno.EINVAL, f"{self.device}: {name}", error.code, error.text) from error
        except (OSError, ProtocolError) as error:
            # A late answer would be taken for that of the next request.
            self.close()
            raise ClientError(_number(error), f"{self.path}: {name}") from error
        except BaseException:
            self.close()
            raise

    def _exchange(self, request: bytes) -> bytes:
        if len(request) > self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, len(request))
        self._socket.send(request)
        reply, _, flags, _ = self._socket.recvmsg(MAX_REPLY)
        if not reply:
            raise ConnectionResetError(errno.ECONNRESET, "teamd hung up")
        if flags & socket.MSG_TRUNC:
            raise OSError(errno.EMSGSIZE, "answer too long")
        return reply


def _number(error: Exception) -> int:
    """An errno for every failure: some of Python's own come without one."""
    if isinstance(error, TimeoutError):
        return errno.ETIMEDOUT
    if isinstance(error, ProtocolError):
        return errno.EBADMSG
    return getattr(error, "errno", None) or errno.ENAMETOOLONG
