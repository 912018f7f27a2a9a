"""One call with what was sent and answered, opened with the person's own key of that day."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from valetkey.audit.model import CallRecord, OfPerson
from valetkey.connections.model import Connection
from valetkey.directory.model import Connector
from valetkey.kernel.errors import NotFound, VaultFailed
from valetkey.web.tree import Node, read_tree
from valetkey.web.visit import Visit


class _Called(msgspec.Struct):
    """What of a call's parameters is read."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A sealed payload, opened; or why it is not there."""

    title: str
    lead: str
    tree: Node | None
    why_not: str = ""


async def show(visit: Visit) -> Response:
    call = await visit.services.calls.find(visit.path("call"), OfPerson(visit.person.id))
    connection, connector = await _where(visit, call)
    people = await visit.services.people.list(visit.person.organization_id)
    names = {f"person:{one.id}": one.display_name for one in people}
    return visit.page(
        "activity_show.html",
        call=call,
        readings=[
            (one, names.get(one.actor, one.actor))
            for one in await visit.services.privacy.reading.of(visit.person.id, call.id)
        ],
        connection=connection,
        connector=connector,
        own_tool=await _own_tool(visit, call) if connection is not None else "",
        is_kept_whole=await visit.services.privacy.whole.has(visit.person.id, call.id),
        account=(connection.display_name or connection.label) if connection else "",
        parts=(
            await _part(
                visit,
                call,
                "request",
                call.request,
                "What was sent",
                "The parameters. What looks like a secret is left out here.",
            ),
            await _part(visit, call, "response", call.response, "What came back", "Text supplied by the service."),
        ),
    )


async def download(visit: Visit) -> Response:
    """A result that was too large for the assistant, whole (CON-20). Raises `NotFound` for another person's."""
    call_id = visit.path("call")
    found = await visit.services.privacy.whole.open(visit.person.id, call_id)
    name = "".join(char for char in call_id if char.isalnum() or char == "_")
    headers = {"content-disposition": f'attachment; filename="{name}.json"', "x-content-type-options": "nosniff"}
    return Response(b"".join([part async for part in found]), media_type="application/json", headers=headers)


async def _where(visit: Visit, call: CallRecord) -> tuple[Connection | None, Connector | None]:
    """Connection and connector as they are now; either may be gone, the record stays."""
    if not call.connection_id:
        return None, None
    try:
        connection = await visit.services.connections.get(visit.person.id, call.connection_id)
        return connection, await visit.services.connectors.by_id(connection.connector_id)
    except NotFound:
        return None, None


async def _own_tool(visit: Visit, call: CallRecord) -> str:
    """The tool as its service calls it, for who wants to know why; empty when it can no longer be known."""
    if call.method != "tools/call" or call.request is None:
        return ""
    try:
        key = await visit.services.day_keys.existing(call.person_id, call.organization_id, call.day)
        return msgspec.json.decode(key.open(call.request, about=f"{call.id}:request"), type=_Called).name
    except (VaultFailed, msgspec.MsgspecError):
        return ""


async def _part(visit: Visit, call: CallRecord, name: str, sealed: bytes | None, title: str, lead: str) -> Part:
    if sealed is None:
        return Part(title, lead, None, "Nothing.")
    try:
        key = await visit.services.day_keys.existing(call.person_id, call.organization_id, call.day)
        body = key.open(sealed, about=f"{call.id}:{name}")
    except VaultFailed as error:
        return Part(title, lead, None, f"This can no longer be opened. {error.message}")
    return Part(title, lead, read_tree(body))
