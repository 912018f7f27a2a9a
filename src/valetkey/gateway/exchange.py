"""One message in, one answer out: which era the client is of, which method it means, and who answers it.

Knows no socket: a front hands in the body and a way to notify, and gets a reply to write down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from valetkey.gateway.accounts import Accounts
from valetkey.gateway.asked import Asked
from valetkey.gateway.authenticate import refusal
from valetkey.gateway.listing import PARTIAL, Listings
from valetkey.gateway.model import Client, Door, Head, Notify, Reply, Said
from valetkey.gateway.search import ToolSearch
from valetkey.gateway.sessions import find_session, new_session
from valetkey.gateway.welcome import Welcome
from valetkey.identity.model import Principal
from valetkey.kernel.errors import NotFound, NotRecorded
from valetkey.protocol import headers
from valetkey.protocol.asks import EVERYTHING, Asks, declared
from valetkey.protocol.errors import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    UNSUPPORTED_VERSION,
    Rejected,
    modern_status,
)
from valetkey.protocol.jsonrpc import (
    Message,
    Notification,
    Request,
    Response,
    error_message,
    error_object,
    members,
    parse,
    raw_error_message,
    result_message,
)
from valetkey.protocol.messages import (
    CAPABILITIES_KEY,
    PROTOCOL_VERSION_KEY,
    Params,
    ToolCall,
    initialize,
    read_params,
    tool_call,
    tools_result,
)
from valetkey.protocol.versions import LEGACY, MODERN, WITHOUT_HEADER, negotiate

CANCELLED: Final = -32800
"""Our answer to a request that the client itself cancelled; it does not wait for one."""

_MODERN: Final = MODERN.encode()
_MODERN_JSON: Final = msgspec.Raw(b'"%b"' % _MODERN)
_LEGACY: Final = frozenset(version.encode() for version in LEGACY)
_SUPPORTED: Final = msgspec.json.encode([MODERN])
_ACCEPTED: Final = Reply(202)
_CLIENTS: Final = tuple(
    Client(MODERN, is_modern=True, opens_urls=Asks.URLS in asks, asks=asks) for asks in map(Asks, range(EVERYTHING + 1))
)

Stop = Callable[[], None]


def speaks_modern(head: Head) -> bool:
    """Whether the head belongs to a modern request: its version header names no revision with a handshake."""
    version = head.fields.get(headers.VERSION)
    return version is not None and version not in _LEGACY


class Exchange:
    """Answers messages."""

    def __init__(self, search: ToolSearch, listings: Listings, accounts: Accounts, welcome: Welcome) -> None:
        self._search = search
        self._listings = listings
        self._accounts = accounts
        self._welcome = welcome
        self._open: dict[tuple[str, bytes, bytes], Stop] = {}
        self.asked = Asked()

    async def answer(self, who: Principal, door: Door, head: Head, body: bytes, notify: Notify, stop: Stop) -> Reply:
        """The reply to one POST. `stop` cancels this very exchange, which a legacy client may ask for in another POST.

        Raises nothing but being cancelled: this is the outermost place that still knows how to answer.
        """
        request_id = b"null"
        try:
            message = parse(body)
            if isinstance(message, Request):
                request_id = message.id
            if speaks_modern(head):
                return await self._answer_modern(who, door, head, message, notify)
            return await self._answer_legacy(who, door, head, message, notify, stop)
        except Rejected as error:
            return Reply(error.status, error_message(request_id, error.rpc_code, error.message, error.data))
        except NotFound as error:
            return Reply(404, error_message(request_id, INVALID_REQUEST, error.message))
        except NotRecorded as error:
            # No record, no call; the client may well try again when the log takes records once more.
            return Reply(503, error_message(request_id, INTERNAL_ERROR, error.message))
        except Exception:  # noqa: BLE001  # the outermost door: a fault of ours is logged, and not told
            structlog.get_logger(__name__).exception("an MCP request failed", path=door.path)
            return Reply(500, error_message(request_id, INTERNAL_ERROR, "This hub made a mistake; it was logged."))

    # --- 2026-07-28 ---------------------------------------------------------------------------------------------------

    async def _answer_modern(self, who: Principal, door: Door, head: Head, message: Message, notify: Notify) -> Reply:
        if isinstance(message, Response):
            raise Rejected("Clients of this revision send no responses.", rpc_code=INVALID_REQUEST)
        if isinstance(message, Notification):
            if head.fields[headers.VERSION] != _MODERN:
                raise _unsupported(head.fields[headers.VERSION].decode("latin-1"))
            return _ACCEPTED  # the revision defines none over HTTP; to cancel, a client hangs up
        params = read_params(message.params)
        call = _climb(head, message.method, params)
        client = _CLIENTS[declared(bytes(params.meta[CAPABILITIES_KEY]), version=MODERN)]
        if call is not None:
            _, said = await self._search.recorded(who, door, client, call, head.params, notify)
        elif message.method == "tools/list":
            said = Said(result=await self._list(who, door, client, message))
        elif message.method == "server/discover":
            said = Said(result=await self._welcome.server(who, door, version=MODERN))
        else:
            said = Said(error=_no_such_method(), code=METHOD_NOT_FOUND)
        if said.error:
            return Reply(modern_status(said.code), raw_error_message(message.id, said.error))
        return Reply(200, result_message(message.id, said.result))

    # --- 2025-11-25 and before ----------------------------------------------------------------------------------------

    async def _answer_legacy(
        self, who: Principal, door: Door, head: Head, message: Message, notify: Notify, stop: Stop
    ) -> Reply:
        if isinstance(message, Request) and message.method == "initialize":
            return await self._initialize(who, door, message)
        client = _legacy_client(who, head, message)
        if client is None:
            return refusal(404, "There is no such session. Initialize a new one.")
        session = head.fields.get(headers.SESSION, b"")
        if isinstance(message, Response):  # one that answers nothing is taken, too: it may be late
            self.asked.hear(who.person_id, session, message)
            return _ACCEPTED
        if isinstance(message, Notification):
            if message.method == "notifications/cancelled":
                self._cancel(who, session, message.params)
            return _ACCEPTED
        try:
            said = await self._serve_legacy(who, door, client, session, message, notify, stop)
        except Rejected as error:
            # Before 2026-07-28 a wrong parameter is the request's trouble, not HTTP's.
            said = Said(error=error_object(error.rpc_code, error.message))
        if said.error:
            return Reply(200, raw_error_message(message.id, said.error))
        return Reply(200, result_message(message.id, said.result))

    async def _serve_legacy(
        self, who: Principal, door: Door, client: Client, session: bytes, message: Request, notify: Notify, stop: Stop
    ) -> Said:
        match message.method:
            case "tools/call":
                return await self._call_legacy(who, door, client, session, message, notify, stop)
            case "tools/list":
                return Said(result=await self._list(who, door, client, message))
            case "ping":
                return Said(result=b"{}")
        return Said(error=_no_such_method())

    async def _initialize(self, who: Principal, door: Door, message: Request) -> Reply:
        asked = initialize(message.params)
        version = negotiate(asked.version)
        asks = declared(bytes(asked.capabilities), version=version)
        session = new_session(who.person_id, version=version, asks=asks)
        result = await self._welcome.server(who, door, version=version)
        return Reply(200, result_message(message.id, result), ((headers.SESSION, session),))

    async def _call_legacy(
        self, who: Principal, door: Door, client: Client, session: bytes, message: Request, notify: Notify, stop: Stop
    ) -> Said:
        asked = tool_call(read_params(message.params), modern=False)
        key = (who.person_id, session, message.id)
        self._open[key] = stop
        try:
            return (await self._search.recorded(who, door, client, asked, {}, notify))[1]
        finally:
            if self._open.get(key) is stop:
                del self._open[key]

    def _cancel(self, who: Principal, session: bytes, params: bytes) -> None:
        """Stops the person's own request with that id in that session, if it is here and still under way."""
        request_id = bytes(members(params).get("requestId", b"")) if params else b""
        if (stop := self._open.get((who.person_id, session, request_id))) is not None:
            stop()

    # --- both ---------------------------------------------------------------------------------------------------------

    async def _list(self, who: Principal, door: Door, client: Client, message: Request) -> bytes:
        cursor = bytes(members(message.params).get("cursor", b"null")) if message.params else b"null"
        if cursor != b"null":  # our lists have one page
            raise Rejected("There is no such page.", rpc_code=INVALID_PARAMS, field="params.cursor")
        if not door.connector:
            return await self._search.list(who, door, client)
        account = await self._accounts.at(door, who)
        if account is None:
            meta = {PARTIAL: [{"connector": door.connector, "label": door.label, "reason": "not_connected"}]}
            return tools_result([], version=client.version, ttl_ms=0, meta=meta)
        return await self._listings.one(who, door, account, client)


