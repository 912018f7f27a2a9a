"""One connection: its state, what was granted, which tools are on, and what the credential was used for."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.audit.model import OfPerson
from valetkey.web.accounts import endpoint_path, read_account
from valetkey.web.connection_start import header_names
from valetkey.web.tools import read_tools, seen
from valetkey.web.visit import Visit

TOOLS_PER_PAGE = 100
_CALLS = 10


async def show(visit: Visit) -> Response:
    account = await read_account(visit)
    connection = account.connection
    tools = await read_tools(visit, connection.id)
    reading_off = [tool for tool in tools if tool.tool.says_read_only and not tool.is_on]
    page_count = max(1, -(-len(tools) // TOOLS_PER_PAGE))
    page = min(max(1, _number(visit.query("page"))), page_count)
    granted, requested = connection.granted_scope.split(), connection.requested_scope.split()
    wanted = await visit.services.connecting.wanted(connection)
    calls = await visit.services.calls.list_for_connection(connection.id, OfPerson(visit.person.id), limit=_CALLS)
    return visit.page(
        "connection_show.html",
        connection=connection,
        connector=account.connector,
        account=account.name,
        endpoint=visit.public_url + endpoint_path(account),
        granted=granted,
        fewer=[scope for scope in requested if scope not in granted] if granted else [],
        more_granted=[scope for scope in granted if scope not in requested] if requested else [],
        wanted=wanted,
        tools=tools[(page - 1) * TOOLS_PER_PAGE : page * TOOLS_PER_PAGE],
        tool_count=len(tools),
        on_count=sum(tool.is_on for tool in tools),
        changed=sum(tool.is_changed for tool in tools),
        held=await _held_count(visit, connection.id),
        reading_off=len(reading_off),
        reading_seen=seen(reading_off),
        page=page,
        page_count=page_count,
        header_names=header_names(account.connector),
        calls=calls,
        trace=await visit.services.trace.list(visit.person.id, connection.id),
    )


async def _held_count(visit: Visit, connection_id: str) -> int:
    snapshot = await visit.services.snapshots.get(connection_id)
    return len(snapshot.held) if snapshot is not None else 0


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1
