"""The values of submissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from valetkey.directory.listings import DataHandling, Listing, ReviewedTool, SignIn

TEST_ACCOUNT: Final = "test_account"
"""The purpose for which a test account's token is sealed: it opens for a review that is under way, and to nobody."""


class State(StrEnum):
    """Where a submission is (DIR-09)."""

    DRAFT = "draft"
    IN_REVIEW = "in review"
    CHANGES_REQUESTED = "changes requested"
    NOT_APPROVED = "not approved"
    APPROVED = "approved"
    PUBLISHED = "published"
    DELISTED = "delisted"
    REMOVED = "removed"


class Act(StrEnum):
    """What moves one."""

    EDIT = "edit"
    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    REQUEST_CHANGES = "request changes"
    REJECT = "reject"
    APPROVE = "approve"
    PUBLISH = "publish"
    DELIST = "delist"
    RELIST = "relist"
    REMOVE = "remove"


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a publisher says (DIR-04 to DIR-06), empty where nothing was said yet."""

    name: str = ""
    publisher: str = ""
    about: str = ""
    description: str = ""
    url: str = ""
    categories: tuple[str, ...] = ()
    vertical: str = ""
    docs: str = ""
    privacy_policy: str = ""
    terms: str = ""
    support: str = ""
    security_contact: str = ""
    revocation: str = ""
    example_prompts: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    """Hosts of others that it uses."""
    justified: dict[str, str] = {}
    """`tool.parameter` → why it is needed."""
    links: tuple[str, ...] = ()
    """Where its tools may send people (DIR-13): https origins, and schemes of its own programs."""
    icon: str = ""
    """The hash of a picture that was handed in, as each of `screenshots` is."""
    screenshots: tuple[str, ...] = ()
    test_instructions: str = ""
    auth: SignIn = SignIn()
    data: DataHandling = DataHandling()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A listing on its way, or in the directory. It belongs to the organization, and outlives who made it (DIR-18).

    `revision` counts what was written; who writes says which one they saw. `live` is what stands in the directory,
    whatever becomes of `fields` meanwhile. `submitted_by` and `decided_by` are actors as the trail has them.
    """

    id: str
    slug: str
    organization_id: str
    created_by: str
    created_at: datetime
    revision: int = 1
    state: State = State.DRAFT
    state_since: datetime
    fields: Fields = field(default_factory=Fields)
    live: Listing | None = None
    proof: str
    """What the file on its domain must say (DIR-03); no secret."""
    proved_at: datetime | None = None
    has_test_account: bool = False
    submitted_by: str = ""
    submitted_at: datetime | None = None
    decided_by: str = ""
    reason: str = ""
    is_verified: bool = False
    """Whether what was approved was approved as *verified*."""
    tools: tuple[ReviewedTool, ...] = ()
    """The tools as the desk approved them, each in the class that it gave."""
    contact_at: datetime | None = None
    """When the security contact was last confirmed (DIR-16)."""
    contact_code: str = ""
    """The hash of the code that was sent to it last."""

    @property
    def is_listed(self) -> bool:
        """Whether it is in the directory, unless a look at it holds it (`Look`)."""
        return self.live is not None and self.state not in (State.DELISTED, State.REMOVED)


@dataclass(frozen=True, slots=True)
class Agreed:
    """That a text was agreed to: which, in which version and words, by whom and when (S-29)."""

    submission_id: str
    text: str
    version: str
    text_hash: str
    person_id: str
    organization_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a submission's history: a move, or words of publisher, desk or hub."""

    submission_id: str
    at: datetime
    actor: str
    act: str
    """An `Act`; or `ask`, `answer` and `told`, which move nothing."""
    state: State
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the hub's own looks at a listing came to, whoever published it. What is held is offered to nobody."""

    slug: str
    looked_at: datetime | None = None
    says: str = ""
    """What the last look found, in a sentence; empty for nothing amiss."""
    held: str = ""
    """Why it is held for what it is found to do; empty if it is not."""
    unproved: str = ""
    """Why it is held for its domain, whose control is no longer proved; empty if it is not."""
    tools: Mapping[str, str] = field(default_factory=dict)
    """Names and fingerprints of the tools that were seen last."""

    @property
    def why_held(self) -> str:
        """Empty for what is offered."""
        return self.held or self.unproved


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One review run. `fields_hash` says of what: a report on other fields is none on these."""

    id: str
    organization_id: str
    person_id: str
    submission_id: str
    url: str
    fields_hash: str
    began_at: datetime
    until: datetime
    finished_at: datetime | None = None
    error: str = ""
    report: bytes = b""
    """A `review` report as JSON."""
    progress: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a submission (DIR-04): what it still needs, in sentences."""

    name: str
    missing: tuple[str, ...]


Changes = Mapping[str, object]
