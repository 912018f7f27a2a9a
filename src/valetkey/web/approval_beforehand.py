"""Saying yes beforehand: the question about a call that no assistant has made yet, asked by the person themself.

What comes of it is an approval like any other, on its own page, with everything that is to be seen and the same
strength: a click, or a passkey. Only there it is said for how many calls and until when.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from valetkey.identity.model import Principal
from valetkey.kernel.errors import BadInput, NotFound, Refused, TooMany
from valetkey.policy.gate import client_of
from valetkey.web.accounts import Account, place_of, read_account, read_accounts
from valetkey.web.visit import Visit

_LONGEST = 20_000
_NOTHING = {"tool": "", "assistant": "", "arguments": "{}"}


async def choose(visit: Visit) -> Response:
    """Of which account it is."""
    accounts = [one for one in await read_accounts(visit) if one.is_live]
    return visit.page("approval_beforehand_choose.html", accounts=accounts)


async def show(visit: Visit) -> Response:
    return await _page(visit, await read_account(visit), _NOTHING | {"tool": visit.query("tool")}, {})


async def submit(visit: Visit) -> Response:
    account = await read_account(visit)
    values = {name: visit.form.one(name, limit=_LONGEST) for name in _NOTHING}
    try:
        who = _chosen(await _assistants(visit), values["assistant"])
        snapshot = await visit.services.snapshots.get(account.connection.id)
        tool = snapshot.tool(values["tool"]) if snapshot is not None else None
        if tool is None:
            raise BadInput("There is no such tool.", field="tool")
        call = json.dumps({"name": tool.name, "arguments": _arguments(values["arguments"])}).encode()
        subject = place_of(visit, account, tool)
        approval = await visit.services.policy.gate.ask_beforehand(who, subject, call)
    except BadInput as error:
        return await _page(visit, account, values, {error.field: error.message})
    except (Refused, TooMany) as error:
        return await _page(visit, account, values, {"tool": error.message})
    return visit.go(approval.path)


async def _assistants(visit: Visit) -> Sequence[Principal]:
    """Whoever the person let in, as the gate knows them: assistants, and programs with a token of their own."""
    person = visit.person

    def let_in(kind: Any, client_id: str, name: str, audience: str, credential_id: str) -> Principal:
        return Principal(
            kind, person.id, person.organization_id, person.role, client_id, name, audience, frozenset({"mcp"}),
            credential_id,
        )  # fmt: skip

    found = [
        let_in("mcp", one.client_id, one.client_name, one.resource, one.id)
        for one in await visit.services.families.list(person.id)
    ]
    found += [
        let_in("personal", "", one.name, one.audience, one.id)
        for one in await visit.services.tokens.list(person.id)
        if one.expires_at > visit.clock.now() and one.audience != "/api/v1"
    ]
    return list({client_of(one): one for one in found}.values())


def _chosen(assistants: Sequence[Principal], value: str) -> Principal:
    found = next((one for one in assistants if client_of(one) == value), None)
    if found is None:
        raise BadInput("Please choose an assistant that you have let in.", field="assistant")
    return found


def _arguments(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}", object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise BadInput("This is not one JSON object with each name once.", field="arguments") from error
    if not isinstance(found, dict):
        raise BadInput("The arguments are a JSON object: {…}.", field="arguments")
    return found


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("twice")  # which of the two a service takes depends on its parser
    return members


async def _page(visit: Visit, account: Account, values: Mapping[str, str], errors: Mapping[str, str]) -> Response:
    snapshot = await visit.services.snapshots.get(account.connection.id)
    if snapshot is None:
        raise NotFound("The tools of this connection have not been listed yet.", hint="Connect it first.")
    return visit.page(
        "approval_beforehand.html",
        status=422 if errors else 200,
        connection=account.connection, connector=account.connector, account=account.name, values=values, errors=errors,
        tools=[(tool.name, tool.name) for tool in snapshot.tools],
        assistants=[(client_of(one), one.client_name or client_of(one)) for one in await _assistants(visit)],
    )  # fmt: skip
