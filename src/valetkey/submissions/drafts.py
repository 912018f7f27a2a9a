"""What a publisher does with a submission: write it, prove the domain, agree, submit, publish, remove.

It belongs to the organization: whoever may add connectors there may go on with it (DIR-18). Another organization's
is not found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from valetkey.directory.listings import ParsedUrl
from valetkey.identity.model import Person
from valetkey.identity.organizations import Organizations
from valetkey.kernel.errors import BadInput, Conflict, Forbidden, TooMany
from valetkey.kernel.ids import new_id, random_suffix
from valetkey.kernel.secret import Secret
from valetkey.submissions import picture_repository, repository
from valetkey.submissions.fields import as_listing, changed, reviewed_tools
from valetkey.submissions.ground import Ground, Whole, not_there
from valetkey.submissions.model import TEST_ACCOUNT, Act, Agreed, Changes, State, Submission
from valetkey.submissions.proofs import Places, Proofs, places_of
from valetkey.submissions.terms import Terms
from valetkey.vault.model import Binding

MOST: Final = 20
"""Submissions of one organization that were not removed."""
_SLUG: Final = re.compile(r"(?!local-)[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?")
_RESERVED: Final = frozenset({"review", "reviews", "desk", "submissions", "all", "new"})
EDITABLE: Final = (State.DRAFT, State.CHANGES_REQUESTED, State.NOT_APPROVED, State.APPROVED, State.PUBLISHED)


class SealsAccounts(Protocol):
    """The vault, as far as a test account goes into it. Nothing of it comes back."""

    async def seal(self, secret: Secret, *, bound_to: Binding) -> int: ...


class Drafts:
    """The publisher's verbs. `by` is the actor, as the trail writes it."""

    def __init__(self, ground: Ground, organizations: Organizations, vault: SealsAccounts, proofs: Proofs) -> None:
        self._ground = ground
        self._organizations = organizations
        self._vault = vault
        self._proofs = proofs

    @property
    def terms(self) -> Terms:
        """The texts in force."""
        return self._ground.terms

    def terms_are(self, terms: Terms) -> None:
        """From now on."""
        self._ground.terms = terms

    async def begin(self, person: Person, slug: str, changes: Changes, *, by: str) -> Submission:
        """A new draft under a slug that stays for ever. Raises `BadInput`, `Conflict`, `Forbidden`, `TooMany`."""
        await self._demand(person)
        if not _SLUG.fullmatch(slug) or slug in _RESERVED:
            raise BadInput(
                "A slug is 1 to 24 small letters, digits and hyphens, not beginning with local-.", field="slug"
            )
        now = self._ground.clock.now()
        new = Submission(
            id=new_id("sub"),
            slug=slug,
            organization_id=person.organization_id,
            created_by=person.id,
            created_at=now,
            state_since=now,
            proof=f"valetkey-{random_suffix(32)}",
        )
        new = self._changed(new, changes)
        await self._demand_pictures(new)
        if any(one.slug == slug for one in self._ground.listings.shipped):
            raise Conflict(f"The directory has a listing {slug} already, which comes with the hub.", hint=_ANOTHER)
        async with self._ground.database.write() as tx:
            if len(await repository.of_organization(tx, person.organization_id)) >= MOST:
                raise TooMany(f"There are {MOST} submissions already.", hint="Remove one first.")
            if await repository.find_slug(tx, slug):
                raise Conflict(f"Somebody's submission has the slug {slug} already.", hint=_ANOTHER)
            await repository.insert(tx, new)
        await self._ground.tell("submission.begun", new, by=by)
        return new

    async def list(self, person: Person) -> Sequence[Submission]:
        """The organization's, the newest first."""
        await self._demand(person)
        async with self._ground.database.read() as tx:
            return await repository.of_organization(tx, person.organization_id)

    async def get(self, person: Person, submission_id: str) -> Whole:
        """Raises `NotFound`, also for another organization's."""
        return await self._ground.whole(await self._own(person, submission_id))

    async def edit(self, person: Person, submission_id: str, changes: Changes, *, revision: int, by: str) -> Submission:
        """What is said anew; a draft again, and what is listed meanwhile stays as it was (DIR-09).

        Raises `Conflict` when it was changed since `revision`, `BadInput` that names the field.
        """
        one = _as_seen(await self._own(person, submission_id), revision)
        await self._demand_terms(one)
        new = self._changed(one, changes)
        if new.fields == one.fields:
            return one
        await self._demand_pictures(new)
        if new.fields.security_contact != one.fields.security_contact:
            new = replace(new, contact_at=None, contact_code="")
        if one.live is not None and one.live.vertical and not new.fields.vertical:
            raise Conflict("What is listed as costly to get wrong stays so.", hint="Ask a reviewer.")
        if self._origin(new) != self._origin(one):
            if one.live is not None:
                raise Conflict("Where a listed connector is stays what it was.", hint="Submit the other one as a new.")
            new = replace(await self._ground.end_account(new), proved_at=None)
        return await self._ground.move(new, Act.EDIT, by=by)

    async def agree(self, person: Person, submission_id: str, hashes: Mapping[str, str], *, by: str) -> None:
        """Agrees to texts by the hash of what was shown. Raises `BadInput` for other words than those in force."""
        one, terms = await self._own(person, submission_id), self._ground.terms
        for text, text_hash in hashes.items():
            if text not in terms.texts:
                raise BadInput("There is no such text to agree to.", field="agree", hint=", ".join(terms.texts))
            if text_hash != terms.hash_of(text):
                raise BadInput(f"“{text}” is not in force in these words.", field="agree", hint="Read it as it is now.")
        now = self._ground.clock.now()
        async with self._ground.database.write() as tx:
            for text, text_hash in hashes.items():
                agreed = Agreed(one.id, text, terms.version, text_hash, person.id, person.organization_id, now)
                await repository.agree(tx, agreed)
        await self._ground.tell("submission.agreed", one, by=by, texts=", ".join(hashes), version=terms.version)
        await self._back_with_terms(one)

    async def _back_with_terms(self, one: Submission) -> None:
        """What the hub took out for outdated terms, and for nothing else, is back when they are agreed to (S-29)."""
        if one.state is not State.DELISTED or one.decided_by != "system" or "of the terms" not in one.reason:
            return
        async with self._ground.database.read() as tx:
            agreed = await repository.agreed_to(tx, one.id)
        if not self._ground.terms.lacks(agreed):
            await self._ground.move(replace(one, reason=""), Act.RELIST, by="system")

    async def prove(self, person: Person, submission_id: str, *, by: str) -> Submission:
        """Looks for what proves control of the endpoint's domain (DIR-03). Raises `Conflict`, `BadInput`."""
        one = await self._own(person, submission_id)
        await self._demand_proof(one)
        async with self._ground.database.write() as tx:
            written = await repository.write(tx, replace(one, proved_at=self._ground.clock.now()))
        await self._ground.tell("submission.proved", written, by=by, host=self._endpoint(one).host)
        return written

    def places(self, one: Submission) -> Places | None:
        """Where the proof is looked for; nowhere before it is said where the connector is, or when that is no URL."""
        try:
            return places_of(self._endpoint(one))
        except BadInput:
            return None

    async def set_account(self, person: Person, submission_id: str, token: Secret, *, by: str) -> Submission:
        """Seals a test account's token for reviews of this submission. Nobody is ever shown it (DIR-08)."""
        one = await self._own(person, submission_id)
        if one.state not in EDITABLE:
            raise Conflict(f"One cannot change the test account of what is {one.state.value}.")
        bound_to = account_of(one, self._endpoint(one))
        await self._vault.seal(token, bound_to=bound_to)
        async with self._ground.database.write() as tx:
            written = await repository.write(tx, replace(one, has_test_account=True))
        await self._ground.tell("submission.account_set", written, by=by)
        return written

    async def submit(self, person: Person, submission_id: str, *, seen: str, by: str) -> Submission:
        """Hands it to the desk, complete, its warnings seen (DIR-04). Raises `BadInput`, `Conflict`."""
        whole = await self.get(person, submission_id)
        for step in whole.steps:
            if step.missing:
                raise BadInput(f"The step “{step.name}” is not done: {step.missing[0]}.", field=step.name)
        if seen != whole.version:
            raise Conflict("Its report was not seen as it is now.", hint="Look at the submission, and say its version.")
        await self._demand_proof(whole.submission)
        now = self._ground.clock.now()
        new = replace(
            whole.submission, submitted_by=by, submitted_at=now, proved_at=now, decided_by="", reason="",
            is_verified=False, tools=(), contact_at=whole.submission.contact_at or now,
        )  # fmt: skip
        return await self._ground.move(new, Act.SUBMIT, by=by)

    async def withdraw(self, person: Person, submission_id: str, *, by: str) -> Submission:
        """Back from the desk. Raises `Conflict`."""
        return await self._ground.move(await self._own(person, submission_id), Act.WITHDRAW, by=by)

    async def publish(self, person: Person, submission_id: str, *, by: str) -> Submission:
        """What was approved stands in the directory, in place of what was there of it. Raises `Conflict`."""
        one = await self._own(person, submission_id)
        async with self._ground.database.read() as tx:
            # The report that the desk saw: a later one was made of a server that nobody decided on.
            run = await repository.last_run(tx, one.id, ended_by=one.state_since)
        tools = one.tools or reviewed_tools(run, one.fields)  # the former: as the desk classed them
        listing = as_listing(one, at=self._ground.clock.now(), verified=one.is_verified, tools=tools)
        there = self._ground.listings.for_url(self._endpoint(one))
        if there is not None and there.slug != one.slug:
            raise Conflict(f"The directory lists this address as {there.slug}.")
        return await self._ground.move(replace(one, live=listing), Act.PUBLISH, by=by)

    async def answer(self, person: Person, submission_id: str, words: str, *, by: str) -> None:
        """Answers the desk. Raises `BadInput`, `Conflict`, `TooMany`."""
        one = await self._own(person, submission_id)
        if one.submitted_at is None or one.state is State.REMOVED:
            raise Conflict("The desk reads what was submitted to it.")
        await self._ground.say(one, words, act="answer", by=by)

    async def remove(self, person: Person, submission_id: str, *, by: str) -> Submission:
        """For good, out of the directory too; its slug stays taken. Raises `Conflict`."""
        return await self._ground.move(await self._own(person, submission_id), Act.REMOVE, by=by)

    async def _own(self, person: Person, submission_id: str) -> Submission:
        await self._demand(person)
        one = await self._ground.find(submission_id)
        if one.organization_id != person.organization_id:
            raise not_there()
        return one

    async def _demand(self, person: Person) -> None:
        if not await self._organizations.may_add_connectors(person):
            raise Forbidden("Your role in the organization does not allow this.")

    async def _demand_terms(self, one: Submission) -> None:
        """S-29: nobody goes on under outdated terms."""
        agree_by = (await self._ground.whole(one)).agree_by
        if agree_by is not None and self._ground.clock.now().date() > agree_by:
            raise Conflict(f"The terms in force were to be agreed to by {agree_by}.", hint="Agree to them first.")

    async def _demand_pictures(self, one: Submission) -> None:
        """A picture is named that was handed in for this submission, and never another's."""
        named = {name for name in (one.fields.icon, *one.fields.screenshots) if name}
        if not named:
            return
        async with self._ground.database.read() as tx:
            there = await picture_repository.pictures_of(tx, one.id)
        if not named <= there.keys():
            field = "icon" if one.fields.icon not in ("", *there) else "screenshots"
            raise BadInput("There is no such picture of this submission.", field=field, hint="Hand it in first.")

    async def _demand_proof(self, one: Submission) -> None:
        if why := await self._proofs.why_not(self._endpoint(one), one.proof):
            raise Conflict(why, hint=f"One of the two must say {one.proof}")

    def _changed(self, one: Submission, changes: Changes) -> Submission:
        new = replace(one, fields=changed(one.fields, changes))
        if new.fields.url:
            listing = self._ground.listings.for_url(self._endpoint(new))
            if listing is not None and listing.slug != one.slug:
                raise Conflict(f"The directory lists this address as {listing.slug} already.")
        return new

    def _endpoint(self, one: Submission) -> ParsedUrl:
        if not one.fields.url:
            raise BadInput("The address of the connector is not said yet.", field="url")
        try:
            return self._ground.parse_url(one.fields.url)
        except BadInput as error:
            raise BadInput(error.message, field="url", hint=error.hint) from error

    def _origin(self, one: Submission) -> str:
        return self._endpoint(one).origin if one.fields.url else ""


_ANOTHER: Final = "Choose another slug."


def account_of(one: Submission, endpoint: ParsedUrl) -> Binding:
    """What a test account's token is sealed for: this submission's reviews, at its endpoint's origin."""
    return Binding(tenant=one.organization_id, person="", subject=one.id, purpose=TEST_ACCOUNT, origin=endpoint.origin)


def _as_seen(one: Submission, revision: int) -> Submission:
    if one.revision != revision:
        raise Conflict("Somebody else changed it meanwhile.", hint="Look at it again.")
    return one
