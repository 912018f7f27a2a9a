"""Where checkpoints go, beyond this host's reach: one file per kind of sink.

A sink is an address the operator gives (`trail_sink`). It takes checkpoints in order, each perhaps more than once, and
raises when it cannot: then it is asked again later. What it sends goes through `net`.
"""

from __future__ import annotations

from typing import Protocol

from valetkey.audit.checkpoint_repository import KeptCheckpoint


class Sink(Protocol):
    """One place. `name` is its address without anything secret."""

    @property
    def name(self) -> str: ...

    async def send(self, checkpoint: KeptCheckpoint) -> None:
        """Returns when the sink has it for good, as far as it can tell. Raises a `ValetkeyError` or `OSError`."""
        ...
