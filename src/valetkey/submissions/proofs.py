"""Whether control of a domain is proved: by a file on the endpoint's origin, or by a TXT record (DIR-03)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from valetkey.directory.listings import ParsedUrl
from valetkey.kernel.errors import BadInput, OutboundFailed

WELL_KNOWN: Final = "/.well-known/valetkey-challenge"
RECORD: Final = "_valetkey-challenge"
"""The label before the host whose TXT record can hold the proof instead of the file."""

FetchesFile = Callable[[str], Awaitable[str]]
"""GET of this address: its text, bounded. Raises `OutboundFailed`."""
LooksUp = Callable[[str], Awaitable[Sequence[str]]]
"""The TXT values of this name. Raises `OutboundFailed`, `BadInput`."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the proof is looked for; one of both is enough."""

    file: str
    record: str


def places_of(endpoint: ParsedUrl) -> Places:
    return Places(f"{endpoint.origin}{WELL_KNOWN}", f"{RECORD}.{endpoint.host}")


class Proofs:
    """Looks in both places."""

    def __init__(self, *, fetch: FetchesFile, look_up: LooksUp) -> None:
        self._fetch = fetch
        self._look_up = look_up

    async def why_not(self, endpoint: ParsedUrl, proof: str) -> str:
        """Empty when it is there; else what is found in its place, in a sentence."""
        places = places_of(endpoint)
        try:
            said = await self._fetch(places.file)
        except OutboundFailed as error:
            file = f"The file {places.file} cannot be read: {error.message.rstrip('.')}"
        else:
            if said.strip() == proof:
                return ""
            file = f"The file {places.file} says something else"
        try:
            values = await self._look_up(places.record)
        except (BadInput, OutboundFailed) as error:
            return f"{file}; and the TXT record {places.record}: {error.message}"
        if proof in (value.strip() for value in values):
            return ""
        there = "says something else" if values else "is not there"
        return f"{file}; and the TXT record {places.record} {there}."
