"""Taking a custom connector out of the directory again: by whose own it is, or who manages connectors."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.directory.model import Connector
from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import Forbidden
from valetkey.web.accounts import read_accounts
from valetkey.web.powers import check_may
from valetkey.web.visit import Visit


async def may_change(visit: Visit, connector: Connector) -> bool:
    """Whether the visitor may change the connector, or take it out: their own, or everybody's by their role.

    That they added what everybody has gives no right to it: they may have had another role then.
    """
    return may(visit.person.role, Act.MANAGE_CONNECTORS) or await _is_theirs(visit, connector)


async def _is_theirs(visit: Visit, connector: Connector) -> bool:
    person = visit.person
    return connector.added_by == person.id and (
        connector.is_personal or await visit.services.organizations.may_add_connectors(person)
    )


async def submit(visit: Visit) -> Response:
    connector = await visit.services.connectors.get(visit.path("connector"), visit.person)
    if not await may_change(visit, connector):
        raise Forbidden("This service was added by somebody else.")
    if not await _is_theirs(visit, connector):
        check_may(visit, Act.MANAGE_CONNECTORS)  # powers that rest take nothing out
    for one in await read_accounts(visit):
        if one.connector.id == connector.id and not one.is_live:  # an entry that was begun and never connected
            await visit.services.connections.remove(visit.person.id, one.connection.id, by=visit.actor)
    # Refused while anybody is connected.
    await visit.services.editing.remove(connector, by=visit.actor, person_id=visit.person.id)
    return visit.go("/directory", done="connector-removed")
