"""What publishers' verbs and the desk's share: finding a submission, moving it, and telling the trail."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Protocol

from valetkey.audit.trail import Trail
from valetkey.directory.listings import Listings, ParseUrl
from valetkey.identity.model import Person
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, NotFound, TooMany
from valetkey.store.database import Database
from valetkey.submissions import look_repository, repository
from valetkey.submissions.fields import hash_of, steps
from valetkey.submissions.model import Act, Agreed, Entry, Look, Run, State, Step, Submission
from valetkey.submissions.published import Published
from valetkey.submissions.states import after
from valetkey.submissions.terms import Terms

TARGET: Final = timedelta(days=7)
"""How soon what is submitted is to be decided on; what waits longer is said to be late, and its publisher is told
(DIR-11)."""
LONGEST_WORDS: Final = 1000
_MOST_WORDS: Final = 200
"""Questions and answers of one submission."""
_SHOWN: Final = 300


class ShredsSecrets(Protocol):
    """The vault, as far as it ends a test account."""

    async def shred(self, subject: str) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A submission with everything that is known of it."""

    submission: Submission
    steps: Sequence[Step]
    agreed: Sequence[Agreed]
    run: Run | None
    """The last review run, whatever it was of."""
    is_current: bool
    """Whether that run's report is on these very fields."""
    agree_by: date | None
    """By when the terms in force are to be agreed to, of what is listed under older ones (S-29)."""
    history: Sequence[Entry]
    """The newest first."""
    look: Look
    """The hub's own last look at what is listed."""
    place: int
    """Its place in the queue of the desk, from 1; 0 for what is not in it (DIR-11)."""
    waits: timedelta
    """How long it has been in this state."""

    @property
    def is_late(self) -> bool:
        """Whether it waits for the desk beyond the target."""
        return self.place > 0 and self.waits > TARGET

    @property
    def asked(self) -> str:
        """The desk's question that is not answered yet; empty if there is none."""
        for entry in self.history:
            if entry.act in ("answer", Act.SUBMIT):
                return ""
            if entry.act == "ask":
                return entry.words
        return ""

    @property
    def is_complete(self) -> bool:
        return not any(step.missing for step in self.steps)

    @property
    def version(self) -> str:
        """What somebody saw who saw this: they submit it, or decide on it, by saying so."""
        seen = (self.submission.id, str(self.submission.revision), self.run.id if self.run else "")
        return hashlib.sha256("\0".join(seen).encode()).hexdigest()[:16]


