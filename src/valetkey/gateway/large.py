"""What a client gets in the place of a result beyond the limit, and what becomes of the result (CON-20).

It is kept whole, sealed, for the person alone, and how it begins stands in the record; the client is told how large it
is, how it begins, and where the person finds the rest. Nothing is cut without a word.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import msgspec
import structlog

from valetkey.audit.kept_results import MOST, Full, KeptResults
from valetkey.audit.log_repository import StoreFailed
from valetkey.audit.model import Outcome
from valetkey.audit.redact import redacted
from valetkey.gateway import answers
from valetkey.gateway.model import Client, Said
from valetkey.gateway.recording import Record

MAX_RESULT: Final = 150_000
"""Characters of a result, as its JSON is long."""
_MOST_OVERRIDE: Final = 500_000
_PREVIEW: Final = 2_000
_NAME: Final = b"anthropic/maxResultSizeChars"


class Listed(Protocol):
    """A tool as its service listed it."""

    @property
    def raw(self) -> bytes: ...


class _Meta(msgspec.Struct):
    most: int = msgspec.field(default=MAX_RESULT, name=_NAME.decode())


class _Tool(msgspec.Struct):
    meta: _Meta = msgspec.field(default_factory=_Meta, name="_meta")


def limit_of(tool: Listed | None) -> int:
    """How many characters a result of this tool may have: what the tool says itself, up to 500,000, or 150,000.

    What it says is part of its definition, which the person has looked at: another number is another definition.
    """
    if tool is None or _NAME not in tool.raw:
        return MAX_RESULT
    try:
        said = msgspec.json.decode(tool.raw, type=_Tool).meta.most
    except msgspec.MsgspecError:  # no number, or no whole one
        return MAX_RESULT
    return min(said, _MOST_OVERRIDE) if said > 0 else MAX_RESULT


class Large:
    """Keeps what is too large, and says so."""

    def __init__(self, kept: KeptResults, *, public_url: str) -> None:
        self._kept = kept
        self._public_url = public_url

    async def put_by(
        self, client: Client, result: bytes, size: int, limit: int, record: Record, *, service: str
    ) -> Said:
        """`size` is in characters. Ends the record; how the result begins is what it holds."""
        why_not = await self._keep(result, record)
        begins = result[: _PREVIEW * 4].decode(errors="ignore")[:_PREVIEW]
        record.end(
            Outcome.TOO_LARGE, detail=f"{size:,} characters", response=begins.encode(), response_bytes=len(result)
        )
        page = "" if why_not else f"{self._public_url}/activity/{record.id}"
        sentence = answers.too_large(size, limit, service=service, call_id=record.id, page=page, why_not=why_not)
        said = answers.beginning(sentence, begins, client.version)
        for applies, mark in ((record.echoed, answers.MASKED), (record.orders, answers.ORDERS)):
            said = answers.flagged(said, mark) if applies else said
        return Said(result=said)

    async def _keep(self, result: bytes, record: Record) -> str:
        """Why it is not kept, for the client to hear; empty when it is."""
        if not record.keeps_contents:
            return "The rest was not kept: contents of these calls are not."
        clean = bytearray()  # as a whole, before it is cut: no secret is hidden where two parts meet (DATA-09)
        for piece in redacted(result):
            clean += piece
            await asyncio.sleep(0)  # others have their turn (T28)
        of, sealed = record.sealed_whole(bytes(clean))
        try:
            await self._kept.keep(of, sealed)
        except Full:
            return (
                f"The rest was not kept: {MOST >> 20} MiB are kept for this person already, until they are old enough."
            )
        except (StoreFailed, OSError) as error:
            structlog.get_logger(__name__).warning("a large result was not kept", reason=type(error).__name__)
            return "The rest was not kept: it could not be written."
        return ""
