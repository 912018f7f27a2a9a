"""The call log: one record per call, whatever happens to the call, to us or to the database.

    begin    the intent goes to the journal; if it cannot, the call is not made (I4)
    finish   the ending goes to the journal, the record to the queue
    writer   brings records into the database, many in one transaction, and then lets go of the journal
    start    replays the journals of processes that died: what was finished is written, what was not is `interrupted`

A record's id is its key and is inserted once: replaying what the database has already changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec
import structlog

from valetkey.audit import repository
from valetkey.audit.journal import Journal, Segment, is_damaged, left_behind, read_frames, sync_directory
from valetkey.audit.model import CallEnding, CallIntent, Outcome
from valetkey.audit.points import Point
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import Conflict, NotRecorded
from valetkey.kernel.failpoints import reached
from valetkey.store.database import Database

_GATHER = 0.04  # seconds from the first finished call of a batch to its transaction: it waits for company
_BATCH = 1000  # records in one transaction
_ROUND = 50  # what is over this is left for the next batch: few sizes of statements, each of which stays prepared
_RETRY = 1.0
_LAST_WORDS = 10.0
"""Seconds that the database is given to take the last records; what it does not take, the next start brings."""
_PATIENCE = 5.0  # seconds that a call waits for room in a full log
_MOST_WAITING = 20_000
_MOST_BYTES = 64 * 1024 * 1024  # of payloads kept in memory while the database does not take them
_Frame = TypeVar("_Frame", CallIntent, CallEnding)
_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[CallIntent | CallEnding] = msgspec.msgpack.Decoder(CallIntent | CallEnding)


class OpenCall:
    """A call that was begun. `finish` it exactly once, or use it as a context that does so when an exception leaves."""

    __slots__ = ("_began", "_log", "intent", "is_finished", "segment")

    def __init__(self, log: CallLog, intent: CallIntent, segment: Segment, began: float) -> None:
        self._log = log
        self._began = began
        self.intent = intent
        self.segment = segment
        self.is_finished = False

    def finish(
        self,
        outcome: Outcome,
        *,
        rule: str = "",
        detail: str = "",
        origin: str = "",
        response: bytes | None = None,
        response_bytes: int = 0,
        tool_class: str = "",
    ) -> None:
        """Writes down how it ended. `response` is sealed; `response_bytes` is its length before.

        Raises `Conflict` the second time; the first stands. Never raises `NotRecorded`: the call has happened, and its
        record goes to the database even if the journal is full by now.
        """
        if self.is_finished:
            raise Conflict("This call's record is closed already.")
        self.is_finished = True
        log = self._log
        ending = CallEnding(
            id=self.intent.id,
            outcome=outcome,
            rule=rule,
            detail=detail,
            origin=origin,
            duration_us=int((log.clock.monotonic() - self._began) * 1e6),
            response_bytes=response_bytes,
            response=response,
            tool_class=tool_class,
        )
        log.finished(self, ending)

    def __del__(self) -> None:
        # A weak dictionary says the same, at ten times the price on the way of every call.
        self._log.held.pop(self.intent.id, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self.is_finished:
            return
        if kind is None:
            self.finish(Outcome.FAILED, detail="left without an outcome")
        elif issubclass(kind, asyncio.CancelledError):
            self.finish(Outcome.CANCELLED)
        elif issubclass(kind, TimeoutError):
            self.finish(Outcome.TIMEOUT)
        else:
            self.finish(Outcome.FAILED, detail=kind.__name__)  # the name only: a message may hold anything


class CallLog:
    """Records calls. `begin` and `finish` are synchronous and cheap; use it from one event loop."""

    def __init__(
        self,
        database: Database,
        journal_dir: Path,
        clock: Clock,
        *,
        journal: Journal | None = None,
        last_words: float = _LAST_WORDS,
    ) -> None:
        self.clock = clock
        self._last_words = last_words
        self._database = database
        self._directory = journal_dir
        self._journal = journal or Journal(journal_dir)
        self._queue: deque[tuple[OpenCall, CallEnding, Segment | None, int]] = deque()
        self._open = 0
        self.held: dict[str, CallIntent] = {}
        """The intents of calls that somebody still holds: written down, and not yet let go of."""
        self._bytes = 0
        self._taking = False
        self._wake = asyncio.Event()
        self._written = 0
        self._may_be_there = False
        self._progress = asyncio.Condition()
        self._timer: asyncio.TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    async def start(self) -> None:
        """Replays what dead processes left behind, then begins to record. Raises `OSError` or the database's error."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._replay()
        self._journal.open()
        self._taking = True
        self._writer = asyncio.create_task(self._write_forever(), name="call log")

    async def stop(self) -> None:
        """Takes no more calls, and writes what there is if the database answers; if not, the journal keeps it."""
        self._taking = False
        self._stop.set()
        self._wake.set()
        if self._writer is not None:
            # A database that neither answers nor fails would hold the hub here for ever, and its stop would be a kill.
            _, late = await asyncio.wait({self._writer}, timeout=self._last_words)
            if late:
                structlog.get_logger(__name__).error("call records stay in the journal: the database does not answer")
                self._writer.cancel()
                await asyncio.wait({self._writer}, timeout=self._last_words)
        await asyncio.to_thread(self._journal.close)

    @property
    def is_full(self) -> bool:
        """Whether the database is so far behind that no call is begun now: `room` waits until it has caught up."""
        return self._open + len(self._queue) >= _MOST_WAITING or self._bytes >= _MOST_BYTES

    async def room(self) -> None:
        """Returns when there is room for one more call, or after a few seconds: then `begin` says that there is none.

        So a rush is slowed down to what the database takes, and not refused.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE), self._progress:
                await self._progress.wait_for(lambda: not self.is_full)

    def begin(self, intent: CallIntent) -> OpenCall:
        """Writes the intent down; the call may be made when this returns. Raises `NotRecorded`: then it may not."""
        if not self._taking:
            raise NotRecorded("The call log is not open.")
        if self.is_full:
            raise NotRecorded("The call log is full: the database does not keep up, or does not answer.")
        try:
            frame = _encode(intent)
        except UnicodeEncodeError:
            intent = _well_formed(intent)
            frame = _encode(intent)
        segment = self._journal.append(frame)
        reached(Point.CALL_BEGUN)
        self._open += 1
        self.held[intent.id] = intent
        return OpenCall(self, intent, segment, self.clock.monotonic())

    def intent_of(self, call_id: str) -> CallIntent | None:
        """The intent, if it was written down here and somebody still holds the call: the vault asks before it gives."""
        return self.held.get(call_id)

    def finished(self, call: OpenCall, ending: CallEnding) -> None:
        """What `OpenCall.finish` calls."""
        segment: Segment | None = None
        try:
            frame = _encode(ending)
        except UnicodeEncodeError:
            ending = _well_formed(ending)
            frame = _encode(ending)
        try:
            segment = self._journal.append(frame)
        except NotRecorded as error:
            # Not raised: see `finish`. If we die before the writer has run, the record will say `interrupted`.
            structlog.get_logger(__name__).error("a call's ending is not in the journal", reason=error.message)
        reached(Point.CALL_ENDED)
        self._open -= 1
        size = len(call.intent.request or b"") + len(ending.response or b"")
        self._bytes += size
        self._queue.append((call, ending, segment, size))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GATHER, self._wake.set)

    async def flush(self) -> None:
        """Returns when every call finished so far is in the database."""
        until = self._written + len(self._queue)
        async with self._progress:
            while self._written < until:
                self._wake.set()
                await self._progress.wait()

    async def settle(self) -> None:
        """Returns when everything begun so far is on the disk: for calls of class medium and above, before the act."""
        await asyncio.to_thread(self._journal.sync)

    # --- the writer -------------------------------------------------------------------------------------------------

    async def _write_forever(self) -> None:
        is_last = False
        while not is_last:
            await self._wake.wait()
            self._wake.clear()
            is_last = self._stop.is_set()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            # What is finished from here on waits for the next time, with its company.
            waiting = len(self._queue)
            while waiting:
                size = min(waiting, _BATCH)
                if await self._write_batch(size if is_last else size - size % _ROUND or size):
                    waiting -= size
                elif self._stop.is_set():
                    return
                else:
                    await asyncio.sleep(_RETRY)
            self._journal.tidy(idle=self._open == 0)
            if self._queue and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(_GATHER, self._wake.set)

    async def _write_batch(self, size: int) -> bool:
        """Brings `size` records into the database, and then lets go of their frames. Whether it succeeded."""
        batch = list(islice(self._queue, size))
        try:
            async with self._database.write() as tx:
                calls = [(call.intent, ending) for call, ending, _, _ in batch]
                await repository.insert_calls(tx, calls, again=self._may_be_there)
        except Exception as error:  # noqa: BLE001 – the record itself: a writer that ended would end every call
            self._may_be_there = True  # the commit may have been what failed, and may have worked all the same
            structlog.get_logger(__name__).error("call records wait in the journal", reason=type(error).__name__)
            return False
        reached(Point.CALL_WRITTEN)
        self._may_be_there = False
        async with self._progress:
            self._written += len(batch)
            for call, _, segment, size in batch:
                self._queue.popleft()
                self._bytes -= size
                call.segment.waiting -= 1
                if segment is not None:
                    segment.waiting -= 1
            self._progress.notify_all()
        self._journal.tidy()
        return True

    # --- the start --------------------------------------------------------------------------------------------------

    async def _replay(self) -> None:
        with left_behind(self._directory) as paths:
            # All files of a dead process together: a call may have begun in one and ended in the next.
            begun: dict[str, CallIntent] = {}
            ended: dict[str, CallEnding] = {}
            whole = [await _read(path, begun, ended) for path in paths]
            calls = [(intent, ended.get(intent.id) or _interrupted(intent)) for intent in begun.values()]
            for at in range(0, len(calls), repository.MOST_ROWS):
                async with self._database.write() as tx:
                    await repository.insert_calls(tx, calls[at : at + repository.MOST_ROWS], again=True)
            for path, is_whole in zip(paths, whole, strict=True):  # only now: until here, dying again loses nothing
                if is_whole:
                    path.unlink()
                else:
                    path.rename(path.with_suffix(".damaged"))
            if paths:
                await asyncio.to_thread(sync_directory, self._directory)
        if calls:
            structlog.get_logger(__name__).info(
                "call records replayed", calls=len(calls), interrupted=len(begun.keys() - ended.keys())
            )


async def _read(path: Path, begun: dict[str, CallIntent], ended: dict[str, CallEnding]) -> bool:
    """Adds what the file holds; whether it could be read to its end, but for a last record that a crash tore."""
    log = structlog.get_logger(__name__)
    frames, rest = read_frames(await asyncio.to_thread(path.read_bytes))
    try:
        for frame in frames:
            value = _decoder.decode(frame)
            if isinstance(value, CallIntent):
                begun[value.id] = value
            else:
                ended[value.id] = value
    except msgspec.MsgspecError:
        log.error("a journal holds a record of another version; kept as .damaged", file=path.name)
        return False
    if is_damaged(rest):
        log.error("a journal is damaged in the middle; kept as .damaged", file=path.name, unread_bytes=len(rest))
        return False
    if rest.strip(b"\0"):
        log.warning("a journal ends in a torn record", file=path.name, bytes=len(rest))
    return True


def _interrupted(intent: CallIntent) -> CallEnding:
    return CallEnding(id=intent.id, outcome=Outcome.INTERRUPTED, detail="The hub stopped while the call was out.")


def _well_formed(value: _Frame) -> _Frame:
    """`value` without lone surrogates (somebody's JSON may bring them), which neither journal nor database can hold."""
    texts = {name: text for name, text in msgspec.structs.asdict(value).items() if isinstance(text, str)}
    return msgspec.structs.replace(
        value, **{name: text.encode(errors="replace").decode() for name, text in texts.items() if not text.isascii()}
    )
