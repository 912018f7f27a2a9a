"""Our signing key at each authorization server that takes one: made once, its private half sealed (CON-25)."""

from __future__ import annotations

from typing import Any

from valetkey.connections import client_key_repository as repository
from valetkey.connections.model import issuer_hash
from valetkey.kernel.clock import Clock
from valetkey.kernel.ids import new_id
from valetkey.kernel.secret import Secret
from valetkey.oauth.client_assertion import assertion, signing_input
from valetkey.oauth.model import AuthorizationServer
from valetkey.store.database import Database
from valetkey.vault.model import Binding
from valetkey.vault.verbs import Vault

_TENANT = "deployment"
"""Keys belong to the hub, not to an organization in it."""


class ClientKeys:
    """Finds, or makes, our key for a server, and signs with it."""

    def __init__(self, database: Database, *, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    async def public(self, short_name: str) -> dict[str, Any] | None:
        """The public key (JWK) for the issuer with this short name; `None` when there is none: nobody wanted one."""
        async with self._database.read() as tx:
            return await repository.find_key(tx, short_name)

    async def of(self, server: AuthorizationServer) -> dict[str, Any]:
        """The public key for a server, made now if there is none yet."""
        return await self._made(server.issuer)

    async def kid(self, issuer: str) -> str:
        """Which key signs for this issuer, made now if there is none yet."""
        return str((await self._made(issuer))["kid"])

    async def sign(self, issuer: str, message: bytes) -> bytes:
        """The signature of `message` with the key for this issuer. Raises `VaultFailed`."""
        return await self._vault.sign(message, bound_to=_binding(issuer, await self.kid(issuer)))

    async def _made(self, issuer: str) -> dict[str, Any]:
        short_name = issuer_hash(issuer)
        if found := await self.public(short_name):
            return found
        # Sealed before it is published, and under its own name: of two processes that make one at once the first to
        # publish wins, and the other's is destroyed.
        new = await self._vault.make_signing_key(bound_to=_binding(issuer, ""))
        async with self._database.write() as tx:
            await repository.add_key_once(tx, short_name, new, at=self._clock.now())
            published = await repository.find_key(tx, short_name)
        assert published is not None  # in one transaction
        if published["kid"] != new["kid"]:
            await self._vault.shred(_binding(issuer, new["kid"]).subject)
        return published

    async def assertion(self, server: AuthorizationServer, client_id: str) -> Secret:
        """Proof for one request to this server that we are `client_id`. Raises `VaultFailed`."""
        kid = await self.kid(server.issuer)
        signed = signing_input(
            client_id=client_id, issuer=server.issuer, kid=kid, jti=new_id("jti"), now=int(self._clock.time())
        )
        return assertion(signed, await self.sign(server.issuer, signed))


def _binding(issuer: str, kid: str) -> Binding:
    return Binding(tenant=_TENANT, person="", subject=f"key:{kid}", purpose="signing_key", origin="", issuer=issuer)
