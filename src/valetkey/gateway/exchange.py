"""One message in, one answer out: which era the client is of, and how its revision wants to be answered.

Knows no socket: a front hands in the body and a way to notify, and gets a reply to write down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from valetkey.gateway.asked import Asked
from valetkey.gateway.authenticate import is_standing, listens, refusal
from valetkey.gateway.ladder import climb, legacy_client, unsupported
from valetkey.gateway.ladder import speaks_modern as speaks_modern  # the fronts find it here, with the exchange
from valetkey.gateway.methods import Asking, Methods
from valetkey.gateway.model import Client, Door, Head, Notify, Reply, Said
from valetkey.gateway.sessions import find_session, new_session
from valetkey.identity.acting import acting_as
from valetkey.identity.model import Principal
from valetkey.kernel.errors import NotFound, NotRecorded
from valetkey.protocol import headers
from valetkey.protocol.asks import EVERYTHING, Asks, declared
from valetkey.protocol.errors import INTERNAL_ERROR, INVALID_REQUEST, Rejected, modern_status
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
from valetkey.protocol.messages import CAPABILITIES_KEY, initialize, read_params
from valetkey.protocol.versions import MODERN, negotiate
from valetkey.store.acting import on_behalf_of

CANCELLED: Final = -32800
"""Our answer to a request that the client itself cancelled; it does not wait for one."""

_MODERN: Final = MODERN.encode()
_ACCEPTED: Final = Reply(202)
_CLIENTS: Final = tuple(
    Client(MODERN, is_modern=True, opens_urls=Asks.URLS in asks, asks=asks) for asks in map(Asks, range(EVERYTHING + 1))
)

Stop = Callable[[], None]


def ends_with_client(head: Head) -> bool:
    """Whether a request is over when its client hangs up: before 2026-07-28 a broken line is no wish to stop a call."""
    return speaks_modern(head) or listens(head)


class Exchange:
    """Answers messages."""

    def __init__(self, methods: Methods, asked: Asked) -> None:
        self._methods = methods
        self._asked = asked
        self._open: dict[tuple[str, bytes, bytes], Stop] = {}

    async def answer(self, who: Principal, door: Door, head: Head, body: bytes, notify: Notify, stop: Stop) -> Reply:
        """The reply to one POST. `stop` cancels this very exchange, which a legacy client may ask for in another POST.

        Raises nothing but being cancelled: this is the outermost place that still knows how to answer.
        """
        with on_behalf_of(acting_as(who)):
            return await self._answer(who, door, head, body, notify, stop)

    async def _answer(self, who: Principal, door: Door, head: Head, body: bytes, notify: Notify, stop: Stop) -> Reply:
        request_id = b"null"
        try:
            if is_standing(head):
                return await self._stand(who, door, head, notify)
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
                raise unsupported(head.fields[headers.VERSION].decode("latin-1"))
            return _ACCEPTED  # the revision defines none over HTTP; to cancel, a client hangs up
        params = read_params(message.params)
        climb(head, message.method, params)
        client = _CLIENTS[declared(bytes(params.meta[CAPABILITIES_KEY]), version=MODERN)]
        said = await self._methods.serve(
            Asking(who, door, client, b"", head.params, notify, message.id), message.method, params
        )
        if said.error:
            return Reply(modern_status(said.code), raw_error_message(message.id, said.error))
        return Reply(200, result_message(message.id, said.result))

    # --- 2025-11-25 and before ----------------------------------------------------------------------------------------

    async def _answer_legacy(
        self, who: Principal, door: Door, head: Head, message: Message, notify: Notify, stop: Stop
    ) -> Reply:
        if isinstance(message, Request) and message.method == "initialize":
            return await self._initialize(who, door, message)
        client = legacy_client(who, head, message)
        if client is None:
            return refusal(404, "There is no such session. Initialize a new one.")
        session = head.fields.get(headers.SESSION, b"")
        if isinstance(message, Response):
            await self._asked.hear(who.person_id, session, message)
            return _ACCEPTED
        if isinstance(message, Notification):
            if message.method == "notifications/cancelled":
                self._cancel(who, session, message.params)
            return _ACCEPTED
        key = (who.person_id, session, message.id)
        self._open[key] = stop
        try:
            asking = Asking(who, door, client, session, {}, notify, message.id)
            said = await self._methods.serve(asking, message.method, read_params(message.params))
        except Rejected as error:
            # Before 2026-07-28 a wrong parameter is the request's trouble, not HTTP's.
            said = Said(error=error_object(error.rpc_code, error.message, error.data))
        finally:
            if self._open.get(key) is stop:
                del self._open[key]
        if said.error:
            return Reply(200, raw_error_message(message.id, said.error))
        return Reply(200, result_message(message.id, said.result))

    async def _stand(self, who: Principal, door: Door, head: Head, notify: Notify) -> Reply:
        """The standing stream of a legacy session: what its services tell without being asked."""
        client = find_session(head.fields[headers.SESSION], who.person_id)
        if client is None:
            return refusal(404, "There is no such session. Initialize a new one.")
        return await self._methods.subscriptions.stand(who, door, client, notify)

    async def _initialize(self, who: Principal, door: Door, message: Request) -> Reply:
        asked = initialize(message.params)
        version = negotiate(asked.version)
        asks = declared(bytes(asked.capabilities), version=version)
        session = new_session(who.person_id, version=version, asks=asks)
        result = await self._methods.welcome.server(who, door, version=version)
        return Reply(200, result_message(message.id, result), ((headers.SESSION, session),))

    def _cancel(self, who: Principal, session: bytes, params: bytes) -> None:
        """Stops the person's own request with that id in that session, if it is here and still under way."""
        request_id = bytes(members(params).get("requestId", b"")) if params else b""
        if (stop := self._open.get((who.person_id, session, request_id))) is not None:
            stop()
