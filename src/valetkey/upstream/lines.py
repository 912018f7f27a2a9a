"""Servers that are not asked by one POST each: an open line carries everything, both ways, as it comes.

`Lines` makes such a server look like streamable HTTP: a request is answered by an event stream of its own, a line that
broke by *no such session*, hanging up cancels where that is what it means, so that what speaks to servers need not
know. A line belongs to one connection, and so to one person's account; nobody else's request is ever put on it.

A server of the handshake eras has a line for each of its sessions. A program of 2026-07-28 keeps no session: it has
one line, the *loose* one, on which it was asked what it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from valetkey.kernel.clock import Clock
from valetkey.kernel.secret import Credential
from valetkey.net.limits import Limits
from valetkey.net.model import Answer, Url
from valetkey.protocol import headers
from valetkey.protocol.jsonrpc import Message, Request, parse
from valetkey.upstream import sse, stdio
from valetkey.upstream.line import ID, Line
from valetkey.upstream.model import STDIO, LocalServer, Target, TicketFor
from valetkey.upstream.streamable_http import Calls, Headers

IDLE_SECONDS: Final = 10 * 60.0
"""A line that carried nothing for so long is closed, and opened anew when it is needed."""
MAX_LINES: Final = 500


class Lines:
    """`Calls` for every kind of server: those that need a line get one, all others go to `calls` as they are."""

    def __init__(self, calls: Calls, *, clock: Clock, local: Mapping[str, LocalServer]) -> None:
        self._calls = calls
        self._local = local
        self._starts = stdio.Starts(clock)
        self._lines: dict[bytes, Line] = {}
        self._waiting: dict[str, list[Line]] = {}
        self._loose: dict[str, Line] = {}
        self._starting = asyncio.Lock()
        self._listens: dict[str, bool] = {}

    async def post(
        self,
        url: Url,
        request_headers: Headers,
        body: bytes,
        *,
        credential: Credential | None,
        pool: str,
        limits: Limits,
        method: str = "POST",
    ) -> Answer:
        """As `Calls.post`; a GET finds no standing stream on a line, which needs none."""
        session = next((value for name, value in request_headers if name == headers.SESSION), b"")
        is_program = url.scheme == STDIO
        if not (session.startswith(ID) or is_program) and pool not in self._waiting:
            return await self._calls.post(
                url, request_headers, body, credential=credential, pool=pool, limits=limits, method=method
            )
        if method != "POST":
            return Answer(405, {}, b"", b"", None)
        message = parse(body)
        if isinstance(message, Request) and message.method == "initialize":
            line = await self._for_session(url, pool)
        elif session.startswith(ID):
            found = self._lines.get(session)
            # Somebody else's line is no line (a session is never shared), and one that broke is opened anew.
            if found is None or found.pool != pool or found.is_over:
                return Answer(404, {}, b"", b"", None)
            line = found
        elif is_program:
            return await self._said_loosely(url, pool, message, body, limits)
        else:
            return await self._calls.post(url, request_headers, body, credential=credential, pool=pool, limits=limits)
        return await self._said(line, message, body, credential, limits)

    async def _said(
        self, line: Line, message: Message, body: bytes, credential: Credential | None, limits: Limits
    ) -> Answer:
        self._touch(line)
        answer = await line.exchange(message, body, credential, limits)
        if answer.status in (400, 404, 410):  # to a message on an open line: the server does not know it any more
            line.end()
            return Answer(404, {}, b"", b"", None)
        return answer

    async def _said_loosely(self, url: Url, pool: str, message: Message, body: bytes, limits: Limits) -> Answer:
        """Asks a program outside any session. One that ended meanwhile heard nothing, and is started anew."""
        answer = await self._said(await self._loose_line(url, pool), message, body, None, limits)
        if answer.status != 404:
            return answer
        return await self._said(await self._loose_line(url, pool), message, body, None, limits)

    def expects(self, target: Target) -> bool:
        """Whether the server is rather one that listens on a stream (2024-11-05): it was, or is addressed so."""
        return self._listens.get(target.url.text, target.url.path.endswith("/sse")) and target.url.scheme != STDIO

    async def open(self, target: Target, tickets: TicketFor) -> bool:
        """Opens a line to a server of 2024-11-05, for the next handshake of this connection; whether it is one.

        Raises `Unauthorized`, `Forbidden403`, and what `net` raises.
        """
        if target.url.scheme == STDIO:
            return False
        line = Line(target.connection_id, host=target.url.host)
        wire = await sse.listen(self._calls, target, tickets, take=line.take, over=line.end)
        self._listens[target.url.text] = wire is not None
        if len(self._listens) > MAX_LINES:
            self._listens.pop(next(iter(self._listens)))
        if wire is None:
            return False
        line.wire = wire
        self._keep(line)
        self._waiting.setdefault(target.connection_id, []).append(line)
        return True

    def issuer(self, pool: str) -> str:
        """As `net` says; a program shows no certificate."""
        return self._calls.issuer(pool)

    def close_pool(self, pool: str) -> None:
        """Ends every line of a connection; a program is stopped."""
        self._waiting.pop(pool, None)
        self._loose.pop(pool, None)
        for line in [line for line in self._lines.values() if line.pool == pool]:
            line.end()
            self._lines.pop(line.id, None)

    async def stop(self) -> None:
        """Ends all lines, and waits until no program of ours runs."""
        lines = list(self._lines.values())
        self._lines.clear()
        for line in lines:
            line.end()
        await asyncio.gather(*(line.wire.ended() for line in lines if line.wire is not None))
        await self._starts.all_ended()

    async def _for_session(self, url: Url, pool: str) -> Line:
        """A line for a new session: one that was opened for it, or that of a program which was asked what it is.

        Not if the program still owes an answer: it may have understood the question after all, and would not change.
        """
        lines = self._waiting.get(pool, [])
        line = lines.pop() if lines else None
        if not lines:
            self._waiting.pop(pool, None)
        if line is not None:
            return line
        loose = self._loose.pop(pool, None)
        if loose is not None and not (loose.is_over or loose.is_busy or loose.left_silent):
            loose.is_loose = False
            return loose
        if loose is not None and not loose.is_busy:
            loose.end()
        return await self._started(url, pool)

    async def _loose_line(self, url: Url, pool: str) -> Line:
        async with self._starting:
            line = self._loose.get(pool)
            if line is None or line.is_over:
                line = self._loose[pool] = await self._started(url, pool)
                line.is_loose = True
                self._loose = {key: each for key, each in self._loose.items() if not each.is_over}
            return line

    async def _started(self, url: Url, pool: str) -> Line:
        server = self._local.get(url.host)
        if server is None or url.scheme != STDIO:
            raise stdio.not_there(url.host)
        line = Line(pool, host=server.name)
        line.wire = await self._starts.start(server, pool, take=line.take, over=line.end, is_busy=lambda: line.is_busy)
        self._keep(line)
        return line

    def _keep(self, line: Line) -> None:
        self._lines = {each.id: each for each in self._lines.values() if not each.is_over}
        while len(self._lines) >= MAX_LINES:
            oldest = next((each for each in self._lines.values() if not each.is_busy), None)
            if oldest is None:
                break
            oldest.end()
            del self._lines[oldest.id]
        self._lines[line.id] = line
        self._touch(line)

    def _touch(self, line: Line) -> None:
        if line.idle is not None:
            line.idle.cancel()
        line.idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._rest, line)

    def _rest(self, line: Line) -> None:
        if line.is_busy:
            self._touch(line)
        else:
            line.end()
            self._lines.pop(line.id, None)
