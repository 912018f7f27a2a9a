"""Beginning to connect an account: its label, a key if the service wants one, and off to the review page."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.directory.model import Connector
from valetkey.kernel.errors import BadInput, Conflict, OutboundFailed, TooMany
from valetkey.kernel.secret import Secret
from valetkey.web.accounts import Account, read_accounts
from valetkey.web.visit import Visit

_FOUND = {
    "oauth": "The service sends people to a sign-in page (OAuth).",
    "header": "The service wants a credential but names no sign-in page, so it takes a key in a request header.",
    "none": "The service answers without any sign-in.",
}


async def show(visit: Visit) -> Response:
    connector = await _connector(visit)
    # A link may fill these in, as the programming interface's does; the person still sends the form.
    return await _page(visit, connector, {}, {name: visit.query(name) for name in ("label", "display_name")})


async def submit(visit: Visit) -> Response:
    connector = await _connector(visit)
    values = {"label": visit.form.one("label", limit=100), "display_name": visit.form.one("display_name", limit=100)}
    try:
        if connector.auth_kind == "oauth":
            attempt = await visit.services.connecting.begin(
                visit.session, connector, label=values["label"], display_name=values["display_name"]
            )
            return visit.go(f"/connections/review/{attempt.id}")
        if visit.form.one("acknowledged") != "yes":
            raise BadInput("Please say that you know who this is.", field="acknowledged")
        connection = await _connect_at_once(visit, connector, **values)
    except BadInput as error:
        return await _page(visit, connector, {_known(error.field, connector): f"{error.message} {error.hint}".strip()}, values)
    except (Conflict, TooMany, OutboundFailed) as error:
        return await _page(visit, connector, {"": error.message, "hint": error.hint}, values)
    return visit.go(f"/connections/{connection}", done="connected")


async def _connect_at_once(visit: Visit, connector: Connector, *, label: str, display_name: str) -> str:
    if connector.auth_kind == "none":
        connection = await visit.services.connecting.connect_open(
            visit.person, connector, label=label, display_name=display_name
        )
    else:
        given: dict[str, Secret] = {}
        for name in header_names(connector):
            if value := visit.form.secret(f"header:{name}"):
                given[name] = value
        connection = await visit.services.connecting.set_header(
            visit.person, connector, label=label, display_name=display_name, values=given
        )
    return connection.id


async def _connector(visit: Visit) -> Connector:
    return await visit.services.connectors.get(visit.path("connector"), visit.person)


def header_names(connector: Connector) -> tuple[str, ...]:
    """The request headers this connector takes a value for, required ones first."""
    return (*connector.auth.get("headers", ()), *connector.auth.get("optional_headers", ()))


def _known(field: str, connector: Connector) -> str:
    """The name the field has on this page; what is not on it goes to the top."""
    for name in header_names(connector):
        if field.lower() in (name.lower(), f"header:{name}".lower()):
            return f"header:{name}"
    return field if field in ("label", "display_name", "acknowledged") else ""


async def _page(
    visit: Visit, connector: Connector, errors: Mapping[str, str], values: Mapping[str, str]
) -> Response:
    mine: list[Account] = [one for one in await read_accounts(visit) if one.connector.id == connector.id]
    return visit.page(
        "connection_start.html",
        status=422 if errors else 200,
        connector=connector,
        errors=errors,
        values=values,
        others=len(mine),
        detected=_FOUND[connector.auth_kind] if visit.query("detected") == "yes" else "",
        header_names=header_names(connector) if connector.auth_kind == "header" else (),
        optional_headers=tuple(connector.auth.get("optional_headers", ())),
    )
