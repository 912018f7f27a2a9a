"""How connecting went, step by step: what was asked of whom, what came back, and at the end who failed (CON-32).

Secrets were taken out before anything was written (`connections.trace`), so the same can be handed on as a file.
"""

from __future__ import annotations

import json

from starlette.responses import Response

from valetkey.connections.model import TraceStep
from valetkey.web.accounts import read_account
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    account = await read_account(visit)
    steps = await visit.services.trace.list(visit.person.id, account.connection.id)
    return visit.page(
        "connection_trace.html",
        connection=account.connection,
        connector=account.connector,
        account=account.name,
        steps=list(reversed(steps)),
        wanted=visit.query("reference", limit=60),
    )


async def download(visit: Visit) -> Response:
    """The same as a file, for whoever is to look into it."""
    account = await read_account(visit)
    steps = await visit.services.trace.list(visit.person.id, account.connection.id)
    told = {
        "connector": account.connector.slug,
        "url": account.connector.url,
        "review": account.connector.review_state.label,
        "account": account.connection.label,
        "state": account.connection.state.value,
        "steps": [_step(step) for step in steps],
    }
    name = f"{account.connector.slug}-{account.connection.label}-trace.json"
    headers = {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}
    body = json.dumps(told, indent=2, ensure_ascii=True).encode()
    return Response(body, media_type="application/json", headers=headers)


def _step(step: TraceStep) -> dict[str, object]:
    return {
        "at": step.at.isoformat(),
        "stage": step.stage,
        "request": step.request,
        "status": step.status,
        "reason": step.reason,
        "reference": step.id,
    }
