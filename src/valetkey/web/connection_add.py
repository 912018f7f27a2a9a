"""Adding a custom connector by its URL, and going straight on to what was found out about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from valetkey.connections.detect import Detected
from valetkey.directory.alone import Listed
from valetkey.directory.custom import TRANSPORT, check_transport
from valetkey.kernel.errors import BadInput, Conflict, ConnectFailed, Forbidden, TooMany
from valetkey.web.catalog import adds_for_all, tell_added
from valetkey.web.connection_start import begin_account
from valetkey.web.visit import Visit

FIELDS = {
    "auth.headers": "headers",
    "auth.optional_headers": "headers",
    "auth.client_id": "client_id",
    "auth.identity": "identity",
    "auth.client": "client",
    "auth_kind": "sign_in",
    "transport": "transport",
    "auth": "sign_in",
}
_EMPTY = {
    "url": "", "name": "", "sign_in": "oauth", "when": "now", "headers": "", "client_id": "", "identity": "",
    "client": "", "transport": TRANSPORT,
}  # fmt: skip


async def show(visit: Visit) -> Response:
    await adds_for_all(visit)
    # An install link may fill the form in; it adds nothing by itself, and the page says where it came from (CUS-07).
    given = {name: visit.query(name, limit=2048) for name in ("url", "name")}
    if set(given["url"]) & set("?#@;"):  # may carry a key (CON-03), which is not put onto a page
        given["url"] = ""
    return _page(visit, {}, {**_EMPTY, **given}, from_link=any(given.values()))


async def submit(visit: Visit) -> Response:
    for_all = await adds_for_all(visit)
    values = {name: visit.form.one(name, limit=4096) for name in _EMPTY}
    values["transport"] = values["transport"] or TRANSPORT
    if visit.form.one("do") == "ask":
        return await _ask_first(visit, values)
    kind = values["sign_in"]
    try:
        check_transport(values["transport"])
        add = visit.services.connectors.add_custom if for_all else visit.services.connectors.add_own
        connector = await add(
            visit.person,
            name=values["name"] or _host(values["url"]),
            url=values["url"],
            auth_kind=kind,
            auth=facts_of(kind, values),
        )
    except BadInput as error:
        return _refused(visit, error, values)
    except Listed as error:
        return visit.go(f"/connections/new/{error.listing.slug}", done="listed")
    except (Conflict, Forbidden, TooMany) as error:
        return _page(visit, {"": error.message, "hint": error.hint}, values)
    await tell_added(visit, connector)
    if values["when"] == "needed":
        return visit.go("/directory", done="added")
    if kind == "oauth":
        return await begin_account(visit, connector, {"label": "", "display_name": ""})
    return visit.go(f"/connections/new/{connector.slug}")


async def _ask_first(visit: Visit, values: dict[str, str]) -> Response:
    """Asks the service, without any credential, how one signs in, and fills the form in with it; adds nothing."""
    try:
        draft = await visit.services.connectors.draft(
            visit.person, name=values["name"] or _host(values["url"]), url=values["url"]
        )
        detected = await visit.services.detecting.ask(draft)
    except BadInput as error:
        return _refused(visit, error, values)
    except Listed as error:
        return visit.go(f"/connections/new/{error.listing.slug}", done="listed")
    except ConnectFailed as error:
        return _page(visit, {"": error.message, "hint": error.hint}, values)
    values |= {"sign_in": detected.auth_kind, "name": values["name"] or draft.name, "client": detected.client}
    return _page(visit, {}, values, detected=detected)


def _refused(visit: Visit, error: BadInput, values: dict[str, str]) -> Response:
    field = FIELDS.get(error.field, error.field)
    shown = field if field in _EMPTY else ""
    if shown == "url":  # refused perhaps because it holds a key: not given back, not even into its field (CON-03)
        values["url"] = ""
    return _page(visit, {shown: f"{error.message} {error.hint}".strip()}, values)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def facts_of(kind: str, values: Mapping[str, str]) -> dict[str, Any]:
    """What was entered about signing in, as the directory takes it. A header's name with `?` behind it is optional."""
    facts: dict[str, Any] = {}
    names = [name.strip() for name in values["headers"].split(",") if name.strip()]
    optional = [name.rstrip("? ") for name in names if name.endswith("?")]
    if kind != "none" and (names or kind == "header"):
        facts["headers"] = [name for name in names if not name.endswith("?")]
        if not names:
            facts["headers"] = ["Authorization"]
        if optional:
            facts["optional_headers"] = optional
    if kind == "header" and values["identity"]:
        facts["identity"] = values["identity"]
    if kind == "oauth" and values["client"] and not values["client_id"]:
        facts["client"] = values["client"]
    if kind == "oauth" and values["client_id"]:
        facts["client_id"] = values["client_id"]
    return facts


def _page(
    visit: Visit,
    errors: Mapping[str, str],
    values: Mapping[str, str],
    *,
    from_link: bool = False,
    detected: Detected | None = None,
) -> Response:
    return visit.page(
        "connection_add.html",
        status=422 if errors else 200,
        errors=errors,
        values=values,
        advanced=bool(
            values["headers"]
            or values["client_id"]
            or values["identity"]
            or values["client"]
            or values["transport"] != TRANSPORT
            or (detected and detected.wants_client)
        ),
        detected=detected,
        from_link=from_link,
    )
