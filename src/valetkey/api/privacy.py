"""The privacy policy of whoever runs the hub, in every version. They publish it on the hub's host; all may read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from valetkey.api.asking import OnlyOperator, Rooms, actor_of, principal_of
from valetkey.api.paging import At, Page
from valetkey.identity.model import Principal
from valetkey.privacy.policy import LONGEST, PrivacyPolicy

router = APIRouter(prefix="/privacy", tags=["privacy"])

Operator = Annotated[Principal, Depends(OnlyOperator())]
Asker = Annotated[Principal, Depends(principal_of)]
Number = Annotated[int, Path(ge=1, le=1_000_000)]


class PolicyListed(BaseModel):
    """A version; number 0 is the template that nobody has made theirs, and nothing can be connected."""

    number: int
    name: str
    published_at: datetime | None
    is_template: bool

    @classmethod
    def of(cls, one: PrivacyPolicy) -> PolicyListed:
        return cls(number=one.number, name=one.name, published_at=one.published_at, is_template=one.is_template)


class PolicyShown(PolicyListed):
    text: str = Field(description="A line that begins with # is a heading; an empty line ends a paragraph.")

    @classmethod
    def of(cls, one: PrivacyPolicy) -> PolicyShown:
        return cls(**PolicyListed.of(one).model_dump(), text=one.text)


class NewPolicy(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=LONGEST)


@router.get("", operation_id="show_privacy_policy")
async def show_privacy_policy(_who: Asker, rooms: Rooms) -> PolicyShown:
    """The version that holds; also on the page /privacy, for everybody."""
    return PolicyShown.of(await rooms.privacy.policies.current())


@router.get("/versions", operation_id="list_privacy_policies")
async def list_privacy_policies(_who: Asker, rooms: Rooms, at: At) -> Page[PolicyListed]:
    """Every version, the newest first."""
    found = await rooms.privacy.policies.list()
    return at.page(found, by=lambda one: (one.number,), newest_first=True, show=PolicyListed.of)


@router.get("/versions/{number}", operation_id="show_privacy_version")
async def show_privacy_version(number: Number, _who: Asker, rooms: Rooms) -> PolicyShown:
    """One of them."""
    return PolicyShown.of(await rooms.privacy.policies.get(number))


@router.post("", operation_id="publish_privacy_policy", status_code=201)
async def publish_privacy_policy(new: NewPolicy, who: Operator, rooms: Rooms) -> PolicyShown:
    """The operator's own words, as the next version. The same words again change nothing."""
    return PolicyShown.of(await rooms.privacy.policies.publish(new.text, actor=actor_of(who)))


@router.post("/accept", operation_id="accept_privacy_template", status_code=201)
async def accept_privacy_template(who: Operator, rooms: Rooms) -> PolicyShown:
    """Makes the built-in template the operator's policy."""
    return PolicyShown.of(await rooms.privacy.policies.accept(actor=actor_of(who)))
