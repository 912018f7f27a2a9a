"""A person leaves: their own wish, or their organization's. Nothing that acts or speaks for them is left.

    1. out at once: sessions, assistants' tokens, personal tokens
    2. every connection is ended as they would end it: revoked at its service, destroyed, with a receipt
    3. what their calls sent and got cannot be opened any more: the keys of their days are destroyed; of whom the
       organization holds that, when the hold is released
    4. their login and name are forgotten; the log keeps what was done, under an id that names nobody

Each step can be done again, so what was cut off is finished by asking once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from valetkey.audit.trail import Trail
from valetkey.connections.model import Receipt
from valetkey.identity.people import People
from valetkey.privacy.holds import Holds
from valetkey.vault.day_keys import FindsDayKeys


class Disconnecting(Protocol):
    """What leaving needs of `connections.disconnect`."""

    async def disconnect_all(self, person_id: str, *, by: str) -> Sequence[Receipt]: ...


@dataclass(frozen=True, slots=True)
class Left:
    """What was ended. `unconfirmed` are those of the connections whose service did not say that it has forgotten."""

    connections: int
    unconfirmed: int
    days: int


class Offboarding:
    """Lets people leave."""

    def __init__(
        self, people: People, disconnecting: Disconnecting, day_keys: FindsDayKeys, holds: Holds, trail: Trail
    ) -> None:
        self._people = people
        self._disconnecting = disconnecting
        self._day_keys = day_keys
        self._holds = holds
        self._trail = trail

    async def suspend(self, person_id: str, *, by: str) -> int:
        """1. and 2. only: their organization's directory says that they are not active. How many connections ended.

        They may come back, and connect anew. Raises `NotFound`, and `Conflict` for the last owner.
        """
        await self._people.disable(person_id, by=by)
        return len(await self._disconnecting.disconnect_all(person_id, by=by))

    async def remove(self, person_id: str, *, by: str) -> Left:
        """Ends and forgets. `by` is the actor. Raises `NotFound`, and `Conflict` for the last owner."""
        person = await self._people.get(person_id)
        await self._people.disable(person_id, by=by)  # 1.
        receipts = await self._disconnecting.disconnect_all(person_id, by=by)  # 2.
        is_held = await self._holds.keeps_of_leaver(person)
        days = 0 if is_held else await self._day_keys.destroy(person_id)  # 3.
        await self._people.forget(person_id)  # 4.
        unconfirmed = sum(receipt.revocation not in ("confirmed", "not_needed") for receipt in receipts)
        await self._trail.write(
            "person.removed",
            actor=by,
            organization_id=person.organization_id,
            person_id=person_id,
            object=person_id,
            detail={"connections": len(receipts), "unconfirmed": unconfirmed, "days": days, "held": is_held},
        )
        return Left(len(receipts), unconfirmed, days)
