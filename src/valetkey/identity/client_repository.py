"""Clients, dynamic registrations and consents in the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.identity.model import Client
from valetkey.store.schema import client_registration, oauth_client, oauth_consent, token_family

_REGISTERING = 0x766B2D646372  # "vk-dcr"; pg_advisory_xact_lock takes a bigint


@dataclass(frozen=True, slots=True)
class StoredClient:
    client: Client
    fetched_at: datetime | None


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person agreed to. A client whose document says something else now is asked about again."""

    person_id: str
    client_id: str
    resource: str
    document_hash: str
    redirect_host: str
    scope: str


async def find_client(tx: AsyncConnection, client_id: str) -> StoredClient | None:
    row = (await tx.execute(select(oauth_client).where(oauth_client.c.id == client_id))).first()
    return StoredClient(_as_client(row), row.fetched_at) if row else None


def _as_client(row: Row[Any]) -> Client:
    return Client(
        id=row.id,
        kind=row.kind,
        name=row.name,
        redirect_uris=tuple(row.redirect_uris),
        auth_method=row.auth_method,
        secret_hash=row.secret_hash,
        document_hash=row.document_hash,
        created_at=row.created_at,
    )


async def put_document(tx: AsyncConnection, client: Client, fetched_at: datetime) -> None:
    """Stores what a document says now, over what it said before."""
    says = {
        "kind": client.kind,
        "name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "auth_method": client.auth_method,
        "document_hash": client.document_hash,
        "fetched_at": fetched_at,
    }
    into = postgresql.insert(oauth_client) if tx.dialect.name == "postgresql" else sqlite.insert(oauth_client)
    await tx.execute(
        into.values(id=client.id, created_at=client.created_at, **says).on_conflict_do_update(
            index_elements=["id"], set_=says
        )
    )


async def add_registration(tx: AsyncConnection, client: Client, network: str, now: datetime) -> None:
    await tx.execute(
        insert(oauth_client).values(
            id=client.id,
            kind=client.kind,
            name=client.name,
            redirect_uris=list(client.redirect_uris),
            auth_method=client.auth_method,
            secret_hash=client.secret_hash,
            document_hash=client.document_hash,
            created_at=now,
        )
    )
    await tx.execute(insert(client_registration).values(client_id=client.id, network=network, at=now))


async def one_registration_at_a_time(tx: AsyncConnection) -> None:
    """Else registrations at the same moment would not count each other. SQLite has one writer anyway."""
    if tx.dialect.name == "postgresql":
        await tx.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _REGISTERING})


async def count_registrations(tx: AsyncConnection, network: str, since: datetime) -> tuple[int, datetime | None]:
    """How many from this network since then, and when the oldest of them was."""
    row = (
        await tx.execute(
            select(func.count(), func.min(client_registration.c.at)).where(
                client_registration.c.network == network, client_registration.c.at > since
            )
        )
    ).one()
    return row[0], row[1]


def _is_pending() -> Any:
    consented = exists().where(oauth_consent.c.client_id == oauth_client.c.id)
    granted = exists().where(token_family.c.client_id == oauth_client.c.id)
    return (oauth_client.c.kind == "dcr") & ~consented & ~granted


async def count_pending(tx: AsyncConnection) -> int:
    """Registered clients that nobody has let in."""
    return (await tx.execute(select(func.count()).select_from(oauth_client).where(_is_pending()))).scalar_one()


async def purge_pending(tx: AsyncConnection, registered_before: datetime) -> None:
    await tx.execute(delete(oauth_client).where(_is_pending(), oauth_client.c.created_at < registered_before))


async def touch(tx: AsyncConnection, client_id: str, now: datetime) -> None:
    await tx.execute(update(oauth_client).where(oauth_client.c.id == client_id).values(last_used_at=now))


# --- consents -----------------------------------------------------------------------------------------------------


async def put_consent(tx: AsyncConnection, consent: Consent, now: datetime) -> None:
    says = {
        "document_hash": consent.document_hash,
        "redirect_host": consent.redirect_host,
        "scope": consent.scope,
        "created_at": now,
    }
    into = postgresql.insert(oauth_consent) if tx.dialect.name == "postgresql" else sqlite.insert(oauth_consent)
    key = {"person_id": consent.person_id, "client_id": consent.client_id, "resource": consent.resource}
    await tx.execute(into.values(**key, **says).on_conflict_do_update(index_elements=list(key), set_=says))


async def find_consent(tx: AsyncConnection, person_id: str, client_id: str, resource: str) -> Consent | None:
    row = (
        await tx.execute(
            select(oauth_consent).where(
                oauth_consent.c.person_id == person_id,
                oauth_consent.c.client_id == client_id,
                oauth_consent.c.resource == resource,
            )
        )
    ).first()
    if row is None:
        return None
    return Consent(row.person_id, row.client_id, row.resource, row.document_hash, row.redirect_host, row.scope)


async def remove_consents(tx: AsyncConnection, person_id: str, client_id: str) -> None:
    await tx.execute(
        delete(oauth_consent).where(oauth_consent.c.person_id == person_id, oauth_consent.c.client_id == client_id)
    )
