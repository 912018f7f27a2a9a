"""A large answer is searched for the credential in parts, so that others have their turn; none hides where two meet."""

from __future__ import annotations

import asyncio

import pytest

from valetkey.net.cleaned import cleaned
from valetkey.net.model import Answer

AT_ONCE = 128 * 1024
WORD = b"a-token-that-nobody-else-has"


class Sent:
    """A credential that is known by its bytes."""

    origin = "https://notes.example"
    size = len(WORD)

    def __init__(self) -> None:
        self.longest = 0

    def write_into(self, buffer: memoryview) -> None:
        buffer[:] = WORD

    def masked(self, data: bytes) -> bytes:
        if WORD in data:
            return data.replace(WORD, b"[removed]")
        self.longest = max(self.longest, len(data))
        return data


@pytest.mark.parametrize("at", [0, AT_ONCE - len(WORD), AT_ONCE - 1, AT_ONCE, 3 * AT_ONCE - 7, 4 * AT_ONCE])
async def test_a_credential_is_found_wherever_it_stands_in_a_large_answer(at: int) -> None:
    body = b" " * at + WORD + b" " * (5 * AT_ONCE - at)

    answer = await cleaned(Answer(200, {}, b"application/json", body, None), Sent())

    assert answer.body == body.replace(WORD, b"[removed]")


async def test_others_have_their_turn_while_a_large_answer_is_searched() -> None:
    turns, sent = 0, Sent()
    body = b" " * 10 * AT_ONCE

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    answer = await cleaned(Answer(200, {}, b"application/json", body, None), sent)
    counting.cancel()

    assert answer.body is body
    assert turns >= 10
    assert sent.longest < 2 * AT_ONCE
