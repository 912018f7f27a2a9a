"""Connectors: what can be connected, and adding and removing custom ones."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of, demand_act
from valetkey.api.paging import At, Page
from valetkey.api.services import Services
from valetkey.audit.refusals import Told
from valetkey.connections.model import OfConnector
from valetkey.directory.catalog import Catalog
from valetkey.directory.custom import TRANSPORT, check_transport
from valetkey.directory.editing import Edit
from valetkey.directory.model import AuthKind, Connector, ConnectorState, ReviewState
from valetkey.identity.model import Person, Principal
from valetkey.identity.roles import Act
from valetkey.kernel.errors import Conflict, Forbidden, NotFound
from valetkey.kernel.secret import Secret

router = APIRouter(prefix="/connectors", tags=["connectors"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_WRITE, operator=True))]
Owner = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_WRITE))]
EverybodyQuery = Annotated[bool, Query(description="End everybody's connections to it, too.")]

_SECONDS = 60.0
_FACTS = {"client_id", "scope", "headers", "optional_headers", "identity", "client"}
_EDITED = {"follow_listing", "name", "url", "auth_kind", *_FACTS}


class ConnectorShown(BaseModel):
    """`review_state` and its label are set by the server, whatever the name says (S-05).

    `acts_as` is `organization` when an owner enters one key for everybody: the service does not know people then.
    """

    id: str
    slug: str
    name: str
    url: str
    review_state: ReviewState
    review_label: str
    auth_kind: AuthKind
    auth: dict[str, Any]
    transport: Literal["streamable-http", "stdio"]
    acts_as: Literal["person", "organization"]
    state: ConnectorState = Field(
        description="outside: its host is none of those that the organization lets connectors reach; "
        "ruled_out: its rules leave no room for it."
    )
    groups: list[str] | None = Field(description="The groups that it is for, by id; null: everybody.")
    raised: dict[str, str] = Field(
        description="What an owner says that it is at least: a class by tool, and by `*` the vertical of the whole."
    )
    listing: str
    organization_id: str
    added_by: str
    created_at: datetime

    @classmethod
    def of(cls, connector: Connector) -> ConnectorShown:
        return cls(
            id=connector.id,
            slug=connector.slug,
            name=connector.name,
            url=connector.url,
            review_state=connector.review_state,
            review_label=connector.review_state.label,
            auth_kind=connector.auth_kind,
            auth=dict(connector.auth),
            transport="stdio" if connector.is_local else TRANSPORT,
            acts_as="organization" if connector.acts_as_organization else "person",
            state=connector.state,
            groups=None if connector.audience.is_everybody else sorted(connector.audience.groups),
            raised=dict(connector.raised),
            listing=connector.listing,
            organization_id=connector.organization_id,
            added_by=connector.added_by,
            created_at=connector.created_at,
        )


class NewConnector(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=100)
    url: str = Field(max_length=2048, description="The MCP endpoint. A key or token in it is refused.")
    auth_kind: AuthKind = "oauth"
    auth: dict[str, Any] = Field(
        default_factory=dict,
        description="Facts, never secrets: `client` (`document` or `register`), `client_id`, `scope`, "
        "`no_scope_fallback`, `headers`, `optional_headers`, and `identity`: `organization` for one key that an owner "
        "enters for everybody.",
    )
    transport: str = Field(
        default=TRANSPORT, max_length=40, description="`streamable-http`; HTTP+SSE is refused: it is not spoken."
    )


@router.get("", operation_id="list_connectors")
async def list_connectors(_who: Reader, whose: Whose, rooms: Rooms, at: At) -> Page[ConnectorShown]:
    """The connectors of the person's organization; who may not add any sees those that are switched on (S-30)."""
    whole = await rooms.organizations.may_add_connectors(whose)
    there = await rooms.connectors.list_for(whose)
    if not whole:
        groups = await rooms.groups.of(whose.id)
        there = [one for one in there if one.state == "enabled" and one.audience.has(groups)]
    return at.page(there, by=lambda one: (one.name.lower(), one.slug), show=ConnectorShown.of)


@router.get("/{slug}", operation_id="show_connector")
async def show_connector(slug: str, _who: Reader, whose: Whose, rooms: Rooms) -> ConnectorShown:
    """Not found, too, for who may not add any, what is not switched on."""
    whole = await rooms.organizations.may_add_connectors(whose)
    entry = await Catalog(rooms.connectors, rooms.groups).get(slug, whose, whole=whole)
    if entry.connector is None:
        raise NotFound("There is no such connector.", hint="`valetkey connector list` shows those there are.")
    return ConnectorShown.of(entry.connector)


