"""The one-time link: how a person signs in who has nothing to sign in with yet, or has lost it.

A `first` or `invite` link works only while the person has no credential; a `recovery` link works beside one, and is
recorded for that reason. A session begun by a link approves nothing (security.md, head note).
"""

from __future__ import annotations

from datetime import timedelta

from valetkey.identity import repository as people_repository
from valetkey.identity.model import LinkPurpose, Redeemed, TrailWriter
from valetkey.identity.signin import repository
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.kernel.ids import new_token
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database

_LIFETIME = timedelta(minutes=15)


class SignInLinks:
    """Issues and redeems one-time sign-in links. A person has at most one: a new one replaces it."""

    def __init__(self, database: Database, *, clock: Clock, trail: TrailWriter) -> None:
        self._database = database
        self._clock = clock
        self._trail = trail

    async def issue(self, person_id: str, *, purpose: LinkPurpose, by: str = "system") -> Secret:
        """The token of a new link, good for 15 minutes and one use.

        Raises `NotFound`, or `Conflict` for a disabled person, or for a `first` or `invite` link for somebody who has a
        credential.
        """
        now = self._clock.now()
        token = new_token("vkl")
        async with self._database.write() as tx:
            person = await people_repository.find_person(tx, person_id)
            if person is None:
                raise NotFound("There is no such person.")
            if person.state != "active":
                raise Conflict("This person is disabled.", hint="Enable them first.")
            if purpose != "recovery" and await people_repository.has_credential(tx, person_id):
                raise Conflict(
                    "This person has a password or passkey already.", hint="Give them a recovery link instead."
                )
            link = repository.StoredLink(person_id, purpose, now + _LIFETIME)
            await repository.replace_link(tx, token.digest(), link, now)
        await self._trail.write(
            "signin_link.issued",
            actor=by,
            organization_id=person.organization_id,
            person_id=person_id,
            detail={"purpose": purpose},
        )
        return token

    async def redeem(self, token: Secret) -> Redeemed:
        """Uses the link up and says whose it was. Raises `BadInput` in one set of words for every reason."""
        now = self._clock.now()
        refused = BadInput(
            "This sign-in link does not work: it was used, has expired, or is not complete.",
            field="link",
            hint="Ask for a new one; each works once, for 15 minutes.",
        )
        # The deletion is committed even when the link is refused afterwards: it was presented, so it is used up.
        async with self._database.write() as tx:
            link = await repository.take_link(tx, token.digest())
            person = await people_repository.find_person(tx, link.person_id) if link else None
            has_credential = person is not None and await people_repository.has_credential(tx, person.id)
        if link is None or person is None or link.expires_at <= now or person.state != "active":
            raise refused
        if has_credential and link.purpose != "recovery":
            raise refused
        await self._trail.write(
            "signin.recovery" if link.purpose == "recovery" else "signin.link",
            actor=f"person:{person.id}",
            organization_id=person.organization_id,
            person_id=person.id,
            detail={"purpose": link.purpose},
        )
        return Redeemed(person, link.purpose)
