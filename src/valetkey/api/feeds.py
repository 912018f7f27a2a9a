"""Feeds: where an organization's events go as they happen, a webhook, syslog or an OpenTelemetry collector."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from valetkey.api.asking import Needs, Rooms, Scope, actor_of
from valetkey.api.paging import At, Page, by_age
from valetkey.api.shown_once import SHOWN_ONCE
from valetkey.api.sign_in import OrganizationId, demand_owner
from valetkey.audit.feed.model import Feed
from valetkey.identity.model import Principal
from valetkey.kernel.secret import Secret

router = APIRouter(prefix="/organizations/{organization}/feeds", tags=["feeds"])

Reader = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_WRITE, operator=True))]


class FeedShown(BaseModel):
    id: str
    kind: str = Field(description="webhook, syslog or otlp")
    address: str
    created_at: datetime
    delivered_at: datetime | None = Field(description="When it last took something.")
    failing_since: datetime | None
    reason: str = Field(description="Why it is not taken, if so; or what was left out of what was.")
    header: str = Field(description="The name of the header that goes along, for a collector; its value is sealed.")

    @classmethod
    def of(cls, feed: Feed) -> FeedShown:
        return cls(
            id=feed.id,
            kind=feed.kind,
            address=feed.address,
            created_at=feed.created_at,
            delivered_at=feed.delivered_at,
            failing_since=feed.failing_since,
            reason=feed.reason,
            header=feed.header,
        )


class NewFeed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    address: str = Field(
        max_length=300,
        description="https://… for a webhook, syslog://host[:6514] for syslog over TLS, "
        "otlp+https://host[:port][/path] for an OpenTelemetry collector.",
    )
    header: str = Field(default="", max_length=64, description="A header that a collector wants: authorization, …")
    value: SecretStr = Field(
        default=SecretStr(""), max_length=4096, description="Its value, whole: `Bearer …`. Sealed, and never shown."
    )


class FeedMade(FeedShown):
    key: str = Field(description="Of a webhook's signatures (whsec_…), shown this once; empty for the others.")


@router.get("", operation_id="list_feeds")
async def list_feeds(organization: OrganizationId, who: Reader, rooms: Rooms, at: At) -> Page[FeedShown]:
    """Oldest first, with how it goes."""
    await demand_owner(who, organization, rooms, fresh=False)
    found = await rooms.feeds.list(organization)
    return at.page(found, by=by_age, show=FeedShown.of)


@router.post("", operation_id="add_feed", status_code=201, openapi_extra=SHOWN_ONCE)
async def add_feed(organization: OrganizationId, new: NewFeed, who: Writer, rooms: Rooms) -> FeedMade:
    """What happens from now on goes there. An owner, with a token of their own made within the hour."""
    await demand_owner(who, organization, rooms)
    value = Secret(new.value.get_secret_value()) if new.value else None
    feed, key = await rooms.feeds.add(organization, new.address, by=actor_of(who), header=new.header, value=value)
    # Revealed because this answer is the one time that it is seen.
    return FeedMade(**FeedShown.of(feed).model_dump(), key=key.reveal().decode())


@router.delete("/{feed_id}", operation_id="remove_feed", status_code=204)
async def remove_feed(
    organization: OrganizationId, feed_id: Annotated[str, Path(max_length=40)], who: Writer, rooms: Rooms
) -> None:
    """Nothing more goes there."""
    await demand_owner(who, organization, rooms)
    await rooms.feeds.remove(organization, feed_id, by=actor_of(who))


@router.post("/{feed_id}/test", operation_id="test_feed")
async def test_feed(
    organization: OrganizationId, feed_id: Annotated[str, Path(max_length=40)], who: Writer, rooms: Rooms
) -> FeedShown:
    """Sends an event that says that somebody tries, and tells how the place does then."""
    await demand_owner(who, organization, rooms)
    return FeedShown.of(await rooms.feeds.try_out(organization, feed_id, by=actor_of(who)))
