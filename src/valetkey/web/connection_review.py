"""The page before the service: who this is, what it asks for, and the person's word that they have read it.

The form carries the hash of exactly the facts that were shown; if they are others by then, nothing is accepted (S-24).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from valetkey.connections.model import Attempt, ScopeOrigin
from valetkey.directory.fingerprint import read_tool
from valetkey.directory.model import Connector, Tool
from valetkey.kernel.errors import BadInput, Conflict, ConnectFailed, Forbidden
from valetkey.kernel.secret import Secret
from valetkey.policy.classed import Classed
from valetkey.policy.tool_class import RANK, ToolClass
from valetkey.web.connection_start import header_names
from valetkey.web.connector_remove import may_change
from valetkey.web.errors import status_and_title
from valetkey.web.visit import Visit

_CLIENT_WORDS = {
    "preregistered": "a client that was agreed with the service beforehand",
    "cimd": "this hub, by its published client document",
    "dcr": "this hub, registered with the service automatically",
}


@dataclass(frozen=True, slots=True)
class OriginWords:
    """Where the scopes come from, for people (S-18, S-19)."""

    text: str
    broad: bool = False


_ORIGINS = {
    ScopeOrigin.CHALLENGE: OriginWords("The service named these when it was asked."),
    ScopeOrigin.CONNECTOR: OriginWords("The service lists these in its own description."),
    ScopeOrigin.AUTHORIZATION_SERVER: OriginWords(
        "The service named none; these are all that its sign-in page offers.", broad=True
    ),
    ScopeOrigin.PINNED: OriginWords("These were fixed for this connector in this hub."),
    ScopeOrigin.BEFORE: OriginWords("You granted these before, or a call that was refused needed them."),
    ScopeOrigin.NONE: OriginWords("Nobody named any scopes."),
}


@dataclass(frozen=True, slots=True)
class ReviewedTool:
    """A tool as the service lists it to strangers: what it counts as here, and its own claim about itself."""

    name: str
    description: str
    counts_as: str
    because: str
    claim: str
    definition: str = ""
    """All of it, as the service sent it; empty for one that was too long."""


async def show(visit: Visit) -> Response:
    attempt = await visit.services.connecting.attempt(visit.path("attempt"), visit.session)
    return await _page(visit, attempt)


async def submit(visit: Visit) -> Response:
    attempt = await visit.services.connecting.attempt(visit.path("attempt"), visit.session)
    scopes = visit.form.many("scope")
    if visit.form.one("acknowledged") != "yes":
        return await _page(visit, attempt, {"acknowledged": "Please tick this if it is so."}, scopes)
    if attempt.facts.method == "none":
        return await _connect_open(visit, attempt)
    try:
        if secret := visit.form.secret("client_secret"):
            await _hold_secret(visit, attempt, secret)
        address = await visit.services.connecting.accept(
            attempt.id, visit.session, visit.form.one("facts_hash"), scopes
        )
    except (BadInput, Conflict) as error:
        return await _page(visit, attempt, {"": error.message, "hint": error.hint}, scopes)
    except ConnectFailed as error:
        errors = {"": error.message, "hint": error.hint, "title": status_and_title(error)[1], "stage": error.stage}
        return await _page(visit, attempt, {**errors, "reference": getattr(error, "reference", "")}, scopes)
    # Answered with a page, not a redirect: browsers hold a form's redirects to `form-action`, which is our origin only.
    return visit.page("leaving.html", address=address, host=urlsplit(address).netloc)


async def _hold_secret(visit: Visit, attempt: Attempt, secret: Secret) -> None:
    """The secret goes with the client id, which is everybody's: so only by who may change the connector."""
    connection = await visit.services.connections.get(visit.person.id, attempt.connection_id)
    connector = await visit.services.connectors.by_id(connection.connector_id)
    if not await may_change(visit, connector):
        raise Forbidden("This service was added by somebody else.")
    await visit.services.connecting.hold_client_secret(attempt.id, visit.session, secret)


async def _connect_open(visit: Visit, attempt: Attempt) -> Response:
    """The service turned out to be open: there is nowhere to send anybody."""
    connection = await visit.services.connections.get(visit.person.id, attempt.connection_id)
    connector = await visit.services.connectors.by_id(connection.connector_id)
    saw_these = visit.form.one("facts_hash") == attempt.facts.hash
    try:
        await visit.services.connecting.connect_open(
            visit.session,
            connector,
            acknowledged=attempt.facts.disclosed if saw_these else "",
            label=connection.label,
            display_name=connection.display_name,
        )
    except Conflict as error:
        return await _page(visit, attempt, {"": error.message, "hint": error.hint})
    return visit.go(f"/connections/{connection.id}", done="connected")


async def _page(
    visit: Visit, attempt: Attempt, errors: Mapping[str, str] | None = None, chosen: Sequence[str] | None = None
) -> Response:
    connection = await visit.services.connections.get(visit.person.id, attempt.connection_id)
    connector = await visit.services.connectors.by_id(connection.connector_id)
    tools = _shown(attempt.facts.tools, connector, visit.services.policy.gate.classed)
    tools.sort(key=lambda tool: -RANK.get(tool.counts_as, 9))  # the ones to look at come first
    return visit.page(
        "connection_review.html",
        status=422 if errors else 200,
        errors=errors or {},
        chosen=chosen,
        attempt=attempt,
        facts=attempt.facts,
        connector=connector,
        policy=await visit.services.privacy.policies.current(),
        listing=visit.services.connectors.listing_of(connector),
        disclosure=visit.services.connectors.disclosure(connector),
        asks_secret=attempt.facts.client_source == "preregistered" and await may_change(visit, connector),
        client_words=_CLIENT_WORDS.get(attempt.facts.client_source, attempt.facts.client_source),
        origin_words=_ORIGINS[attempt.facts.scope_origin],
        tools=tools,
        reading=sum(tool.counts_as == ToolClass.READ for tool in tools),
        destroying=sum(tool.counts_as not in (ToolClass.READ, ToolClass.LOW_WRITE) for tool in tools),
        header_names=header_names(connector),
    )


def _shown(tools: Sequence[Mapping[str, Any]], connector: Connector, classed: Classed) -> list[ReviewedTool]:
    defined = [_defined(tool) for tool in tools]
    around = classed.beside(connector, [one for one in defined if one is not None])
    shown = []
    for tool, one in zip(tools, defined, strict=True):
        counts_as, because = ToolClass.HIGH, "Its definition is too long to be looked at here."
        if one is not None:
            seen = classed.of(connector, one, around)
            counts_as, because = seen.counts_as, seen.because
        name, description = str(tool.get("name", "")), str(tool.get("description", ""))
        whole = _indented(str(tool.get("definition", "")))
        shown.append(ReviewedTool(name, description, counts_as, because, _claim(tool), whole))
    return shown


def _indented(definition: str) -> str:
    """The same JSON with a line for each member."""
    try:
        return json.dumps(json.loads(definition), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return definition


def _defined(tool: Mapping[str, Any]) -> Tool | None:
    """`None` for one that was too long to be kept with the rest: it counts as the worst."""
    try:
        return read_tool(str(tool.get("definition", "")).encode())
    except BadInput:
        return None


def _claim(tool: Mapping[str, Any]) -> str:
    if tool.get("says_read_only") is True:
        return "It says that it only reads."
    if tool.get("says_destructive") is False:
        return "It says that it may write."
    return "It may delete or overwrite, by what it says or does not say."  # what is not said is the worst
