"""Why a call is decided as it is: every link of the chain, as `valetkey policy explain` prints it."""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import Response

from valetkey.kernel.errors import BadInput
from valetkey.web.accounts import place_of, read_account
from valetkey.web.visit import Visit

_LEVELS = {
    "platform": "Valetkey",
    "organization": "Your organization",
    "role": "Your role",
    "tool": "The tool itself",
    "class": "Its class",
    "person": "You",
    "taint": "What was read before",
}


async def show(visit: Visit) -> Response:
    """`tool` says which, by the service's name for it; `client` whose calls, since what one has read counts."""
    account = await read_account(visit)
    name = visit.query("tool", limit=255)
    if not name:
        raise BadInput("Say which tool.", field="tool")
    who = replace(visit.principal, client_id=visit.query("client", limit=300))
    snapshot = await visit.services.snapshots.get(account.connection.id)
    decision = await visit.services.policy.choices.explain(who, place_of(visit, account), snapshot, name)
    return visit.page(
        "decision_show.html",
        connection=account.connection,
        connector=account.connector,
        account=account.name,
        name=name,
        tool=snapshot.tool(name) if snapshot is not None else None,
        decision=decision,
        chain=[(_LEVELS[step.level], step, step.rule == decision.rule) for step in decision.chain],
        is_for_client=bool(who.client_id),
    )
