"""Time, handed in: whoever needs it takes a `Clock`, so that tests can move it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """`now()` is wall time, aware, in UTC; `time()` the same instant in seconds since the epoch.

    `monotonic()` measures durations; `sleep()` waits, so that a fake clock can let time pass.
    """

    def now(self) -> datetime: ...

    def time(self) -> float: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock, which here neither goes back nor loses time that has passed.

    Set back (by a time server, a person, a restored snapshot) it goes on from where it was, as `monotonic` measures:
    else links, codes and sessions that have ended would be good again. Set forward, it follows. An error forward
    therefore stays until the next start: things end early, which is safe.
    """

    def __init__(self, *, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic):
        self._wall = wall
        self.monotonic = monotonic
        self._offset = wall() - monotonic()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def time(self) -> float:
        # The wall is read first: a pause between the two readings then makes the offset smaller, and is ignored.
        wall = self._wall()
        passed = self.monotonic()
        if wall - passed > self._offset:
            self._offset = wall - passed
        return passed + self._offset

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
