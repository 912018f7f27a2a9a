"""The desk: who waits for a review and how long, and what reviewers decide. The operator names them, and is one."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from valetkey.api.asking import Needs, OnlyOperator, Rooms, Scope, actor_of, find_person
from valetkey.api.paging import At, Page, by_age, instant
from valetkey.api.submission_shapes import RunShown, SubmissionInFull, SubmissionShown
from valetkey.api.submissions import Words
from valetkey.directory.listings import Class
from valetkey.identity.model import Person, Principal
from valetkey.submissions.grades import Grade
from valetkey.submissions.ground import TARGET
from valetkey.submissions.model import Act, Look, Submission
from valetkey.submissions.upkeep import Progress

router = APIRouter(prefix="/desk", tags=["submissions"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_WRITE, operator=True))]
Operator = Annotated[Principal, Depends(OnlyOperator())]


class Waiting(SubmissionShown):
    """`place` is its place in the queue, 0 for what is not in it; `is_late` is for what waits beyond the target."""

    place: int
    waits_days: int
    is_late: bool

    @classmethod
    def in_queue(cls, one: Submission, place: int, waits: timedelta) -> Waiting:
        return cls(**SubmissionShown.of(one).model_dump(), place=place, waits_days=waits.days, is_late=waits > TARGET)


class GradeGiven(BaseModel):
    model_config = ConfigDict(extra="forbid")

    is_a: Class
    why: str = Field(default="", max_length=300, description="Needed for less than can be seen of the tool.")


class Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    act: Literal["approve", "request changes", "reject", "delist", "relist"]
    reason: str = Field(min_length=1, max_length=1000, description="The publisher reads it.")
    seen: str = Field(max_length=64, description="The `version` that was seen.")
    verified: StrictBool = Field(default=False, description="To approve: whether its label says *verified*.")
    vertical: str = Field(default="", max_length=40, description="To approve: its vertical, if not as it says itself.")
    classes: dict[str, GradeGiven] = Field(
        default_factory=dict, max_length=1000, description="To approve: tools in another class than the review says."
    )


class Why(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=1000, description="Everybody who is connected reads it.")


class Rescan(BaseModel):
    model_config = ConfigDict(extra="forbid")

    listing: str = Field(default="", max_length=24, description="Its slug; empty for all.")
    everything: StrictBool = False


class RescanShown(BaseModel):
    """Under way until `finished_at`. `unreached` could not be visited, and are not held for that."""

    began_at: datetime
    finished_at: datetime | None
    done: int
    total: int
    held: int
    unreached: int
    now: str
    error: str

    @classmethod
    def of(cls, progress: Progress) -> RescanShown:
        return cls(**asdict(progress))


class LookShown(BaseModel):
    slug: str
    looked_at: datetime | None
    says: str
    held: str
    tools: int

    @classmethod
    def of(cls, one: Look) -> LookShown:
        return cls(slug=one.slug, looked_at=one.looked_at, says=one.says, held=one.why_held, tools=len(one.tools))


class ReviewerShown(BaseModel):
    id: str
    login: str

    @classmethod
    def of(cls, person: Person) -> ReviewerShown:
        return cls(id=person.id, login=person.login)


class NewReviewer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    person: str = Field(max_length=254, description="Login or id.")


@router.get("", operation_id="show_queue")
async def show_queue(who: Reader, rooms: Rooms, at: At) -> Page[Waiting]:
    """Who waits, the longest first, for reviewers. What is to be decided on within seven days and is not is late."""
    there = await rooms.submissions.desk.queue(await _person(who, rooms))
    now = rooms.clock.now()
    return at.page(
        enumerate(there, 1),
        by=lambda one: (instant(one[1].state_since), one[1].id),
        show=lambda one: Waiting.in_queue(one[1], one[0], now - one[1].state_since),
    )


@router.get("/all", operation_id="list_desk")
async def list_desk(who: Reader, rooms: Rooms, at: At) -> Page[SubmissionShown]:
    """Everything that was ever submitted and was not removed."""
    there = await rooms.submissions.desk.all(await _person(who, rooms))
    return at.page(there, by=by_age, newest_first=True, show=SubmissionShown.of)


@router.get("/reviewers", operation_id="list_reviewers")
async def list_reviewers(_who: Operator, rooms: Rooms, at: At) -> Page[ReviewerShown]:
    """Who reviews besides the operator."""
    named = [await rooms.people.get(one) for one in await rooms.submissions.desk.reviewers()]
    return at.page(named, by=lambda one: (one.login, one.id), show=ReviewerShown.of)


@router.post("/reviewers", operation_id="name_reviewer", status_code=201)
async def name_reviewer(given: NewReviewer, _who: Operator, rooms: Rooms) -> ReviewerShown:
    """From now on they review what other organizations submit."""
    person = await find_person(rooms, given.person)
    await rooms.submissions.desk.appoint(person)
    return ReviewerShown.of(person)


@router.delete("/reviewers/{person}", operation_id="dismiss_reviewer", status_code=204)
async def dismiss_reviewer(person: str, _who: Operator, rooms: Rooms) -> None:
    await rooms.submissions.desk.dismiss(await find_person(rooms, person))


@router.get("/looks", operation_id="list_looks")
async def list_looks(_who: Operator, rooms: Rooms, at: At) -> Page[LookShown]:
    """What the hub's own last look at each listing found, and what is held for it; those that come with it besides."""
    looks = await rooms.submissions.upkeep.looks()
    return at.page(looks, by=lambda one: (one.slug,), show=LookShown.of)


