"""What a hub needs of its vault and its way out, wherever they are: `app` is given one, and asks no further."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from valetkey.audit.checkpoints import Signer, Watch
from valetkey.audit.note import VerifierKey
from valetkey.beside.children import Child
from valetkey.connections.desk import Desk
from valetkey.kernel.secret import Secret
from valetkey.net.outbound import Outbound
from valetkey.vault.day_keys import FindsDayKeys
from valetkey.vault.release import Release
from valetkey.vault.verbs import AdoptsKits, Spool, TurnsKeys, Vault


class TrailKeys(Signer, Watch, Protocol):
    """The trail's own keys."""

    @property
    def verifier_key(self) -> VerifierKey: ...

    async def begin_watch(self) -> Secret: ...


@dataclass(frozen=True, slots=True)
class RootKeyShown:
    """What people are told of the root key."""

    place: str
    created: bool
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A vault that is open, and what hangs on it."""

    vault: Vault
    spool: Spool
    desk: Desk
    day_keys: FindsDayKeys
    trail_keys: TrailKeys
    trail_key_made: str
    """Why a new key of the trail was made at this start; empty if there was one."""
    rotation: TurnsKeys
    recovery: AdoptsKits
    root_key: RootKeyShown
    move_root: Callable[[str, Secret], Awaitable[int]]
    """To another provider's root key, by what `--root-key` would say, and its passphrase if it is one."""
    outbound: Outbound
    processes: tuple[Child, ...] = ()
    """Those beside this one, in the order in which they were started."""
    release_by: Callable[[Release], None]
    """By which rule the vault gives tickets. One in a process of its own goes by its own."""
