"""What a service changed since it was accepted: old and new side by side, and the button that accepts exactly that.

Who manages an organization's connectors accepts it for everybody's accounts there, if they say so.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from valetkey.directory.drift import KINDS
from valetkey.directory.model import Drift, Tool
from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import BadInput
from valetkey.web.accounts import read_account
from valetkey.web.powers import check_may
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_AT_ONCE = 50


async def show(visit: Visit) -> Response:
    account = await read_account(visit)
    held = await _held(visit, account.connection.id)
    classed = visit.services.policy.gate.classed
    around = await classed.around(account.connection.id, account.connector)

    def class_of(tool: Tool) -> str:
        return classed.of(account.connector, tool, around).counts_as.word

    return visit.page(
        "connection_changes.html",
        connection=account.connection,
        connector=account.connector,
        account=account.name,
        changes=[(one, KINDS[one.kind], *_classes(one, class_of)) for one in held[:_AT_ONCE]],
        more=max(0, len(held) - _AT_ONCE),
        for_all=await _may_for_all(visit),
        for_self=await visit.services.access.members_accept(visit.person.organization_id),
    )


async def submit(visit: Visit) -> Response:
    """Accepts one change, as it was on the page: for this account, or for everybody's at this connector."""
    connection = (await read_account(visit)).connection
    tool, seen = visit.form.one("tool"), visit.form.one("seen", limit=64)
    if not seen:
        raise BadInput("It is not said what to accept.", field="seen")
    accepting, actor = visit.services.acceptances, f"person:{visit.person.id}"
    if visit.form.one("for", limit=10) == "all":
        check_may(visit, Act.MANAGE_CONNECTORS)
        if (detour := ask_again(visit, to=f"/connections/{connection.id}/changes")) is not None:
            return detour
        await accepting.accept_for_all(connection, {tool: seen}, actor=actor)
    else:
        await accepting.accept(connection, {tool: seen}, actor=actor)
    left = await _held(visit, connection.id)
    return visit.go(f"/connections/{connection.id}" + ("/changes" if left else ""), done="tools")


async def _may_for_all(visit: Visit) -> bool:
    if not may(visit.person.role, Act.MANAGE_CONNECTORS):
        return False
    return (await visit.services.organizations.get(visit.person.organization_id)).kind == "organization"


async def _held(visit: Visit, connection_id: str) -> tuple[Drift, ...]:
    return await visit.services.snapshots.held(connection_id)


def _classes(drift: Drift, class_of: Callable[[Tool], str]) -> tuple[str, str]:
    """The class before and after, as words."""
    before, after = (class_of(tool) if tool is not None else "" for tool in (drift.old, drift.new))
    return before, after
