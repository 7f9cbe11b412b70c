"""The Python libteamdctl: talk to a running teamd.

    with Client("team0") as team:
        team.port_add("eth0")
        print(team.state_item_get("runner.active_port"))

This one waits, and speaks over the control socket. `pyteam.client.aio` has one for asyncio,
`pyteam.client.dbus` both over D-Bus, `pyteam.client.zmq` one over ZeroMQ; all of them have the same
methods and errors. Cheap to import: the standard library's lightest modules only, as ``teamdctl``
lives on it. Must not print, and must not know what the JSON that it carries means.
"""

from pyteam.client.errors import ClientError, ConnectError
from pyteam.client.usock import Client, Events
from pyteam.control.events import Event

__all__ = ["Client", "ClientError", "ConnectError", "Event", "Events"]
