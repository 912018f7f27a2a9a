"""Whose account it is that somebody came back to: by `iss` and `sub` alone.

An account of nobody's yet is found or made by an address of a verified domain, if the provider vouches for it: a new
member, or one who was added by the same organization and whose account nobody has ever held.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from valetkey.identity import repository as people_repository
from valetkey.identity.model import Person, Role, TrailWriter
from valetkey.identity.people import normal_login
from valetkey.identity.signin.openid import repository
from valetkey.identity.signin.openid.model import Attempt, Claims, Identity, Provider, SignInRefused
from valetkey.identity.signin.openid.providers import Providers, normal_domain
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database

# One @, and no character that two readers might take differently (oauth2-proxy GHSA-c5c4: a@evil.example@ours.example).
ADDRESS = re.compile(r"([A-Za-z0-9.!#$%*+=?^_`{|}~-]{1,64})@([A-Za-z0-9.-]{1,253})")


class Accounts:
    """Finds, makes and ties accounts."""

    def __init__(self, database: Database, *, providers: Providers, clock: Clock, trail: TrailWriter) -> None:
        self._database = database
        self._providers = providers
        self._clock = clock
        self._trail = trail

    async def identity_of(self, person_id: str) -> Identity | None:
        """Whom the account is tied to."""
        async with self._database.read() as tx:
            return await repository.identity_of(tx, person_id)

    async def untie(self, person: Person, *, by: str) -> None:
        """The account is tied to nobody any more. Raises `NotFound`."""
        async with self._database.write() as tx:
            removed = await repository.remove_identity(tx, person.id)
        if not removed:
            raise NotFound("This account is not tied to anybody.")
        await self.tell("identity.unlinked", person, {}, by=by)

    async def whose(self, provider: Provider, attempt: Attempt, claims: Claims) -> Person:
        """The account of who came back. Raises `SignInRefused`."""
        async with self._database.read() as tx:
            known = await repository.find_person(tx, provider.organization_id, claims.issuer, claims.subject)
        if attempt.purpose == "link" and known is None:
            return await self._tie_own(provider, attempt, claims)
        if attempt.purpose != "signin" and (known is None or known.id != attempt.person_id):
            raise SignInRefused("The provider signed in somebody else.", reason="somebody_else")
        return known or await self._tie_new(provider, claims)

    async def _tie_own(self, provider: Provider, attempt: Attempt, claims: Claims) -> Person:
        """The account of who is signed in here, who just proved who they are at the provider."""
        async with self._database.read() as tx:
            person = await people_repository.find_person(tx, attempt.person_id)
        if person is None or person.organization_id != provider.organization_id:
            raise SignInRefused("You are not in this organization any more.", reason="not_member")
        return await self._tie(person, claims)

    async def _tie_new(self, provider: Provider, claims: Claims) -> Person:
        login = await self._own_address(provider, claims)
        async with self._database.read() as tx:
            held = await people_repository.find_login(tx, login)
            in_use = held is not None and (
                held.organization_id != provider.organization_id
                or held.role is Role.OWNER
                or held.state != "active"
                or await people_repository.has_credential(tx, held.id)
                or await repository.identity_of(tx, held.id) is not None
            )
        if in_use:
            # An address is reassigned, or written by whoever runs the provider: it opens nobody's account.
            raise SignInRefused(
                "Somebody has an account under this address already.",
                reason="account_held",
                hint="If it is yours, sign in as before, and tie it to your organization in the settings.",
            )
        if held is not None:
            return await self._tie(held, claims)
        if not provider.adds_people:
            raise SignInRefused(
                "You have no account here yet.", reason="not_invited", hint="Ask an admin of your organization."
            )
        new = Person(
            id=new_id("person"),
            login=login,
            display_name=claims.name or login,
            state="active",
            organization_id=provider.organization_id,
            role=Role.MEMBER,
            created_at=self._clock.now(),
        )
        return await self._tie(new, claims, is_new=True)

    async def _own_address(self, provider: Provider, claims: Claims) -> str:
        """The login that the token's address makes, if it is one of the organization's own."""
        found = ADDRESS.fullmatch(claims.email)
        is_verified = claims.email_verified or (claims.email_verified is None and provider.trusts_email)
        if found is None or not is_verified:
            raise SignInRefused(
                "The provider does not vouch for an e-mail address of yours.", reason="email_unverified"
            )
        try:
            domain = normal_domain(found[2])
        except BadInput as error:
            raise SignInRefused("The address has no domain.", reason="domain") from error
        own = {one.name for one in await self._providers.domains(provider.organization_id) if one.verified_at}
        if domain not in own:
            raise SignInRefused("The address is of none of your organization's domains.", reason="domain")
        return normal_login(f"{found[1]}@{domain}")

    async def _tie(self, person: Person, claims: Claims, *, is_new: bool = False) -> Person:
        tied = Identity(person.organization_id, claims.issuer, claims.subject, person.id, self._clock.now())
        try:
            async with self._database.write() as tx:
                if is_new:
                    await people_repository.add_person(tx, person)
                await repository.add_identity(tx, tied)
        except Conflict as error:
            raise SignInRefused(error.message, reason="account_held") from error
        if is_new:
            await self.tell("person.created", person, {"role": str(person.role), "by": "sign_in"})
        await self.tell("identity.linked", person, {"issuer": claims.issuer})
        return person

    async def tell(self, event: str, person: Person, detail: Mapping[str, object], *, by: str = "") -> None:
        """Into the trail, as what concerns this person."""
        await self._trail.write(
            event,
            actor=by or f"person:{person.id}",
            organization_id=person.organization_id,
            person_id=person.id,
            object=person.id,
            detail=dict(detail),
        )
