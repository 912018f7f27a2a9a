"""What reviewers do: see who waits and how long, run the review, decide with a reason.

The operator names reviewers, and is one. Nobody decides on what they submitted, nor on what their own organization did
(DIR-09): where there is one organization only, the operator decides on the hub's host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

import msgspec

from valetkey.directory.listings import VERTICALS
from valetkey.identity.model import Person
from valetkey.kernel.errors import BadInput, Conflict, Forbidden, NotFound, printable
from valetkey.review.model import Report, Severity
from valetkey.submissions import repository
from valetkey.submissions.grades import Grade, graded, said
from valetkey.submissions.ground import LONGEST_WORDS, Ground, Whole, not_there
from valetkey.submissions.model import Act, State, Submission
from valetkey.submissions.reviews import report_of
from valetkey.submissions.states import OF_DESK

NO_GRADES: Final[Mapping[str, Grade]] = {}


class Freezes(Protocol):
    """`connections.quarantine`, as far as a listing is frozen for everybody."""

    async def of_listing(self, listing: str, *, reason: str, by: str) -> None: ...

    async def put_listing_back(self, listing: str, *, by: str) -> None: ...


class Desk:
    """The reviewers' verbs. `person` is `None` for the operator, who is in no organization."""

    def __init__(self, ground: Ground, freezes: Freezes) -> None:
        self._ground = ground
        self._freezes = freezes

    async def is_reviewer(self, person: Person) -> bool:
        async with self._ground.database.read() as tx:
            return person.id in await repository.reviewers(tx)

    async def reviewers(self) -> Sequence[str]:
        """Their ids, who was named first first."""
        async with self._ground.database.read() as tx:
            return await repository.reviewers(tx)

    async def appoint(self, person: Person) -> None:
        async with self._ground.database.write() as tx:
            await repository.appoint(tx, person.id, self._ground.clock.now())
        await self._ground.tell_of_reviewer("reviewer.named", person)

    async def dismiss(self, person: Person) -> None:
        """Raises `NotFound`."""
        async with self._ground.database.write() as tx:
            was = await repository.dismiss(tx, person.id)
        if not was:
            raise NotFound("They are no reviewer.")
        await self._ground.tell_of_reviewer("reviewer.dismissed", person)

    async def queue(self, person: Person | None) -> Sequence[Submission]:
        """Who waits, the longest first. Raises `Forbidden`."""
        await self._demand_reviewer(person)
        async with self._ground.database.read() as tx:
            return await repository.in_states(tx, [State.IN_REVIEW])

    async def all(self, person: Person | None) -> Sequence[Submission]:
        """Everything that the desk has ever had and that was not removed."""
        await self._demand_reviewer(person)
        async with self._ground.database.read() as tx:
            there = await repository.in_states(tx, [one for one in State if one is not State.REMOVED])
        return [one for one in there if one.submitted_at is not None]

    async def get(self, person: Person | None, submission_id: str) -> Whole:
        """Raises `NotFound`: drafts that were never submitted are nobody's but their organization's."""
        await self._demand_reviewer(person)
        one = await self._ground.find(submission_id)
        if one.submitted_at is None:
            raise not_there()
        return await self._ground.whole(one)

    async def decide(
        self,
        person: Person | None,
        submission_id: str,
        act: Act,
        *,
        reason: str,
        seen: str,
        verified: bool,
        by: str,
        vertical: str = "",
        classes: Mapping[str, Grade] = NO_GRADES,
    ) -> Submission:
        """The desk's word on what was seen. Raises `BadInput`, `Conflict`, `Forbidden`.

        `verified` is for approving: the label is to say so; and so is `vertical`, which a reviewer sets where mistakes
        are costly, whatever its publisher said (DIR-19); `classes` are tools that are to have another class than was
        read off them. Nothing that the linter blocks is approved, and nothing
        is verified whose tools were not seen.
        """
        whole = await self.get(person, submission_id)
        one = whole.submission
        if act not in OF_DESK:
            raise BadInput("That is for its publisher to do.", field="act")
        if not reason.strip() or len(reason) > LONGEST_WORDS:
            raise BadInput(f"A decision has a reason of 1 to {LONGEST_WORDS} characters.", field="reason")
        self._demand_other(person, one, by)
        if seen != whole.version:
            raise Conflict("It has changed since it was seen.", hint="Look at it again.")
        if act is Act.RELIST and one.live is None:
            raise Conflict("Nothing of it was ever in the directory.")
        changed: list[str] = []
        if act is Act.APPROVE:
            seen_tools = _demand_report(whole, verified).reviewed
            one = replace(_raised(one, vertical), tools=graded(seen_tools, classes))
            changed = said(seen_tools, one.tools, classes)
        is_verified = verified if act is Act.APPROVE else one.is_verified
        decided = replace(one, decided_by=by, reason=reason.strip(), is_verified=is_verified)
        moved = await self._ground.move(decided, act, by=by, reason=reason.strip())
        for words in changed:
            await self._ground.say(moved, words, act="class", by=by)
        if act is Act.RELIST and _was_taken_down(whole):
            await self._freezes.put_listing_back(one.slug, by=by)
        return moved

    async def ask(self, person: Person | None, submission_id: str, words: str, *, by: str) -> None:
        """Asks its publisher something; it stays where it is. Raises `BadInput`, `TooMany`, `NotFound`."""
        await self._ground.say((await self.get(person, submission_id)).submission, words, act="ask", by=by)

    async def take_down(self, person: Person | None, submission_id: str, *, reason: str, by: str) -> None:
        """Out of the directory, and frozen for everybody at once, for security (DIR-15): within a second no replica

        lets a call go there. Raises `BadInput`, `Conflict`, `Forbidden`.
        """
        one = (await self.get(person, submission_id)).submission
        self._demand_other(person, one, by)
        if one.live is None:
            raise Conflict("Nothing of it was ever in the directory.")
        if not reason.strip() or len(reason) > LONGEST_WORDS:
            raise BadInput(f"A decision has a reason of 1 to {LONGEST_WORDS} characters.", field="why")
        # Frozen first: whatever becomes of the rest, nothing goes there any more.
        await self._freezes.of_listing(one.slug, reason=reason.strip(), by=by)
        if one.state not in (State.DELISTED, State.REMOVED):
            decided = replace(one, decided_by=by, reason=reason.strip())
            one = await self._ground.move(decided, Act.DELIST, by=by, reason=reason.strip())
        await self._ground.say(one, reason, act="take down", by=by)

    def may_decide(self, person: Person | None, one: Submission, *, by: str) -> bool:
        """Whether it is neither their own nor their organization's (DIR-09)."""
        return by != one.submitted_by and (person is None or person.organization_id != one.organization_id)

    def _demand_other(self, person: Person | None, one: Submission, by: str) -> None:
        if not self.may_decide(person, one, by=by):
            raise Forbidden(
                "Nobody decides on what they or their organization submitted.",
                hint="Another organization's reviewer does, or the operator on the hub's host.",
            )

    async def _demand_reviewer(self, person: Person | None) -> None:
        if person is not None and not await self.is_reviewer(person):
            raise Forbidden("This is for reviewers.", hint="The operator names them: valetkey desk name LOGIN")


def _raised(one: Submission, vertical: str) -> Submission:
    """With the vertical that the reviewer says; what is there is not taken away by saying none."""
    if vertical and vertical not in VERTICALS:
        raise BadInput(f"There is no known vertical {printable(vertical, limit=40)}.", field="vertical")
    fields = msgspec.structs.replace(one.fields, vertical=vertical) if vertical else one.fields
    return replace(one, fields=fields)


def _was_taken_down(whole: Whole) -> bool:
    """By the desk: what the operator took down by themself, they put back."""
    newest = next((entry.act for entry in whole.history if entry.act in ("take down", Act.RELIST)), "")
    return newest == "take down"


def _demand_report(whole: Whole, verified: bool) -> Report:
    if not whole.is_complete or whole.run is None or not whole.is_current:
        raise Conflict("There is no report on it as it stands now.", hint="Run the review first.")
    report = report_of(whole.run)
    if report is None:
        raise Conflict("There is no report on it as it stands now.", hint="Run the review first.")
    if report.blocks:
        raise Conflict(f"The review blocks it ({report.count(Severity.BLOCK)}).", hint="Request changes.")
    if verified and not report.tools:
        raise Conflict("Nothing is verified whose tools were not seen.", hint="Run the review with its test account.")
    return report
