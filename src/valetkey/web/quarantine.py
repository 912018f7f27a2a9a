"""Putting one's connection, or a connector of the organization, into quarantine, and lifting that."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.identity.roles import Act
from valetkey.web.powers import check_may
from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    """The person's own connection."""
    on = _is_on(visit)
    found = await visit.services.quarantine.of_connection(
        visit.person.id, visit.path("connection"), on=on, by=visit.actor
    )
    return visit.go(f"/connections/{found.id}", done=_said(on))


async def submit_connector(visit: Visit) -> Response:
    """Everybody's connections to a connector of the organization."""
    check_may(visit, Act.MANAGE_CONNECTORS)
    on = _is_on(visit)
    connector = await visit.services.connectors.get(visit.form.one("connector"), visit.person)
    await visit.services.quarantine.of_connector(connector, on=on, by=visit.actor, person_id=visit.person.id)
    return visit.go("/alerts", done=_said(on))


def _is_on(visit: Visit) -> bool:
    return visit.form.one("lift") != "yes"


def _said(on: bool) -> str:
    return "quarantined" if on else "quarantine-lifted"
