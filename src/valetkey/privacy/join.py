"""Somebody with an account of their own becomes a member of an organization. Nothing moves with them, and they know it.

    1. what acts for them is out: assistants' tokens, personal tokens
    2. what they connected for themselves is ended, revoked at its service, destroyed, with a receipt
    3. what those calls sent and got cannot be opened any more, by nobody: neither the organization nor who runs the hub
    4. their yes to training, if there was one, is taken back: an organization's data is never used for it
    5. they are a member, in the role they were invited for; what they connected meanwhile is ended, too

Their account stays, and how they sign in. That calls were made stays in the log, under their own account of then, where
the organization does not see it. Each step can be done again; until 5 they are on their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from valetkey.audit.trail import Trail
from valetkey.connections.model import Receipt
from valetkey.identity.invitations import Invitations
from valetkey.identity.people import People
from valetkey.kernel.errors import Conflict
from valetkey.privacy.consent import Consents
from valetkey.privacy.holds import Holds
from valetkey.privacy.leave import Connections, Moved, end_all
from valetkey.privacy.offboard import Left
from valetkey.vault.day_keys import FindsDayKeys


@dataclass(frozen=True, slots=True)
class Ahead:
    """What joining would end, for the person to see before they decide."""

    connections: int
    allows_training: bool


class Joining:
    """Lets people into organizations that invited them."""

    def __init__(
        self,
        people: People,
        invitations: Invitations,
        connections: Connections,
        day_keys: FindsDayKeys,
        consents: Consents,
        holds: Holds,
        trail: Trail,
    ) -> None:
        self._people = people
        self._invitations = invitations
        self._connections = connections
        self._day_keys = day_keys
        self._consents = consents
        self._holds = holds
        self._trail = trail

    async def ahead(self, person_id: str) -> Ahead:
        """What would be ended now."""
        person = await self._people.get(person_id)
        there = [one for one in await self._connections.list(person_id) if one.state != "not_connected"]
        return Ahead(len(there), await self._consents.of(person) is not None)

    async def join(self, person_id: str, invitation_id: str, *, by: str) -> Moved:
        """The person's own act. Raises `NotFound`, and `Conflict` for who is in an organization, or not alone."""
        person = await self._people.get(person_id)
        invitation = await self._invitations.get(person_id, invitation_id)
        if not await self._invitations.is_invitable(person):
            raise Conflict("You are a member of an organization.", hint="Leave it first.")
        if len(await self._people.list(person.organization_id)) > 1:
            raise Conflict("There are others in your account.", hint="They leave it first, or are removed.")
        await self._holds.demand_none(person, "Joining")
        await self._people.begin_leaving(person_id, by=by)  # 1.
        ended: list[Receipt] = await end_all(self._connections, person, by)  # 2.
        days = await self._day_keys.destroy(person_id)  # 3.
        await self._consents.withdraw(person, actor=by)  # 4.
        await self._invitations.use_up(invitation)
        await self._people.move(person_id, invitation.organization_id, invitation.role)  # 5.
        ended += await end_all(self._connections, person, by)
        left = Left(len(ended), sum(one.revocation not in ("confirmed", "not_needed") for one in ended), days)
        told = {"connections": left.connections, "unconfirmed": left.unconfirmed, "days": days}
        await self._trail.write(
            "organization.left", actor=by, organization_id=person.organization_id, person_id=person_id,
            object=person.organization_id, detail={"role": str(person.role)} | told,
        )  # fmt: skip
        # What they had before is no business of the organization's: its event says who came, and as what.
        await self._trail.write(
            "organization.joined", actor=by, organization_id=invitation.organization_id, person_id=person_id,
            object=invitation.organization_id,
            detail={"role": str(invitation.role), "invited_by": invitation.invited_by},
        )  # fmt: skip
        return Moved(left, await self._people.get(person_id))
