"""Where checkpoints go, beyond this host's reach: one file per kind of sink.

A sink is an address the operator gives (`trail_sink`). It takes checkpoints in order, each perhaps more than once, and
raises when it cannot: then it is asked again later. What it sends goes through `net`, under the same address policy as
everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from valetkey.audit.checkpoint_repository import KeptCheckpoint
from valetkey.kernel.clock import Clock
from valetkey.net.limits import TOKEN, Limits
from valetkey.net.model import Fetched, Url


class Sink(Protocol):
    """One place. `name` is its address without anything secret."""

    @property
    def name(self) -> str: ...

    async def send(self, checkpoint: KeptCheckpoint) -> None:
        """Returns when the sink has it for good, as far as it can tell. Raises a `ValetkeyError` or `OSError`."""
        ...


class Web(Protocol):
    """`net.client.WebClient`, as far as sinks need it."""

    async def get(self, url: Url, *, headers: Mapping[str, str] = {}, limits: Limits = TOKEN) -> Fetched: ...
    async def post(
        self, url: Url, *, body: bytes, content_type: str, headers: Mapping[str, str] = {}, limits: Limits = TOKEN
    ) -> Fetched: ...
    async def put(
        self, url: Url, *, body: bytes, content_type: str, headers: Mapping[str, str], limits: Limits = TOKEN
    ) -> Fetched: ...


class Streams(Protocol):
    """`net.stream.StreamClient`."""

    async def send(self, url: Url, data: bytes, *, limits: Limits = TOKEN) -> None: ...


@dataclass(frozen=True, slots=True)
class Means:
    """What sinks send with."""

    web: Web
    streams: Streams
    clock: Clock
    parse_url: Callable[..., Url]
