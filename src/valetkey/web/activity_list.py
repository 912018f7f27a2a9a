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

_HERE = "/activity"
PER_PAGE = 50
OUTCOMES = (("", "Any"), *((one.value, one.value.replace("_", " ")) for one in Outcome))
CLASSES = (
    ("", "Any"), ("R", "Reads"), ("W", "Writes a little"), ("M", "Medium"), ("H", "High"), ("V", "Vertical"),
    ("X", "Unknown"),
)  # fmt: skip
_FILTERS = ("connector", "tool", "outcome", "class", "client", "since", "until")


@dataclass(frozen=True, slots=True)
class Entry:
    """A call, and its connector while that still exists."""

    call: CallRecord
    connector: Connector | None


def chosen(visit: Visit) -> tuple[dict[str, str], Wanted]:
    """What the filters of the page say, as it was typed and as it is asked for; what is none filters nothing."""
    typed = {name: visit.query(name, limit=255) for name in _FILTERS}
    if typed["outcome"] not in list(Outcome):
        typed["outcome"] = ""
    if typed["class"] not in [letter for letter, _ in CLASSES]:
        typed["class"] = ""
    wanted = Wanted(
        connector=typed["connector"],
        tool=typed["tool"],
        outcome=Outcome(typed["outcome"]) if typed["outcome"] else None,
        tool_class=typed["class"],
        client=typed["client"],
        since=_day(typed["since"]),
        until=_day(typed["until"], after=1),
    )
    return typed, wanted


async def show(visit: Visit) -> Response:
    connectors = {one.slug: one for one in await visit.services.connectors.list_for(visit.person)}
    typed, wanted = chosen(visit)
    before = visit.query("before", limit=60)
    calls = await visit.services.calls.list(OfPerson(visit.person.id), wanted=wanted, before=before, limit=PER_PAGE + 1)
    shown = calls[:PER_PAGE]
    return visit.page(
        "activity_list.html",
        calls=[Entry(one, connectors.get(one.connector)) for one in shown],
        filtered=any(typed.values()) or bool(before),
        wanted=typed,
        classes=CLASSES,
        connectors=[("", "All services"), *((slug, one.name[:60]) for slug, one in connectors.items())],
        outcomes=OUTCOMES,
        earlier=address(_HERE, typed, shown[-1].id) if len(calls) > PER_PAGE else "",
        later=address(_HERE, typed, "") if before else "",
    )


def _day(text: str, *, after: int = 0) -> datetime | None:
    """The beginning of a day in UTC, or of the one `after` so many; what is no day filters nothing."""
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC) + timedelta(days=after)
    except (ValueError, OverflowError):
        return None


def address(here: str, typed: Mapping[str, str], before: str) -> str:
    """The page `here` with these filters, on from `before`."""
    query = urlencode({name: value for name, value in {**typed, "before": before}.items() if value})
    return f"{here}?{query}" if query else here
