"""How submissions are shown over the API: to their publisher and at the desk."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec
from pydantic import BaseModel

from valetkey.directory.listings import Class
from valetkey.review.report import as_json
from valetkey.submissions.ground import Whole
from valetkey.submissions.health import Condition
from valetkey.submissions.model import Run, State, Submission
from valetkey.submissions.proofs import RECORD, WELL_KNOWN
from valetkey.submissions.reviews import report_of


class StepShown(BaseModel):
    """One step, and what it still needs."""

    name: str
    missing: tuple[str, ...]


class AgreedShown(BaseModel):
    """That a text was agreed to."""

    text: str
    version: str
    text_hash: str
    person_id: str
    at: datetime


class RunShown(BaseModel):
    """A review: under way until `finished_at`. `report` as `valetkey review --json` prints it."""

    id: str
    url: str
    began_at: datetime
    finished_at: datetime | None
    progress: str
    error: str
    report: dict[str, Any] | None

    @classmethod
    def of(cls, run: Run) -> RunShown:
        report = report_of(run)
        return cls(
            id=run.id,
            url=run.url,
            began_at=run.began_at,
            finished_at=run.finished_at,
            progress=run.progress,
            error=run.error,
            report=as_json(report) if report is not None else None,
        )


class SubmissionShown(BaseModel):
    """`state` is the submission's; `is_listed` says whether something of it stands in the directory now."""

    id: str
    slug: str
    name: str
    state: State
    state_since: datetime
    is_listed: bool
    revision: int
    submitted_at: datetime | None
    reason: str

    @classmethod
    def of(cls, one: Submission) -> SubmissionShown:
        return cls(
            id=one.id,
            slug=one.slug,
            name=one.fields.name,
            state=one.state,
            state_since=one.state_since,
            is_listed=one.is_listed,
            revision=one.revision,
            submitted_at=one.submitted_at,
            reason=one.reason,
        )


class ProofShown(BaseModel):
    """What proves control of the domain: the file at `path` of the endpoint's origin, or the TXT record of the

    endpoint's host with the label `record` in front; and what one of them must say.
    """

    path: str
    record: str
    says: str
    proved_at: datetime | None


class ToolApproved(BaseModel):
    """A tool as the desk approved it: its class, for the definition of that fingerprint."""

    name: str
    is_a: Class
    fingerprint: str


class EntryShown(BaseModel):
    """One line of its history: a move; or `ask`, `answer` or `told`, with their words."""

    at: datetime
    actor: str
    act: str
    state: State
    words: str


class SubmissionInFull(SubmissionShown):
    """`version` is what was seen: give it as `seen` to submit. Of a test account it is only told that there is one.

    `scan` is what the hub's own last look at the listing found, `held` why it is offered to nobody meanwhile; `place`
    is its place in the desk's queue, 0 for what is not in it; `asked` is the desk's question that waits for an answer;
    `tools` are those that were approved, `contact_at` is when the security contact was last confirmed.
    """

    fields: dict[str, Any]
    proof: ProofShown
    has_test_account: bool
    is_verified: bool
    tools: tuple[ToolApproved, ...]
    contact_at: datetime | None
    steps: tuple[StepShown, ...]
    agreed: tuple[AgreedShown, ...]
    agree_by: date | None
    review: RunShown | None
    review_is_current: bool
    scanned_at: datetime | None
    scan: str
    held: str
    place: int
    is_late: bool
    asked: str
    history: tuple[EntryShown, ...]
    version: str

    @classmethod
    def of_whole(cls, whole: Whole, run: Run | None) -> SubmissionInFull:
        one = whole.submission
        return cls(
            **SubmissionShown.of(one).model_dump(),
            fields=msgspec.to_builtins(one.fields),
            proof=ProofShown(path=WELL_KNOWN, record=RECORD, says=one.proof, proved_at=one.proved_at),
            has_test_account=one.has_test_account,
            is_verified=one.is_verified,
            tools=tuple(
                ToolApproved(name=tool.name, is_a=tool.is_a, fingerprint=tool.fingerprint) for tool in one.tools
            ),
            contact_at=one.contact_at,
            steps=tuple(StepShown(name=step.name, missing=step.missing) for step in whole.steps),
            agreed=tuple(
                AgreedShown(
                    text=found.text,
                    version=found.version,
                    text_hash=found.text_hash,
                    person_id=found.person_id,
                    at=found.at,
                )
                for found in whole.agreed
            ),
            agree_by=whole.agree_by,
            review=RunShown.of(run) if run is not None else None,
            review_is_current=whole.is_current,
            scanned_at=whole.look.looked_at,
            scan=whole.look.says,
            held=whole.look.why_held,
            place=whole.place,
            is_late=whole.is_late,
            asked=whole.asked,
            history=tuple(
                EntryShown(at=entry.at, actor=entry.actor, act=entry.act, state=entry.state, words=entry.words)
                for entry in whole.history
            ),
            version=whole.version,
        )


class TextShown(BaseModel):
    """A text to agree to: its words, and the hash to give back."""

    text: str
    version: str
    words: str
    text_hash: str


class ToolHealthShown(BaseModel):
    name: str
    calls: int
    failed: int | None


class HealthShown(BaseModel):
    """Of the last seven days, in all organizations of this hub. Numbers below five are not shown."""

    condition: Condition
    failures: float | None
    calls: int | None
    p50: int | None
    p95: int | None
    p99: int | None
    tools: tuple[ToolHealthShown, ...]
