"""Stage 2: what a server says of itself and its tools, in whichever era it speaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final

import msgspec

from valetkey.directory.fingerprint import read_tool
from valetkey.kernel.errors import BadInput, OutboundFailed
from valetkey.net.limits import MIB
from valetkey.protocol import headers
from valetkey.protocol.apps import SCHEME
from valetkey.protocol.jsonrpc import request_message
from valetkey.protocol.messages import server_facts
from valetkey.protocol.onward import Onward, page_onward
from valetkey.protocol.versions import MODERN, Era
from valetkey.review.app_pages import MOST, PATIENCE, AppPage, Thing, pages_named, read_page
from valetkey.review.model import Exchange, Lists, SeenTool
from valetkey.review.visit import Visit, exchange_of, failed
from valetkey.upstream import legacy, modern
from valetkey.upstream.legacy import LegacySessions, Session
from valetkey.upstream.lines import Lines
from valetkey.upstream.model import Carried, Listing, Unauthorized
from valetkey.upstream.pages import read_all
from valetkey.upstream.streamable_http import Headers, Heard, Outgoing, ask

_MAX_TOOLS: Final = 2000
_MAX_THINGS: Final = 500
_MAX_PAGES: Final = 10
_MAX_BYTES: Final = 2 * MIB
"""Of each list: a hundred times what L-502 lets pass. What is longer is not read, and told to be so."""
_MOST_DIGITS: Final = 300
_UNKNOWN: Final = b"valetkey-review-never-opened"
_THINGS: Final = {
    "prompts": ("prompts", "prompts/list"),
    "resources": ("resources", "resources/list"),
    "resourceTemplates": ("resources", "resources/templates/list"),
}
"""Lists besides that of tools: the member that holds one, the capability that offers it, and the method."""


class Conversation:
    """Speaks to one server, and opens what it needs for that when it is first asked something."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._lines = Lines(visit.out.calls, clock=visit.clock, local={})
        self._sessions = LegacySessions(self._lines, visit.ids, visit.clock)
        self._era: str = ""
        self._facts = b"{}"
        self._versions: tuple[str, ...] = ()
        self.session: Session | None = None

    async def open(self) -> None:
        """Finds out which era the server is of. Raises `OutboundFailed`."""
        if await self._is_modern():
            self._era = MODERN
            return
        session = await self._sessions.get(self._visit.target, self._visit.ticket)
        self.session, self._era, self._facts = session, session.version, session.server
        self._versions = (session.version,)

    async def _is_modern(self) -> bool:
        try:
            heard = await self._say(modern.discover(next(self._visit.ids)))
        except Unauthorized:
            raise
        except OutboundFailed:
            return False  # what is wrong with it, the handshake will say
        facts = server_facts(heard.response.result) if heard.response.result else None
        if facts is None or MODERN not in facts.versions:
            return False
        self._facts, self._versions = facts.summary(), facts.versions
        return True

    async def carry(self, onward: Onward) -> Carried:
        """One request. Raises `OutboundFailed`; an error object is an answer."""
        assert self._era
        if self.session is None:
            request = modern.passed_on(next(self._visit.ids), onward, ())
        else:
            request = legacy.passed_on(self.session, next(self._visit.ids), onward)
        heard = await self._say(request)
        era = Era.MODERN if self.session is None else Era.LEGACY
        return Carried(era, heard.response.result, heard.response.error)

    async def _say(self, request: Outgoing) -> Heard:
        visit = self._visit
        return await ask(
            self._lines, visit.target, request, ticket=await visit.ticket(), limits=visit.patience.request, heed=None
        )

    async def list_tools(self) -> Listing:
        async def page_at(cursor: bytes) -> Carried:
            return await self.carry(page_onward("tools/list", cursor))

        async def server() -> bytes:
            return self._facts

        return await read_all(page_at, server)

    async def list_things(self, method: str, member: str) -> tuple[tuple[Mapping[str, Any], ...], bool]:
        """Prompts, resources or templates, and whether that is all; none where the server lists none, or badly."""
        found: list[Mapping[str, Any]] = []
        cursor, size = b"", 0
        for _page in range(_MAX_PAGES):
            carried = await self.carry(page_onward(method, cursor))
            size += len(carried.result)
            if size > _MAX_BYTES:
                return tuple(found[:_MAX_THINGS]), False
            page = await asyncio.to_thread(parsed, carried.result)
            things = page.get(member)
            found += [thing for thing in things if isinstance(thing, dict)] if isinstance(things, list) else []
            cursor = msgspec.json.encode(page["nextCursor"]) if page.get("nextCursor") is not None else b""
            if not cursor or len(found) > _MAX_THINGS:
                break
        return tuple(found[:_MAX_THINGS]), not cursor and len(found) <= _MAX_THINGS

    async def read_page(self, uri: str, listed: Thing) -> AppPage:
        """One interactive page, or why there is none."""
        if not uri.startswith(SCHEME):
            return AppPage(uri=uri, problem=f"Its address does not begin with {SCHEME}.")
        try:
            params = msgspec.json.encode({"uri": uri})
            carried = await self.carry(Onward("resources/read", params, uri))
        except OutboundFailed as error:
            return AppPage(uri=uri, problem=error.message)
        if carried.error:
            return AppPage(uri=uri, problem="The service says that there is none.")
        return read_page(uri, listed, parsed(carried.result))

    @property
    def server(self) -> Mapping[str, Any]:
        return parsed(self._facts)

    @property
    def versions(self) -> tuple[str, ...]:
        return self._versions

    async def close(self) -> None:
        self._visit.out.calls.close_pool(self._visit.target.connection_id)
        await self._lines.stop()


