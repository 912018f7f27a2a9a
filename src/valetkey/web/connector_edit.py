"""Changing a connector that somebody added by URL: its name, and what everybody then agrees to anew (CUS-05)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.directory.editing import Edit
from valetkey.directory.model import Connector
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.web.catalog import check_may_add
from valetkey.web.connection_add import FIELDS, facts_of
from valetkey.web.visit import Visit

_FIELDS = ("name", "url", "sign_in", "headers", "client_id", "identity", "client")


async def show(visit: Visit) -> Response:
    connector = await _editable(visit)
    optional = [f"{name}?" for name in connector.auth.get("optional_headers", ())]
    headers = [*connector.auth.get("headers", ()), *optional]
    values = {
        "name": connector.name,
        "url": connector.url,
        "sign_in": connector.auth_kind,
        "headers": ", ".join(headers),
        "client_id": str(connector.auth.get("client_id", "")),
        "client": str(connector.auth.get("client", "")),
        "identity": str(connector.auth.get("identity", "")),
    }
    return _page(visit, connector, {}, values)


async def submit(visit: Visit) -> Response:
    connector = await _editable(visit)
    values = {name: visit.form.one(name, limit=4096) for name in _FIELDS}
    kind = values["sign_in"]
    auth = {
        "headers": (),
        "optional_headers": (),
        "client_id": "",
        "identity": "",
        "client": "",
        **facts_of(kind, values),
    }
    edit = Edit(name=values["name"], url=values["url"], auth_kind=kind, auth=auth)
    try:
        changed = await visit.services.editing.edit(connector, edit, by=visit.actor, person_id=visit.person.id)
    except BadInput as error:
        field = FIELDS.get(error.field, error.field)
        if field == "url":  # refused perhaps because it holds a key (CON-03)
            values["url"] = connector.url
        shown = field if field in values else ""
        return _page(visit, connector, {shown: f"{error.message} {error.hint}".strip()}, values)
    except Conflict as error:
        return _page(visit, connector, {"": error.message, "hint": error.hint}, values)
    done = "connector-edited" if changed.version != connector.version else "connector-renamed"
    return visit.go(f"/connections/new/{connector.slug}", done=done)


async def submit_move(visit: Visit) -> Response:
    """To where the directory has the service now; everybody agrees to that anew (CUS-08)."""
    connector = await visit.services.connectors.get(visit.path("connector"), visit.person)
    await check_may_add(visit, "connector.change_refused")
    edit = Edit(follow_listing=True)
    await visit.services.editing.edit(connector, edit, by=visit.actor, person_id=visit.person.id)
    return visit.go(f"/connections/new/{connector.slug}", done="connector-edited")


async def _editable(visit: Visit) -> Connector:
    """Raises `NotFound` for what the directory or the operator describes, `Forbidden`."""
    connector = await visit.services.connectors.get(visit.path("connector"), visit.person)
    await check_may_add(visit, "connector.change_refused")
    if connector.listing or connector.is_local:
        raise NotFound("Only what was added by its URL is changed here.")
    return connector


def _page(visit: Visit, connector: Connector, errors: Mapping[str, str], values: Mapping[str, str]) -> Response:
    return visit.page(
        "connector_edit.html",
        status=422 if errors else 200,
        connector=connector,
        errors=errors,
        values=values,
    )
