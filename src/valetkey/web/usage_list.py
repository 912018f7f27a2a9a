"""How the organization's connectors are used, in numbers: for who answers for them (ORG-15)."""

from __future__ import annotations

from datetime import date

from starlette.responses import Response

from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import BadInput
from valetkey.privacy.usage import By, Usage, WantedUsage
from valetkey.web.powers import check_may
from valetkey.web.visit import Visit

_DIVIDED = (
    (By.CONNECTOR, "Nothing else"), (By.CLIENT, "Assistant"), (By.GROUP, "Group"), (By.PERSON, "Person"),
    (By.AUTH, "Whose account"), (By.DAY, "Day"),
)  # fmt: skip
_MOST = 500


async def show(visit: Visit) -> Response:
    check_may(visit, Act.SEE_USAGE)
    sees_calls = may(visit.person.role, Act.SEE_CALLS)
    divided = [(by.value, label) for by, label in _DIVIDED if sees_calls or by is not By.PERSON]
    typed = {name: visit.query(name, limit=40) for name in ("since", "until", "by", "connector")}
    if typed["by"] not in [by for by, _ in divided]:
        typed["by"] = By.CONNECTOR.value
    try:
        found = await _count(visit, typed, sees_calls=sees_calls)
        error = ""
    except BadInput as wrong:
        found, error = None, wrong.message
    rows = sorted(found.rows, key=lambda row: (-(row.calls or 0), row.connector, row.key)) if found else []
    connectors = await visit.services.connectors.list_for(visit.person)
    return visit.page(
        "usage_list.html",
        status=422 if error else 200,
        error=error,
        found=found,
        rows=rows[:_MOST],
        more=len(rows) - _MOST,
        most=max((row.calls or 0 for row in rows), default=0),
        wanted=typed | ({"since": found.first.isoformat(), "until": found.last.isoformat()} if found else {}),
        divided=divided,
        title=dict(divided)[typed["by"]] if typed["by"] != By.CONNECTOR.value else "",
        connectors=[("", "All services"), *((one.slug, one.name[:60]) for one in connectors)],
        sees_calls=sees_calls,
    )


async def _count(visit: Visit, typed: dict[str, str], *, sees_calls: bool) -> Usage:
    """Raises `BadInput`."""
    wanted = WantedUsage(
        first=_day(typed["since"]), last=_day(typed["until"]), by=By(typed["by"]), connector=typed["connector"]
    )
    return await visit.services.counting.usage(visit.person.organization_id, wanted, sees_calls=sees_calls)


def _day(text: str) -> date | None:
    """Raises `BadInput` for what is no day."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadInput("A day is written as 2026-11-30.") from error