class Ground:
    """The rows, and what follows from each move."""

    def __init__(
        self,
        database: Database,
        *,
        vault: ShredsSecrets,
        published: Published,
        listings: Listings,
        parse_url: ParseUrl,
        trail: Trail,
        clock: Clock,
        terms: Terms,
        sends_mail: bool,
    ) -> None:
        self.terms = terms
        self.sends_mail = sends_mail
        self.database = database
        self.listings = listings
        self.parse_url = parse_url
        self.clock = clock
        self._vault = vault
        self._published = published
        self._trail = trail

    async def find(self, submission_id: str) -> Submission:
        """Raises `NotFound`."""
        async with self.database.read() as tx:
            found = await repository.find(tx, submission_id)
        if found is None:
            raise not_there()
        return found

    async def whole(self, one: Submission) -> Whole:
        async with self.database.read() as tx:
            agreed = await repository.agreed_to(tx, one.id)
            run = await repository.last_run(tx, one.id)
            history = await look_repository.entries(tx, one.id, most=_SHOWN)
            look = await look_repository.look(tx, one.slug)
            waiting = [found.id for found in await repository.in_states(tx, [State.IN_REVIEW])]
        is_current = run is not None and run.fields_hash == hash_of(one.fields)
        looked_at = why_not_looked_at(run if is_current else None)
        mailed = self.sends_mail and one.fields.security_contact.startswith("mailto:")
        wanted = [text for text in self.terms.texts if text not in self.terms.agreed(agreed)]
        return Whole(
            submission=one,
            steps=steps(
                one,
                not_agreed=wanted,
                looked_at=looked_at,
                parse_url=self.parse_url,
                unheard=mailed and one.contact_at is None,
            ),
            agreed=agreed,
            run=run,
            is_current=is_current,
            agree_by=self.terms.agree_by if wanted and one.is_listed else None,
            history=history,
            look=look if one.live is not None else Look(slug=one.slug),
            place=waiting.index(one.id) + 1 if one.id in waiting else 0,
            waits=self.clock.now() - one.state_since,
        )

    async def move(self, one: Submission, act: Act, *, by: str, reason: str = "") -> Submission:
        """`one` (as it is to be written) moved by `act`, and told to the trail first. Raises `Conflict`.

        What was listed and no longer is, or the other way round, is so everywhere when this returns.
        """
        state = after(one.state, act)
        now = self.clock.now()
        moved = replace(one, state=state, state_since=now if state is not one.state else one.state_since)
        ends_account = one.has_test_account and act in (Act.APPROVE, Act.REJECT, Act.REMOVE, Act.DELIST)
        if ends_account:
            moved = replace(moved, has_test_account=False)
        async with self.database.write() as tx:
            written = await repository.write(tx, moved)
            if act is not Act.EDIT or state is not one.state:
                await look_repository.add_entry(tx, Entry(one.id, now, by, act.value, state, reason))
        await self._tell(written, act, by=by, reason=reason, before=one.state.value)
        if ends_account:
            await self._vault.shred(one.id)
        if one.live is not None or written.live is not None:
            await self._published.announce()
        return written

    async def say(self, one: Submission, words: str, *, act: str, by: str) -> None:
        """Puts a question, an answer or a notice into its history. Raises `BadInput`, `TooMany`."""
        words = words.strip()
        if not 1 <= len(words) <= LONGEST_WORDS:
            raise BadInput(f"Say it in 1 to {LONGEST_WORDS} characters.", field="words")
        async with self.database.write() as tx:
            if (
                act in ("ask", "answer")
                and await look_repository.count_entries(tx, one.id, ["ask", "answer"]) >= _MOST_WORDS
            ):
                raise TooMany(f"{_MOST_WORDS} questions and answers are as many as one submission has.")
            await look_repository.add_entry(tx, Entry(one.id, self.clock.now(), by, act, one.state, words))
        await self.tell(f"submission.{_SAID[act]}", one, by=by, words=words)

    async def announce(self) -> None:
        """What stands in the directory is so everywhere when this returns, or within a second."""
        await self._published.announce()

    async def end_account(self, one: Submission) -> Submission:
        """The test account is destroyed; the submission as it is to be written."""
        if one.has_test_account:
            await self._vault.shred(one.id)
        return replace(one, has_test_account=False)

    async def tell(self, event: str, one: Submission, *, by: str, **detail: str) -> None:
        await self._trail.write(
            event,
            actor=by,
            organization_id=one.organization_id,
            object=f"submission:{one.id}",
            detail={"listing": one.slug, **detail},
        )

    async def tell_of_hold(self, look: Look, *, by: str) -> None:
        event = "listing.held" if look.why_held else "listing.hold_lifted"
        await self._trail.write(event, actor=by, object=look.slug, detail={"reason": look.why_held})

    async def tell_of_reviewer(self, event: str, person: Person) -> None:
        await self._trail.write(
            event, actor="operator", organization_id=person.organization_id, person_id=person.id, object=person.login
        )

    async def _tell(self, one: Submission, act: Act, *, by: str, reason: str, before: str) -> None:
        if act is Act.EDIT:
            return  # what is written down is what is handed in
        more = {"reason": reason} if reason else {}
        await self.tell("submission.moved", one, by=by, act=act.value, before=before, to=one.state.value, **more)


_SAID: Final = {"ask": "asked", "answer": "answered", "told": "told", "take down": "taken_down", "class": "classed"}


def why_not_looked_at(run: Run | None) -> str:
    """Why a report does not let a submission pass, in a sentence; empty if it does."""
    if run is None:
        return "it was not reviewed as it stands now"
    if run.finished_at is None:
        return "it is being reviewed"
    if run.error:
        return f"the review did not come to its end: {run.error}"
    return ""


def not_there() -> NotFound:
    return NotFound("There is no such submission.", hint="`valetkey submission list` shows those there are.")