async def look_at_lists(visit: Visit, conversation: Conversation) -> Lists:
    """Opens the conversation and reads every list. Raises `OutboundFailed` when there is nothing to read."""
    visit.say("listing what it offers")
    lists = await _shown(visit, conversation)
    unknown, answered = await _unknown_session(visit, conversation), await _headers(visit, conversation)
    return replace(lists, unknown_session=unknown, answered=answered)


async def _shown(visit: Visit, conversation: Conversation) -> Lists:
    await conversation.open()
    listed = within((await conversation.list_tools()).tools)
    tools, unreadable = await asyncio.to_thread(seen_tools, listed.tools)
    left_out = [] if listed.is_whole else ["tools"]
    offers = conversation.server.get("capabilities")
    found: dict[str, tuple[Mapping[str, Any], ...]] = {}
    for kind, (offer, method) in _THINGS.items():
        found[kind], is_whole = (), True
        if isinstance(offers, dict) and offer in offers:
            found[kind], is_whole = await conversation.list_things(method, kind)
        left_out += [] if is_whole else [kind]
    resources = (*found["resources"], *found["resourceTemplates"])
    apps = await _pages(visit, conversation, tools, resources)
    return Lists(
        versions=conversation.versions,
        server=conversation.server,
        tools=tools,
        prompts=found["prompts"],
        resources=resources,
        apps=apps,
        unreadable=unreadable,
        left_out=tuple(left_out),
    )


async def _pages(
    visit: Visit, conversation: Conversation, tools: tuple[SeenTool, ...], resources: tuple[Thing, ...]
) -> tuple[AppPage, ...]:
    until = visit.clock.monotonic() + min(PATIENCE, visit.patience.lists / 3)
    read: list[AppPage] = []
    for uri, listed in pages_named((tool.definition for tool in tools), resources).items():
        if len(read) == MOST or visit.clock.monotonic() > until:
            return (*read, AppPage(uri=uri, left_out=True))
        read.append(await conversation.read_page(uri, listed))
    return tuple(read)


async def look_again(visit: Visit, lists: Lists) -> Lists:
    """The same for a visitor who comes anew: a server that shows everybody the same says the same."""
    visit.say("listing it once more, as somebody else")
    anew = Conversation(visit)
    try:
        async with asyncio.timeout(visit.patience.lists):
            return replace(lists, again=await _shown(visit, anew))
    except (OutboundFailed, TimeoutError):
        return lists
    finally:
        await anew.close()


@dataclass(frozen=True, slots=True)
class Within:
    """The first tools of a list, as many as are read, and whether those are all."""

    tools: tuple[bytes, ...]
    is_whole: bool


def within(raw: tuple[bytes, ...]) -> Within:
    """What is read of a list, which one page alone may make longer than anybody looks at."""
    sizes = accumulate(map(len, raw[:_MAX_TOOLS]))
    tools = tuple(tool for tool, size in zip(raw, sizes, strict=False) if size <= _MAX_BYTES)
    return Within(tools, len(tools) == len(raw))


def seen_tools(raw: tuple[bytes, ...]) -> tuple[tuple[SeenTool, ...], tuple[str, ...]]:
    """The tools in their definitions, and why some could not be read."""
    tools: list[SeenTool] = []
    unreadable: list[str] = []
    for definition in raw:
        try:
            tool = read_tool(definition)
        except BadInput as error:
            unreadable.append(error.message)
            continue
        tools.append(SeenTool(tool.name, tool.title, tool.description, tool.fingerprint, parsed(definition), tool))
    return tuple(tools), tuple(dict.fromkeys(unreadable))


def parsed(raw: bytes) -> dict[str, Any]:
    """A JSON object, or an empty one. A number that Python does not take is none, and hides nothing beside it."""
    try:
        value = json.loads(raw, parse_int=_number) if raw else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _MOST_DIGITS else 0


async def _unknown_session(visit: Visit, conversation: Conversation) -> Exchange | None:
    session = conversation.session
    if session is None or not session.id:
        return None
    lines = [(name, _UNKNOWN if name == headers.SESSION else value) for name, value in session.headers]
    return await _list(visit, lines)


async def _headers(visit: Visit, conversation: Conversation) -> Exchange:
    """The headers of an ordinary answer."""
    if conversation.session is not None:
        return await _list(visit, conversation.session.headers)
    request = modern.passed_on(next(visit.ids), page_onward("tools/list", b""), ())
    return await _post(visit, request.headers, request.body)


async def _list(visit: Visit, lines: Headers) -> Exchange:
    return await _post(visit, lines, request_message(next(visit.ids), "tools/list", b"{}"))


async def _post(visit: Visit, lines: Headers, body: bytes) -> Exchange:
    try:
        answer = await visit.out.calls.post(
            visit.url, lines, body, credential=await visit.ticket(), pool="review", limits=visit.patience.request
        )
    except OutboundFailed as error:
        return failed(error)
    await answer.aclose()
    return exchange_of(answer)
