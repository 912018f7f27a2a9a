"""Everything outbound that is not a call: discovery, tokens, documents. httpx2's core behind the same dialer.

No redirects, no proxies, no cookies, no connection kept: each request resolves, checks and dials anew.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import quote_plus

import anyio
import anyio.abc
import anyio.streams.tls
import httpcore2

from valetkey.kernel.errors import BadInput
from valetkey.kernel.secret import Secret
from valetkey.net.certificate import Shown, shown_by
from valetkey.net.dialer import Dials, connect_failed
from valetkey.net.http1 import NOT_CALLERS, TOKEN_CHARS, USER_AGENT
from valetkey.net.limits import METADATA, TOKEN, Limits
from valetkey.net.model import BadAnswer, Fetched, TimedOut, TooLarge, Unreachable, Url
from valetkey.net.wire import REDIRECTS, moved

Values = Mapping[str, str | Secret]

_NONE: Values = MappingProxyType({})
_LINE_BREAK = re.compile(rb"[\r\n\0]")
_MAY_SET = frozenset({b"authorization", b"user-agent"})  # Basic authentication at a token endpoint
_READ = 64 * 1024


class WebClient:
    """Fetches and posts. One per process; holds no state between requests.

    It speaks to `httpcore2` rather than `httpx2.AsyncClient`: that one keeps a cookie jar from request to request,
    which would carry one person's cookies into another's.
    """

    def __init__(self, dialer: Dials) -> None:
        self._dialer = dialer

    async def get(self, url: Url, *, headers: Values = _NONE, limits: Limits = METADATA) -> Fetched:
        """GET. Raises `AddressRefused`, `Unreachable`, `TimedOut`, `TooLarge`, `BadAnswer`, `Moved`."""
        return await self._fetch("GET", url, headers, None, limits)

    async def options(self, url: Url, *, headers: Values, limits: Limits = METADATA) -> Fetched:
        """OPTIONS, as a browser asks before it lets a page of another origin in. Raises as `get`."""
        return await self._fetch("OPTIONS", url, headers, None, limits)

    async def post(
        self, url: Url, *, body: bytes, content_type: str, headers: Values = _NONE, limits: Limits = TOKEN
    ) -> Fetched:
        """POST a body. Raises as `get`."""
        return await self._fetch("POST", url, {"content-type": content_type, **headers}, body, limits)

    async def put(
        self, url: Url, *, body: bytes, content_type: str, headers: Values, limits: Limits = TOKEN
    ) -> Fetched:
        """PUT a body. Raises as `get`."""
        return await self._fetch("PUT", url, {"content-type": content_type, **headers}, body, limits)

    async def post_form(self, url: Url, fields: Values, *, headers: Values = _NONE, limits: Limits = TOKEN) -> Fetched:
        """POST a form (`application/x-www-form-urlencoded`), of which some fields are secrets. Raises as `get`."""
        body = "&".join(f"{quote_plus(name)}={quote_plus(_bytes(value))}" for name, value in fields.items())
        return await self.post(
            url,
            body=body.encode("ascii"),
            content_type="application/x-www-form-urlencoded",
            headers=headers,
            limits=limits,
        )

    async def look(self, url: Url, *, limits: Limits = METADATA) -> Shown | None:
        """Shakes hands and hangs up: what the server of an https URL shows; `None` for http. Raises as `get`."""
        if url.scheme != "https":
            return None
        transport, _, _ = await self._dialer.connect(url, asyncio.Protocol, limits=limits)
        try:
            return shown_by(transport)
        finally:
            transport.abort()

    async def _fetch(self, method: str, url: Url, headers: Values, body: bytes | None, limits: Limits) -> Fetched:
        request = httpcore2.Request(
            method=method,
            url=httpcore2.URL(
                scheme=url.scheme.encode(), host=url.host.encode(), port=url.port, target=url.target.encode("ascii")
            ),
            headers=_header_lines(url, headers, body),
            content=body,
        )
        backend = _Backend(self._dialer, url, limits)
        pool = httpcore2.AsyncConnectionPool(
            ssl_context=self._dialer.tls, network_backend=backend, max_connections=1, max_keepalive_connections=0
        )
        try:
            async with asyncio.timeout(limits.total), pool:
                response = await pool.handle_async_request(request)
                try:
                    return await _read(response, url, limits)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise TimedOut(f"{url.host} did not answer within {limits.total:g} s.", sent=backend.sent) from error
        except httpcore2.RemoteProtocolError as error:
            if backend.ended:
                raise Unreachable(
                    f"{url.host} closed the connection before its answer was whole.", sent=True
                ) from error
            # Its text quotes the bytes that came, and those may be a token: say no more than that.
            raise BadAnswer(f"{url.host} sent a malformed answer.") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise Unreachable(f"The connection to {url.host} broke.", sent=True) from error


async def _read(response: httpcore2.Response, url: Url, limits: Limits) -> Fetched:
    lines = response.headers
    if len(lines) > limits.max_header_lines or sum(len(n) + len(v) for n, v in lines) > limits.max_header:
        raise TooLarge(f"{url.host} sent more response headers than {limits.max_header} bytes.")
    headers: dict[str, str] = {}
    for raw_name, raw_value in lines:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if response.status in REDIRECTS:
        raise moved(url.host, headers.get("location", ""))
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise BadAnswer(f"{url.host} sent a compressed answer, which was not asked for.")
    if "transfer-encoding" in headers and "content-length" in headers:
        raise BadAnswer(f"{url.host} sent an answer whose length can be read in two ways.")
    body = bytearray()
    async for piece in cast("AsyncIterable[bytes]", response.stream):
        body += piece
        if len(body) > limits.max_body:
            raise TooLarge(f"{url.host} sent more than {limits.max_body} bytes.")
    return Fetched(status=response.status, headers=headers, body=bytes(body), url=url)


def _bytes(value: str | Secret) -> bytes:
    # reveal: the token endpoint is the one place that takes a secret in a body or a Basic header (security.md 2.9 c).
    return value.reveal() if isinstance(value, Secret) else value.encode()


def _header_lines(url: Url, headers: Values, body: bytes | None) -> list[tuple[bytes, bytes]]:
    lines = {
        b"host": url.origin.partition("://")[2].encode(),
        b"user-agent": USER_AGENT.encode(),
        b"accept": b"application/json",
        b"accept-encoding": b"identity",
        b"connection": b"close",
    }
    if body is not None:
        lines[b"content-length"] = b"%d" % len(body)
    for name, value in headers.items():
        key, raw = name.lower().encode(), _bytes(value)
        if not TOKEN_CHARS.fullmatch(key) or _LINE_BREAK.search(raw):
            raise BadInput(
                "A header holds a line break or another character that may not stand there.", field="headers"
            )
        if key in NOT_CALLERS - _MAY_SET:
            raise BadInput(f"The header {key.decode()} is not set by callers.", field="headers")
        lines[key] = raw
    return list(lines.items())


class _Backend(httpcore2.AsyncNetworkBackend):
    """Hands httpcore2 the connection that the dialer made for one request."""

    def __init__(self, dialer: Dials, url: Url, limits: Limits) -> None:
        self._dialer = dialer
        self._url = url
        self._limits = limits
        self.sent = self.answered = self.ended = self._is_secured = False

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        if (host, port) != (self._url.host, self._url.port):
            raise BadInput("The HTTP client read another host in the URL than we did.", field="URL")
        dialed = await self._dialer.dial(self._url, limits=self._limits)
        self._is_secured = dialed.is_secured
        family = anyio.abc.UNIXSocketStream if dialed.sock.family == socket.AF_UNIX else anyio.abc.SocketStream
        return _Stream(await family.from_socket(dialed.sock), self)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        raise BadInput("A unix socket is no way out.", field="URL")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def start_tls(self, stream: anyio.abc.ByteStream, context: ssl.SSLContext) -> anyio.abc.ByteStream:
        if self._is_secured:
            return stream
        try:
            async with asyncio.timeout(self._limits.connect):
                return await anyio.streams.tls.TLSStream.wrap(
                    stream, ssl_context=context, hostname=self._url.host, standard_compatible=False, server_side=False
                )
        except (OSError, TimeoutError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            await stream.aclose()
            raise connect_failed(self._url, error) from error

    @property
    def patience(self) -> float:
        return self._limits.idle if self.answered else self._limits.first_byte


class _Stream(httpcore2.AsyncNetworkStream):
    """One connection as httpcore2 sees it."""

    def __init__(self, stream: anyio.abc.ByteStream, backend: _Backend) -> None:
        self._stream = stream
        self._backend = backend

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            async with asyncio.timeout(self._backend.patience):
                data = await self._stream.receive(min(max_bytes, _READ))
        except anyio.EndOfStream:
            self._backend.ended = True
            return b""
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise httpcore2.ReadError from error
        self._backend.answered = True
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        self._backend.sent = True
        try:
            await self._stream.send(buffer)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise httpcore2.WriteError from error  # httpcore2 then still looks for an early answer

    async def aclose(self) -> None:
        await anyio.aclose_forcefully(self._stream)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await self._backend.start_tls(self._stream, ssl_context), self._backend)

    def get_extra_info(self, info: str) -> Any:
        return None