def _legacy_client(who: Principal, head: Head, message: Message) -> Client | None:
    """How a legacy client talks; `None` when it names a session this person never began."""
    header = head.fields.get(headers.VERSION)
    if header is None and isinstance(message, Request) and _has_envelope(message):
        raise _mismatch("The MCP-Protocol-Version header is missing.")
    version = header.decode("latin-1") if header is not None else WITHOUT_HEADER
    session = head.fields.get(headers.SESSION)
    if session is None:
        return Client(version=version, is_modern=False, opens_urls=False)
    client = find_session(session, who.person_id)
    if client is None or header is None or client.version == version:
        return client
    return msgspec.structs.replace(client, version=version)


def _has_envelope(message: Request) -> bool:
    try:
        return PROTOCOL_VERSION_KEY in read_params(message.params).meta
    except Rejected:
        return False


def _climb(head: Head, method: str, params: Params) -> ToolCall | None:
    """The ladder of a modern request (streamable HTTP: request metadata); the first rung that is missing rejects.

    Gives the call, if it is one.
    """
    fields, meta = head.fields, params.meta
    said = meta.get(PROTOCOL_VERSION_KEY)
    if said is None or CAPABILITIES_KEY not in meta:
        raise Rejected(
            f"params._meta must have {PROTOCOL_VERSION_KEY} and {CAPABILITIES_KEY}.",
            rpc_code=INVALID_PARAMS,
            field="params._meta",
        )
    version = MODERN if said == _MODERN_JSON else _string(said)
    if fields[headers.VERSION] != (_MODERN if version is MODERN else version.encode()):
        raise _mismatch("MCP-Protocol-Version does not match params._meta.")
    if fields.get(headers.METHOD) != method.encode():
        raise _mismatch("Mcp-Method does not match the method.")
    call = None
    if method == "tools/call":
        call = tool_call(params, modern=True)
        named = fields.get(headers.NAME)
        if named is None or (named != call.name.encode() and headers.decode_value(named) != call.name):
            raise _mismatch("Mcp-Name does not match params.name.")
    if version != MODERN:
        raise _unsupported(version)
    return call


def _string(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.MsgspecError as error:
        raise Rejected("The protocol version is not a string.", rpc_code=INVALID_PARAMS) from error


def _mismatch(what: str) -> Rejected:
    return Rejected(what, rpc_code=HEADER_MISMATCH)


def _unsupported(version: str) -> Rejected:
    data = b'{"supported":%b,"requested":%b}' % (_SUPPORTED, msgspec.json.encode(version))
    return Rejected("Unsupported protocol version", rpc_code=UNSUPPORTED_VERSION, data=data)


def _no_such_method() -> bytes:
    return error_object(METHOD_NOT_FOUND, "Method not found")
