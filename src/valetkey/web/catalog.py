"""The directory as the pages ask it: who sees all of it; a connector is made of a listing when somebody connects it."""

from __future__ import annotations

from valetkey.audit.refusals import Told
from valetkey.directory.catalog import Catalog, Entry
from valetkey.directory.model import Connector
from valetkey.web.visit import Visit


async def may_add(visit: Visit) -> bool:
    """Whether this person may add connectors: then they see every listing, else what was switched on (S-30)."""
    return await visit.services.organizations.may_add_connectors(visit.person)


async def check_may_add(visit: Visit, refused: str) -> None:
    """CUS-06. Raises `Forbidden`, and writes down as the event `refused` who tried."""
    if await may_add(visit):
        return
    await visit.services.trail.write(
        refused, actor=visit.actor, organization_id=visit.person.organization_id, person_id=visit.person.id
    )
    raise Told("Only owners and admins add or change connectors in this organization.", hint="Ask one of them.")


async def adds_for_all(visit: Visit) -> bool:
    """Whether what this person adds is for everybody, or, where the organization lets members, for themself (ORG-09).

    Raises `Forbidden` where they may add nothing.
    """
    rules = (await visit.services.access.rules(visit.person.organization_id)).rules
    if rules.own_connectors and not await may_add(visit):
        return False
    await check_may_add(visit, "connector.add_refused")
    return True


async def read_entry(visit: Visit) -> Entry:
    """The entry that the path names. Raises `NotFound`."""
    catalog = Catalog(visit.services.connectors, visit.services.groups)
    return await catalog.get(visit.path("connector"), visit.person, whole=await may_add(visit))


def shown_connector(visit: Visit, entry: Entry) -> Connector:
    """The entry's connector, or what it would be."""
    return Catalog(visit.services.connectors, visit.services.groups).connector_of(entry, visit.person)


async def opened(visit: Visit, entry: Entry, *, url: str) -> Connector:
    """The entry's connector, made from its listing if there is none yet. Raises `BadInput`, `Conflict`, `TooMany`."""
    if entry.connector is not None:
        return entry.connector
    catalog = Catalog(visit.services.connectors, visit.services.groups)
    added = await catalog.open(entry.slug, visit.person, whole=await may_add(visit), url=url)
    await tell_added(visit, added)
    return added


async def tell_added(visit: Visit, added: Connector) -> None:
    """Writes into the trail what can be connected now."""
    await visit.services.trail.write(
        "connector.added",
        actor=visit.actor,
        organization_id=added.organization_id,
        person_id=visit.person.id,
        object=added.id,
        detail={"slug": added.slug, "origin": added.origin, "review_state": added.review_state.value},
    )
