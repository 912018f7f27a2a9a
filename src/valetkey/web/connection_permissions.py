"""Saying what may be done with a connection's tools: each by itself, those that only read, or all at once by a level.

What is allowed is the definition that was on the page, not whatever is there now.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from starlette.responses import Response

from valetkey.kernel.errors import BadInput, Conflict
from valetkey.policy.choices import Choice, Level
from valetkey.policy.model import Setting
from valetkey.policy.seen import seen_of
from valetkey.web.accounts import Account, place_of, read_account
from valetkey.web.tools import Chosen, read_chosen
from valetkey.web.visit import Visit

_CHANGED = "The tools have changed since you opened the page, so nothing was saved."
_AGAIN = "Open the page again and look at them."


async def submit(visit: Visit) -> Response:
    account = await read_account(visit)
    tools = await read_chosen(visit, account)
    what = visit.form.one("what")
    if what == "reading":
        wanted = [one.choice for one in tools if one.can_be_read_freely]
        if visit.form.one("seen") != seen_of([one.tool for one in wanted]):
            raise Conflict(_CHANGED, hint=_AGAIN)
        await _say(visit, account, [(one, Setting.ALLOW) for one in wanted])
        return visit.go(f"/connections/{account.connection.id}", done="tools")
    if what != "shown":
        raise BadInput("It is not said which tools are meant.", field="what")
    return await _say_shown(visit, account, tools)


async def submit_level(visit: Visit) -> Response:
    """Says of every tool what a level says; what was blocked stays so."""
    account = await read_account(visit)
    tools = [one.choice.tool for one in await read_chosen(visit, account)]
    level = None
    with suppress(ValueError):
        level = Level(visit.form.one("level", limit=20))
    if level is None:
        raise BadInput("There is no such level.", field="level")
    if visit.form.one("seen", limit=64) != seen_of(tools):
        raise Conflict(_CHANGED, hint=_AGAIN)
    place = place_of(visit, account)
    await visit.services.policy.choices.set_level(visit.principal, place, tools, level, actor=visit.actor)
    return visit.go(f"/connections/{account.connection.id}", done="tools")


async def _say_shown(visit: Visit, account: Account, tools: Sequence[Chosen]) -> Response:
    """What was chosen for each tool that was on the page; what is on other pages stays."""
    there = {one.value: one.choice for one in tools}
    changed: list[tuple[Choice, Setting | None]] = []
    for value in visit.form.many("shown"):
        setting = _setting(visit.form.one(f"say:{value}", limit=10))
        choice = there.get(value)
        if choice is None:
            if setting is not None:
                raise Conflict(_CHANGED, hint=_AGAIN)
        elif setting is not choice.said:
            changed.append((choice, setting))
    if changed:
        await _say(visit, account, changed)
    page = visit.form.one("page", limit=5)
    where = f"/connections/{account.connection.id}" + (f"?page={page}" if page.isdigit() and page != "1" else "")
    return visit.go(where, done="tools")


def _setting(text: str) -> Setting | None:
    """What one tool's field says; none for *as its class says*, and for a tool that has no field."""
    if text in ("", "class"):
        return None
    with suppress(ValueError):
        return Setting(text)
    raise BadInput("A tool is allowed, asked for, blocked, or left to its class.", field="say")


async def _say(visit: Visit, account: Account, changed: Sequence[tuple[Choice, Setting | None]]) -> None:
    said = [(one.tool, setting) for one, setting in changed if setting is not None]
    taken_back = [one.tool.name for one, setting in changed if setting is None]
    place = place_of(visit, account)
    await visit.services.policy.choices.say(visit.principal, place, said, taken_back, actor=visit.actor)
