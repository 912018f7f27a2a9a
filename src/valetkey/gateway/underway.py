"""A coroutine that begins at once, and goes on in the very callback that brings the answer it waits for.

Most calls wait for nothing but one answer of one service. A task for each would cost two turns of the event loop and
more than the call's own steps; so the steps are taken here, by hand. As soon as the coroutine waits for anything else
(the database, a refresh, a connection that must be opened first), a task takes it over where it stands.
"""

from __future__ import annotations

import asyncio
import types
from asyncio.tasks import _enter_task, _leave_task  # for other kinds of tasks: docs.python.org, "Extending asyncio"
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from functools import partial
from typing import Any

from valetkey.net.wire import Coming


class Underway:
    """Runs `coroutine`, which handles its own errors. `start` it once; `cancel` it as one would a task.

    While it takes its steps it counts as the current task, so that `asyncio.timeout` works within it.
    """

    __slots__ = ("__weakref__", "_cancelled", "_context", "_coroutine", "_loop", "_task", "_waits_for")

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> None:
        self._loop = loop
        self._coroutine = coroutine
        self._context = copy_context()  # one for all its steps, whichever callback takes them, as a task has
        self._waits_for: Coming | None = None
        self._task: asyncio.Task[None] | None = None
        self._cancelled = 0

    def start(self) -> None:
        """Takes the steps that need no waiting, now; or in the loop's next turn, when a task is taking its own."""
        loop = self._loop
        self._waits_for = None
        if asyncio.current_task(loop) is not None:
            loop.call_soon(self.start)
            return
        _enter_task(loop, self)  # type: ignore[arg-type]  # a stand-in, see the class
        try:
            waits_for = self._context.run(self._coroutine.send, None)
        except StopIteration:
            return
        finally:
            _leave_task(loop, self)  # type: ignore[arg-type]  # as above
        if type(waits_for) is Coming:
            self._waits_for = waits_for
            waits_for.tell = self.start
        else:
            self._task = loop.create_task(_finish(self._coroutine, waits_for), context=self._context)

    # --- what is asked of a task --------------------------------------------------------------------------------------

    def cancel(self, msg: Any = None) -> bool:
        """Raises `CancelledError` in the coroutine, where it waits. Asked between two steps only, or by a timeout."""
        if self._task is not None:
            return self._task.cancel(msg)
        if self._waits_for is None:
            return False
        waits_for, self._waits_for = self._waits_for, None
        self._cancelled += 1
        waits_for.tell = None
        waits_for.cancel(msg)
        self._loop.call_soon(self.start)
        return True

    def cancelling(self) -> int:
        return self._task.cancelling() if self._task is not None else self._cancelled

    def uncancel(self) -> int:
        if self._task is not None:
            return self._task.uncancel()
        self._cancelled -= 1
        return self._cancelled


async def _finish(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
    """The body of the task: goes on with a coroutine that has begun already and waits for `waits_for`."""
    await _steps(coroutine, waits_for)


@types.coroutine
def _steps(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    while True:
        try:
            step = partial(coroutine.send, (yield waits_for))
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is the coroutine's
            step = partial(coroutine.throw, error)
        try:
            waits_for = step()
        except StopIteration:
            return
