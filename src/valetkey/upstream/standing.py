"""The stream that a legacy session keeps open beside its calls: what a server says there belongs to no call by itself.

Opened with the first call of a client that can be asked something, and closed a while after the last one. Servers that
offer none say 405, and lose nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import ValetkeyError
from valetkey.net.limits import LISTEN
from valetkey.net.model import Answer, Unreachable
from valetkey.protocol.jsonrpc import Notification, Request
from valetkey.protocol.sse import SseReader, StreamLimits
from valetkey.upstream.legacy import LegacySessions, Session
from valetkey.upstream.model import Target, TicketFor
from valetkey.upstream.streamable_http import PIECE, from_event

MAX_STANDING: Final = 1000
"""Streams of all sessions together; a session beyond that goes without."""
LINGER: Final = 60.0
"""Seconds that a stream is kept after the last call."""
PATIENCE: Final = 2.0
"""Seconds that a call waits for the stream to be there; some servers ask nowhere else."""
_AGAIN: Final = 5
_RETRY: Final = 1.0
_LIMITS: Final = StreamLimits(total=64 << 20, events=20_000)

Hear = Callable[[Target, Session, Notification | Request, TicketFor], Awaitable[None]]


class _Line:
    """One standing stream."""

    def __init__(self, target: Target, session: Session, tickets: TicketFor) -> None:
        self.target = target
        self.session = session
        self.tickets = tickets
        self.calls = 0
        self.is_there = asyncio.Event()
        self.closing: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None
        self.was_refused = False


class Standing:
    """Opens and closes the streams. `hear` gets every message."""

    def __init__(self, sessions: LegacySessions, hear: Hear, *, clock: Clock, patience: float = PATIENCE) -> None:
        self._sessions = sessions
        self._hear = hear
        self._clock = clock
        self._patience = patience
        self._lines: dict[int, _Line] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def enter(self, target: Target, session: Session, tickets: TicketFor) -> None:
        """A call in `session` begins: its stream is there when this returns, if there is to be one."""
        line = self._lines.get(id(session))
        if line is None:
            if len(self._lines) >= MAX_STANDING:
                return
            line = self._lines[id(session)] = _Line(target, session, tickets)
        line.calls += 1
        line.tickets = tickets
        if line.task is None or (line.task.done() and not line.was_refused):
            line.is_there.clear()
            line.task = asyncio.get_running_loop().create_task(self._listen(line))
        if line.closing is not None:
            line.closing.cancel()
            line.closing = None
        if not line.is_there.is_set():
            waiting = asyncio.ensure_future(line.is_there.wait())
            await asyncio.wait({waiting}, timeout=self._patience)
            waiting.cancel()
            line.is_there.set()  # a server that says nothing until it has something to say is waited for once

    def leave(self, session: Session) -> None:
        """A call in `session` is over."""
        line = self._lines.get(id(session))
        if line is None:
            return
        line.calls -= 1
        if line.calls <= 0 and line.closing is None:
            line.closing = asyncio.get_running_loop().call_later(LINGER, self._close, line)

    def forget(self, connection_id: str) -> None:
        """Closes the streams of a connection."""
        for line in list(self._lines.values()):
            if line.target.connection_id == connection_id:
                self._close(line)

    async def stop(self) -> None:
        """Closes all."""
        for line in list(self._lines.values()):
            self._close(line)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _close(self, line: _Line) -> None:
        self._lines.pop(id(line.session), None)
        if line.closing is not None:
            line.closing.cancel()
        if line.task is not None and not line.task.done():
            line.task.cancel()
            self._ending.add(line.task)
            line.task.add_done_callback(self._ending.discard)

    async def _listen(self, line: _Line) -> None:
        """Reads the stream, and takes it up again while calls are under way. That there is none changes nothing."""
        reader = SseReader(_LIMITS)
        wait = 0.0
        line.was_refused = True
        try:
            for _ in range(_AGAIN):
                answer = await self._sessions.take_up(
                    line.target, line.session, reader.last_id, wait, LISTEN, line.tickets
                )
                try:
                    if answer.stream is None:
                        return
                    line.was_refused = False
                    line.is_there.set()
                    await self._read(line, answer, reader)
                finally:
                    await answer.aclose()
                if line.calls <= 0:
                    return
                reader.again()
                wait = reader.retry / 1000 if reader.retry >= 0 else _RETRY
        except ValetkeyError:
            return
        finally:
            line.is_there.set()

    async def _read(self, line: _Line, answer: Answer, reader: SseReader) -> None:
        assert answer.stream is not None
        try:
            async for chunk in answer.stream:
                for start in range(0, len(chunk), PIECE):
                    if start:
                        await asyncio.sleep(0)
                    for data in reader.feed(chunk[start : start + PIECE]):
                        message = from_event(data)
                        if isinstance(message, (Notification, Request)):
                            await self._hear(line.target, line.session, message, line.tickets)
        except Unreachable:
            return
