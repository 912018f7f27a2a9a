"""What watches the hub asks: is the process alive (`/healthz`), and can it do its work (`/readyz`)?

Both answer without a token, by whatever name they are asked, and say nothing but words that stand here: a load balancer
asks by address, and there is nothing in the answers that a stranger could use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from valetkey.kernel.clock import Clock

ALIVE: Final = "/healthz"
READY: Final = "/readyz"
PATHS: Final = frozenset({ALIVE, READY})

_PATIENCE: Final = 2.0
"""Seconds that a part has to answer in: less than what load balancers wait as a rule."""
_KEPT: Final = 1.0
"""Seconds for which an answer stands: however often somebody asks, the parts are asked no more often than this."""

Part = Callable[[], Awaitable[str]]
"""Looks whether one part of the hub works: a word about it, `ok` or what is not as ever. Raises when it does not."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How the parts were, each in a word."""

    parts: Mapping[str, str]
    is_ready: bool


class Probes:
    """`parts` are what a hub cannot do without, by name."""

    def __init__(self, parts: Mapping[str, Part], *, clock: Clock, patience: float = _PATIENCE) -> None:
        self._parts = parts
        self._clock = clock
        self._patience = patience
        self._looking: asyncio.Task[Seen] | None = None
        self._until = 0.0

    def routes(self) -> list[Route]:
        return [Route(ALIVE, self._alive, methods=["GET"]), Route(READY, self._ready, methods=["GET"])]

    async def _alive(self, _request: Request) -> Response:
        # Asks nothing of anybody: a hub whose database is away is not mended by being started anew.
        return PlainTextResponse("ok\n")

    async def _ready(self, _request: Request) -> Response:
        seen = await self.look()
        status = "ready" if seen.is_ready else "not ready"
        return JSONResponse({"status": status, **seen.parts}, status_code=200 if seen.is_ready else 503)

    async def look(self) -> Seen:
        """How the parts are, or were within the last second; whoever asks meanwhile waits for the same look."""
        if self._looking is None or (self._looking.done() and self._clock.monotonic() >= self._until):
            self._looking = asyncio.create_task(self._look(), name="readiness")
        # Shielded: who asked and went away takes the answer from nobody else.
        return await asyncio.shield(self._looking)

    async def _look(self) -> Seen:
        words = await asyncio.gather(*(self._word(name, part) for name, part in self._parts.items()))
        self._until = self._clock.monotonic() + _KEPT
        is_ready = all(word is not None for word in words)
        return Seen({name: word or "away" for name, word in zip(self._parts, words, strict=True)}, is_ready)

    async def _word(self, name: str, part: Part) -> str | None:
        try:
            async with asyncio.timeout(self._patience):
                return await part()
        except Exception as error:  # noqa: BLE001 – an outermost door: a part that fails in any way is away
            structlog.get_logger(__name__).warning("a part of the hub is away", part=name, reason=type(error).__name__)
            return None
