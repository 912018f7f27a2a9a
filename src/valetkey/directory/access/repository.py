"""The SQL of access. Each function runs in the transaction it is given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.directory.access.model import Audience, Hosts, NamedTool, Reach, Ruled, Rules, ScopeRule
from valetkey.store.schema import connector_audience, organization_hosts, organization_rules


async def find_hosts(tx: AsyncConnection, organization_id: str) -> Hosts:
    asked = select(organization_hosts).where(organization_hosts.c.organization_id == organization_id)
    row = (await tx.execute(asked)).first()
    return Hosts(read_reach(row.said), row.set_by, row.set_at) if row is not None else Hosts(Reach())


async def put_hosts(tx: AsyncConnection, organization_id: str, said: Hosts) -> None:
    reach = said.reach
    document = {"limited": reach.is_limited, "allowed": sorted(reach.allowed), "denied": sorted(reach.denied)}
    values = {"said": document, "set_by": said.set_by, "set_at": said.set_at}
    await _put(tx, organization_hosts, {"organization_id": organization_id}, values)


def read_reach(said: Mapping[str, object] | None) -> Reach:
    """What a row says; without one nothing is said."""
    if said is None:
        return Reach()
    return Reach(bool(said["limited"]), _texts(said["allowed"]), _texts(said["denied"]))


async def find_rules(tx: AsyncConnection, organization_id: str) -> Ruled:
    asked = select(organization_rules).where(organization_rules.c.organization_id == organization_id)
    row = (await tx.execute(asked)).first()
    return Ruled(read_rules(row.said), row.set_by, row.set_at) if row is not None else Ruled(Rules())


async def put_rules(tx: AsyncConnection, organization_id: str, said: Ruled) -> None:
    values = {"said": as_document(said.rules), "set_by": said.set_by, "set_at": said.set_at}
    await _put(tx, organization_rules, {"organization_id": organization_id}, values)


def as_document(rules: Rules) -> dict[str, object]:
    """Rules as JSON."""
    return {
        **{name: getattr(rules, name) for name in _FLAGS},
        "managed": sorted(rules.managed),
        "scopes": [
            {"connector": one.connector, "role": one.role, "scopes": sorted(one.scopes)} for one in rules.scopes
        ],
        "text_only": [{"connector": one.connector, "tool": one.tool} for one in sorted(rules.text_only)],
    }


_FLAGS = ("own_connectors", "own_clients", "local_servers", "is_exclusive", "only_domains", "owners_accept")


def read_rules(said: Mapping[str, Any] | None) -> Rules:
    """What a row says; without one nothing is said, and of what came later than the row neither."""
    if said is None:
        return Rules()
    return Rules(
        **{name: bool(said.get(name, False)) for name in _FLAGS},
        managed=_texts(said["managed"]),
        scopes=tuple(ScopeRule(one["connector"], one["role"], _texts(one["scopes"])) for one in said["scopes"]),
        text_only=frozenset(NamedTool(one["connector"], one["tool"]) for one in said.get("text_only", ())),
    )


def _texts(value: object) -> frozenset[str]:
    assert isinstance(value, list)  # as `put_hosts` wrote it
    return frozenset(str(one) for one in value)


async def put_audience(tx: AsyncConnection, connector_id: str, audience: Audience, *, by: str, at: datetime) -> None:
    if audience.is_everybody:
        await tx.execute(delete(connector_audience).where(connector_audience.c.connector_id == connector_id))
        return
    values = {"groups": sorted(audience.groups), "set_by": by, "set_at": at}
    await _put(tx, connector_audience, {"connector_id": connector_id}, values)


async def _put(tx: AsyncConnection, table: Table, key: Mapping[str, str], values: Mapping[str, object]) -> None:
    """In the place of what was there; of two at once the later holds."""
    once = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    new = once(table).values(**key, **values)
    await tx.execute(new.on_conflict_do_update(index_elements=list(key), set_=dict(values)))
