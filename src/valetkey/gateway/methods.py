"""Which method is whose: each request of a client goes to the part of the gateway that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from valetkey.gateway.accounts import Accounts
from valetkey.gateway.levels import Levels
from valetkey.gateway.listing import Listings, marks
from valetkey.gateway.lists import Lists
from valetkey.gateway.model import Client, Door, Notify, Said
from valetkey.gateway.relaying import Relays
from valetkey.gateway.search import ToolSearch
from valetkey.gateway.subscriptions import Subscriptions
from valetkey.gateway.welcome import Welcome
from valetkey.identity.model import Principal
from valetkey.protocol.errors import INVALID_PARAMS, METHOD_NOT_FOUND, Rejected
from valetkey.protocol.jsonrpc import error_object
from valetkey.protocol.messages import LEVELS, Params, tool_call, tools_result
from valetkey.protocol.onward import onward
from valetkey.protocol.translate import REQUESTS
from valetkey.protocol.versions import MODERN, Era

_NOT_PASSED: Final = frozenset(
    {"tools/list", "tools/call", "subscriptions/listen", "logging/setLevel", "resources/subscribe"}
    | {"resources/unsubscribe"}
)
_RELAYED: Final = {
    era: frozenset(method for method, row in REQUESTS.items() if era in row.clients) - _NOT_PASSED for era in Era
}


class Asking(msgspec.Struct, frozen=True, gc=False):
    """One request of a client: who asks, at which door, how they talk, in which session (legacy), what they sent along.

    `headers` are the `Mcp-Param-*` ones, `notify` takes what is to be said before the answer, `id` is raw.
    """

    who: Principal
    door: Door
    client: Client
    session: bytes
    headers: Mapping[bytes, bytes]
    notify: Notify
    id: bytes


class Methods:
    """Serves requests."""

    def __init__(
        self,
        tools: ToolSearch,
        listings: Listings,
        lists: Lists,
        relays: Relays,
        accounts: Accounts,
        welcome: Welcome,
        levels: Levels,
        subscriptions: Subscriptions,
        *,
        public_url: str,
    ) -> None:
        self._tools = tools
        self._listings = listings
        self._lists = lists
        self._relays = relays
        self._accounts = accounts
        self.welcome = welcome
        self._levels = levels
        self.subscriptions = subscriptions
        self._public_url = public_url

    async def serve(self, asking: Asking, method: str, params: Params) -> Said:
        """The answer in the client's revision. Raises `Rejected`, `NotFound`, `NotRecorded`."""
        who, door, client = asking.who, asking.door, asking.client
        if method == "tools/call":
            call = tool_call(params, modern=client.is_modern, log_level=self._level(asking))
            return (await self._tools.recorded(who, door, client, call, asking.headers, asking.notify))[1]
        if method == "tools/list":
            return Said(result=await self._list_tools(asking, params))
        era = Era.MODERN if client.is_modern else Era.LEGACY
        if method in _RELAYED[era]:
            return await self._relay(asking, method, params)
        if client.is_modern:
            if method == "server/discover":
                return Said(result=await self.welcome.server(who, door, version=MODERN))
            if method == "subscriptions/listen":
                return await self.subscriptions.listen(who, door, asking.id, params, asking.notify)
        elif method == "ping":
            return Said(result=b"{}")
        elif method == "logging/setLevel":
            return await self._set_level(asking, params)
        elif method in ("resources/subscribe", "resources/unsubscribe"):
            return await self.subscriptions.change(who, door, asking.session, method, params)
        return Said(error=error_object(METHOD_NOT_FOUND, "Method not found"), code=METHOD_NOT_FOUND)

    async def _relay(self, asking: Asking, method: str, params: Params) -> Said:
        who, door, client = asking.who, asking.door, asking.client
        if REQUESTS[method].items and not door.connector:
            cursor = bytes(params.members.get("cursor", b""))
            return Said(result=await self._lists.all(who, door, client, method, cursor))
        asked = onward(method, params, modern=client.is_modern, log_level=self._level(asking))
        return await self._relays.recorded(who, door, client, asked, asking.notify)

    async def _list_tools(self, asking: Asking, params: Params) -> bytes:
        who, door, client = asking.who, asking.door, asking.client
        if bytes(params.members.get("cursor", b"null")) != b"null":  # our lists of tools have one page
            raise Rejected("There is no such page.", rpc_code=INVALID_PARAMS, field="params.cursor")
        if not door.connector:
            return await self._tools.list(who, door, client)
        account = await self._accounts.at(door, who)
        if account is None:
            where = f"{self._public_url}/connections?connector={door.connector}"
            meta = marks([(door.connector, door.label, "not_connected", where)])
            return tools_result([], version=client.version, ttl_ms=0, meta=meta)
        return await self._listings.one(who, door, account, client)

    async def _set_level(self, asking: Asking, params: Params) -> Said:
        try:
            level = msgspec.json.decode(params.members.get("level", b"null"), type=str)
        except msgspec.MsgspecError:
            level = ""
        if level not in LEVELS:
            raise Rejected("There is no such log level.", rpc_code=INVALID_PARAMS, field="params.level")
        if asking.session:  # without a session there is nothing that it could hold for
            await self._levels.set(asking.session, level)
        return Said(result=b"{}")

    def _level(self, asking: Asking) -> str:
        return "" if asking.client.is_modern else self._levels.of(asking.session)
