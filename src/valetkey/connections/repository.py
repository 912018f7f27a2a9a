"""The SQL of connections: accounts, attempts, what we know of authorization servers, traces, receipts.

Every function takes the transaction it works in. Writes that race say what they expect to find (`Seen`) and tell
whether they found it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, insert, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.connections.model import (
    Connection,
    Everyones,
    OfConnector,
    OfHub,
    OfOrganization,
    Receipt,
    State,
    TraceStep,
)
from valetkey.store.schema import (
    authorization_server,
    client_identity,
    connect_attempt,
    connection,
    connector,
    oauth_trace,
    receipt,
    takedown,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A connection as it was read: a write that names it changes nothing once somebody else has written.

    `connected_at` tells one consent from the next, since generations begin anew after a disconnect.
    """

    id: str
    state: State
    generation: int
    connected_at: datetime | None

    @classmethod
    def of(cls, one: Connection) -> Seen:
        return cls(one.id, one.state, one.generation, one.connected_at)


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """A connect attempt as it is kept; `facts` is what `facts.Plan` reads and writes."""

    id: str
    person_id: str
    session_id: str
    connection_id: str
    facts: Mapping[str, Any]
    facts_hash: str
    expires_at: datetime
    was_accepted: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are at an issuer; the secret, if there is one, is sealed."""

    issuer_hash: str
    callback: str
    source: str
    client_id: str
    auth_method: str
    has_secret: bool
    registration_uri: str
    created_at: datetime


# --- accounts -----------------------------------------------------------------------------------------------------


def _connection(row: Row[Any]) -> Connection:
    values = dict(row._mapping)
    return Connection(**{**values, "state": State(values["state"])})


async def insert_connection(tx: AsyncConnection, new: Connection) -> None:
    await tx.execute(insert(connection).values(asdict(new)))


async def find_connection(tx: AsyncConnection, connection_id: str) -> Connection | None:
    row = (await tx.execute(select(connection).where(connection.c.id == connection_id))).first()
    return _connection(row) if row else None


async def list_connections(tx: AsyncConnection, person_id: str) -> list[Connection]:
    query = select(connection).where(connection.c.person_id == person_id).order_by(connection.c.id)
    return [_connection(row) for row in await tx.execute(query)]


async def list_in_states(tx: AsyncConnection, states: Sequence[State]) -> list[Connection]:
    query = select(connection).where(connection.c.state.in_([state.value for state in states]))
    return [_connection(row) for row in await tx.execute(query)]


async def list_among(tx: AsyncConnection, among: Everyones) -> list[Connection]:
    query = select(connection).order_by(connection.c.id)
    match among:
        case OfOrganization(organization_id):
            query = query.where(connection.c.organization_id == organization_id)
        case OfConnector(connector_id):
            query = query.where(connection.c.connector_id == connector_id)
        case OfHub():
            pass
    return [_connection(row) for row in await tx.execute(query)]


async def list_quarantined(tx: AsyncConnection) -> list[str]:
    """The ids of connections that are in quarantine, by their person's or their organization's word, or taken down."""
    down = exists().where(takedown.c.listing == connector.c.listing)
    query = (
        select(connection.c.id)
        .join(connector, connector.c.id == connection.c.connector_id)
        .where(or_(connection.c.quarantined_at.is_not(None), connector.c.quarantined_at.is_not(None), down))
    )
    return [str(row[0]) for row in await tx.execute(query)]


async def update_connection(tx: AsyncConnection, seen: Seen, **values: Any) -> bool:
    """Writes `values` if the connection still is as it was seen; whether it was."""
    done = await tx.execute(
        update(connection)
        .where(
            connection.c.id == seen.id,
            connection.c.state == seen.state.value,
            connection.c.generation == seen.generation,
            connection.c.connected_at.is_(None)
            if seen.connected_at is None
            else connection.c.connected_at == seen.connected_at,
        )
        .values(values)
    )
    return done.rowcount == 1


async def set_connection(tx: AsyncConnection, connection_id: str, **values: Any) -> bool:
    """Writes `values` whatever is there (a tombstone wins over everybody); whether there was a connection."""
    done = await tx.execute(update(connection).where(connection.c.id == connection_id).values(values))
    return done.rowcount == 1


async def delete_connection(tx: AsyncConnection, connection_id: str) -> None:
    await tx.execute(delete(connection).where(connection.c.id == connection_id))


# --- attempts -----------------------------------------------------------------------------------------------------


def _attempt(row: Row[Any]) -> StoredAttempt:
    return StoredAttempt(
        id=row.id,
        person_id=row.person_id,
        session_id=row.session_id,
        connection_id=row.connection_id,
        facts=row.facts,
        facts_hash=row.facts_hash,
        expires_at=row.expires_at,
        was_accepted=row.state_hash is not None,
    )


async def insert_attempt(tx: AsyncConnection, new: StoredAttempt, *, at: datetime) -> None:
    await tx.execute(
        insert(connect_attempt).values(
            id=new.id,
            state_hash=None,
            person_id=new.person_id,
            session_id=new.session_id,
            connection_id=new.connection_id,
            facts=dict(new.facts),
            facts_hash=new.facts_hash,
            created_at=at,
            expires_at=new.expires_at,
        )
    )


async def find_attempt(tx: AsyncConnection, attempt_id: str) -> StoredAttempt | None:
    row = (await tx.execute(select(connect_attempt).where(connect_attempt.c.id == attempt_id))).first()
    return _attempt(row) if row else None


async def arm_attempt(tx: AsyncConnection, attempt_id: str, *, state_hash: str, facts: Mapping[str, Any]) -> bool:
    """From here on the attempt can be finished with this state, and with no earlier one."""
    done = await tx.execute(
        update(connect_attempt)
        .where(connect_attempt.c.id == attempt_id)
        .values(state_hash=state_hash, facts=dict(facts))
    )
    return done.rowcount == 1


async def take_attempt(tx: AsyncConnection, state_hash: str) -> StoredAttempt | None:
    """Uses the attempt up: whoever gets it is the only one who ever does."""
    row = (
        await tx.execute(
            delete(connect_attempt).where(connect_attempt.c.state_hash == state_hash).returning(connect_attempt)
        )
    ).first()
    return _attempt(row) if row else None


async def list_attempts(tx: AsyncConnection) -> list[str]:
    """The ids of all attempts that are neither finished nor purged."""
    return list(await tx.scalars(select(connect_attempt.c.id)))


async def take_attempts_of(tx: AsyncConnection, connection_id: str) -> list[StoredAttempt]:
    rows = await tx.execute(
        delete(connect_attempt).where(connect_attempt.c.connection_id == connection_id).returning(connect_attempt)
    )
    return [_attempt(row) for row in rows]


async def take_expired_attempts(tx: AsyncConnection, before: datetime) -> list[StoredAttempt]:
    rows = await tx.execute(
        delete(connect_attempt).where(connect_attempt.c.expires_at < before).returning(connect_attempt)
    )
    return [_attempt(row) for row in rows]


# --- authorization servers ----------------------------------------------------------------------------------------


async def find_server(tx: AsyncConnection, issuer_hash: str) -> tuple[Mapping[str, Any], datetime] | None:
    """The metadata document kept for an issuer, and when it was fetched."""
    row = (
        await tx.execute(select(authorization_server).where(authorization_server.c.issuer_hash == issuer_hash))
    ).first()
    return (row.metadata, row.fetched_at) if row else None


async def put_server(
    tx: AsyncConnection, *, issuer_hash: str, issuer: str, metadata: Mapping[str, Any], at: datetime
) -> None:
    upsert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    values = {"issuer": issuer, "metadata": dict(metadata), "fetched_at": at}
    await tx.execute(
        upsert(authorization_server)
        .values(issuer_hash=issuer_hash, **values)
        .on_conflict_do_update(index_elements=["issuer_hash"], set_=values)
    )


async def find_identity(tx: AsyncConnection, *, issuer_hash: str, callback: str) -> Identity | None:
    row = (
        await tx.execute(
            select(client_identity).where(
                client_identity.c.issuer_hash == issuer_hash, client_identity.c.callback == callback
            )
        )
    ).first()
    return Identity(**row._mapping) if row else None


async def put_identity(tx: AsyncConnection, new: Identity) -> None:
    upsert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    values = asdict(new)
    await tx.execute(
        upsert(client_identity)
        .values(values)
        .on_conflict_do_update(index_elements=["issuer_hash", "callback"], set_=values)
    )


async def delete_identity(tx: AsyncConnection, *, issuer_hash: str, callback: str, client_id: str) -> bool:
    """Forgets the identity if it still is this client; whether it was."""
    done = await tx.execute(
        delete(client_identity).where(
            client_identity.c.issuer_hash == issuer_hash,
            client_identity.c.callback == callback,
            client_identity.c.client_id == client_id,
        )
    )
    return done.rowcount == 1


# --- traces -------------------------------------------------------------------------------------------------------


async def insert_step(tx: AsyncConnection, step: TraceStep, *, person_id: str, connection_id: str) -> None:
    await tx.execute(insert(oauth_trace).values(**asdict(step), person_id=person_id, connection_id=connection_id))


async def prune_steps(tx: AsyncConnection, *, connection_id: str, keep: int) -> None:
    mine = oauth_trace.c.connection_id == connection_id
    oldest_kept = (
        select(oauth_trace.c.id).where(mine).order_by(oauth_trace.c.id.desc()).offset(keep - 1).limit(1)
    ).scalar_subquery()
    await tx.execute(delete(oauth_trace).where(mine, oauth_trace.c.id < oldest_kept))


async def list_steps(tx: AsyncConnection, *, person_id: str, connection_id: str) -> list[TraceStep]:
    query = (
        select(oauth_trace)
        .where(oauth_trace.c.person_id == person_id, oauth_trace.c.connection_id == connection_id)
        .order_by(oauth_trace.c.at, oauth_trace.c.id)
    )
    return [
        TraceStep(at=row.at, stage=row.stage, request=row.request, status=row.status, reason=row.reason, id=row.id)
        for row in await tx.execute(query)
    ]


# --- receipts -----------------------------------------------------------------------------------------------------


async def insert_receipt(tx: AsyncConnection, new: Receipt) -> None:
    body = asdict(new)
    del body["id"], body["person_id"], body["at"]
    body["unrecoverable_after"] = new.unrecoverable_after.isoformat()
    await tx.execute(insert(receipt).values(id=new.id, person_id=new.person_id, at=new.at, body=body))


def _receipt(row: Row[Any]) -> Receipt:
    body = {**row.body, "unrecoverable_after": datetime.fromisoformat(row.body["unrecoverable_after"])}
    return Receipt(id=row.id, person_id=row.person_id, at=row.at, **body)


async def find_receipt(tx: AsyncConnection, *, person_id: str, receipt_id: str) -> Receipt | None:
    row = (
        await tx.execute(select(receipt).where(receipt.c.id == receipt_id, receipt.c.person_id == person_id))
    ).first()
    return _receipt(row) if row else None


async def delete_receipts(tx: AsyncConnection, person_id: str) -> None:
    await tx.execute(delete(receipt).where(receipt.c.person_id == person_id))


async def list_receipts(tx: AsyncConnection, person_id: str, *, before: str, limit: int) -> list[Receipt]:
    query = select(receipt).where(receipt.c.person_id == person_id, receipt.c.id < before if before else true())
    return [_receipt(row) for row in await tx.execute(query.order_by(receipt.c.id.desc()).limit(limit))]
