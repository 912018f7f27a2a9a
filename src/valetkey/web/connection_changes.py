"""What a service changed since it was accepted: old and new side by side, and the button that accepts exactly that."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.directory.drift import KINDS
from valetkey.directory.model import Drift
from valetkey.kernel.errors import BadInput, printable
from valetkey.policy.classes.classify import classify
from valetkey.policy.held import lapse
from valetkey.web.accounts import read_account
from valetkey.web.visit import Visit

_AT_ONCE = 50
_IN_TRAIL = 20


async def show(visit: Visit) -> Response:
    account = await read_account(visit)
    held = await _held(visit, account.connection.id)
    return visit.page(
        "connection_changes.html",
        connection=account.connection,
        connector=account.connector,
        account=account.name,
        changes=[(one, KINDS[one.kind], *_classes(one)) for one in held[:_AT_ONCE]],
        more=max(0, len(held) - _AT_ONCE),
    )


async def submit(visit: Visit) -> Response:
    """Accepts one change, as it was on the page."""
    connection = (await read_account(visit)).connection
    tool, seen = visit.form.one("tool"), visit.form.one("seen", limit=64)
    if not seen:
        raise BadInput("It is not said what to accept.", field="seen")
    accepted = await visit.services.snapshots.accept(connection.id, {tool: seen})
    await lapse(visit.services.policy.permissions, connection.id, accepted)
    await visit.services.trail.write(
        "tools.accepted",
        actor=f"person:{visit.person.id}",
        organization_id=connection.organization_id,
        person_id=visit.person.id,
        object=connection.id,
        detail={"tools": [printable(one.tool or "(the service itself)", limit=60) for one in accepted[:_IN_TRAIL]]},
    )
    left = await _held(visit, connection.id)
    return visit.go(f"/connections/{connection.id}" + ("/changes" if left else ""), done="tools")


async def _held(visit: Visit, connection_id: str) -> tuple[Drift, ...]:
    return await visit.services.snapshots.held(connection_id)


def _classes(drift: Drift) -> tuple[str, str]:
    """The class before and after, as words; nobody has reviewed either."""
    found = [
        classify(tool, verified=False, reviewed=None, organization=None, raised_by_taint=False).counts_as.word
        if tool is not None
        else ""
        for tool in (drift.old, drift.new)
    ]
    return found[0], found[1]
