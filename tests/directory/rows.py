"""Rows that the tables of other rooms need before a connector or a snapshot can stand in theirs."""

from __future__ import annotations

from datetime import UTC, datetime

from valetkey.store.database import Database
from valetkey.store.schema import connection, connector, membership, organization, person

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


async def add_person(database: Database, name: str, *, organization_id: str) -> None:
    async with database.write() as tx:
        await tx.execute(
            organization.insert().values(id=organization_id, name=organization_id, kind="organization", created_at=AT)
        )
        await tx.execute(person.insert().values(id=name, login=name, display_name=name, state="active", created_at=AT))
        await tx.execute(
            membership.insert().values(organization_id=organization_id, person_id=name, role="owner", created_at=AT)
        )


async def add_connection(database: Database, connection_id: str, *, slug: str = "github", label: str = "main") -> None:
    """A connection of `ada` in `org_a` to a connector named by `slug`, which is added when it is not there."""
    async with database.write() as tx:
        if not (await tx.execute(connector.select().where(connector.c.slug == slug))).first():
            await tx.execute(
                connector.insert().values(
                    id=f"con_{slug}", slug=slug, organization_id="org_a", added_by="ada", name=slug,
                    url="https://h.example/mcp", origin="https://h.example", review_state="custom", auth_kind="oauth",
                    auth={}, state="enabled", version=1, created_at=AT,
                )
            )  # fmt: skip
        await tx.execute(
            connection.insert().values(
                id=connection_id, organization_id="org_a", person_id="ada", connector_id=f"con_{slug}",
                connector_version=1, label=label, display_name=label, is_default=False, state="connected",
                state_reason="", method="oauth", issuer="", resource="", requested_scope="", granted_scope="",
                has_refresh_token=False, generation=1, created_at=AT,
            )
        )  # fmt: skip
