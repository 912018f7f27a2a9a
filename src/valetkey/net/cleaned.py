"""An answer without the credential that was sent, should the service have said it back (security.md 4.5, T18).

Here, since every request with a credential passes here, whichever protocol and revision it is of.
"""

from __future__ import annotations

import asyncio
from typing import Final

from valetkey.kernel.secret import Credential
from valetkey.net.limits import KIB, MIB
from valetkey.net.model import Answer, BodyStream, TooLarge

_LONGEST_LINE = 4 * MIB
_CHALLENGE = b"www-authenticate"  # the one header whose words are looked at further on
_AT_ONCE: Final = 128 * KIB
"""Bytes searched in one turn of the loop: for two megabytes everybody else would wait five milliseconds (T28)."""
_CUT_ESCAPE: Final = 8
"""Bytes that the beginning of a part may misread, as it stands within an escape."""


async def cleaned(answer: Answer, credential: Credential) -> Answer:
    """The same answer; what it says is searched for the credential, a stream's lines as they come."""
    if answer.body:
        answer.body = await _masked(answer.body, credential)
    if _CHALLENGE in answer.headers:
        answer.headers[_CHALLENGE] = credential.masked(answer.headers[_CHALLENGE])
    if answer.stream is not None:
        answer.stream = _Lines(answer.stream, credential)
    return answer


async def _masked(data: bytes, credential: Credential) -> bytes:
    """As `credential.masked`, which is asked about the whole only if one of its parts has the credential in it.

    Two parts have so many bytes in common as the credential can take, however it is written: it is whole in one.
    """
    if len(data) <= _AT_ONCE:
        return credential.masked(data)
    overlap = credential.longest + _CUT_ESCAPE
    for at in range(0, len(data), _AT_ONCE):
        part = data[_whole_escapes(data, max(0, at - overlap)) : at + _AT_ONCE]
        if credential.masked(part) is not part:
            return credential.masked(data)
        await asyncio.sleep(0)
    return data


def _whole_escapes(data: bytes, start: int) -> int:
    """`start`, or one before: where backslashes stand in pairs, or what is escaped would be read as if it were not."""
    return start - (start - len(data[:start].rstrip(b"\\"))) % 2


class _Lines:
    """A stream in whole lines: a credential has no line break in it, so none is cut in two, however it was sent.

    Nothing comes later for that: an event is over with the line break behind it.
    """

    __slots__ = ("_begun", "_credential", "_stream")

    def __init__(self, stream: BodyStream, credential: Credential) -> None:
        self._stream = stream
        self._credential = credential
        self._begun = bytearray()

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> bytes:
        while True:
            try:
                piece = await anext(self._stream)
            except StopAsyncIteration:
                if not self._begun:
                    raise
                last, self._begun = bytes(self._begun), bytearray()
                return await _masked(last, self._credential)
            end = max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
            if not end:
                self._begun += piece
                if len(self._begun) > _LONGEST_LINE:
                    raise TooLarge(f"The service sent a line of more than {_LONGEST_LINE} bytes.")
                continue
            lines = bytes(self._begun + piece[:end]) if self._begun else piece[:end]
            self._begun = bytearray(piece[end:])
            return await _masked(lines, self._credential)

    async def aclose(self) -> None:
        await self._stream.aclose()
