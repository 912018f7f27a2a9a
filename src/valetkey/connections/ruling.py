"""Setting what members may do by themselves, and what becomes of accounts that it leaves no room for (ORG-08, 09, 11).

1. the rules are written: from here on nothing new of that kind is connected, and nothing of it is called
2. what is connected and has no room any more is frozen, its credential sealed and unused, or ended for good: as the
   owner chooses; either way it comes back only when its person connects it anew
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from valetkey.connections import reconsent_repository as repository
from valetkey.connections.accounts import TOPIC
from valetkey.connections.guard import TOO_MUCH, WHOSE
from valetkey.connections.model import OfConnector
from valetkey.connections.revoke_all import RevokingAll
from valetkey.directory.access.model import Ruled, Rules
from valetkey.directory.access.saying import Access
from valetkey.directory.connectors import Connectors
from valetkey.directory.model import Connector
from valetkey.identity.people import People
from valetkey.kernel.errors import Conflict
from valetkey.store.acting import as_the_hub
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

NO_ROOM: Final = "The rules of your organization left no room for this service for a while."

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Somebody:
    """Whoever of the organization looks."""

    organization_id: str


class Ruling:
    """Sets rules. Who may is for the door to check."""

    def __init__(
        self, database: Database, *, access: Access, connectors: Connectors, revoking: RevokingAll,
        people: People, notifications: Notifications,
    ) -> None:  # fmt: skip
        self._database = database
        self._access = access
        self._connectors = connectors
        self._revoking = revoking
        self._people = people
        self._notifications = notifications

    async def set(self, organization_id: str, rules: Rules, *, purge: bool, by: str) -> Ruled:
        """Sets them. `purge` ends what has no room instead of freezing it. Raises `BadInput`, `Conflict`."""
        before = (await self._access.rules(organization_id)).rules
        ruled = await self._access.set_rules(organization_id, rules, by=by)  # 1.
        for connector in await self._connectors.list_for(_Somebody(organization_id)):  # 2.
            if not connector.has_room:
                await self._without_room(connector, purge=purge, by=by)
            else:
                await self._narrowed(connector, before)
        return ruled

    async def _without_room(self, connector: Connector, *, purge: bool, by: str) -> None:
        if not purge:
            await self._freeze(connector, NO_ROOM)
            return
        among, began_at = OfConnector(connector.id), self._revoking.begin()
        done = await self._revoking.run(among, began_at=began_at, by=by, seconds=_SECONDS)
        if not done.is_done:
            raise Conflict(f"{done.left} connections are still being ended.", hint="Save again in a minute.")

    async def _narrowed(self, connector: Connector, before: Rules) -> None:
        """What was connected under wider rules is looked at anew by its person."""
        if connector.rules.only_domains and not before.only_domains and connector.auth_kind != "none":
            await self._freeze(connector, WHOSE)
        if not connector.rules.scopes:
            return
        roles = {one.id: one.role.value for one in await self._people.list(connector.organization_id)}
        async with self._database.read() as tx:
            granted = await repository.granted_at(tx, connector.id)
        for connection_id, person_id, scope in granted:
            limit = connector.rules.scope_limit(connector.slug, roles.get(person_id, ""))
            if limit.beyond(scope.split()):
                await self._freeze(connector, TOO_MUCH, connection_id)

    async def _freeze(self, connector: Connector, reason: str, connection_id: str = "") -> None:
        with as_the_hub():  # everybody's accounts, not those of the owner who sets the rules
            async with self._database.write() as tx:
                people = await repository.suspend_among(tx, connector.id, reason, connection_id=connection_id)
        for person_id in people:
            await self._notifications.publish(TOPIC, person_id)
