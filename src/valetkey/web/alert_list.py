"""What services did that they did not do before; for owners also what was noticed in the organization, nameless."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.identity.roles import Act, may
from valetkey.web.accounts import read_accounts
from valetkey.web.visit import Visit

_MOST = 100


async def show(visit: Visit) -> Response:
    of = visit.query("connection", limit=40)
    alerts = await visit.services.alerts.list(visit.person.id, connection_id=of, dismissed=True, limit=_MOST)
    answers_for_it = may(visit.person.role, Act.SEE_USAGE)
    organization_id = visit.person.organization_id
    connectors = await visit.services.connectors.list_for(visit.person)
    return visit.page(
        "alert_list.html",
        open=[one for one in alerts if one.dismissed_at is None],
        dismissed=[one for one in alerts if one.dismissed_at is not None],
        accounts={one.connection.id: one for one in await read_accounts(visit)},
        connectors={one.slug: one for one in connectors},
        of=of,
        summed=await visit.services.alerts.summed(organization_id) if answers_for_it else (),
        answers_for_it=answers_for_it,
        quarantined=[one for one in connectors if one.state == "quarantined"],
        others=[(one.slug, f"{one.name} – {one.review_state.label}") for one in connectors if one.state == "enabled"],
        may_act=may(visit.person.role, Act.MANAGE_CONNECTORS),
    )


async def dismiss(visit: Visit) -> Response:
    await visit.services.alerts.dismiss(visit.person.id, visit.path("alert"), by=visit.actor)
    return visit.go("/alerts", done="alert-dismissed")
