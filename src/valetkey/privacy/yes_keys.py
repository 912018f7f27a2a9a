"""What makes a yes hold besides its row: a key of its own, made when it is given and destroyed when it is taken back.

A database that was put back from a copy has the rows of that day again, those of a yes that was taken back since, too;
the keyring, which has backups of its own, has not its key. A row that somebody wrote has none either (S-11).
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Protocol

from valetkey.kernel.errors import VaultFailed
from valetkey.kernel.secret import Secret
from valetkey.vault.model import Binding


class Vault(Protocol):
    """What we need of the vault."""

    async def seal(self, secret: Secret, *, bound_to: Binding) -> int: ...

    async def mark_message(self, message: bytes, *, bound_to: Binding) -> bytes: ...

    async def shred(self, subject: str) -> int: ...


class YesKeys:
    """The keys of all yeses."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def make(self, consent_id: str, person_id: str, organization_id: str) -> None:
        bound_to = _binding(consent_id, person_id, organization_id)
        await self._vault.seal(Secret(secrets.token_bytes(32)), bound_to=bound_to)

    async def is_there(self, consent_id: str, person_id: str, organization_id: str) -> bool:
        """Whether the key is there and opens; if that cannot be told, there is no yes."""
        with suppress(VaultFailed):
            await self._vault.mark_message(b"yes", bound_to=_binding(consent_id, person_id, organization_id))
            return True
        return False

    async def destroy(self, consent_id: str) -> None:
        await self._vault.shred(_subject(consent_id))


def _subject(consent_id: str) -> str:
    return f"consent:{consent_id}"


def _binding(consent_id: str, person_id: str, organization_id: str) -> Binding:
    return Binding(
        tenant=organization_id, person=person_id, subject=_subject(consent_id), purpose="mark_key", origin=""
    )
