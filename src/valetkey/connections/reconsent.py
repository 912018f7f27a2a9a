"""Editing a connector that people are connected to: they agree to what it is now, or are connected no more (CUS-05).

    1. what would it be? what cannot be is refused before anybody loses anything
    2. everybody's credential at it is revoked and destroyed, while who we are there is still as it was
    3. the connector is written, as another version: what somebody connected in between is not used with it; a key that
       an owner had entered for everybody is destroyed
    4. each entry says why, for its person

A change of the name alone is only written.
"""

from __future__ import annotations

import json
from typing import Final

from valetkey.audit.redact import redact_text
from valetkey.audit.trail import Trail
from valetkey.connections import reconsent_repository as repository
from valetkey.connections.accounts import TOPIC, ConnectorBook
from valetkey.connections.held import Held
from valetkey.connections.model import OfConnector
from valetkey.connections.revoke_all import RevokingAll
from valetkey.directory.editing import Edit, Edited
from valetkey.directory.model import Connector
from valetkey.kernel.errors import Conflict, printable
from valetkey.store.acting import as_the_hub
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

WHY: Final = "How this service is reached or signed in to was changed, so you look at it again before you connect."

_SECONDS = 60.0
_LONGEST_TOLD = 500


class Editing:
    """Edits connectors. Who may is for the door to check."""

    def __init__(
        self,
        database: Database,
        *,
        connectors: ConnectorBook,
        revoking: RevokingAll,
        held: Held,
        notifications: Notifications,
        trail: Trail,
    ) -> None:
        self._database = database
        self._connectors = connectors
        self._revoking = revoking
        self._held = held
        self._notifications = notifications
        self._trail = trail

    async def edit(self, connector: Connector, edit: Edit, *, by: str, person_id: str) -> Connector:
        """The connector as it is then. Raises `BadInput`, `Conflict`, also while connections are still being ended."""
        edited = await self._connectors.edited(connector.id, edit)  # 1.
        await self._trail.write(
            "connector.changed",
            actor=by,
            organization_id=connector.organization_id,
            person_id=person_id,
            object=connector.id,
            detail={"slug": connector.slug, "origin": connector.origin, "asks_anew": edited.asks_anew}
            | _changes(edited),
        )
        if edited.asks_anew:
            await self._end_all(connector, by)  # 2.
        kept = await self._connectors.keep(edited)  # 3.
        if edited.asks_anew:
            await self._held.forget(connector)
            with as_the_hub():  # everybody's entries, not those of who edits it
                await self._say_why(connector)  # 4.
        return kept

    async def remove(self, connector: Connector, *, by: str, person_id: str) -> None:
        """Deletes the connector, and the key that an owner entered for it. Raises `Conflict` while anyone has a
        connection to it.
        """
        await self._connectors.remove(connector.id)
        await self._held.forget(connector)
        await self._trail.write(
            "connector.removed", actor=by, organization_id=connector.organization_id, person_id=person_id,
            object=connector.id, detail={"slug": connector.slug, "name": connector.name, "origin": connector.origin},
        )  # fmt: skip

    async def _end_all(self, connector: Connector, by: str) -> None:
        among, began_at = OfConnector(connector.id), self._revoking.begin()
        done = await self._revoking.run(among, began_at=began_at, by=by, seconds=_SECONDS)
        if not done.is_done:
            raise Conflict(f"{done.left} connections to it are still being ended.", hint="Try again in a minute.")

    async def _say_why(self, connector: Connector) -> None:
        async with self._database.write() as tx:
            people = await repository.set_reason_among(tx, connector.id, WHY)
        for person_id in people:
            await self._notifications.publish(TOPIC, person_id)


def _changes(edited: Edited) -> dict[str, object]:
    """What is another now, with what it was before (ORG-12); of an address nothing that looks like a secret."""
    before, after = _told(edited.before), _told(edited.after)
    return {
        told: text
        for name in after
        if before[name] != after[name]
        for told, text in ((name, after[name]), (f"{name}_before", before[name]))
    }


def _told(connector: Connector) -> dict[str, str]:
    facts = json.dumps({"kind": connector.auth_kind, **connector.auth}, sort_keys=True, separators=(",", ":"))
    said = {"name": connector.name, "url": connector.url, "sign_in": facts}
    return {name: printable(redact_text(text), limit=_LONGEST_TOLD) for name, text in said.items()}
