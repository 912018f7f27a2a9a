"""Connections: a person's accounts, connecting and disconnecting them, and the tools switched on there.

Connecting happens in the person's browser: it shows what is about to be agreed to. Here one gets the page's address, or
gives the values of a connector's request headers, which nobody gets back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of
from valetkey.api.paging import At, Listed, Page, cursor_of
from valetkey.api.services import Services
from valetkey.audit.uses import Use
from valetkey.connections.methods.header import ORGANIZATION
from valetkey.connections.model import Connection, Receipt, TraceStep
from valetkey.directory.catalog import Catalog
from valetkey.directory.model import Connector
from valetkey.identity.model import Person, Principal
from valetkey.kernel.secret import Secret

router = APIRouter(prefix="/connections", tags=["connections"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_READ, operator=True))]
Ender = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_WRITE, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_WRITE))]


class ConnectionShown(BaseModel):
    """`state` is one of not_connected, connected, reconnect, disconnecting, quarantined and blocked (by the

    organization). `quarantined_at` is since when its own person has it in quarantine. `acts_as` is `organization` when
    it goes with a key that an owner entered for everybody.
    """

    id: str
    connector: str
    connector_name: str
    review_state: str
    review_label: str
    origin: str
    label: str
    display_name: str
    is_default: bool
    state: str
    state_reason: str
    method: str
    acts_as: Literal["person", "organization"]
    issuer: str
    requested_scope: str
    granted_scope: str
    has_refresh_token: bool
    expires_at: datetime | None
    created_at: datetime
    connected_at: datetime | None
    last_used_at: datetime | None
    quarantined_at: datetime | None
    page: str

    @classmethod
    def of(cls, connection: Connection, connector: Connector, page: str) -> ConnectionShown:
        return cls(
            id=connection.id,
            connector=connector.slug,
            connector_name=connector.name,
            review_state=connector.review_state.value,
            review_label=connector.review_state.label,
            origin=connector.origin,
            label=connection.label,
            display_name=connection.display_name,
            is_default=connection.is_default,
            state=_state(connection, connector),
            state_reason=connection.state_reason,
            method=connection.method,
            acts_as="organization" if connection.method == ORGANIZATION else "person",
            issuer=connection.issuer,
            requested_scope=connection.requested_scope,
            granted_scope=connection.granted_scope,
            has_refresh_token=connection.has_refresh_token,
            expires_at=connection.expires_at,
            created_at=connection.created_at,
            connected_at=connection.connected_at,
            last_used_at=connection.last_used_at,
            quarantined_at=connection.quarantined_at,
            page=page,
        )


class Begin(BaseModel):
    model_config = ConfigDict(extra="forbid")

    connector: str = Field(max_length=40)
    label: str = Field(default="", max_length=12, description="Tells several accounts at one connector apart.")
    display_name: str = Field(default="", max_length=100)


class Renaming(BaseModel):
    model_config = ConfigDict(extra="forbid")

    display_name: str = Field(max_length=100)


class ConnectPage(BaseModel):
    """Where the person goes on, in their own browser."""

    page: str


class HeaderValues(Begin):
    acknowledged: str = Field(
        default="",
        max_length=64,
        description="The `version` of the connector's disclosure, as the person saw it: GET /directory/{slug}.",
    )
    values: dict[str, SecretStr] = Field(
        max_length=4, description="Value by name of request header. Sealed; no interface gives them back."
    )


class ReceiptShown(BaseModel):
    """What a disconnect did."""

    id: str
    at: datetime
    connector_name: str
    connector_host: str
    label: str
    keys_destroyed: int
    revocation: str
    revocation_detail: str
    unrecoverable_after: datetime

    @classmethod
    def of(cls, receipt: Receipt) -> ReceiptShown:
        return cls(
            id=receipt.id,
            at=receipt.at,
            connector_name=receipt.connector_name,
            connector_host=receipt.connector_host,
            label=receipt.label,
            keys_destroyed=receipt.keys_destroyed,
            revocation=receipt.revocation,
            revocation_detail=receipt.revocation_detail,
            unrecoverable_after=receipt.unrecoverable_after,
        )


class StepShown(BaseModel):
    """One step of discovery, registration, authorization, exchange, refresh or revocation; secrets removed."""

    at: datetime
    stage: str
    request: str
    status: int | None
    reason: str
    reference: str
    """What an error that came of this step names (CON-32)."""

    @classmethod
    def of(cls, step: TraceStep) -> StepShown:
        return cls(
            at=step.at,
            stage=step.stage,
            request=step.request,
            status=step.status,
            reason=step.reason,
            reference=step.id,
        )


class UseShown(BaseModel):
    """One use of the credential. `what` is `call` or the trail's word; `origin` is where it went, empty for nowhere."""

    at: datetime
    what: str
    origin: str
    client: str
    call_id: str
    tool: str
    outcome: str
    actor: str

    @classmethod
    def of(cls, use: Use) -> UseShown:
        return cls(
            at=use.at,
            what=use.what,
            origin=use.origin,
            client=use.client,
            call_id=use.call_id,
            tool=use.tool,
            outcome=use.outcome,
            actor=use.actor,
        )


