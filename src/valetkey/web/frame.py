"""What every answer of the hub carries, whichever door gave it, and the names the hub answers to (security.md 5.6).

The pages say more in their own door. Here stands what must be true of a door that forgot: a browser neither guesses
what an answer is, nor frames it, nor tells others where it came from, nor keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from valetkey.web.headers import harden_data


class Frame:
    """All doors in one frame. `hosts` are the `Host` values that are ours; `https` is how people reach the hub.

    `by_any_name` are paths that answer to whatever name: what they say is of no use to another site's page.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], by_any_name: Iterable[str] = (), https: bool) -> None:
        self.app = app
        self._by_any_name = frozenset(by_any_name)
        self._hosts = frozenset(host.lower().encode() for host in hosts)
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                harden_data(MutableHeaders(scope=message), https=self._https)
            await send(message)

        named = [value.lower() for name, value in scope["headers"] if name == b"host"]
        # One name, and ours: else a page of somebody else's reads our answers (DNS rebinding), or two parties on the
        # way understand the request differently.
        is_ours = len(named) == 1 and named[0] in self._hosts
        app = self.app if is_ours or scope["path"] in self._by_any_name else _NOT_HERE
        await app(scope, receive, sending)


_NOT_HERE = PlainTextResponse("This is not the host you are looking for.\n", 421)
