"""What a role gives beyond one's own things, and only while its person is about (security.md 5.1)."""

from __future__ import annotations

from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import NotFound, NotSignedIn
from valetkey.web.visit import Visit


class PowersRest(NotSignedIn):
    """The session is alive, its administrative powers are not: the person is asked who they are, and goes on."""

    code = "powers_rest"


class NotTheirs(NotFound):
    """The page exists, for others: the door writes down that somebody tried to change something by it."""


def check_may(visit: Visit, act: Act) -> None:
    """Raises `NotFound` for a person whose role does not reach here: they need not know that the page exists.

    Raises `PowersRest` when it does, but they were away for half an hour or signed in eight hours ago.
    """
    if not may(visit.person.role, act):
        raise NotTheirs("There is no such page.")
    if not visit.services.sessions.has_powers(visit.session):
        raise PowersRest("Please confirm that it is you.")


async def check_owner(visit: Visit) -> None:
    """For what only the owners of an organization see. Raises `NotFound`, also where somebody is on their own."""
    check_may(visit, Act.MANAGE_ORGANIZATION)
    if (await visit.services.organizations.get(visit.person.organization_id)).kind == "personal":
        raise NotFound("There is no such page.")
