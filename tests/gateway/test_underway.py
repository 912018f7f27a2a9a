"""A coroutine that is run without a task, for as long as it waits for nothing but an answer of a service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from valetkey.gateway.underway import Underway
from valetkey.net.model import Answer
from valetkey.net.wire import Coming

ANSWER = Answer(200, {}, b"application/json", b"{}", None)
Start = Callable[[Coroutine[Any, Any, None]], Underway]


@pytest.fixture
async def start() -> Start:
    """Starts a coroutine as a protocol does: in a callback of the loop, in no task."""
    loop = asyncio.get_running_loop()

    def start(coroutine: Coroutine[Any, Any, None]) -> Underway:
        underway = Underway(loop, coroutine)
        loop.call_soon(underway.start)
        return underway

    return start


def coming() -> Coming:
    return Coming(loop=asyncio.get_running_loop())


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_it_goes_on_in_the_callback_that_brings_the_answer(start: Start) -> None:
    waited_for = coming()
    heard: list[object] = []

    async def ask() -> None:
        heard.append(await waited_for)

    start(ask())
    await turns()

    def answer() -> None:
        waited_for.set_result(ANSWER)
        assert waited_for.tell is not None
        waited_for.tell()
        heard.append("in the same callback")

    asyncio.get_running_loop().call_soon(answer)
    await turns(1)

    assert heard == [ANSWER, "in the same callback"]


async def test_when_a_task_brings_the_answer_it_goes_on_in_the_next_turn(start: Start) -> None:
    """A pool is closed by whoever disconnects, in their task: its calls must not run within that."""
    waited_for = coming()
    heard: list[object] = []

    async def ask() -> None:
        heard.append(await waited_for)

    start(ask())
    await turns()
    waited_for.set_result(ANSWER)
    assert waited_for.tell is not None
    waited_for.tell()

    assert heard == []
    await turns(1)
    assert heard == [ANSWER]


async def test_whatever_else_it_waits_for_a_task_takes_over(start: Start) -> None:
    waited_for = coming()
    heard: list[object] = []

    async def ask() -> None:
        heard.append(await waited_for)
        async with asyncio.timeout(10):
            await asyncio.sleep(0.001)
        assert isinstance(asyncio.current_task(), asyncio.Task)
        with pytest.raises(ZeroDivisionError):
            await asyncio.gather(asyncio.to_thread(divmod, 1, 0))
        async with asyncio.timeout(10):
            heard.append(await asyncio.to_thread(str, "through a thread"))
        done.set()

    done = asyncio.Event()
    start(ask())
    await turns()
    waited_for.set_result(ANSWER)
    assert waited_for.tell is not None
    asyncio.get_running_loop().call_soon(waited_for.tell)
    async with asyncio.timeout(10):
        await done.wait()

    assert heard == [ANSWER, "through a thread"]


@pytest.mark.parametrize("waits_in", ["steps", "task"])
async def test_a_timeout_that_began_before_the_first_wait_ends_it(start: Start, waits_in: str) -> None:
    heard: list[object] = []

    async def ask() -> None:
        try:
            async with asyncio.timeout(0.01):
                await (coming() if waits_in == "steps" else asyncio.Event().wait())
        except TimeoutError:
            heard.append("timed out")
            done.set()

    done = asyncio.Event()
    start(ask())
    async with asyncio.timeout(10):
        await done.wait()

    assert heard == ["timed out"]


@pytest.mark.parametrize("waits_in", ["steps", "task"])
async def test_it_is_cancelled_where_it_waits(start: Start, waits_in: str) -> None:
    heard: list[object] = []

    async def ask() -> None:
        try:
            await (coming() if waits_in == "steps" else asyncio.Event().wait())
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            heard.append("cancelled, and put in order")
            done.set()

    done = asyncio.Event()
    underway = start(ask())
    await turns()
    underway.cancel()
    async with asyncio.timeout(10):
        await done.wait()

    assert heard == ["cancelled, and put in order"]
