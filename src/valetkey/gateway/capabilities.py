"""What a service can do, as it said when it was last seen, and what of that the hub can pass on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from valetkey.gateway.accounts import Accounts
from valetkey.gateway.model import Account
from valetkey.protocol.translate import NOTIFICATIONS, REQUESTS, TASKS, UI

Capabilities = Mapping[str, Any]

_RELAYED: Final[Mapping[str, tuple[str, ...]]] = {
    "tools": ("listChanged",),
    "prompts": ("listChanged",),
    "resources": ("listChanged", "subscribe"),
    "completions": (),
    "logging": (),
}
"""Capability → those of its switches that we can pass on. What is not here is not advertised."""

_EXTENSIONS: Final = (UI, TASKS)
_MODERN_EXTENSIONS: Final = frozenset({TASKS})


class Server(msgspec.Struct, frozen=True, gc=False):
    """From a snapshot: what the service said of itself. `capabilities` is empty when it was never seen."""

    info: msgspec.Raw = msgspec.field(default=msgspec.Raw(b""), name="serverInfo")
    instructions: str = ""
    capabilities: dict[str, Any] = msgspec.field(default_factory=dict)


class Offers:
    """Says what the services of accounts offer."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def server(self, account: Account) -> Server:
        """What the account's service said of itself."""
        snapshots, connection_id = self._accounts.snapshots, account.connection.id
        snapshot = snapshots.get_now(connection_id) or await snapshots.get(connection_id)
        try:
            return msgspec.json.decode(snapshot.server, type=Server) if snapshot is not None else Server()
        except msgspec.MsgspecError:
            return Server()

    async def has(self, account: Account, method: str) -> bool:
        """Whether the service declares what `method` needs; one that was never seen may have everything."""
        declared = (await self.server(account)).capabilities
        return not declared or _reaches(declared, REQUESTS[method].needs)

    async def tells(self, account: Account, notification: str) -> bool:
        """Whether the service says that it sends this notification."""
        return _reaches((await self.server(account)).capabilities, NOTIFICATIONS[notification].needs)

    async def of(self, accounts: Iterable[Account], *, is_modern: bool) -> Capabilities:
        """What can be advertised to a client in front of these accounts: what any of them has and we pass on.

        The list of tools changes here too, whatever the services say of theirs: with the person's connections, and with
        what is blocked.
        """
        offered: dict[str, Any] = {"tools": {"listChanged": True}}
        for account in accounts:
            _add(offered, (await self.server(account)).capabilities, is_modern=is_modern)
        return offered


def _add(offered: dict[str, Any], declared: Capabilities, *, is_modern: bool) -> None:
    for name, switches in _RELAYED.items():
        if isinstance(said := declared.get(name), dict):
            on = {switch: True for switch in switches if said.get(switch) is True}
            offered[name] = {**offered.get(name, {}), **on}
    extensions = declared.get("extensions")
    if isinstance(extensions, dict):
        passed = {
            name: extensions[name]
            for name in _EXTENSIONS
            if name in extensions and (is_modern or name not in _MODERN_EXTENSIONS)
        }
        if passed:
            offered["extensions"] = {**passed, **offered.get("extensions", {})}


def _reaches(declared: Capabilities, path: tuple[str, ...]) -> bool:
    node: Any = declared
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node is not None and node is not False
