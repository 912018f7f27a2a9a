"""The first start: somebody must be able to sign in to a hub that knows nobody yet."""

from __future__ import annotations

from dataclasses import dataclass

from valetkey.identity import repository
from valetkey.identity.model import Person, Role, TrailWriter
from valetkey.identity.organizations import Organizations, tell_made
from valetkey.identity.people import People
from valetkey.identity.signin.link import SignInLinks
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database


@dataclass(frozen=True, slots=True)
class Welcome:
    """The owner who has not signed in yet, and the one-time link token to do so (15 minutes)."""

    owner: Person
    token: Secret


async def first_start(
    database: Database,
    *,
    organizations: Organizations,
    people: People,
    links: SignInLinks,
    trail: TrailWriter,
    login: str = "owner",
    organization: str = "Home",
) -> Welcome | None:
    """Creates organization and owner if nobody exists; gives a `first` link as long as no owner has a credential.

    `None` when there is nothing to do: the owner has signed in and set a credential.
    """
    async with database.read() as tx:
        nobody = await repository.count_people(tx) == 0
        owner = await repository.find_first_owner(tx)
    if nobody:
        home = await organizations.create(organization, "personal")
        await tell_made(trail, home, by="system")
        owner = await people.create(login=login, display_name="", organization_id=home.id, role=Role.OWNER)
    if owner is None or await people.has_credential(owner.id):
        return None
    return Welcome(owner, await links.issue(owner.id, purpose="first"))
