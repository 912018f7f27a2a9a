"""A credential is taken out wherever it stands in a large answer, and however widely it is written (T18)."""

from __future__ import annotations

import asyncio

import pytest

from valetkey.net.cleaned import cleaned
from valetkey.net.model import Answer
from valetkey.vault.echo import echo_of

VALUE = b"0123456789abcdef" * 60
PART = 128 * 1024


def widely_written(value: bytes) -> bytes:
    """In hex behind percent signs, and each of their characters by its number: 18 bytes for one."""
    return b"".join(b"\\u0025\\u00%02x\\u00%02x" % tuple(b"%02x" % byte) for byte in value)


class Promised:
    """A ticket's name, as a worker has it: shorter than the value, and knowing how that would look."""

    origin, size = "https://notes.example", 60

    def __init__(self, value: bytes) -> None:
        self.echo = echo_of(bytearray(value))

    def write_into(self, buffer: memoryview) -> None:
        """Nothing is sent here."""

    def masked(self, data: bytes) -> bytes:
        return self.echo.masked(data)

    @property
    def longest(self) -> int:
        return self.echo.longest


@pytest.mark.parametrize("value", [VALUE, VALUE[:32]])
@pytest.mark.parametrize("widely", [False, True])
async def test_a_credential_is_found_across_any_place_of_a_large_answer(value: bytes, widely: bool) -> None:
    """Where two parts of the search meet above all: it stands across that place in 33 ways, and after each."""
    written = widely_written(value) if widely else value
    for share in range(33):
        begin = PART - len(written) * share // 32
        body = b'"' + b" " * begin + written + b" " * (2 * PART) + b'"'

        answer = await cleaned(Answer(200, {}, b"application/json", body, None), Promised(value))

        assert written not in answer.body
        assert len(answer.body) < len(body)


@pytest.mark.parametrize("backslashes", [1, 2, 3, 4, 1000, 1001, 300_000, 300_001])
async def test_a_large_answer_is_read_as_the_whole_is_wherever_its_escapes_are_cut(backslashes: int) -> None:
    """A character by its number is one only behind a backslash that no other escapes."""
    value, by_number = b"zebra-0123456789", b"u007aebra-0123456789"
    for shift in range(12):
        body = b'"' + b" " * (2 * PART - backslashes - shift) + b"\\" * backslashes + by_number + b" " * PART + b'"'
        ticket = Promised(value)

        answer = await cleaned(Answer(200, {}, b"application/json", body, None), ticket)

        assert answer.body == ticket.masked(body)
        assert (answer.body != body) == (backslashes % 2 == 1)


async def test_others_have_their_turn_while_a_large_answer_is_searched() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    await asyncio.sleep(0)
    turns = 0
    await cleaned(Answer(200, {}, b"application/json", b" " * (16 * PART), None), Promised(VALUE))
    beside.cancel()

    assert turns >= 15
