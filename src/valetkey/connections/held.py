"""The key of an organization for a custom connector: an owner enters it once, and everybody here acts by it (CUS-04).

It is sealed for the connector, in this version and for this origin; no person gets it back, owners neither. A member
still connects by themself, sees before that whose key it is, and each use is recorded as theirs; the vault gives it for
a recorded call of a member over their own connection, and for nothing else.

Replacing it leaves everybody connected. Taking it away ends every connection that goes with it, each with a receipt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from valetkey.audit.trail import Trail
from valetkey.connections import reconsent_repository as repository
from valetkey.connections.accounts import TOPIC
from valetkey.connections.methods import header
from valetkey.connections.model import OfConnector, typed_client
from valetkey.connections.revoke_all import RevokingAll
from valetkey.directory.connectors import TOPIC as CONNECTORS_TOPIC
from valetkey.directory.model import Connector
from valetkey.kernel.errors import Conflict
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.vault.verbs import Vault

TAKEN_AWAY: Final = "The organization's key for this service was taken away by an owner."

_SECONDS = 60.0


class Held:
    """Keeps the key. That only owners may say so is for the door to check."""

    def __init__(
        self,
        database: Database,
        *,
        vault: Vault,
        revoking: RevokingAll,
        notifications: Notifications,
        trail: Trail,
    ) -> None:
        self._database = database
        self._vault = vault
        self._revoking = revoking
        self._notifications = notifications
        self._trail = trail

    async def is_there(self, connector: Connector) -> bool:
        """Whether an owner has entered one."""
        return bool((await self._vault.mark(connector.id)).names)

    async def hold(self, connector: Connector, values: Mapping[str, Secret], *, by: str, person_id: str) -> None:
        """Seals the values of the connector's request headers for everybody, in place of those there were.

        Whoever was told to reconnect because the service refused the one before is connected again. Raises `BadInput`,
        `Conflict` for a connector that goes with people's own keys.
        """
        self._check(connector)
        given = header.check_values(connector, values)
        replaced = await self.is_there(connector)
        await self._tell("connector.key_replaced" if replaced else "connector.key_entered", connector, by, person_id)
        await self._vault.shred(connector.id)
        await self._vault.seal_many([(value, header.shared_binding(connector, name)) for name, value in given.items()])
        async with self._database.write() as tx:
            people = await repository.set_connected_again(tx, connector.id, connector.version)
        await self._announce(connector, people)

    async def take_away(self, connector: Connector, *, by: str, person_id: str) -> int:
        """Destroys it, and ends every connection that goes with it. How many keys were destroyed.

        Raises `Conflict` for a connector that goes with people's own keys, and while connections are still being ended.
        """
        self._check(connector)
        await self._tell("connector.key_removed", connector, by, person_id)
        destroyed = await self._vault.shred(connector.id)  # first of all: from here on nobody acts by it
        among, began_at = OfConnector(connector.id), self._revoking.begin()
        done = await self._revoking.run(among, began_at=began_at, by=by, seconds=_SECONDS)
        if not done.is_done:
            raise Conflict(f"{done.left} connections to it are still being ended.", hint="Try again in a minute.")
        async with self._database.write() as tx:
            people = await repository.set_reason_among(tx, connector.id, TAKEN_AWAY)
        await self._announce(connector, people)
        return destroyed

    async def forget(self, connector: Connector) -> None:
        """The connector is gone, or another version of it is there: what was entered for it is destroyed, whether it

        was everybody's key or the secret of a client that somebody registered for it by hand.
        """
        await self._vault.shred(connector.id)
        await self._vault.shred(typed_client(connector.id))

    @staticmethod
    def _check(connector: Connector) -> None:
        if not connector.acts_as_organization:
            raise Conflict(
                "Here each person enters a key of their own.",
                hint="Change the service first, so that it goes with a key of the organization.",
            )

    async def _tell(self, event: str, connector: Connector, by: str, person_id: str) -> None:
        await self._trail.write(
            event,
            actor=by,
            organization_id=connector.organization_id,
            person_id=person_id,
            object=connector.id,
            detail={"slug": connector.slug, "origin": connector.origin, "headers": list(connector.auth["headers"])},
        )

    async def _announce(self, connector: Connector, people: list[str]) -> None:
        await self._notifications.publish(CONNECTORS_TOPIC, connector.id)
        for person_id in people:
            await self._notifications.publish(TOPIC, person_id)
