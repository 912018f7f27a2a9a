"""What the hub says of itself at an endpoint: in the answer to `initialize` and to `server/discover`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from valetkey import __version__
from valetkey.gateway.accounts import Accounts
from valetkey.gateway.model import Account, Door
from valetkey.identity.model import Principal
from valetkey.protocol.messages import server_result

_INFO: Final = msgspec.json.encode({"name": "valetkey", "title": "Valetkey", "version": __version__})
_CAPABILITIES: Final[Mapping[str, Any]] = {"tools": {}}
_MOST_OF_ONE: Final = 1000
_MOST: Final = 8000


class _Server(msgspec.Struct, gc=False):
    """From a snapshot: what the service said of itself."""

    info: msgspec.Raw = msgspec.field(default=msgspec.Raw(b""), name="serverInfo")
    instructions: str = ""


class Welcome:
    """Says who serves here and how to use it."""

    def __init__(self, accounts: Accounts, *, public_url: str) -> None:
        self._accounts = accounts
        self._public_url = public_url

    async def server(self, who: Principal, door: Door, *, version: str) -> bytes:
        """The result of `initialize` or `server/discover`.

        A door to one connector passes on what its server says of itself, as last seen. Raises `NotFound`.
        """
        if not door.connector:
            info, instructions = _INFO, await self._several(door, await self._accounts.behind(door, who))
        else:
            account = await self._accounts.at(door, who)
            server = await self._server(account) if account is not None else _Server()
            info = bytes(server.info) or _INFO
            instructions = server.instructions
            if account is None:
                where = f"{self._public_url}/connections"
                instructions = f"{door.connector} is not connected yet. The person can connect it on {where}"
        return server_result(version=version, instructions=instructions, info=info, capabilities=_CAPABILITIES)

    async def _several(self, door: Door, accounts: Sequence[Account]) -> str:
        if not accounts and door.profile:
            return (
                f"The profile {door.profile} is empty, so there are no tools. The person can choose what is in it on "
                f"{self._public_url}/profiles/{door.profile}"
            )
        if not accounts:
            return (
                f"No service is connected yet, so there are no tools. The person can connect services on "
                f"{self._public_url}/connections"
            )
        of = f"of the person's profile {door.profile}" if door.profile else "of the services the person has connected"
        parts = [
            f"These are the tools {of}; each tool's name begins with its service. "
            f"The person decides on {self._public_url}/connections which tools may run. When a tool answers that it is "
            "not switched on or not connected, show the person the address it names."
        ]
        for account in accounts:
            said = (await self._server(account)).instructions
            if said and sum(map(len, parts)) < _MOST:
                parts.append(f"{account.connector.slug}: {said[:_MOST_OF_ONE]}")
        return "\n\n".join(parts)

    async def _server(self, account: Account) -> _Server:
        snapshot = await self._accounts.snapshots.get(account.connection.id)
        try:
            return msgspec.json.decode(snapshot.server, type=_Server) if snapshot is not None else _Server()
        except msgspec.MsgspecError:
            return _Server()
