"""The control methods: the one table that every transport, client and manual is made from.

Knows names, arguments, results and errors; must not know how a method travels (see `protocol`) or
what it does (see `core`). Imported by ``teamdctl``, so it must stay cheap to import.
"""

from __future__ import annotations

import errno
from typing import Final, NamedTuple

#: The request could not be understood; possible with every method.
INVALID_ARGS: Final = "InvalidArgs"

#: Every error code, with the sentence that goes with it where nothing better is known.
ERRORS: Final[dict[str, str]] = {
    INVALID_ARGS: "Did not receive correct message arguments.",
    "NoSuchDev": "No such device.",
    "ConfigUpdateFail": "Failed to update config.",
    "ConfigDumpFail": "Failed to dump config.",
    "ConfigDumpActualFail": "Failed to dump actual config.",
    "PortAddFail": "Failed to add port.",
    "PortRemoveFail": "Failed to del port.",
    "StateDumpFail": "Failed to dump state.",
    "PathDoesNotExist": "Item path does not exist.",
    "OpNotSupp": "Operation not supported.",
    "ItemValueGetFail": "Failed to get item value.",
    "ItemValueSetFail": "Failed to set item value.",
    "ConfigReloadFail": "Failed to reload config.",
    "NoSuchOption": "Option does not exist.",
    "OptionBusy": "Option cannot be set now.",
    "OptionSetFail": "Failed to set option.",
}
#: What a code of OptionSet is as an errno, for who speaks the kernel's language; any other is EINVAL.
OPTION_ERRNO: Final = {"NoSuchDev": errno.ENODEV, "NoSuchOption": errno.ENOENT, "OptionBusy": errno.EBUSY}


class Method(NamedTuple):
    """One row. Arguments and results are strings.

    ``attribute`` names the method of `core.Core` and of `client.Client`. The last of ``errors`` is
    the method's general failure: it also stands for what nobody foresaw. What is ``public`` is
    anybody's where a transport knows who asks; the rest is root's. What ``streams`` has no end: the
    answer is followed by `events.EVENTS`, where a transport can.
    """

    name: str
    attribute: str
    arguments: tuple[str, ...]
    returns: bool
    errors: tuple[str, ...]
    help: str
    public: bool = False
    streams: bool = False

    @property
    def failure(self) -> str:
        """The code of an error that has no code of its own."""
        return self.errors[-1]


METHODS: Final[dict[str, Method]] = {
    method.name: method
    for method in (
        Method(
            "PortConfigUpdate",
            "port_config_update",
            ("port", "config"),
            False,
            ("NoSuchDev", "ConfigUpdateFail"),
            "Replace the configuration of a port; the interface must exist, it need not be a port yet.",
        ),
        Method(
            "PortConfigDump",
            "port_config_dump",
            ("port",),
            True,
            ("NoSuchDev", "ConfigDumpFail"),
            "The configuration of a port, as JSON.",
            public=True,
        ),
        Method(
            "PortAdd",
            "port_add",
            ("port",),
            False,
            ("NoSuchDev", "PortAddFail"),
            "Make an interface a port; adding one that is a port already changes nothing.",
        ),
        Method(
            "PortRemove",
            "port_remove",
            ("port",),
            False,
            ("NoSuchDev", "PortRemoveFail"),
            "Release a port.",
        ),
        Method(
            "ConfigDump",
            "config_dump",
            (),
            True,
            ("ConfigDumpFail",),
            "The configuration with its defaults, as JSON.",
            public=True,
        ),
        Method(
            "ConfigDumpActual",
            "config_dump_actual",
            (),
            True,
            ("ConfigDumpActualFail",),
            "The same with the ports that there are, rather than those that were configured.",
            public=True,
        ),
        Method(
            "StateDump",
            "state_dump",
            (),
            True,
            ("StateDumpFail",),
            "The state of the team, its ports and their link watches, as JSON.",
            public=True,
        ),
        Method(
            "StateItemValueGet",
            "state_item_get",
            ("path",),
            True,
            ("PathDoesNotExist", "ItemValueGetFail"),
            "One value of the state, as plain text.",
            public=True,
        ),
        Method(
            "StateItemValueSet",
            "state_item_set",
            ("path", "value"),
            False,
            ("PathDoesNotExist", "OpNotSupp", "ItemValueSetFail"),
            "Change one value of the state; few can be.",
        ),
        Method(
            "ConfigReload",
            "config_reload",
            (),
            True,
            ("ConfigReloadFail",),
            "Read the configuration file again and become what it says; what was changed, a line each.",
        ),
        Method(
            "ConfigReplace",
            "config_replace",
            ("config",),
            True,
            ("ConfigReloadFail",),
            "Become what this configuration (JSON) says, until another is loaded; as ConfigReload.",
        ),
        Method(
            "ConfigDiff",
            "config_diff",
            ("config",),
            True,
            ("ConfigReloadFail",),
            "What either of them would change, a line each; empty: of the configuration file.",
        ),
        Method(
            "OptionSet",
            "option_set",
            ("name", "port", "index", "value"),
            False,
            ("NoSuchDev", "NoSuchOption", "OptionBusy", "OptionSetFail"),
            "Set an option of the device by hand, as teamnl takes it; no port: empty, no array: index 0.",
        ),
        Method(
            "Subscribe",
            "subscribe",
            (),
            False,
            ("OpNotSupp",),
            "Be told of every change from now on.",
            public=True,
            streams=True,
        ),
    )
}
