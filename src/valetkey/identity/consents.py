"""What people have agreed to, remembered exactly: another document, host, scope or resource is asked about again."""

from __future__ import annotations

from valetkey.identity import client_repository as repository
from valetkey.identity.model import Client, Person, TrailWriter
from valetkey.identity.redirects import Redirect, RedirectKind
from valetkey.kernel.clock import Clock
from valetkey.store.database import Database


class Consents:
    """Remembers and recalls a person's consent to a client."""

    def __init__(self, database: Database, *, clock: Clock, trail: TrailWriter) -> None:
        self._database = database
        self._clock = clock
        self._trail = trail

    async def covers(self, person_id: str, client: Client, redirect: Redirect, *, resource: str, scope: str) -> bool:
        """Whether the person need not be asked again.

        Never for loopback and private-use redirects or registered clients: there anybody can say they are that client,
        and only the person knows whether they just started it (security.md 5.4).
        """
        if client.kind == "dcr" or redirect.kind is not RedirectKind.WEB:
            return False
        async with self._database.read() as tx:
            given = await repository.find_consent(tx, person_id, client.id, resource)
        return given == self._consent(person_id, client, redirect, resource, scope)

    async def give(self, person: Person, client: Client, redirect: Redirect, *, resource: str, scope: str) -> None:
        """The person agreed."""
        now = self._clock.now()
        async with self._database.write() as tx:
            await repository.put_consent(tx, self._consent(person.id, client, redirect, resource, scope), now)
            await repository.touch(tx, client.id, now)
        await self._trail.write(
            "consent.given",
            actor=f"person:{person.id}",
            organization_id=person.organization_id,
            person_id=person.id,
            object=client.id,
            detail={"resource": resource, "scope": scope, "redirect_host": redirect.host, "kind": client.kind},
        )

    @staticmethod
    def _consent(person_id: str, client: Client, redirect: Redirect, resource: str, scope: str) -> repository.Consent:
        return repository.Consent(person_id, client.id, resource, client.document_hash, redirect.host, scope)
