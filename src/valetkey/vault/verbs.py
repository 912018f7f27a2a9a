"""What others may ask of the vault and its spool, wherever these are: in this process, or in one of their own.

What each verb promises is written where it is kept (`broker.Vault`, `spool.Spool`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from valetkey.kernel.secret import Credential, Secret
from valetkey.vault.model import Binding, HeaderTemplate, Mark, Tenants, Use
from valetkey.vault.rotation import KeyStatus, OnProgress, Rewrapped
from valetkey.vault.spool import Slot, Waiting
from valetkey.vault.tickets import LONGEST, EchoHeard


class Ticket(Credential, Protocol):
    """A credential that can tell which token set it was made from, and whether the service said it back."""

    @property
    def call_id(self) -> str: ...

    @property
    def generation(self) -> int: ...

    @property
    def echoed(self) -> bool: ...


Condition = Literal["ok", "sealed"]

Otherwise = Callable[[], Awaitable[Ticket | None]]
"""How to have a ticket that is not at hand: asks again for it all, and raises what there is to say about it."""


class Vault(Protocol):
    """Implemented by `broker.Vault`, and for a vault in a process of its own by `split.vault_beside`."""

    @property
    def echoes(self) -> list[EchoHeard]: ...

    async def seal(self, secret: Secret, *, bound_to: Binding) -> int: ...

    async def seal_many(self, items: Sequence[tuple[Secret, Binding]], *, since: Mark | None = None) -> list[int]: ...

    async def mark(self, subject: str) -> Mark: ...

    async def subjects(self, purpose: str) -> list[str]: ...

    def ticket_now(
        self,
        parts: Sequence[tuple[HeaderTemplate, Binding]],
        *,
        origin: str,
        call_id: str,
        ttl: float = LONGEST,
        otherwise: Otherwise | None = None,
    ) -> Ticket | None: ...

    async def ticket(
        self, parts: Sequence[tuple[HeaderTemplate, Binding]], *, origin: str, call_id: str, ttl: float = LONGEST
    ) -> Ticket: ...

    async def reveal_for_exchange(self, *, bound_to: Binding, use: Use) -> Secret: ...

    async def make_signing_key(self, *, bound_to: Binding) -> dict[str, str]: ...

    async def sign(self, message: bytes, *, bound_to: Binding) -> bytes: ...

    async def mark_message(self, message: bytes, *, bound_to: Binding) -> bytes: ...

    async def cancel(self, subject: str) -> None: ...

    async def shred(self, subject: str) -> int: ...

    async def seal_shut(self) -> None: ...

    async def condition(self) -> Condition: ...


class Spool(Protocol):
    """Implemented by `spool.Spool`, and by `split.vault_beside`."""

    @property
    def directory(self) -> Path: ...

    async def prepare(self, bound_to: Binding) -> Slot: ...

    async def keep(self, slot: Slot, answer: bytearray) -> None: ...

    def waiting(self, subject: str = "") -> list[Waiting]: ...

    async def read(self, one: Waiting, *, bound_to: Binding) -> bytearray: ...

    async def clear(self, subject: str) -> None: ...

    async def remove(self, one: Waiting) -> None: ...


class TurnsKeys(Protocol):
    """Implemented by `rotation.Rotation`, and by `split.vault_beside`."""

    async def status(self, tenants: Tenants) -> KeyStatus: ...

    async def rotate_root(self) -> int: ...

    async def rotate_tenant(self, tenant: str) -> int: ...

    async def rewrap(self, tenants: Tenants, *, seconds: float, on_progress: OnProgress) -> Rewrapped: ...


class AdoptsKits(Protocol):
    """Implemented by `recovery.Recovery`, and by `split.vault_beside`."""

    async def adopt(self, public_key: bytes) -> int: ...