@router.get("", operation_id="list_connections")
async def list_connections(_who: Reader, whose: Whose, rooms: Rooms, at: At) -> Page[ConnectionShown]:
    """The person's accounts, oldest first."""
    cut = at.cut(await rooms.connections.list(whose.id), by=lambda one: (one.id,))
    return Page(items=[await _shown(rooms, each) for each in cut.rows], next=cut.next)


@router.post("", operation_id="begin_connection")
async def begin_connection(begin: Begin, _who: Writer, whose: Whose, rooms: Rooms) -> ConnectPage:
    """The page on which the person looks at what they are about to connect, and does so."""
    connector = await _meant(rooms, begin.connector, whose)
    return ConnectPage(page=rooms.pages.connect(connector.slug, label=begin.label, display_name=begin.display_name))


@router.post("/headers", operation_id="connect_with_headers", status_code=201)
async def connect_with_headers(given: HeaderValues, _who: Writer, whose: Whose, rooms: Rooms) -> ConnectionShown:
    """Connects an account by the values of its request headers, or replaces them. Write-only.

    With no values for a connector that goes with a key of the organization: an owner has entered that.
    """
    connector = await _meant(rooms, given.connector, whose)
    values = {name: Secret(value.get_secret_value()) for name, value in given.values.items()}
    connection = await rooms.connecting.set_header(
        whose,
        connector,
        label=given.label,
        display_name=given.display_name,
        values=values,
        acknowledged=given.acknowledged,
    )
    return await _shown(rooms, connection)


@router.post("/disconnect-all", operation_id="disconnect_everything")
async def disconnect_everything(who: Ender, whose: Whose, rooms: Rooms) -> Listed[ReceiptShown]:
    """Revokes and destroys every credential of the person. Works whatever state the connectors are in (S-03)."""
    receipts = await rooms.disconnecting.disconnect_all(whose.id, by=actor_of(who))
    return Listed(items=[ReceiptShown.of(receipt) for receipt in receipts])


@router.get("/receipts", operation_id="list_receipts")
async def list_receipts(_who: Reader, whose: Whose, rooms: Rooms, at: At) -> Page[ReceiptShown]:
    """What the person disconnected, the newest first."""
    found = await rooms.disconnecting.receipts(whose.id, before=at.text, limit=at.one_more)
    return at.page(found, by=lambda one: (one.id,), newest_first=True, show=ReceiptShown.of)


@router.get("/{connection_id}", operation_id="show_connection")
async def show_connection(connection_id: str, _who: Reader, whose: Whose, rooms: Rooms) -> ConnectionShown:
    return await _shown(rooms, await rooms.connections.get(whose.id, connection_id))


@router.patch("/{connection_id}", operation_id="rename_connection")
async def rename_connection(
    connection_id: str, given: Renaming, _who: Writer, whose: Whose, rooms: Rooms
) -> ConnectionShown:
    """What the person calls the account; its label stays."""
    return await _shown(rooms, await rooms.connections.rename(whose.id, connection_id, given.display_name))


