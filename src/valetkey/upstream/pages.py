"""Reading a paged list of tools to its end, within bounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import msgspec

from valetkey.kernel.errors import printable
from valetkey.net.limits import MIB
from valetkey.net.model import BadAnswer, TooLarge
from valetkey.protocol.errors import METHOD_NOT_FOUND, Rejected
from valetkey.protocol.jsonrpc import members, read_error
from valetkey.protocol.messages import ToolPage, object_of, tool_page
from valetkey.upstream.model import Carried, Listing

MAX_PAGES: Final = 50
MAX_TOOLS: Final = 2000
MAX_BYTES: Final = 8 * MIB
MAX_FRESH_SECONDS: Final = 3600.0

PageAt = Callable[[bytes], Awaitable[Carried]]
"""Asks for the page at a cursor (raw JSON; empty for the first page)."""


async def read_all(page_at: PageAt, server: Callable[[], Awaitable[bytes]]) -> Listing:
    """All tools, in the server's order. `server` is asked at the end, and its answer goes into the listing as it is.

    Raises `TooLarge` beyond a bound, `BadAnswer` for pages that go round in a circle or are none.
    """
    tools: list[bytes] = []
    size = 0
    seen: set[bytes] = set()
    cursor = b""
    fresh = MAX_FRESH_SECONDS
    while True:
        page = _page(await page_at(cursor))
        tools += [bytes(tool) for tool in page.tools]
        size += sum(map(len, page.tools))
        fresh = min(fresh, page.ttl_ms / 1000)
        cursor = bytes(page.cursor)
        if cursor in (b"", b"null"):
            return Listing(tuple(tools), await server(), max(fresh, 0.0))
        if len(tools) > MAX_TOOLS or size > MAX_BYTES or len(seen) >= MAX_PAGES:
            raise TooLarge("The service lists more tools than this hub takes.")
        if cursor in seen:
            raise BadAnswer("The service's list of tools goes round in a circle.")
        seen.add(cursor)


def certified(listed: Listing, issuer: str) -> Listing:
    """With who issued the server's certificate beside what the server says of itself: it is pinned too (6.7).

    The issuer and not the certificate or its key: those change with each renewal, this with whom one would believe.
    """
    if not issuer:
        return listed
    told = [*members(listed.server).items(), ("certificateIssuer", msgspec.json.encode(issuer))]
    return replace(listed, server=object_of(told))


def _page(carried: Carried) -> ToolPage:
    if carried.error:
        try:
            said = read_error(carried.error)
        except Rejected as error:
            raise BadAnswer("The service answered with something that is no error.") from error
        if said.code == METHOD_NOT_FOUND:
            return ToolPage(())  # a server of prompts or resources only
        raise BadAnswer(f"The service does not list its tools: {printable(said.message)}")
    page = tool_page(carried.result)
    if page is None:
        raise BadAnswer("The service's list of tools is none.")
    return page
