"""The rule of release for tests that are about something else."""

from __future__ import annotations

from valetkey.vault.broker import Vault
from valetkey.vault.model import Binding


class AnythingLeaves:
    """Every ticket is given."""

    def holds_now(self, call_id: str, binding: Binding) -> bool:
        return True

    async def demand(self, call_id: str, binding: Binding) -> None:
        return


def open_handed(vault: Vault) -> Vault:
    """The same vault, which gives every ticket."""
    vault.release_by(AnythingLeaves())
    return vault
