"""HTTP with server-sent events, as 2024-11-05 has it: one GET stream to listen, one address to post to.

The address comes from the server, so it must be of the same origin: a ticket goes nowhere else (CON-29, CON-30).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import urljoin

from valetkey.kernel.errors import BadInput, OutboundFailed
from valetkey.kernel.secret import Credential
from valetkey.net.limits import LISTEN, MIB, Limits
from valetkey.net.model import AddressRefused, Answer, BadAnswer, TooLarge, Url
from valetkey.net.url import parse_url
from valetkey.protocol.sse import SseReader, StreamLimits, StreamRefused
from valetkey.upstream.model import Target, TicketFor
from valetkey.upstream.streamable_http import JSON, Calls, refused

_LISTEN: Final = replace(LISTEN, max_stream=64 * MIB)
_EVENTS: Final = StreamLimits(event=2 * MIB, total=64 * MIB, events=20_000)
_FIRST: Final = StreamLimits(event=4096, total=64 * 1024, events=8)
_PATIENCE: Final = 10.0
"""Seconds that a stream may take to say where to post to."""
_LONGEST: Final = 2048

Take = Callable[[bytes], bool]
Over = Callable[[OutboundFailed | None], None]


class Listening:
    """The stream that is listened to, and the address that is posted to."""

    def __init__(self, calls: Calls, target: Target, endpoint: Url, answer: Answer) -> None:
        self._calls = calls
        self._target = target
        self._endpoint = endpoint
        self._answer = answer
        self.task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def send(self, body: bytes, credential: Credential | None, limits: Limits) -> Answer | None:
        answer = await self._calls.post(
            self._endpoint, (JSON,), body, credential=credential, pool=self._target.connection_id, limits=limits
        )
        await answer.aclose()  # answers come on the stream; what is said here besides the status is nothing of ours
        return None if answer.status < 300 else Answer(answer.status, answer.headers, b"", b"", None)

    def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close())

    async def ended(self) -> None:
        if self._closing is not None:
            await asyncio.wait({self._closing})

    async def _close(self) -> None:
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()
        await self._answer.aclose()


async def listen(calls: Calls, target: Target, tickets: TicketFor, *, take: Take, over: Over) -> Listening | None:
    """Listens to the server; nothing if it offers no such stream.

    `take` gets each message; `over` hears that the stream ended. Raises `Unauthorized`, `Forbidden403`,
    `AddressRefused` for an address elsewhere, and what `net` raises.
    """
    answer = await calls.post(
        target.url,
        ((b"accept", b"text/event-stream"),),
        b"",
        credential=await tickets(),
        pool=target.connection_id,
        limits=_LISTEN,
        method="GET",
    )
    if answer.status in (401, 403):
        raise refused(answer, target)
    if answer.stream is None or answer.status != 200:
        await answer.aclose()
        return None
    try:
        said, rest = await asyncio.wait_for(_endpoint(answer), _PATIENCE)
        if not said:
            await answer.aclose()
            return None
        endpoint = _same_origin(target.url, said)
    except TimeoutError:
        await answer.aclose()
        return None
    except BaseException:
        await answer.aclose()
        raise
    listening = Listening(calls, target, endpoint, answer)
    listening.task = asyncio.get_running_loop().create_task(_read(answer, rest, take, over))
    return listening


async def _endpoint(answer: Answer) -> tuple[bytes, bytes]:
    """What the first event says, if it is an `endpoint` event, and all bytes so far."""
    assert answer.stream is not None
    reader, seen = SseReader(_FIRST, kind=b"endpoint"), bytearray()
    async for chunk in answer.stream:
        seen += chunk
        try:
            if found := reader.feed(chunk):
                return found[0], bytes(seen)
        except StreamRefused:
            return b"", b""
    return b"", b""


def _same_origin(url: Url, said: bytes) -> Url:
    """The address to post to. What it holds may be a secret of the session's, so no message shows it."""
    elsewhere = AddressRefused(f"{url.host} wants messages sent to another place than itself.")
    try:
        text = urljoin(url.text, said.decode("ascii").strip())
        if len(text) > _LONGEST:
            raise elsewhere
        # The server has this URL already, and we keep it nowhere: it may have a session's secret in its query.
        endpoint = parse_url(text, credentials_in_query=True, private_names=True)
    except (UnicodeDecodeError, ValueError, BadInput) as error:
        raise BadAnswer(f"{url.host} says to post to something that is no address.") from error
    if endpoint.origin != url.origin:
        raise elsewhere
    return endpoint


async def _read(answer: Answer, seen: bytes, take: Take, over: Over) -> None:
    assert answer.stream is not None
    reader = SseReader(_EVENTS)
    error: OutboundFailed | None = None
    try:
        for data in reader.feed(seen):
            take(data)
        async for chunk in answer.stream:
            for data in reader.feed(chunk):
                take(data)
    except StreamRefused as refusal:
        error = TooLarge(refusal.message)
    except OutboundFailed as failure:
        error = failure
    finally:
        over(error)
