"""The directory's SQL: connectors, and the tools of each connection as last seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.directory.access.model import EVERYBODY, Audience
from valetkey.directory.access.repository import read_reach, read_rules
from valetkey.directory.fingerprint import read_tool
from valetkey.directory.model import Connector, ConnectorState, Pin, ReviewState, Snapshot, Tool
from valetkey.store.schema import (
    connector,
    connector_audience,
    organization_hosts,
    organization_rules,
    takedown,
    tool_pin,
    tool_snapshot,
)

_RAW_TOOLS = msgspec.json.Decoder(list[msgspec.Raw])


_SAID = select(
    connector,
    exists().where(takedown.c.listing == connector.c.listing).label("taken_down"),
    organization_hosts.c.said.label("hosts"),
    organization_rules.c.said.label("rules"),
    connector_audience.c.groups.label("groups"),
).select_from(
    connector.outerjoin(organization_hosts, organization_hosts.c.organization_id == connector.c.organization_id)
    .outerjoin(organization_rules, organization_rules.c.organization_id == connector.c.organization_id)
    .outerjoin(connector_audience, connector_audience.c.connector_id == connector.c.id)
)
"""Connectors, with what is said of them elsewhere."""


async def insert_connector(tx: AsyncConnection, new: Connector) -> None:
    await tx.execute(
        connector.insert().values(
            id=new.id,
            # Every organization has the listing under its own name; what must be unique in the whole hub is the id.
            slug=new.id if new.listing else new.slug,
            listing=new.listing,
            organization_id=new.organization_id,
            added_by=new.added_by,
            name=new.name,
            url=new.url,
            origin=new.origin,
            review_state=new.review_state.value,
            auth_kind=new.auth_kind,
            auth=dict(new.auth),
            state=new.state,
            version=new.version,
            created_at=new.created_at,
        )
    )


async def find_by_slug(tx: AsyncConnection, organization_id: str, slug: str) -> Connector | None:
    named = _SAID.where(
        connector.c.organization_id == organization_id, or_(connector.c.slug == slug, connector.c.listing == slug)
    )
    return _connector((await tx.execute(named)).first())


async def find_by_id(tx: AsyncConnection, connector_id: str) -> Connector | None:
    return _connector((await tx.execute(_SAID.where(connector.c.id == connector_id))).first())


async def list_connectors(tx: AsyncConnection, organization_id: str) -> list[Connector]:
    rows = await tx.execute(
        _SAID.where(connector.c.organization_id == organization_id).order_by(
            func.lower(connector.c.name), connector.c.slug
        )
    )
    return [found for row in rows if (found := _connector(row)) is not None]


async def organizations_by_listing(tx: AsyncConnection, *, fewest: int) -> dict[str, int]:
    """How many organizations have a connector of each listing, if they are not fewer."""
    many = func.count(connector.c.organization_id.distinct())
    query = select(connector.c.listing, many.label("many")).where(connector.c.listing != "")
    rows = await tx.execute(query.group_by(connector.c.listing).having(many >= fewest))
    return {row.listing: row.many for row in rows}


async def set_connector_state(tx: AsyncConnection, connector_id: str, state: str) -> Connector | None:
    """The connector whose state was set, if there is one."""
    done = await tx.execute(
        update(connector).where(connector.c.id == connector_id).values(state=state).returning(connector)
    )
    return _connector(done.first())


async def set_quarantine(tx: AsyncConnection, connector_id: str, at: datetime | None) -> Connector | None:
    """The connector that is in quarantine since then, or with none no more; `None` if it is gone."""
    done = await tx.execute(
        update(connector).where(connector.c.id == connector_id).values(quarantined_at=at).returning(connector)
    )
    return _connector(done.first())


async def set_raised(tx: AsyncConnection, connector_id: str, tool: str, to: str) -> Connector | None:
    """The connector of which this is said of the tool, or nothing any more; `None` if it is gone."""
    query = select(connector.c.raised).where(connector.c.id == connector_id).with_for_update()
    said = (await tx.execute(query)).scalar_one_or_none()
    if said is None:
        return None
    raised = {**{name: one for name, one in said.items() if name != tool}, **({tool: to} if to else {})}
    done = await tx.execute(
        update(connector).where(connector.c.id == connector_id).values(raised=raised).returning(connector)
    )
    return _connector(done.first())


async def set_local(tx: AsyncConnection, connector_id: str, *, auth: Mapping[str, object], state: str) -> None:
    """What the operator says of a local connector now."""
    values = {"auth": dict(auth), "state": state, "version": connector.c.version + 1}
    await tx.execute(update(connector).where(connector.c.id == connector_id).values(**values))


async def set_edited(tx: AsyncConnection, new: Connector, *, was: int) -> Connector | None:
    """The connector as it was edited; `None` if it is of another version than `was` by now, or gone."""
    values = {
        "name": new.name,
        "url": new.url,
        "origin": new.origin,
        "auth_kind": new.auth_kind,
        "auth": dict(new.auth),
        "version": new.version,
    }
    asked = update(connector).where(connector.c.id == new.id, connector.c.version == was)
    done = await tx.execute(asked.values(**values).returning(connector))
    return _connector(done.first())


async def delete_connector(tx: AsyncConnection, connector_id: str) -> Connector | None:
    """The connector that was deleted, if there was one. Fails while a connection refers to it."""
    done = await tx.execute(delete(connector).where(connector.c.id == connector_id).returning(connector))
    return _connector(done.first())


def _connector(row: Row[Any] | None) -> Connector | None:
    if row is None:
        return None
    return Connector(
        id=row.id,
        slug=row.listing or row.slug,
        listing=row.listing,
        organization_id=row.organization_id,
        added_by=row.added_by,
        name=row.name,
        url=row.url,
        origin=row.origin,
        review_state=ReviewState(row.review_state),
        auth_kind=row.auth_kind,
        auth=row.auth,
        state=_state(row),
        version=row.version,
        created_at=row.created_at,
        reach=read_reach(getattr(row, "hosts", None)),
        rules=read_rules(getattr(row, "rules", None)),
        audience=_audience(getattr(row, "groups", None)),
        raised=row.raised,
    )


def _audience(groups: list[str] | None) -> Audience:
    return EVERYBODY if groups is None else Audience(is_everybody=False, groups=frozenset(groups))


def _state(row: Row[Any]) -> ConnectorState:
    """What holds of all that was said; what a write returns says nothing of takedowns, hosts and groups."""
    if getattr(row, "taken_down", False):
        return "delisted"
    stored: ConnectorState = row.state
    return "quarantined" if row.quarantined_at is not None and stored != "delisted" else stored


async def take_down(tx: AsyncConnection, listing: str, reason: str, at: datetime) -> None:
    """A second reason changes nothing."""
    once = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    await tx.execute(once(takedown).values(listing=listing, reason=reason, at=at).on_conflict_do_nothing())


async def takedown_reason(tx: AsyncConnection, listing: str) -> str:
    """Empty if it was not taken down."""
    found = (await tx.execute(select(takedown.c.reason).where(takedown.c.listing == listing))).scalar()
    return str(found or "")


async def put_back(tx: AsyncConnection, listing: str) -> bool:
    """Whether it had been taken down."""
    return (await tx.execute(delete(takedown).where(takedown.c.listing == listing))).rowcount == 1


async def put_snapshot(tx: AsyncConnection, seen: Snapshot, dialect: str) -> None:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    values = {
        "tools": _array(seen.tools),
        "server": seen.server,
        "fetched_at": seen.fetched_at,
        "fresh_until": seen.fresh_until,
    }
    await tx.execute(
        insert(tool_snapshot)
        .values(connection_id=seen.connection_id, **values)
        .on_conflict_do_update(index_elements=[tool_snapshot.c.connection_id], set_=values)
    )


async def find_snapshot(tx: AsyncConnection, connection_id: str) -> Snapshot | None:
    """What was seen, all of it; what of it was accepted is for `drift.judged` to say."""
    row = (await tx.execute(select(tool_snapshot).where(tool_snapshot.c.connection_id == connection_id))).first()
    if row is None:
        return None
    return Snapshot(
        connection_id=row.connection_id,
        tools=tuple(read_tool(bytes(raw)) for raw in _RAW_TOOLS.decode(row.tools)),
        server=row.server,
        fetched_at=row.fetched_at,
        fresh_until=row.fresh_until,
    )


async def delete_snapshot(tx: AsyncConnection, connection_id: str) -> None:
    await tx.execute(delete(tool_snapshot).where(tool_snapshot.c.connection_id == connection_id))


# --- what was accepted ------------------------------------------------------------------------------------------------


async def find_pin(tx: AsyncConnection, connection_id: str) -> Pin | None:
    row = (await tx.execute(select(tool_pin).where(tool_pin.c.connection_id == connection_id))).first()
    if row is None:
        return None
    tools = [read_tool(bytes(raw)) for raw in _RAW_TOOLS.decode(row.tools)]
    return Pin(row.connection_id, {tool.name: tool for tool in tools}, row.server)


async def pin_first(tx: AsyncConnection, seen: Snapshot, dialect: str) -> None:
    """Pins what is seen when nothing was pinned yet; otherwise does nothing."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    values = {"tools": _array(seen.tools), "server": seen.server, "pinned_at": seen.fetched_at}
    await tx.execute(
        insert(tool_pin)
        .values(connection_id=seen.connection_id, **values)
        .on_conflict_do_nothing(index_elements=[tool_pin.c.connection_id])
    )


async def set_pin(tx: AsyncConnection, pin: Pin, at: datetime) -> None:
    values = {"tools": _array(pin.tools.values()), "server": pin.server, "pinned_at": at}
    await tx.execute(update(tool_pin).where(tool_pin.c.connection_id == pin.connection_id).values(**values))


def _array(tools: Iterable[Tool]) -> bytes:
    return b"[" + b",".join(tool.raw for tool in tools) + b"]"
