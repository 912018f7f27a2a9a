"""Switching tools on and off. What is switched on is the definition that was on the page, not whatever is there now."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.directory.model import Tool
from valetkey.kernel.errors import BadInput, Conflict
from valetkey.policy.model import Setting
from valetkey.web.accounts import Account, read_account
from valetkey.web.tools import ShownTool, read_tools, seen
from valetkey.web.visit import Visit

_CHANGED = "The tools have changed since you opened the page, so nothing was switched on."


async def submit(visit: Visit) -> Response:
    account = await read_account(visit)
    connection = account.connection
    tools = await read_tools(visit, connection.id)
    what = visit.form.one("what")
    if what == "reading":
        wanted = [tool for tool in tools if tool.tool.says_read_only and not tool.is_on]
        if visit.form.one("seen") != seen(wanted):
            raise Conflict(_CHANGED, hint="Open the page again and look at them.")
        await _allow(visit, account, [one.tool for one in wanted])
        return visit.go(f"/connections/{connection.id}", done="tools")
    if what != "shown":
        raise BadInput("It is not said which tools are meant.", field="what")
    return await _set_shown(visit, account, tools)


async def _set_shown(visit: Visit, account: Account, tools: list[ShownTool]) -> Response:
    """On are the ticked of those that were on the page, off the others of them; what was on other pages stays."""
    connection_id = account.connection.id
    shown, ticked = set(visit.form.many("shown")), set(visit.form.many("tool"))
    there = {tool.value: tool for tool in tools}
    if not ticked <= there.keys() or not ticked <= shown:
        raise Conflict(_CHANGED, hint="Open the page again and look at them.")
    on = [there[value].tool for value in sorted(ticked) if not there[value].is_on]
    # One that was on the page and is no longer as it was is off already: it is on for another definition.
    off = [there[value].name for value in sorted(shown - ticked) if value in there]
    if off:
        await visit.services.policy.permissions.withdraw(connection_id, off)
    if on:
        await _allow(visit, account, on)
    page = visit.form.one("page", limit=5)
    where = f"/connections/{connection_id}" + (f"?page={page}" if page.isdigit() and page != "1" else "")
    return visit.go(where, done="tools")


async def _allow(visit: Visit, account: Account, tools: list[Tool]) -> None:
    """With the class each has now: the vault gives a lasting yes for no other (`policy.granted`)."""
    policy = visit.services.policy
    said = [(tool, Setting.ALLOW, policy.gate.classified(account.connector, tool).to_keep) for tool in tools]
    await policy.permissions.set(account.connection.id, said)
