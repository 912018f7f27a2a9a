"""Beginning to connect an account: its label, a key if the service wants one, and off to the review page."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.directory.model import Connector
from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import BadInput, Conflict, ConnectFailed, OutboundFailed, TooMany
from valetkey.kernel.secret import Secret
from valetkey.web.accounts import read_accounts
from valetkey.web.catalog import may_add, opened, read_entry, shown_connector
from valetkey.web.connector_remove import may_change
from valetkey.web.errors import status_and_title
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    entry = await read_entry(visit)
    connector = shown_connector(visit, entry)
    # A link may fill these in, as the programming interface's does; the person still sends the form.
    return await _page(visit, connector, {}, {name: visit.query(name) for name in ("label", "display_name")})


async def submit(visit: Visit) -> Response:
    entry = await read_entry(visit)
    values = {"label": visit.form.one("label", limit=100), "display_name": visit.form.one("display_name", limit=200)}
    try:
        connector = await opened(visit, entry, url=visit.form.one("url", limit=2048))
    except (BadInput, Conflict, TooMany) as error:
        shown = shown_connector(visit, entry)
        field = "url" if isinstance(error, BadInput) else ""
        return await _page(visit, shown, {field: f"{error.message} {error.hint}".strip()}, values)
    if connector.auth_kind == "header":
        return await _connect_with_key(visit, connector, values)
    return await begin_account(visit, connector, values)


async def begin_account(visit: Visit, connector: Connector, values: Mapping[str, str]) -> Response:
    """Asks the service, without any credential, how it wants to be connected; then on to the review page."""
    if connector.is_local:
        return await _connect_local(visit, connector, values)
    try:
        attempt = await visit.services.connecting.begin(
            visit.session, connector, label=values["label"], display_name=values["display_name"]
        )
    except BadInput as error:
        return await _page(visit, connector, named_error(error), values)
    except (Conflict, TooMany, ConnectFailed, OutboundFailed) as error:
        return await failed_page(visit, connector, error, values)
    return visit.go(f"/connections/review/{attempt.id}")


async def _connect_with_key(visit: Visit, connector: Connector, values: Mapping[str, str]) -> Response:
    if visit.form.one("acknowledged") != "yes":
        return await _page(visit, connector, {"acknowledged": "Please tick this if it is so."}, values)
    try:
        connection = await visit.services.connecting.set_header(
            visit.session,
            connector,
            values={} if connector.acts_as_organization else read_headers(visit, connector),
            acknowledged=visit.form.one("disclosed"),
            **values,
        )
    except BadInput as error:
        return await _page(visit, connector, named_error(error, connector), values)
    except (Conflict, TooMany, OutboundFailed) as error:
        return await failed_page(visit, connector, error, values)
    return visit.go(f"/connections/{connection.id}", done="connected")


async def _connect_local(visit: Visit, connector: Connector, values: Mapping[str, str]) -> Response:
    """A program on the hub's host: there is nobody to ask and nowhere to go. The person has read its command."""
    if visit.form.one("acknowledged") != "yes":
        return await _page(visit, connector, {"acknowledged": "Please tick this if it is so."}, values)
    try:
        connection = await visit.services.connecting.connect_open(
            visit.session, connector, acknowledged=visit.form.one("disclosed"), **values
        )
    except BadInput as error:
        return await _page(visit, connector, named_error(error), values)
    except (Conflict, TooMany, OutboundFailed) as error:
        return await failed_page(visit, connector, error, values)
    return visit.go(f"/connections/{connection.id}", done="connected")


def header_names(connector: Connector) -> tuple[str, ...]:
    """The request headers this connector takes a value for, required ones first."""
    return (*connector.auth.get("headers", ()), *connector.auth.get("optional_headers", ()))


def read_headers(visit: Visit, connector: Connector) -> dict[str, Secret]:
    """The values that were typed, by header name; those left empty are not there."""
    given = {name: visit.form.secret(f"header:{name}") for name in header_names(connector)}
    return {name: value for name, value in given.items() if value}


def named_error(error: BadInput, connector: Connector | None = None) -> dict[str, str]:
    """The error under the name that its field has on this page; what is not on it goes to the top."""
    text = f"{error.message} {error.hint}".strip()
    for name in header_names(connector) if connector else ():
        if error.field.lower().rpartition(":")[2].rpartition(".")[2] == name.lower():
            return {f"header:{name}": text}
    return {error.field if error.field in ("label", "display_name") else "": text}


async def failed_page(
    visit: Visit,
    connector: Connector,
    error: Conflict | TooMany | ConnectFailed | OutboundFailed,
    values: Mapping[str, str],
) -> Response:
    """The page with what went wrong: which of the three failures, at which stage, and a reference (CON-32)."""
    status, title = status_and_title(error)
    errors = {"": error.message, "hint": error.hint, "title": title if status >= 500 else ""}
    if isinstance(error, ConnectFailed):
        errors |= {"stage": error.stage, "reference": getattr(error, "reference", "")}
    return await _page(visit, connector, errors, values, status=status)


async def _page(
    visit: Visit, connector: Connector, errors: Mapping[str, str], values: Mapping[str, str], *, status: int = 422
) -> Response:
    mine = [one for one in await read_accounts(visit) if one.connector.id == connector.id]
    # An entry that was never connected is not another account: it is the one being connected.
    others = [one for one in mine if one.is_live]
    return visit.page(
        "connection_start.html",
        status=status if errors else 200,
        connector=connector,
        policy=await visit.services.privacy.policies.current(),
        disclosure=visit.services.connectors.disclosure(connector),
        listing=visit.services.connectors.listing_of(connector),
        errors=errors,
        values=values,
        others=len(others),
        may_set_client=connector.auth_kind == "oauth" and await may_add(visit),
        moved_to=visit.services.connectors.moved_to(connector),
        may_edit=bool(connector.id) and not connector.listing and not connector.is_local and await may_add(visit),
        may_remove=not others and bool(connector.id) and await may_change(visit, connector),
        command=connector.auth.get("command", ()) if connector.is_local else (),
        variables=connector.auth.get("variables", ()) if connector.is_local else (),
        header_names=()
        if connector.auth_kind != "header" or connector.acts_as_organization
        else header_names(connector),
        may_enter_key=connector.acts_as_organization and may(visit.person.role, Act.MANAGE_ORGANIZATION),
        key_is_there=connector.acts_as_organization and await visit.services.held.is_there(connector),
        optional_headers=tuple(connector.auth.get("optional_headers", ())),
    )
