"""One POST to a connector's server, and the one message that answers it: as JSON or out of an event stream.

The headers are the ones built here and nothing else: no header of the client's request ever gets this far.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

import msgspec

from valetkey import __version__
from valetkey.kernel.errors import printable
from valetkey.kernel.secret import Credential
from valetkey.net.limits import CALL, KIB, MIB, Limits
from valetkey.net.model import Answer, BadAnswer, BodyStream, TooLarge, Unreachable, Url
from valetkey.protocol import headers
from valetkey.protocol.errors import Rejected
from valetkey.protocol.jsonrpc import Message, Notification, Request, Response, parse
from valetkey.protocol.sse import SseReader, StreamLimits, StreamRefused
from valetkey.upstream.model import Forbidden403, HttpFailed, Target, Unauthorized

CALL_LIMITS: Final = replace(CALL, max_body=2 * MIB, max_stream=4 * MIB)
"""A tool call. The size is what 150,000 characters can take at worst (escapes of six bytes), and some room."""
STREAM_LIMITS: Final = StreamLimits(event=2 * MIB, total=4 * MIB, events=2000)

ACCEPT: Final = (b"accept", b"application/json, text/event-stream")
JSON: Final = (b"content-type", b"application/json")
CLIENT_INFO: Final = msgspec.json.encode({"name": "valetkey", "title": "Valetkey", "version": __version__})
"""Who we say we are. Who is behind us is nobody's business: the credential tells the service (CON-33)."""

MAX_TAKEN_UP: Final = 20
"""How often the stream of one call is taken up again (SEP-1699)."""
_RETRY_MS: Final = 1000
"""How long to wait before that, when the server does not say."""
_MAX_ERROR_BODY: Final = 64 * KIB
_PATIENCE: Final = 0.25
"""Seconds that a stream is given to end by itself after the answer came. Ending twice does no harm."""
PIECE: Final = 4 * KIB
"""Bytes of a stream that are read in one go: a service that floods one call must not hold up the others (T28)."""
_EVENTS: Final = 64
"""Events that are read in one go, for the same reason."""
_closing: Final[set[asyncio.Task[None]]] = set()

Headers = Sequence[tuple[bytes, bytes]]
Heed = Callable[[Notification | Request], Awaitable[None]]


