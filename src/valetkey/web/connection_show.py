"""One connection: its state, what was granted, what may be done with its tools, and what the credential did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from valetkey.audit.model import OfPerson
from valetkey.connections.reporting import REASONS
from valetkey.policy.choices import Choice, Level, level_of, why_not
from valetkey.policy.model import Setting
from valetkey.policy.seen import seen_of
from valetkey.web.accounts import endpoint_path, read_account
from valetkey.web.connection_start import header_names
from valetkey.web.tools import read_chosen
from valetkey.web.visit import Visit

TOOLS_PER_PAGE = 100
_CALLS = 10


_WORDS = {
    Level.ALWAYS_ASK: ("Always ask", "About every tool, each time. Nothing runs by itself."),
    Level.BEFORE_CHANGES: ("Ask before changes", "What only reads runs by itself."),
    Level.BEFORE_IMPORTANT: ("Ask before important actions", "What reads or changes something small runs by itself."),
    Level.ALLOW: ("Allow", "All but what is hard to take back, or not known, runs by itself."),
}


@dataclass(frozen=True, slots=True)
class _Level:
    """A level as it is offered: what it comes to here, or why it cannot be had."""

    value: str
    name: str
    hint: str
    never: str

    @classmethod
    def of(cls, level: Level, choices: Sequence[Choice]) -> _Level:
        name, hint = _WORDS[level]
        allows = sum(one.at(level) is Setting.ALLOW for one in choices)
        if level is not Level.ALWAYS_ASK:
            hint = f"{hint} Here that is {allows} of {len(choices)}."
        return cls(level.value, name, hint, why_not(level, choices))


async def show(visit: Visit) -> Response:
    account = await read_account(visit)
    connection = account.connection
    tools = await read_chosen(visit, account)
    choices = [tool.choice for tool in tools]
    reading_off = [tool.tool for tool in tools if tool.can_be_read_freely]
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
        reading_seen=seen_of(reading_off),
        blocked=sum(tool.is_blocked for tool in tools),
        level=level_of(choices),
        levels=[_Level.of(each, choices) for each in Level],
        seen=seen_of([tool.tool for tool in tools]),
        page=page,
        page_count=page_count,
        header_names=header_names(account.connector),
        reasons=tuple(REASONS.items()),
        moved_to=visit.services.connectors.moved_to(account.connector),
        why_down=await visit.services.quarantine.why_down(account.connector),
        calls=calls,
        trace=await visit.services.trace.list(visit.person.id, connection.id),
    )


async def _held_count(visit: Visit, connection_id: str) -> int:
    return len(await visit.services.snapshots.held(connection_id))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1
