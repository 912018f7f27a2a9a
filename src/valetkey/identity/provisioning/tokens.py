"""Tokens for an organization's directory: they speak for no person, are good for provisioning alone, and end."""

from __future__ import annotations

from datetime import timedelta

from valetkey.identity.model import TrailWriter
from valetkey.identity.organizations import Organizations
from valetkey.identity.provisioning import repository
from valetkey.identity.provisioning.model import ProvisioningToken
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, NotSignedIn, TooMany
from valetkey.kernel.ids import new_id, new_token
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database

LONGEST = timedelta(days=365)
_MOST = 10
_LONGEST_NAME = 100
_SEEN_EVERY = timedelta(minutes=1)


class ProvisioningTokens:
    """Makes, shows and revokes them, and says whose one is."""

    def __init__(self, database: Database, *, organizations: Organizations, clock: Clock, trail: TrailWriter) -> None:
        self._database = database
        self._organizations = organizations
        self._clock = clock
        self._trail = trail

    async def create(
        self, organization_id: str, name: str, lifetime: timedelta, *, by: str
    ) -> tuple[Secret, ProvisioningToken]:
        """A new one, shown this once. Raises `BadInput`, `Conflict`, `TooMany`."""
        if (await self._organizations.get(organization_id)).kind == "personal":
            raise Conflict("A personal account is provisioned by nobody.", hint="Create an organization.")
        name = name.strip()
        if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
            raise BadInput(f"A name has 1 to {_LONGEST_NAME} printable characters.", field="name")
        if not timedelta() < lifetime <= LONGEST:
            raise BadInput("A token lasts a year at most.", field="days")
        if len(await self.list(organization_id)) >= _MOST:
            raise TooMany(f"An organization has at most {_MOST} of them.", hint="Revoke one that is not used.")
        token, now = new_token("vkp"), self._clock.now()
        new = ProvisioningToken(new_id("pt"), organization_id, name, now, now + lifetime, None)
        async with self._database.write() as tx:
            await repository.add_token(tx, token.digest(), new)
        await self._write("provisioning.token_created", new, by)
        return token, new

    async def list(self, organization_id: str) -> list[ProvisioningToken]:
        """Oldest first."""
        async with self._database.read() as tx:
            return await repository.list_tokens(tx, organization_id)

    async def revoke(self, organization_id: str, token_id: str, *, by: str) -> None:
        """At once, on every replica: each request is looked up. Raises `NotFound`."""
        found = next((one for one in await self.list(organization_id) if one.id == token_id), None)
        async with self._database.write() as tx:
            removed = await repository.remove_token(tx, organization_id, token_id)
        if found is None or not removed:
            raise NotFound("There is no such token.")
        await self._write("provisioning.token_revoked", found, by)

    async def authenticate(self, token: Secret) -> ProvisioningToken:
        """Raises `NotSignedIn`, in the same words for every reason."""
        now = self._clock.now()
        async with self._database.read() as tx:
            found = await repository.find_token(tx, token.digest())
        if found is None or found.expires_at <= now:
            raise NotSignedIn("The token is not valid here.")
        if found.last_used_at is None or now - found.last_used_at >= _SEEN_EVERY:
            async with self._database.write() as tx:
                await repository.touch_token(tx, found.id, now)
        return found

    async def _write(self, event: str, token: ProvisioningToken, by: str) -> None:
        await self._trail.write(
            event, actor=by, organization_id=token.organization_id, object=token.id, detail={"name": token.name}
        )