class Calls(Protocol):
    """What we need of `net`'s client for the call path."""

    async def post(
        self,
        url: Url,
        headers: Headers,
        body: bytes,
        *,
        credential: Credential | None,
        pool: str,
        limits: Limits,
        method: str = "POST",
    ) -> Answer: ...

    def issuer(self, pool: str) -> str: ...


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A request of ours, ready to be sent."""

    id: int
    body: bytes
    headers: Headers


class TakesUp(Protocol):
    """Goes on with a stream that ended before the answer came."""

    async def __call__(self, last_id: bytes, wait: float, limits: Limits) -> Answer:
        """The stream from after the event with this id, asked for when `wait` seconds are over."""


class Heard(msgspec.Struct, frozen=True, gc=False):
    """The response to our request, the HTTP status it came under, and the session it belongs to (legacy)."""

    response: Response
    status: int
    session: bytes


async def ask(
    calls: Calls,
    target: Target,
    request: Outgoing,
    *,
    ticket: Credential | None,
    limits: Limits,
    heed: Heed | None,
    takes_up: TakesUp | None = None,
) -> Heard:
    """Posts a request and waits for its response. `heed` gets what comes on the stream before it.

    A stream that ends too soon is gone on with by `takes_up`, if there is a way (2025-11-25, transports). Raises
    `Unauthorized`, `Forbidden403`, `HttpFailed`, and what `net` raises. An error object in a 4xx is a response.
    """
    answer = await calls.post(
        target.url, request.headers, request.body, credential=ticket, pool=target.connection_id, limits=limits
    )
    status = answer.status
    if answer.stream is not None:
        return await _ask_stream(answer, answer.stream, request.id, heed, takes_up, limits)
    if status in (401, 403):
        raise refused(answer, target)
    if answer.content_type != b"application/json":
        if status >= 300:
            raise failed(target, status)
        raise BadAnswer(f"{target.url.host} answered with neither JSON nor an event stream.")
    response = _response(answer.body, request.id, status)
    if response is None:
        raise failed(target, status)
    return Heard(response, status, answer.headers.get(headers.SESSION, b""))


async def _ask_stream(
    answer: Answer, stream: BodyStream, request_id: int, heed: Heed | None, takes_up: TakesUp | None, limits: Limits
) -> Heard:
    reader = SseReader(STREAM_LIMITS)
    session = answer.headers.get(headers.SESSION, b"")
    until = asyncio.get_running_loop().time() + limits.total
    response, taken_up = None, 0
    try:
        while (response := await _from_stream(reader, stream, request_id, heed, cut=takes_up is not None)) is None:
            await answer.aclose()
            left = until - asyncio.get_running_loop().time()
            wait = (reader.retry if reader.retry >= 0 else _RETRY_MS) / 1000
            if takes_up is None or not reader.last_id or taken_up == MAX_TAKEN_UP or wait >= left:
                raise BadAnswer("The event stream ended before the answer came.")
            taken_up += 1
            reader.again()
            answer = await takes_up(reader.last_id, wait, replace(limits, total=left - wait))
            if answer.stream is None:
                raise BadAnswer("The event stream ended before the answer came, and was not to be had again.")
            stream = answer.stream
    except BaseException:
        await answer.aclose()
        raise
    # The end of the stream follows in the next packet; whoever hangs up before it dials anew for the next call.
    asyncio.get_running_loop().call_later(_PATIENCE, _hang_up, answer)
    return Heard(response, answer.status, session)


def _hang_up(answer: Answer) -> None:
    closing = asyncio.get_running_loop().create_task(answer.aclose())
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)


async def tell(
    calls: Calls, target: Target, body: bytes, request_headers: Headers, *, ticket: Credential | None, limits: Limits
) -> None:
    """Posts a notification or a response. Only a 401 or 403 is worth hearing of what is answered."""
    answer = await calls.post(
        target.url, request_headers, body, credential=ticket, pool=target.connection_id, limits=limits
    )
    if answer.stream is not None:
        await answer.aclose()
    if answer.status in (401, 403):
        raise refused(answer, target)


def refused(answer: Answer, target: Target) -> HttpFailed:
    """The error for a 401 or 403."""
    challenge = printable(answer.headers.get(b"www-authenticate", b"").decode("latin-1"), limit=2000)
    if answer.status == 401:
        return Unauthorized(f"{target.url.host} did not accept the credential (HTTP 401).", challenge=challenge)
    return Forbidden403(f"{target.url.host} refused the request (HTTP 403).", challenge=challenge)


def failed(target: Target, status: int) -> HttpFailed:
    """The error for a status that carries no answer."""
    return HttpFailed(f"{target.url.host} answered with HTTP {status}.", status=status)


def _response(body: bytes, request_id: int, status: int) -> Response | None:
    """The response in a JSON body; `None` when an error status carries none."""
    if status >= 300 and len(body) > _MAX_ERROR_BODY:
        return None
    try:
        message = parse(body)
    except Rejected as error:
        if status >= 300:
            return None
        raise BadAnswer(f"The answer is not JSON-RPC: {error.message}") from error
    if not isinstance(message, Response):
        if status >= 300:
            return None
        raise BadAnswer("The answer is no JSON-RPC response.")
    if message.id == b"%d" % request_id or (message.error and message.id == b"null"):
        return message
    raise BadAnswer("The answer is to another request than ours.")


async def _from_stream(
    reader: SseReader, stream: BodyStream, request_id: int, heed: Heed | None, *, cut: bool
) -> Response | None:
    """The response in a stream; `None` at its end, or, with `cut`, where the line broke."""
    wanted = b"%d" % request_id
    try:
        async for chunk in stream:
            for start in range(0, len(chunk), PIECE):
                if start:
                    await asyncio.sleep(0)
                for n, data in enumerate(_feed(reader, chunk[start : start + PIECE]), 1):
                    if n % _EVENTS == 0:
                        await asyncio.sleep(0)
                    message = from_event(data)
                    if isinstance(message, Response):
                        if message.id == wanted:
                            return message
                        continue  # a frame about another request has no business here
                    if message is not None and heed is not None:
                        await heed(message)
    except Unreachable:
        if not cut or not reader.last_id:
            raise
    return None


def _feed(reader: SseReader, chunk: bytes) -> list[bytes]:
    try:
        return reader.feed(chunk)
    except StreamRefused as error:
        raise TooLarge(error.message) from error


def from_event(data: bytes) -> Message | None:
    """The message in one event; what is not one is passed over, as an extra frame would be."""
    try:
        return parse(data)
    except Rejected:
        return None
