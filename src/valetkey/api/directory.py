"""The directory: what can be connected, one catalogue with the pages and the command line (DIR-01)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from valetkey.api.asking import Needs, OnlyOperator, Rooms, Scope, Whose, actor_of
from valetkey.api.connectors import ConnectorShown, Writer, demand_may_add, tell
from valetkey.api.paging import At, Page
from valetkey.directory.catalog import Catalog, Entry
from valetkey.directory.listings import Source
from valetkey.directory.model import AuthKind, ReviewState
from valetkey.identity.model import Principal
from valetkey.review.clauses import VERSION

router = APIRouter(prefix="/directory", tags=["connectors"])

Operator = Annotated[Principal, Depends(OnlyOperator())]
Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_READ, operator=True))]
Words = Annotated[str, Query(alias="q", max_length=100, description="Words that its name, host or text must have.")]
Category = Annotated[str, Query(max_length=40)]


class SourceShown(BaseModel):
    """Where the endpoint was read, and as of when; or, if `proved`, that its publisher showed to control the domain."""

    url: str
    file: str
    commit: str
    date: date
    proved: bool

    @classmethod
    def of(cls, source: Source) -> SourceShown:
        return cls(url=source.url, file=source.file, commit=source.commit, date=source.date, proved=source.proved)


class EntryShown(BaseModel):
    """`review_state` and its label are computed by the server. `state` is `listed` for what nobody added here yet.

    What is empty is not known; that nobody reviewed it is what the label says.
    """

    slug: str
    name: str
    publisher: str
    about: str
    url: str
    review_state: ReviewState
    review_label: str
    auth_kind: AuthKind
    state: str
    categories: tuple[str, ...]
    vertical: str
    docs: str
    privacy_policy: str
    terms: str
    support: str
    source: SourceShown | None

    @classmethod
    def of(cls, entry: Entry) -> EntryShown:
        one = entry.listing
        return cls(
            slug=entry.slug,
            name=entry.name,
            publisher=one.publisher if one else "",
            about=one.about if one else "",
            url=entry.url,
            review_state=entry.review_state,
            review_label=entry.review_state.label,
            auth_kind=entry.auth_kind,
            state=entry.state,
            categories=one.categories if one else (),
            vertical=one.vertical if one else "",
            docs=one.docs if one else "",
            privacy_policy=one.privacy_policy if one else "",
            terms=one.terms if one else "",
            support=one.support if one else "",
            source=SourceShown.of(one.source) if one else None,
        )


class DisclosureShown(BaseModel):
    """What a person is to know before they connect, `not known` where nobody read it anywhere.

    `version` is given back as `acknowledged` by whoever connects with the values of request headers.
    """

    facts: dict[str, str]
    warnings: tuple[str, ...]
    version: str


class EntryInFull(EntryShown):
    disclosure: DisclosureShown


class ListingToAdd(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str = Field(default="", max_length=2048, description="Only for a listing whose address each customer has.")


@router.get("", operation_id="search_directory")
async def search_directory(
    _who: Reader, whose: Whose, rooms: Rooms, at: At, q: Words = "", category: Category = ""
) -> Page[EntryShown]:
    """What the person can connect: the organization's own by name, then listings, those that most have first.

    Members of an organization see what was switched on for them.
    """
    whole = await rooms.organizations.may_add_connectors(whose)
    entries = await Catalog(rooms.connectors, rooms.groups).list(whose, whole=whole, query=q, category=category)
    return at.page(entries, by=lambda one: one.place, show=EntryShown.of)


@router.get("/{slug}", operation_id="show_entry")
async def show_entry(slug: str, _who: Reader, whose: Whose, rooms: Rooms) -> EntryInFull:
    """One entry, with what is to be known before connecting it."""
    catalog = Catalog(rooms.connectors, rooms.groups)
    entry = await catalog.get(slug, whose, whole=await rooms.organizations.may_add_connectors(whose))
    told = rooms.connectors.disclosure(catalog.connector_of(entry, whose))
    shown = DisclosureShown(facts=dict(told.facts), warnings=told.warnings, version=told.version)
    return EntryInFull(**EntryShown.of(entry).model_dump(), disclosure=shown)


class LabelShown(BaseModel):
    """`statement` is a JWS (ES256) with what is said here as its claims, `keys` where its public key is."""

    slug: str
    name: str
    endpoint: str
    label: ReviewState
    words: str
    policy: str
    at: datetime
    until: datetime
    statement: str
    keys: str


@router.get("/{slug}/label", operation_id="show_label")
async def show_label(slug: str, _who: Reader, whose: Whose, rooms: Rooms) -> LabelShown:
    """The label of one entry as this hub computes it now, signed, for whoever wants to check it elsewhere."""
    catalog = Catalog(rooms.connectors, rooms.groups)
    entry = await catalog.get(slug, whose, whole=await rooms.organizations.may_add_connectors(whose))
    connector = catalog.connector_of(entry, whose)
    told = await rooms.labels.of(connector, policy=VERSION)
    return LabelShown(
        slug=connector.slug,
        name=connector.name,
        endpoint=connector.url,
        label=connector.review_state,
        words=told.words,
        policy=told.policy,
        at=told.at,
        until=told.until,
        statement=told.statement,
        keys=told.keys,
    )


class Takedown(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=400, description="Kept in the trail.")


@router.post("/{listing}/takedown", operation_id="take_down", status_code=204)
async def take_down(listing: str, given: Takedown, who: Operator, rooms: Rooms) -> None:
    """No call of anybody on this hub goes to what was made from the listing, within a minute on every replica (DIR-15).

    Connections stay as they are, frozen, and can be disconnected.
    """
    await rooms.quarantine.of_listing(listing[:24], reason=given.reason, by=actor_of(who))


@router.delete("/{listing}/takedown", operation_id="put_back", status_code=204)
async def put_back(listing: str, who: Operator, rooms: Rooms) -> None:
    """Everything is as it was before."""
    await rooms.quarantine.put_listing_back(listing, by=actor_of(who))


@router.post("/{listing}", operation_id="add_listing", status_code=201)
async def add_listing(listing: str, given: ListingToAdd, who: Writer, whose: Whose, rooms: Rooms) -> ConnectorShown:
    """Switches a listing on for the person's organization. Nothing is contacted and nobody is connected by this."""
    await demand_may_add(rooms, who, whose)
    added = await rooms.connectors.add_listed(whose, listing, url=given.url)
    await tell(rooms, "connector.added", who, whose, added)
    return ConnectorShown.of(added)
