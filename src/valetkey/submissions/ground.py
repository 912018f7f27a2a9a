"""What publishers' verbs and the desk's share: finding a submission, moving it, and telling the trail."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

from valetkey.audit.trail import Trail
from valetkey.directory.listings import Listings, ParseUrl
from valetkey.identity.model import Person
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotFound
from valetkey.store.database import Database
from valetkey.submissions import repository
from valetkey.submissions.fields import hash_of, steps
from valetkey.submissions.model import Act, Agreed, Run, Step, Submission
from valetkey.submissions.published import Published
from valetkey.submissions.states import after
from valetkey.submissions.terms import Terms


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
    ) -> None:
        self.terms = terms
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
        is_current = run is not None and run.fields_hash == hash_of(one.fields)
        looked_at = why_not_looked_at(run if is_current else None)
        wanted = [text for text in self.terms.texts if text not in self.terms.agreed(agreed)]
        return Whole(
            submission=one,
            steps=steps(one, not_agreed=wanted, looked_at=looked_at, parse_url=self.parse_url),
            agreed=agreed,
            run=run,
            is_current=is_current,
            agree_by=self.terms.agree_by if wanted and one.is_listed else None,
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
        await self._tell(written, act, by=by, reason=reason)
        if ends_account:
            await self._vault.shred(one.id)
        if one.live is not None or written.live is not None:
            await self._published.announce()
        return written

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

    async def tell_of_reviewer(self, event: str, person: Person) -> None:
        await self._trail.write(
            event, actor="operator", organization_id=person.organization_id, person_id=person.id, object=person.login
        )

    async def _tell(self, one: Submission, act: Act, *, by: str, reason: str) -> None:
        if act is Act.EDIT:
            return  # what is written down is what is handed in
        more = {"reason": reason} if reason else {}
        await self.tell("submission.moved", one, by=by, act=act.value, to=one.state.value, **more)


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
