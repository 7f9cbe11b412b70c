"""The methods of a running teamd as calls, written once for whoever waits for them and for asyncio.

Must not know how they travel: a client gives `_ask` and `_do`.
"""

from __future__ import annotations

from typing import Generic, TypeVar

#: What asking gives: a text, or something to wait for that gives it.
Text = TypeVar("Text")
#: What an order gives: nothing, or something to wait for.
Done = TypeVar("Done")


class Methods(Generic[Text, Done]):
    """Each may raise `ClientError`."""

    def port_config_update(self, port: str, config: str) -> Done:
        """Replace the configuration (JSON) of a port, which need not be a port yet."""
        return self._do("PortConfigUpdate", port, config)

    def port_config_dump(self, port: str) -> Text:
        """The configuration of a port, as JSON."""
        return self._ask("PortConfigDump", port)

    def port_add(self, port: str) -> Done:
        """Make an interface a port."""
        return self._do("PortAdd", port)

    def port_remove(self, port: str) -> Done:
        """Release a port."""
        return self._do("PortRemove", port)

    def config_dump(self) -> Text:
        """The configuration with its defaults, as JSON."""
        return self._ask("ConfigDump")

    def config_dump_actual(self) -> Text:
        """The same with the ports that there are, rather than those that were configured."""
        return self._ask("ConfigDumpActual")

    def state_dump(self) -> Text:
        """The state of the team, its ports and their link watches, as JSON."""
        return self._ask("StateDump")

    def state_item_get(self, path: str) -> Text:
        """One value of the state, as plain text."""
        return self._ask("StateItemValueGet", path)

    def state_item_set(self, path: str, value: str) -> Done:
        """Change one value of the state."""
        return self._do("StateItemValueSet", path, value)

    def config_reload(self) -> Text:
        """Let teamd read its configuration file again; what was changed, a line each."""
        return self._ask("ConfigReload")

    def config_replace(self, config: str) -> Text:
        """Replace the whole configuration (JSON) of the running team; what was changed, a line each."""
        return self._ask("ConfigReplace", config)

    def config_diff(self, config: str) -> Text:
        """What `config_replace`, or where this is empty `config_reload`, would change, a line each."""
        return self._ask("ConfigDiff", config)

    def option_set(self, name: str, port: str, index: str, value: str) -> Done:
        """Set an option of the team, or of a port when that is not empty; the value as teamnl takes it.

        It stands until the team decides anew, or for good where there is nothing to decide.
        """
        return self._do("OptionSet", name, port, index, value)

    def _ask(self, name: str, *arguments: str) -> Text:
        """Call the method of `METHODS` that has a result."""
        raise NotImplementedError

    def _do(self, name: str, *arguments: str) -> Done:
        """Call the one that has none."""
        raise NotImplementedError