@router.post("", operation_id="add_connector", status_code=201)
async def add_connector(new: NewConnector, who: Writer, whose: Whose, rooms: Rooms) -> ConnectorShown:
    """A custom connector for the person's organization. Nothing is contacted and nobody is connected by this: each

    person signs in when they need it. A member's is for themself, where the organization's rules let members add any.
    """
    adds_for_all = await rooms.organizations.may_add_connectors(whose)
    add = rooms.connectors.add_custom if adds_for_all else rooms.connectors.add_own
    check_transport(new.transport)
    try:
        added = await add(whose, name=new.name, url=new.url, auth_kind=new.auth_kind, auth=new.auth)
    except Forbidden as error:
        await _tell_refused(rooms, who, whose)
        raise Told(error.message, hint=error.hint) from error
    await tell(rooms, "connector.added", who, whose, added)
    return ConnectorShown.of(added)


class ConnectorChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: Literal["enabled", "blocked"] | None = None
    name: str | None = Field(default=None, max_length=100)
    url: str | None = Field(
        default=None, max_length=2048, description="On the same host; another is another connector."
    )
    auth_kind: AuthKind | None = None
    headers: list[str] | None = Field(default=None, description="Names of request headers; an empty list for none.")
    optional_headers: list[str] | None = None
    client: Literal["document", "register", ""] | None = Field(
        default=None, description="How the hub is known there; empty: as the service offers it."
    )
    identity: Literal["organization", ""] | None = Field(
        default=None, description="`organization`: one key for everybody, which an owner enters; empty: people's own."
    )
    follow_listing: Literal[True] | None = Field(default=None, description="Go where its listing is now; nothing else.")
    client_id: str | None = Field(
        default=None,
        max_length=2048,
        description="Our client id there, empty for none. Everybody connects anew. Its secret is asked for then.",
    )
    scope: str | None = Field(default=None, max_length=2048, description="Exactly these scopes are asked for, with it.")


@router.patch("/{slug}", operation_id="change_connector")
async def change_connector(
    slug: str, change: ConnectorChange, who: Writer, whose: Whose, rooms: Rooms
) -> ConnectorShown:
    """Switches a connector on or off for the organization, or changes what it is.

    A blocked one is found by no member and called by nobody. When more than its name changes, everybody who is
    connected is disconnected first, with a receipt, and connects anew (CUS-05). Of a listing only the client changes.
    """
    await demand_may_add(rooms, who, whose)
    connector = await rooms.connectors.get(slug, whose)
    if connector.is_local:
        raise Conflict("Which programs there are is said in the hub's settings.")
    if told := change.model_dump(include=_EDITED, exclude_none=True):
        auth = {fact: value for fact, value in told.items() if fact in _FACTS}
        edit = Edit(
            name=change.name, url=change.url, auth_kind=change.auth_kind, auth=auth or None,
            follow_listing=bool(change.follow_listing),
        )  # fmt: skip
        await rooms.editing.edit(connector, edit, by=actor_of(who), person_id=whose.id)
    if change.state is not None:
        await rooms.connectors.set_state(connector.id, change.state)
        await tell(rooms, f"connector.{change.state}", who, whose, connector)
    return ConnectorShown.of(await rooms.connectors.get(slug, whose))


@router.post("/{slug}/quarantine", operation_id="quarantine_connector")
async def quarantine_connector(slug: str, who: Writer, whose: Whose, rooms: Rooms) -> ConnectorShown:
    """No call of anybody in the organization goes there any more, and what is under way ends: within five seconds, on

    every replica. Credentials stay sealed. For owners and admins, who can lift it.
    """
    return await _quarantine(slug, who, whose, rooms, on=True)


@router.delete("/{slug}/quarantine", operation_id="lift_connector_quarantine")
async def lift_connector_quarantine(slug: str, who: Writer, whose: Whose, rooms: Rooms) -> ConnectorShown:
    """Everything is as it was before; what a person put into quarantine themselves stays there."""
    return await _quarantine(slug, who, whose, rooms, on=False)


