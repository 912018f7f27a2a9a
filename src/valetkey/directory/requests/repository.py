"""The SQL of requests. Each function runs in the transaction it is given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.directory.requests.model import ConnectorRequest, RequestState
from valetkey.store.schema import connector_request as request
from valetkey.store.schema import connector_request_asker as asker


async def put_open(tx: AsyncConnection, new: ConnectorRequest, address: str) -> str:
    """The id of the open request for this address: the new one's, unless there is one."""
    once = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    values = {
        "id": new.id, "organization_id": new.organization_id, "name": new.name, "url": new.url, "host": new.host,
        "address": address, "state": new.state.value, "created_at": new.created_at, "resolved_by": "", "slug": "",
    }  # fmt: skip
    same = [request.c.organization_id, request.c.address]
    await tx.execute(once(request).values(values).on_conflict_do_nothing(index_elements=same))
    there = select(request.c.id).where(request.c.organization_id == new.organization_id, request.c.address == address)
    return str((await tx.execute(there)).scalar_one())


async def put_asker(tx: AsyncConnection, request_id: str, person_id: str, at: datetime) -> bool:
    """Whether they had not asked yet."""
    once = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    new = once(asker).values(request_id=request_id, person_id=person_id, asked_at=at)
    return (await tx.execute(new.on_conflict_do_nothing())).rowcount == 1


async def count_open(tx: AsyncConnection, organization_id: str) -> int:
    query = select(func.count()).where(request.c.organization_id == organization_id, request.c.address.is_not(None))
    return int((await tx.execute(query)).scalar_one())


async def find(tx: AsyncConnection, organization_id: str, request_id: str) -> ConnectorRequest | None:
    found = await _list(tx, request.c.organization_id == organization_id, request.c.id == request_id)
    return found[0] if found else None


async def list_of(tx: AsyncConnection, organization_id: str, *, limit: int) -> Sequence[ConnectorRequest]:
    """Those that are open first, then those resolved last."""
    return await _list(tx, request.c.organization_id == organization_id, limit=limit)


async def list_by(
    tx: AsyncConnection, organization_id: str, person_id: str, *, limit: int
) -> Sequence[ConnectorRequest]:
    """Those that this member asked for."""
    theirs = select(asker.c.request_id).where(asker.c.person_id == person_id)
    return await _list(tx, request.c.organization_id == organization_id, request.c.id.in_(theirs), limit=limit)


async def resolve(
    tx: AsyncConnection, request_id: str, state: RequestState, *, by: str, slug: str, at: datetime
) -> bool:
    """Whether it was open until now. Its address is free for another one."""
    values = {"state": state.value, "resolved_by": by, "resolved_at": at, "slug": slug, "address": None}
    done = await tx.execute(update(request).where(request.c.id == request_id, request.c.state == "open").values(values))
    return done.rowcount == 1


async def _list(tx: AsyncConnection, *conditions: ColumnElement[bool], limit: int = 1) -> list[ConnectorRequest]:
    newest = func.coalesce(request.c.resolved_at, request.c.created_at).desc()
    query = select(request).where(*conditions).order_by(request.c.address.is_(None), newest, request.c.id).limit(limit)
    rows = (await tx.execute(query)).all()
    askers: dict[str, list[str]] = defaultdict(list)
    asked = select(asker).where(asker.c.request_id.in_([row.id for row in rows]))
    for row in await tx.execute(asked.order_by(asker.c.asked_at, asker.c.person_id)):
        askers[row.request_id].append(row.person_id)
    return [
        ConnectorRequest(
            row.id, row.organization_id, row.name, row.url, row.host, RequestState(row.state), row.created_at,
            row.resolved_at, row.resolved_by, row.slug, tuple(askers[row.id]),
        )
        for row in rows
    ]  # fmt: skip
