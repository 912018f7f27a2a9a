"""The calls made in one's name, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import Response

from valetkey.audit.model import CallRecord, OfPerson, Outcome, Wanted
from valetkey.directory.model import Connector
from valetkey.web.visit import Visit

_PER_PAGE = 50
_CLASSES = (
    ("", "Any"), ("R", "Reads"), ("W", "Writes a little"), ("M", "Medium"), ("H", "High"), ("V", "Vertical"),
    ("X", "Unknown"),
)  # fmt: skip
_FILTERS = ("connector", "tool", "outcome", "class", "client", "since", "until")


@dataclass(frozen=True, slots=True)
class Entry:
    """A call, and its connector while that still exists."""

    call: CallRecord
    connector: Connector | None


async def show(visit: Visit) -> Response:
    connectors = {one.slug: one for one in await visit.services.connectors.list_for(visit.person)}
    wanted = {name: visit.query(name, limit=255) for name in _FILTERS}
    if wanted["outcome"] not in list(Outcome):
        wanted["outcome"] = ""
    if wanted["class"] not in [letter for letter, _ in _CLASSES]:
        wanted["class"] = ""
    before = visit.query("before", limit=60)
    calls = await visit.services.calls.list(
        OfPerson(visit.person.id),
        wanted=Wanted(
            connector=wanted["connector"],
            tool=wanted["tool"],
            outcome=Outcome(wanted["outcome"]) if wanted["outcome"] else None,
            tool_class=wanted["class"],
            client=wanted["client"],
            since=_day(wanted["since"]),
            until=_day(wanted["until"], after=1),
        ),
        before=before,
        limit=_PER_PAGE + 1,
    )
    shown = calls[:_PER_PAGE]
    return visit.page(
        "activity_list.html",
        calls=[Entry(one, connectors.get(one.connector)) for one in shown],
        filtered=any(wanted.values()) or bool(before),
        wanted=wanted,
        classes=_CLASSES,
        connectors=[("", "All services"), *((slug, one.name[:60]) for slug, one in connectors.items())],
        outcomes=[("", "Any"), *((one.value, one.value.replace("_", " ")) for one in Outcome)],
        earlier=_address(wanted, shown[-1].id) if len(calls) > _PER_PAGE else "",
        later=_address(wanted, "") if before else "",
    )


def _day(text: str, *, after: int = 0) -> datetime | None:
    """The beginning of a day in UTC, or of the one `after` so many; what is no day filters nothing."""
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC) + timedelta(days=after)
    except (ValueError, OverflowError):
        return None


def _address(wanted: Mapping[str, str], before: str) -> str:
    query = urlencode({name: value for name, value in {**wanted, "before": before}.items() if value})
    return f"/activity?{query}" if query else "/activity"