async def _quarantine(slug: str, who: Principal, whose: Person, rooms: Services, *, on: bool) -> ConnectorShown:
    if who.kind != "operator":
        await demand_may_add(rooms, who, whose)
    connector = await rooms.connectors.get(slug, whose)
    await rooms.quarantine.of_connector(connector, on=on, by=actor_of(who), person_id=whose.id)
    return ConnectorShown.of(await rooms.connectors.get(slug, whose))


class HeldKey(BaseModel):
    model_config = ConfigDict(extra="forbid")

    values: dict[str, SecretStr] = Field(
        max_length=4, description="Value by name of request header. Sealed; no interface gives them back."
    )


@router.put("/{slug}/key", operation_id="enter_organization_key", status_code=204)
async def enter_organization_key(slug: str, given: HeldKey, who: Owner, whose: Whose, rooms: Rooms) -> None:
    """One key for everybody in the organization, in place of the one there was. For owners."""
    connector = await _held_by_owner(slug, who, whose, rooms)
    values = {name: Secret(value.get_secret_value()) for name, value in given.values.items()}
    await rooms.held.hold(connector, values, by=actor_of(who), person_id=whose.id)


@router.delete("/{slug}/key", operation_id="remove_organization_key", status_code=204)
async def remove_organization_key(slug: str, who: Owner, whose: Whose, rooms: Rooms) -> None:
    """Destroys it and ends every connection that goes with it. For owners."""
    connector = await _held_by_owner(slug, who, whose, rooms)
    await rooms.held.take_away(connector, by=actor_of(who), person_id=whose.id)


async def _held_by_owner(slug: str, who: Principal, whose: Person, rooms: Services) -> Connector:
    demand_act(who, Act.MANAGE_ORGANIZATION)
    return await rooms.connectors.get(slug, whose)


@router.delete("/{slug}", operation_id="remove_connector", status_code=204)
async def remove_connector(
    slug: str, who: Writer, whose: Whose, rooms: Rooms, everybody: EverybodyQuery = False
) -> None:
    """Disconnects and removes the person's own connections to it, then the connector, if nobody else has one.

    With `everybody`, which owners and admins of an organization may say: everybody's.
    """
    connector = await rooms.connectors.get(slug, whose)
    is_theirs = connector.is_personal and connector.added_by == whose.id
    if everybody or not is_theirs:
        await demand_may_add(rooms, who, whose)
    if everybody:
        await _end_for_everybody(rooms, connector, by=actor_of(who))
    for connection in await rooms.connections.list(whose.id):
        if connection.connector_id == connector.id:
            await rooms.connections.remove(whose.id, connection.id, by=actor_of(who))
    await rooms.editing.remove(connector, by=actor_of(who), person_id=whose.id)


async def _end_for_everybody(rooms: Services, connector: Connector, *, by: str) -> None:
    """Ends all connections to it, eight at a time, and drops their entries. Each person gets a receipt."""
    await rooms.trail.write(
        "connector.ended_for_everybody", actor=by, organization_id=connector.organization_id, object=connector.id
    )
    among, began_at = OfConnector(connector.id), rooms.revoking.begin()
    done = await rooms.revoking.run(among, began_at=began_at, by=by, seconds=_SECONDS)
    if not done.is_done:
        raise Conflict(f"{done.left} connections to it are still being ended.", hint="Try again in a minute.")
    for connection in await rooms.revoking.entries(among):
        await rooms.connections.remove(connection.person_id, connection.id, by=by)


async def demand_may_add(rooms: Services, who: Principal, person: Person) -> None:
    """CUS-06. Raises `Forbidden`, and writes down who tried."""
    if not await rooms.organizations.may_add_connectors(person):
        await _tell_refused(rooms, who, person)
        raise Told("Only owners and admins add and remove connectors in this organization.", hint="Ask one of them.")


async def _tell_refused(rooms: Services, who: Principal, person: Person) -> None:
    await rooms.trail.write(
        "connector.add_refused", actor=actor_of(who), organization_id=person.organization_id, person_id=person.id
    )


async def tell(rooms: Services, event: str, who: Principal, whose: Person, connector: Connector) -> None:
    """Writes into the trail that somebody changed what can be connected."""
    await rooms.trail.write(
        event,
        actor=actor_of(who),
        organization_id=connector.organization_id,
        person_id=whose.id,
        object=connector.id,
        detail={"slug": connector.slug, "origin": connector.origin, "review_state": connector.review_state.value},
    )
