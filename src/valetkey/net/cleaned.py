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
"""Bytes that are searched in one turn of the loop: for two megabytes others would wait five milliseconds (T28)."""
_LONGEST_FORM: Final = 6
"""Bytes that one of the credential may be written in: JSON's escape by number."""


async def cleaned(answer: Answer, credential: Credential) -> Answer:
    """The same answer; what it says is searched for the credential, a stream's lines as they come."""
    if answer.body and (len(answer.body) <= _AT_ONCE or await _is_in(answer.body, credential)):
        answer.body = credential.masked(answer.body)
    if _CHALLENGE in answer.headers:
        answer.headers[_CHALLENGE] = credential.masked(answer.headers[_CHALLENGE])
    if answer.stream is not None:
        answer.stream = _Lines(answer.stream, credential)
    return answer


async def _is_in(body: bytes, credential: Credential) -> bool:
    """Whether the credential is in `body`, looked for in parts. They overlap by twice of what it can be long, so that
    it is in the middle of one, and no escape that a part begins within can make it read as something else.
    """
    overlap = 2 * _LONGEST_FORM * credential.size
    for start in range(0, len(body), _AT_ONCE):
        part = body[max(0, start - overlap) : start + _AT_ONCE]
        if credential.masked(part) is not part:
            return True
        await asyncio.sleep(0)
    return False


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
                return self._credential.masked(last)
            end = max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
            if not end:
                self._begun += piece
                if len(self._begun) > _LONGEST_LINE:
                    raise TooLarge(f"The service sent a line of more than {_LONGEST_LINE} bytes.")
                continue
            lines = bytes(self._begun + piece[:end]) if self._begun else piece[:end]
            self._begun = bytearray(piece[end:])
            return self._credential.masked(lines)

    async def aclose(self) -> None:
        await self._stream.aclose()
