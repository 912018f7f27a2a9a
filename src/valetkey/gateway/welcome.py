"""What the hub says of itself at an endpoint: in the answer to `initialize` and to `server/discover`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from valetkey import __version__
from valetkey.connections.model import State
from valetkey.gateway.accounts import Accounts
from valetkey.gateway.capabilities import Offers, Server
from valetkey.gateway.model import Account, Door
from valetkey.gateway.visible import shown
from valetkey.identity.model import Principal
from valetkey.protocol.messages import server_result
from valetkey.protocol.versions import MODERN

_INFO: Final = msgspec.json.encode({"name": "valetkey", "title": "Valetkey", "version": __version__})
_MOST_OF_ONE: Final = 1000
_MOST: Final = 8000


class Welcome:
    """Says who serves here and how to use it."""

    def __init__(self, accounts: Accounts, offers: Offers, *, public_url: str) -> None:
        self._accounts = accounts
        self._offers = offers
        self._public_url = public_url

    async def server(self, who: Principal, door: Door, *, version: str) -> bytes:
        """The result of `initialize` or `server/discover`.

        A door to one connector passes on what its server says of itself, as last seen. Raises `NotFound`.
        """
        if not door.connector:
            accounts = await self._accounts.behind(door, who)
            info, instructions = _INFO, await self._several(door, accounts)
        else:
            account = await self._accounts.at(door, who)
            accounts = (account,) if account is not None else ()
            server = await self._offers.server(account) if account is not None else Server()
            info = bytes(server.info) or _INFO
            instructions = self._before(door, account) or shown(server.instructions)
        capabilities = await self._offers.of(accounts, is_modern=version == MODERN)
        return server_result(version=version, instructions=instructions, info=info, capabilities=capabilities)

    def _before(self, door: Door, account: Account | None) -> str:
        """What the person has to do before anything here works; nothing, when all is well."""
        if account is None:
            where = f"{self._public_url}/connections"
            return f"{door.connector} is not connected yet. The person can connect it on {where}"
        if not account.is_open:
            return f"{account.connector.name} is closed at the moment; {self._public_url}{account.page} says why."
        if account.connection.state is not State.CONNECTED:
            where = self._public_url + account.page
            return (
                f"{account.connector.name} is not connected at the moment. The person can connect it again on {where}"
            )
        return ""

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
            "not allowed, not confirmed or not connected, show the person the address it names."
        ]
        for account in accounts:
            if not account.is_open:  # what it says of itself reaches no model
                continue
            said = shown((await self._offers.server(account)).instructions)
            if said and sum(map(len, parts)) < _MOST:
                parts.append(f"{account.connector.slug}: {said[:_MOST_OF_ONE]}")
        return "\n\n".join(parts)
