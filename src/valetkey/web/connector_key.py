"""The key of an organization for a service: an owner enters, replaces and takes it away, for everybody (CUS-04)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.directory.model import Connector
from valetkey.identity.roles import Act
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.web.connection_start import header_names, named_error, read_headers
from valetkey.web.powers import check_may
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    return await _page(visit, await _connector(visit), {})


async def submit(visit: Visit) -> Response:
    connector = await _connector(visit)
    values = read_headers(visit, connector)
    try:
        await visit.services.held.hold(connector, values, by=visit.actor, person_id=visit.person.id)
    except BadInput as error:
        return await _page(visit, connector, named_error(error, connector))
    return visit.go(f"/connections/new/{connector.slug}", done="key-entered")


async def submit_remove(visit: Visit) -> Response:
    connector = await _connector(visit)
    try:
        await visit.services.held.take_away(connector, by=visit.actor, person_id=visit.person.id)
    except Conflict as error:
        return await _page(visit, connector, {"": error.message, "hint": error.hint})
    return visit.go(f"/connections/new/{connector.slug}", done="key-removed")


async def _connector(visit: Visit) -> Connector:
    """Raises `NotFound`, also for whoever is no owner and for a service that goes with people's own keys."""
    check_may(visit, Act.MANAGE_ORGANIZATION)
    connector = await visit.services.connectors.get(visit.path("connector"), visit.person)
    if not connector.acts_as_organization:
        raise NotFound("Here each person enters a key of their own.")
    return connector


async def _page(visit: Visit, connector: Connector, errors: Mapping[str, str]) -> Response:
    return visit.page(
        "connector_key.html",
        status=422 if errors else 200,
        errors=errors,
        connector=connector,
        is_there=await visit.services.held.is_there(connector),
        header_names=header_names(connector),
        optional_headers=tuple(connector.auth.get("optional_headers", ())),
    )
