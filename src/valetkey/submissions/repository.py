"""The SQL of submissions, of what was agreed to, of review runs, and of who reviews."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.directory.listings import Listing, ReviewedTool
from valetkey.kernel.errors import Conflict
from valetkey.store.schema import review_run, reviewer, submission, submission_agreed
from valetkey.submissions.model import Agreed, Fields, Run, State, Submission

_JSON = ("fields", "live", "tools")


async def insert(tx: AsyncConnection, new: Submission) -> None:
    await tx.execute(submission.insert().values(id=new.id, **_values(new)))


async def write(tx: AsyncConnection, new: Submission) -> Submission:
    """What was read as `new.revision` is written as the next. Raises `Conflict` if somebody else wrote meanwhile."""
    after = replace(new, revision=new.revision + 1)
    done = await tx.execute(
        update(submission)
        .where(submission.c.id == new.id, submission.c.revision == new.revision)
        .values(**_values(after))
    )
    if done.rowcount != 1:
        raise Conflict("Somebody else changed it meanwhile.", hint="Look at it again.")
    return after


async def find(tx: AsyncConnection, submission_id: str) -> Submission | None:
    row = (await tx.execute(select(submission).where(submission.c.id == submission_id))).first()
    return _submission(row) if row is not None else None


async def find_slug(tx: AsyncConnection, slug: str) -> bool:
    return bool((await tx.execute(select(exists().where(submission.c.slug == slug)))).scalar())


async def of_organization(tx: AsyncConnection, organization_id: str) -> list[Submission]:
    """Those that were not removed, the newest first."""
    query = select(submission).where(
        submission.c.organization_id == organization_id, submission.c.state != State.REMOVED
    )
    return [_submission(row) for row in await tx.execute(query.order_by(submission.c.created_at.desc()))]


async def in_states(tx: AsyncConnection, states: Sequence[State]) -> list[Submission]:
    """Those of everybody that are there, who waited longest first."""
    query = select(submission).where(submission.c.state.in_([one.value for one in states]))
    return [_submission(row) for row in await tx.execute(query.order_by(submission.c.state_since, submission.c.id))]


async def listed(tx: AsyncConnection) -> list[Submission]:
    """What stands in the directory."""
    query = select(submission).where(
        submission.c.live.is_not(None), submission.c.state.not_in([State.DELISTED, State.REMOVED])
    )
    return [_submission(row) for row in await tx.execute(query.order_by(submission.c.slug))]


def _values(one: Submission) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in Submission.__slots__ if name not in ("id", *_JSON)}
    values["state"] = one.state.value
    values["fields"] = msgspec.json.encode(one.fields).decode()
    values["live"] = msgspec.json.encode(one.live).decode() if one.live is not None else None
    values["tools"] = msgspec.json.encode(one.tools).decode()
    return values


def _submission(row: Row[Any]) -> Submission:
    values = dict(row._mapping)
    values["state"] = State(values["state"])
    values["fields"] = msgspec.json.decode(values["fields"], type=Fields)
    values["live"] = msgspec.json.decode(values["live"], type=Listing) if values["live"] else None
    values["tools"] = msgspec.json.decode(values["tools"], type=tuple[ReviewedTool, ...])
    return Submission(**values)


# --- what was agreed to -------------------------------------------------------------------------------------------


async def agree(tx: AsyncConnection, agreed: Agreed) -> None:
    """Once for each text and version; to agree again changes nothing of what was written."""
    there = exists().where(
        submission_agreed.c.submission_id == agreed.submission_id,
        submission_agreed.c.text == agreed.text,
        submission_agreed.c.text_hash == agreed.text_hash,
    )
    if not (await tx.execute(select(there))).scalar():
        await tx.execute(
            submission_agreed.insert().values(**{name: getattr(agreed, name) for name in Agreed.__slots__})
        )


async def agreed_to(tx: AsyncConnection, submission_id: str) -> list[Agreed]:
    query = select(submission_agreed).where(submission_agreed.c.submission_id == submission_id)
    rows = await tx.execute(query.order_by(submission_agreed.c.at, submission_agreed.c.text))
    return [Agreed(**row._mapping) for row in rows]


# --- review runs --------------------------------------------------------------------------------------------------


async def insert_run(tx: AsyncConnection, run: Run) -> None:
    await tx.execute(review_run.insert().values(**_run_values(run)))


async def finish_run(tx: AsyncConnection, run: Run) -> None:
    values = {name: getattr(run, name) for name in ("finished_at", "error", "report")}
    await tx.execute(update(review_run).where(review_run.c.id == run.id).values(**values))


async def find_run(tx: AsyncConnection, run_id: str) -> Run | None:
    row = (await tx.execute(select(review_run).where(review_run.c.id == run_id))).first()
    return Run(**row._mapping) if row is not None else None


async def last_run(tx: AsyncConnection, submission_id: str, *, ended_by: datetime | None = None) -> Run | None:
    """The newest, or the newest that had ended by then."""
    query = select(review_run).where(review_run.c.submission_id == submission_id)
    if ended_by is not None:
        query = query.where(review_run.c.finished_at <= ended_by)
    row = (await tx.execute(query.order_by(review_run.c.began_at.desc(), review_run.c.id.desc()).limit(1))).first()
    return Run(**row._mapping) if row is not None else None


async def is_under_way(tx: AsyncConnection, run_id: str, submission_id: str, *, now: datetime) -> bool:
    there = exists().where(
        review_run.c.id == run_id,
        review_run.c.submission_id == submission_id,
        review_run.c.finished_at.is_(None),
        review_run.c.until > now,
    )
    return bool((await tx.execute(select(there))).scalar())


async def purge_runs(tx: AsyncConnection, organization_id: str, *, before: datetime) -> None:
    """Runs of nobody's submission are kept for a while only."""
    await tx.execute(
        delete(review_run).where(
            review_run.c.organization_id == organization_id,
            review_run.c.submission_id == "",
            review_run.c.began_at < before,
        )
    )


def _run_values(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in Run.__slots__ if name != "progress"}


# --- who reviews --------------------------------------------------------------------------------------------------


async def reviewers(tx: AsyncConnection) -> list[str]:
    return list(await tx.scalars(select(reviewer.c.person_id).order_by(reviewer.c.since)))


async def appoint(tx: AsyncConnection, person_id: str, at: datetime) -> None:
    if person_id not in await reviewers(tx):
        await tx.execute(reviewer.insert().values(person_id=person_id, since=at))


async def dismiss(tx: AsyncConnection, person_id: str) -> bool:
    """Whether they had been one."""
    return (await tx.execute(delete(reviewer).where(reviewer.c.person_id == person_id))).rowcount == 1
