"""Checkpoints: the log's size and root, signed once a minute or every 1,000 records, and sent where we cannot reach.

    1 follow    the log is read on from the last checkpoint: it must continue it, or nothing is signed any more
    2 sign      the note, and the mark of the watch key if somebody keeps one
    3 keep      number, note and mark, in the database
    4 move on   the watch key's value that made the mark is destroyed
    5 deliver   to every sink, in order; one that fails is tried again, and holds up nobody else

A hub that wrote a checkpoint cannot take it back once a sink has it: whoever cuts the log short or rewrites it later
needs the sink, too. One replica at a time does this (a lease).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import structlog

from valetkey.audit import checkpoint_repository as rows
from valetkey.audit import log_repository
from valetkey.audit.checkpoint_repository import KeptCheckpoint, SinkState
from valetkey.audit.merkle import Frontier
from valetkey.audit.note import Checkpoint, VerifierKey, write_note
from valetkey.audit.points import Point
from valetkey.audit.sinks import Sink
from valetkey.audit.trail import Trail
from valetkey.audit.watch import Step
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import Conflict, ValetkeyError, printable
from valetkey.kernel.failpoints import reached
from valetkey.store.database import Database
from valetkey.store.leases import Leases

EVERY = timedelta(seconds=60)
MOST_RECORDS = 1000
_LOOK_EVERY = 5.0
_LEASE = "trail.checkpoint"
_LEASE_SECONDS = 120.0
_AT_ONCE = 50  # checkpoints for one sink in one round
_LONGEST_WAIT = 600.0
_LAST_WORDS = 5.0


class Signer(Protocol):
    """The vault, as far as checkpoints need it."""

    @property
    def verifier_key(self) -> VerifierKey: ...
    async def sign(self, text: bytes) -> bytes: ...


class Watch(Protocol):
    """The watch key: the mark on a note, and moving on. `None` when nobody keeps one."""

    async def step(self, note: bytes, *, after: tuple[str, int]) -> Step | None: ...
    async def move_on(self, step: Step) -> None: ...


class Inconsistent(ValetkeyError):
    """The log does not continue what was signed."""

    code = "trail_inconsistent"


class Checkpoints:
    """Makes checkpoints and delivers them. `start` after the databases are migrated, `stop` before they close."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        leases: Leases,
        trail: Trail,
        signer: Signer,
        watch: Watch,
        sinks: tuple[Sink, ...] = (),
    ) -> None:
        self._database = database
        self._clock = clock
        self._leases = leases
        self._trail = trail
        self._signer = signer
        self._watch = watch
        self._sinks = sinks
        self._known = Frontier()
        self._alone = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._failing: set[str] = set()
        self.broken = ""
        """Why nothing is signed any more; empty while all is well."""

    @property
    def verifier_key(self) -> VerifierKey:
        return self._signer.verifier_key

    @property
    def state(self) -> str:
        """In a word: `broken`, `sink_failing` or `signed`."""
        if self.broken:
            return "broken"
        return "sink_failing" if self._failing else "signed"

    @property
    def sink_names(self) -> Sequence[str]:
        return [sink.name for sink in self._sinks]

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="checkpoints")

    async def stop(self) -> None:
        """Makes a last one."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=_LAST_WORDS)
        # What is not signed or delivered now is after the next start: a database that does not answer holds up no stop.
        for act in (self.make, self.deliver):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS):
                    await self._quietly(act)

    async def last(self) -> KeptCheckpoint | None:
        async with self._database.read() as tx:
            return await rows.find_last(tx)

    async def sinks(self) -> Sequence[SinkState]:
        """How far each configured sink is."""
        async with self._database.read() as tx:
            states = await rows.find_sinks(tx)
        return [states.get(sink.name) or SinkState(sink.name) for sink in self._sinks]

    async def list(self, *, before: int = 0, limit: int = 50) -> Sequence[KeptCheckpoint]:
        """The newest first; `before` is the number of the last one seen, 0 for the beginning."""
        async with self._database.read() as tx:
            return await rows.find_newest(tx, before=before, limit=limit)

    # --- making -----------------------------------------------------------------------------------------------------

    async def make(self) -> KeptCheckpoint:
        """Signs the log as it stands; the last checkpoint if nothing was written since.

        Raises `Inconsistent` when the log is not the one that was signed, `Conflict` when another replica is at it.
        """
        async with self._alone:
            held = await self._leases.take(_LEASE, seconds=_LEASE_SECONDS)
            if held is None:
                raise Conflict("Another process is making a checkpoint.", hint="Try again in a minute.")
            try:
                return await self._make()
            finally:
                await self._leases.give_back(held)

    async def _make(self) -> KeptCheckpoint:
        last, head = await self._stand()
        frontier = await self._follow(last, head)  # 1. does it continue what was signed?
        if last is not None and last.size == head.size and last.verifier_key == str(self.verifier_key):
            return last
        key = self.verifier_key
        checkpoint = Checkpoint(key.name, frontier.size, frontier.root())
        note = write_note(checkpoint, key, await self._signer.sign(checkpoint.text().encode()))  # 2. sign
        used = (last.step.watch, last.step.number) if last and last.step else ("", 0)
        step = await self._watch.step(note.encode(), after=used)
        reached(Point.CHECKPOINT_SIGNED)
        number = last.number + 1 if last else 1
        made = KeptCheckpoint(number, self._clock.now(), checkpoint.size, checkpoint.root, note, str(key), step)
        async with self._database.write() as tx:
            if not await rows.add(tx, made):  # 3. keep
                raise Conflict("Another process has made a checkpoint.", hint="Try again in a minute.")
        reached(Point.CHECKPOINT_KEPT)
        if step is not None:
            await self._watch.move_on(step)  # 4. what made the mark is no more
            reached(Point.CHECKPOINT_MOVED_ON)
        self._known = frontier
        return made

    async def _stand(self) -> tuple[KeptCheckpoint | None, Frontier]:
        """The last checkpoint, and then the head: never older. Raises `Inconsistent` for a head that cannot be."""
        async with self._database.read() as tx:
            last = await rows.find_last(tx)
            try:
                return last, await log_repository.find_head(tx)
            except ValueError as error:
                self.broken = "The log's head was damaged."
                raise Inconsistent(self.broken, hint="Run `valetkey trail verify`.") from error

    async def _follow(self, last: KeptCheckpoint | None, head: Frontier) -> Frontier:
        """The log from what is known on, through the last checkpoint to the head. Raises `Inconsistent`."""
        frontier = self._known.copy()
        if last is not None and last.size < frontier.size:
            frontier = Frontier()  # a checkpoint was taken away, or another replica is behind: from the beginning
        stops = [(last.size, last.root, "its last checkpoint")] if last is not None else []
        for size, root, what in [*stops, (head.size, head.root(), "its own head")]:
            if not await self._read_on(frontier, size) or frontier.root() != root:
                self.broken = f"The log does not agree with {what}, over {size} records."
                raise Inconsistent(self.broken, hint="Run `valetkey trail verify`: it names the record.")
        self.broken = ""
        return frontier

    async def _read_on(self, frontier: Frontier, size: int) -> bool:
        """Appends the leaves up to `size`; false if they are not there."""
        while frontier.size < size:
            async with self._database.read() as tx:
                found = await log_repository.find_hashes_between(tx, frontier.size, min(size, frontier.size + 5000))
            if not found:
                return False
            for leaf in found:
                frontier.append(leaf)
            await asyncio.sleep(0)
        return frontier.size == size

    # --- delivering -------------------------------------------------------------------------------------------------

    async def deliver(self) -> None:
        """One round: to every sink what it does not have yet, unless it failed a moment ago."""
        for sink, state in zip(self._sinks, await self.sinks(), strict=True):
            if state.next_at is None or state.next_at <= self._clock.now():
                state = await self._deliver_to(sink, state)
            (self._failing.discard if state.failing_since is None else self._failing.add)(sink.name)

    async def _deliver_to(self, sink: Sink, state: SinkState) -> SinkState:
        async with self._database.read() as tx:
            waiting = await rows.find_from(tx, state.delivered + 1, limit=_AT_ONCE)
        before, now = state, self._clock.now()
        for checkpoint in waiting:
            try:
                await sink.send(checkpoint)
            except (ValetkeyError, OSError, TimeoutError) as error:
                wait = timedelta(seconds=min(_LOOK_EVERY * 2**state.failures, _LONGEST_WAIT))
                state = replace(
                    state,
                    failing_since=state.failing_since or now,
                    failures=min(state.failures + 1, 1000),
                    next_at=now + wait,
                    reason=printable(str(error), limit=299),
                )
                break
            reached(Point.CHECKPOINT_SENT)
            state = SinkState(sink.name, delivered=checkpoint.number, delivered_at=now)
        if state == before:
            return state
        async with self._database.write() as tx:
            await rows.put_sinks(tx, [state])
        reached(Point.CHECKPOINT_NOTED)
        # Once when it begins and once when it ends: an event for every try would fill the log with itself.
        if (state.failing_since is None) != (before.failing_since is None):
            failing = state.failing_since is not None
            await self._trail.write(
                "trail.sink_failing" if failing else "trail.sink_recovered",
                actor="system",
                object=sink.name,
                detail={"reason": state.reason} if failing else {"delivered": state.delivered},
            )
        return state

    # --- the rounds -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(_LOOK_EVERY)
            await self._quietly(self._round)

    async def _round(self) -> None:
        last, head = await self._stand()
        size = head.size
        grown = size - (last.size if last else 0)
        if grown >= MOST_RECORDS or (grown > 0 and (last is None or self._clock.now() - last.at >= EVERY)) or grown < 0:
            await self.make()
        await self.deliver()

    async def _quietly(self, act: Act) -> None:
        """What fails is told in the log of the process, in health, and tried again."""
        try:
            await act()
        except Inconsistent as error:
            structlog.get_logger(__name__).error("the trail does not agree with its checkpoints", reason=error.message)
        except Conflict:
            pass  # another replica is at it
        except (ValetkeyError, OSError, log_repository.StoreFailed) as error:
            structlog.get_logger(__name__).error("no checkpoint was made", reason=type(error).__name__)


class Act(Protocol):
    async def __call__(self) -> object: ...
