"""The SQL of our public keys: one for an issuer. The private halves are in the vault."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import client_key


async def find_key(tx: AsyncConnection, issuer_hash: str) -> dict[str, Any] | None:
    row = (await tx.execute(select(client_key.c.public).where(client_key.c.issuer_hash == issuer_hash))).first()
    return dict(row.public) if row else None


async def add_key_once(tx: AsyncConnection, issuer_hash: str, public: Mapping[str, Any], *, at: datetime) -> None:
    once = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    new = once(client_key).values(issuer_hash=issuer_hash, public=dict(public), created_at=at)
    await tx.execute(new.on_conflict_do_nothing())