@router.get("/rescan", operation_id="show_rescan")
async def show_rescan(_who: Operator, rooms: Rooms) -> RescanShown | None:
    """How far this hub's look at its listings is, or what the last came to; nothing before the first."""
    progress = rooms.submissions.upkeep.progress
    return RescanShown.of(progress) if progress is not None else None


@router.post("/rescan", operation_id="begin_rescan", status_code=202)
async def begin_rescan(given: Rescan, _who: Operator, rooms: Rooms) -> RescanShown:
    """Looks now: at one listing, at all that is published here, with `everything` also at what comes with the hub."""
    return RescanShown.of(await rooms.submissions.upkeep.begin(given.listing, everything=given.everything))


@router.get("/{submission_id}", operation_id="show_at_desk")
async def show_at_desk(submission_id: str, who: Reader, rooms: Rooms) -> SubmissionInFull:
    """A submission with its steps, what was agreed to, and the linter's report."""
    whole = await rooms.submissions.desk.get(await _person(who, rooms), submission_id)
    run = rooms.submissions.reviews.as_of_now(whole.run) if whole.run is not None else None
    return SubmissionInFull.of_whole(whole, run)


@router.post("/{submission_id}/review", operation_id="review_at_desk", status_code=202)
async def review_at_desk(submission_id: str, who: Writer, rooms: Rooms) -> RunShown:
    """Begins a review with the submission's test account, which nobody at the desk is shown."""
    whole = await rooms.submissions.desk.get(await _person(who, rooms), submission_id)
    return RunShown.of(await rooms.submissions.reviews.of_submission(whole.submission, person_id=who.person_id))


@router.post("/{submission_id}/question", operation_id="ask_publisher", status_code=204)
async def ask_publisher(submission_id: str, given: Words, who: Writer, rooms: Rooms) -> None:
    """Asks its publisher something; it stays in the queue."""
    await rooms.submissions.desk.ask(await _person(who, rooms), submission_id, given.words, by=actor_of(who))


@router.post("/{submission_id}/decision", operation_id="decide")
async def decide(submission_id: str, given: Decision, who: Writer, rooms: Rooms) -> SubmissionShown:
    """Decides on what was seen, never on what oneself or one's organization submitted."""
    decided = await rooms.submissions.desk.decide(
        await _person(who, rooms),
        submission_id,
        Act(given.act),
        reason=given.reason,
        seen=given.seen,
        verified=given.verified,
        vertical=given.vertical,
        classes={tool: Grade(grade.is_a, grade.why) for tool, grade in given.classes.items()},
        by=actor_of(who),
    )
    return SubmissionShown.of(decided)


@router.post("/{submission_id}/takedown", operation_id="take_down_at_desk", status_code=204)
async def take_down_at_desk(submission_id: str, given: Why, who: Writer, rooms: Rooms) -> None:
    """For security: out of the directory, and frozen for everybody at once. Putting it back is a decision."""
    await rooms.submissions.desk.take_down(
        await _person(who, rooms), submission_id, reason=given.reason, by=actor_of(who)
    )


async def _person(who: Principal, rooms: Rooms) -> Person | None:
    """The reviewer; nobody's person for the operator."""
    return None if who.kind == "operator" else await rooms.people.get(who.person_id)
