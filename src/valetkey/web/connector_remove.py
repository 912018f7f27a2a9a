"""Taking a custom connector out of the directory again: by who added it, or who manages connectors."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.directory.model import Connector
from valetkey.identity.model import Person
from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import Forbidden
from valetkey.web.accounts import read_accounts
from valetkey.web.powers import check_may
from valetkey.web.visit import Visit


def may_change(person: Person, connector: Connector) -> bool:
    """Whether this person may change the connector, or take it out, for everybody."""
    return connector.added_by == person.id or may(person.role, Act.MANAGE_CONNECTORS)


async def submit(visit: Visit) -> Response:
    connector = await visit.services.connectors.get(visit.path("connector"), visit.person)
    if not may_change(visit.person, connector):
        raise Forbidden("This service was added by somebody else.")
    if connector.added_by != visit.person.id:
        check_may(visit, Act.MANAGE_CONNECTORS)
    for one in await read_accounts(visit):
        if one.connector.id == connector.id and not one.is_live:  # an entry that was begun and never connected
            await visit.services.connections.remove(visit.person.id, one.connection.id, by=visit.actor)
    await visit.services.editing.remove(connector)  # refuses while anybody is connected
    return visit.go("/directory", done="connector-removed")
