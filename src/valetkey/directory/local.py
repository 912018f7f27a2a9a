"""Connectors for the programs that the operator declared: they come from the hub's own settings, and from nowhere else.

What is kept of a program here is for people to read. What is started is what the settings say at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from valetkey.directory import repository
from valetkey.directory.connectors import TOPIC, name_of
from valetkey.directory.model import LOCAL, Connector, ReviewState
from valetkey.kernel.clock import Clock
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.store.notify import Notifications


@dataclass(frozen=True, slots=True)
class Declared:
    """A program as people are shown it: every word of its command, and the names of the variables it is given."""

    name: str
    command: Sequence[str]
    variables: Sequence[str]

    @property
    def facts(self) -> Mapping[str, object]:
        return {"command": list(self.command), "variables": list(self.variables)}


async def declare(
    database: Database,
    notifications: Notifications,
    *,
    organization_id: str,
    added_by: str,
    servers: Iterable[Declared],
    clock: Clock,
) -> None:
    """Makes the organization's local connectors be exactly `servers`; one that is declared no more is blocked."""
    wanted = {f"{LOCAL}{server.name}": server for server in servers}
    changed: list[Connector] = []
    async with database.write() as tx:
        there = {
            one.url: one for one in await repository.list_connectors(tx, organization_id) if one.url.startswith(LOCAL)
        }
        for url, server in wanted.items():
            if (known := there.get(url)) is None:
                new = _connector(server, organization_id=organization_id, added_by=added_by, clock=clock)
                await repository.insert_connector(tx, new)
            elif known.auth != server.facts or known.state != "enabled":
                await repository.set_local(tx, known.id, auth=server.facts, state="enabled")
                changed.append(known)
        for url, known in there.items():
            if url not in wanted and known.state != "blocked":
                await repository.set_local(tx, known.id, auth=known.auth, state="blocked")
                changed.append(known)
    for known in changed:
        await notifications.publish(TOPIC, known.id)
        await notifications.publish(TOPIC, name_of(known.organization_id, known.slug))


def _connector(server: Declared, *, organization_id: str, added_by: str, clock: Clock) -> Connector:
    return Connector(
        id=new_id("con"),
        slug=f"local-{server.name}",
        organization_id=organization_id,
        added_by=added_by,
        name=server.name,
        url=f"{LOCAL}{server.name}",
        origin=f"{LOCAL}{server.name}",
        review_state=ReviewState.CUSTOM,
        auth_kind="none",
        auth=server.facts,
        state="enabled",
        version=1,
        created_at=clock.now(),
    )
