"""Training: off for everybody until a person says yes to exactly the text they were shown; never for an organization.

There is no switch that would open it for an organization: no setting, field or role is read here. What decides is whose
the person is now, and whose they were when they said yes; both must be the same personal account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, Protocol

from valetkey.identity.model import Organization, Person
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, Forbidden
from valetkey.kernel.ids import new_id
from valetkey.privacy import consent_repository as repository
from valetkey.privacy.levels import TrailWriter
from valetkey.privacy.policy import Policies
from valetkey.store.database import Database

TEXT: Final = (
    "Whoever runs this hub may learn from how I use it: on which day a call was made, how it ended, of which class its "
    "tool was, how long it took and how large it was.",
    "Never part of it: what was sent or came back, which service or tool it was, which assistant, and who I am.",
    "It is for calls from now on. I can take this back at any time: then nothing more is handed out, and what was is "
    "listed so that it can be deleted. What was learned by then is not undone.",
)
TEXT_HASH: Final = sha256("\n".join(TEXT).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Consent:
    """Who said yes, when, under which policy, to which text."""

    id: str
    person_id: str
    organization_id: str
    given_at: datetime
    policy_version: str
    text_hash: str
    ended_at: datetime | None


class FindsOrganizations(Protocol):
    """What we need of `identity.organizations`."""

    async def get(self, organization_id: str) -> Organization: ...


class KeepsYes(Protocol):
    """`privacy.yes_keys`: a yes holds as long as its key is there."""

    async def make(self, consent_id: str, person_id: str, organization_id: str) -> None: ...

    async def is_there(self, consent_id: str, person_id: str, organization_id: str) -> bool: ...

    async def destroy(self, consent_id: str) -> None: ...


class Consents:
    """Takes a person's yes and their taking it back. Each stands in the trail."""

    def __init__(
        self,
        database: Database,
        organizations: FindsOrganizations,
        policies: Policies,
        *,
        clock: Clock,
        trail: TrailWriter,
        keys: KeepsYes,
    ) -> None:
        self._keys = keys
        self._database = database
        self._organizations = organizations
        self._policies = policies
        self._clock = clock
        self._trail = trail

    async def may_ask(self, person: Person) -> bool:
        """Whether this person can be asked at all: only one who is on their own."""
        return (await self._organizations.get(person.organization_id)).kind == "personal"

    async def of(self, person: Person) -> Consent | None:
        """The yes that holds now; one that was given elsewhere, or in an earlier life, does not."""
        if person.state != "active" or not await self.may_ask(person):
            return None
        async with self._database.read() as tx:
            rows = await repository.list_live(tx, person.id)
        for row in rows:
            consent = Consent(*row)
            is_here = consent.organization_id == person.organization_id
            if is_here and await self._keys.is_there(consent.id, person.id, person.organization_id):
                return consent
        return None

    async def history(self, person_id: str) -> list[Consent]:
        """Whatever the person said yes to, also what they took back."""
        async with self._database.read() as tx:
            return [Consent(*row) for row in await repository.list_all(tx, person_id)]

    async def give(self, person: Person, *, text_hash: str, actor: str) -> Consent:
        """The person's own yes, in their own browser.

        Raises `Forbidden` in an organization, `BadInput` for a yes to another text, `Conflict` when there is one.
        """
        if not await self.may_ask(person):
            await self._write("training.consent_refused", person, actor, "", {"because": "organization"})
            raise Forbidden("The data of an organization is never used for training; nobody can allow it.")
        if text_hash != TEXT_HASH:
            raise BadInput("The text has changed since it was shown.", field="text", hint="Read it again.")
        if await self.of(person) is not None:
            raise Conflict("This was allowed already.")
        policy = (await self._policies.current()).name
        new = Consent(new_id("consent"), person.id, person.organization_id, self._clock.now(), policy, TEXT_HASH, None)
        said = {"policy_version": policy, "text_hash": TEXT_HASH}
        await self._write("training.consent_given", person, actor, new.id, said)
        await self._keys.make(new.id, person.id, person.organization_id)
        async with self._database.write() as tx:
            await repository.add(tx, new.id, person.id, person.organization_id, new.given_at, policy, TEXT_HASH)
        return new

    async def withdraw(self, person: Person, *, actor: str) -> int:
        """Takes back whatever was said; how many items handed out are now to be deleted."""
        async with self._database.read() as tx:
            live = await repository.list_live(tx, person.id)
        if not live:
            return 0
        for row in live:
            await self._keys.destroy(row[0])  # first: by this it is taken back, whatever becomes of the row
        async with self._database.write() as tx:
            await repository.end(tx, person.id, at=self._clock.now())
            items = await repository.count_items(tx, [row[0] for row in live])
        await self._write("training.consent_withdrawn", person, actor, live[0][0], {"items_to_delete": items})
        return items

    async def _write(self, event: str, person: Person, actor: str, thing: str, detail: Mapping[str, object]) -> None:
        await self._trail.write(
            event, actor=actor, organization_id=person.organization_id, person_id=person.id, object=thing,
            detail=dict(detail),
        )  # fmt: skip