@router.delete("/{connection_id}", operation_id="remove_connection", status_code=204)
async def remove_connection(connection_id: str, who: Ender, whose: Whose, rooms: Rooms) -> None:
    """Disconnects, then drops the entry with its tools and permissions (CON-01)."""
    await rooms.connections.remove(whose.id, connection_id, by=actor_of(who))


@router.post("/{connection_id}/disconnect", operation_id="disconnect")
async def disconnect(connection_id: str, who: Ender, whose: Whose, rooms: Rooms) -> ReceiptShown:
    """Revokes the credential at the service and destroys it here. The entry stays, not connected."""
    await rooms.connections.get(whose.id, connection_id)
    return ReceiptShown.of(await rooms.disconnecting.disconnect(whose.id, connection_id, by=actor_of(who)))


@router.post("/{connection_id}/quarantine", operation_id="quarantine_connection")
async def quarantine_connection(connection_id: str, who: Ender, whose: Whose, rooms: Rooms) -> ConnectionShown:
    """No call goes there any more, and what is under way ends. The credential stays sealed; it can be lifted."""
    done = await rooms.quarantine.of_connection(whose.id, connection_id, on=True, by=actor_of(who))
    return await _shown(rooms, done)


@router.delete("/{connection_id}/quarantine", operation_id="lift_connection_quarantine")
async def lift_connection_quarantine(connection_id: str, who: Writer, whose: Whose, rooms: Rooms) -> ConnectionShown:
    """Everything is as it was before; what the organization put into quarantine stays there."""
    done = await rooms.quarantine.of_connection(whose.id, connection_id, on=False, by=actor_of(who))
    return await _shown(rooms, done)


class Report(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Literal["pretends", "acts", "orders", "takes", "other"]


@router.post("/{connection_id}/report", operation_id="report_service", status_code=204)
async def report_service(connection_id: str, given: Report, who: Writer, whose: Whose, rooms: Rooms) -> None:
    """Reports the service: the reason and its tools as seen now go into the trail, and owners are alerted."""
    found = await rooms.connections.get(whose.id, connection_id)
    connector = await rooms.connectors.by_id(found.connector_id)
    await rooms.reporting.report(found, connector, given.reason, by=actor_of(who))


@router.get("/{connection_id}/trace", operation_id="trace_connection")
async def trace_connection(connection_id: str, _who: Reader, whose: Whose, rooms: Rooms) -> Listed[StepShown]:
    """Each step of signing in and refreshing, with its status and reason; secrets removed."""
    await rooms.connections.get(whose.id, connection_id)
    return Listed(items=[StepShown.of(step) for step in await rooms.trace.list(whose.id, connection_id)])


@router.get("/{connection_id}/uses", operation_id="list_uses")
async def list_uses(connection_id: str, _who: Reader, whose: Whose, rooms: Rooms, at: At) -> Page[UseShown]:
    """Every use of the account's credential, newest first: calls, renewals, and what began and ended it."""
    await rooms.connections.get(whose.id, connection_id)
    found, following = await rooms.uses.list(connection_id, whose.id, before=at.text, limit=at.limit)
    return Page(items=[UseShown.of(use) for use in found], next=cursor_of((following,)) if following else None)


async def _meant(rooms: Services, slug: str, person: Person) -> Connector:
    """The connector that is to be connected; one that is only listed so far is added for who may add."""
    whole = await rooms.organizations.may_add_connectors(person)
    return await Catalog(rooms.connectors, rooms.groups).open(slug, person, whole=whole)


def _state(connection: Connection, connector: Connector) -> str:
    if connector.state != "enabled":
        return connector.state
    return "quarantined" if connection.quarantined_at is not None else connection.state.value


async def _shown(rooms: Services, connection: Connection) -> ConnectionShown:
    connector = await rooms.connectors.by_id(connection.connector_id)
    return ConnectionShown.of(connection, connector, rooms.pages.connection(connection.id))
