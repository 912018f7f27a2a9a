"""OpenTelemetry: events as log records, over OTLP/HTTP in its JSON encoding (OTLP specification 1.x; ORG-14).

A collector says by its status what may be sent again: 429, 502, 503 and 504 may, when it asks for it or ever later;
anything else is its last word on these events. What it took in part it has taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from valetkey.audit.feed.messages import actor_type, as_json, place
from valetkey.audit.feed.model import Feed, Keys, NotTaken, PostsWithTicket
from valetkey.audit.feed.names import name_of
from valetkey.audit.model import TrailEvent
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import printable
from valetkey.net.model import Answer, Url

_SCHEME: Final = "otlp+https://"
_PATH: Final = "/v1/logs"
_AGAIN: Final = frozenset({429, 502, 503, 504})
_LONGEST_WAIT: Final = 3600.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_INFO: Final = 9  # SEVERITY_NUMBER_INFO; the encoding has numbers, never names, for enumerations
_HEADERS: Final = ((b"content-type", b"application/json"), (b"accept", b"application/json"))


class Otlp:
    """`otlp+https://host[:port][/path]`; the path is `/v1/logs` where none is said."""

    def __init__(self, *, calls: PostsWithTicket, keys: Keys, parse_url: Callable[[str], Url], clock: Clock) -> None:
        self._calls = calls
        self._keys = keys
        self._parse_url = parse_url
        self._clock = clock

    def place(self, address: str) -> Url:
        rest = address.removeprefix(_SCHEME)
        host, _, path = rest.partition("/")
        return self._parse_url(f"https://{host}/{path}" if path else f"https://{host}{_PATH}")

    async def send(self, feed: Feed, url: Url, events: Sequence[TrailEvent]) -> str:
        body = request(events)
        ticket = await self._keys.ticket(feed, url) if feed.header else None
        answer = await self._calls.post(url, _HEADERS, body, credential=ticket, pool=f"feed:{feed.id}")
        await answer.aclose()  # a stream is no answer to this
        return self._read(answer, url)

    def _read(self, answer: Answer, url: Url) -> str:
        if 200 <= answer.status < 300:
            return _left_out(answer.body)
        said = f"{url.host} answered with status {answer.status}."
        if answer.status not in _AGAIN:
            raise NotTaken(said, final=True)
        raise NotTaken(said, wait=_wait(answer.headers.get(b"retry-after", b"").decode("latin-1"), self._clock.now()))


def request(events: Sequence[TrailEvent]) -> bytes:
    """An `ExportLogsServiceRequest`: one record to an event, named as ORG-12 names it, with its details for a body."""
    return as_json(
        {
            "resourceLogs": [
                {
                    "resource": {"attributes": _pairs({"service.name": "valetkey"})},
                    "scopeLogs": [
                        {"scope": {"name": "valetkey.trail"}, "logRecords": [_record(event) for event in events]}
                    ],
                }
            ]
        }
    )


def _record(event: TrailEvent) -> dict[str, Any]:
    kind, _, actor_id = event.actor.partition(":")
    asked = place(event)
    known = {
        "valetkey.event.id": event.seq,
        "valetkey.event": event.event,
        "valetkey.actor.type": actor_type(event),
        "valetkey.actor.id": actor_id or kind,
        "client.address": asked["ip"],
        "user_agent.original": asked["user_agent"],
        "valetkey.token.id": asked["token"],
        "valetkey.organization.id": event.organization_id,
        "valetkey.person.id": event.person_id,
        "valetkey.object": event.object,
    }
    nanoseconds = str((event.at - _EPOCH) // _MICROSECOND * 1000)  # 64 bits are written as text
    return {
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds,
        "severityNumber": _INFO,
        "severityText": "INFO",
        "eventName": f"valetkey.{name_of(event.event)}",
        "body": _value(dict(event.detail)),
        "attributes": _pairs({name: value for name, value in known.items() if value != ""}),
    }


def _pairs(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: object) -> dict[str, Any]:
    """An `AnyValue`; nothing is one with nothing set."""
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case dict():
            return {"kvlistValue": {"values": _pairs({str(name): one for name, one in value.items()})}}
        case list() | tuple():
            return {"arrayValue": {"values": [_value(one) for one in value]}}
        case _:
            return {"stringValue": str(value)}


def _left_out(body: bytes) -> str:
    """What an `ExportLogsServiceResponse` has against some of the records; it is not sent again for that."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""  # taken, as the status says
    partial = said.get("partialSuccess") if isinstance(said, dict) else None
    if not isinstance(partial, dict):
        return ""
    count = partial.get("rejectedLogRecords") or 0  # a number of 64 bits, so usually text
    why = printable(str(partial.get("errorMessage") or ""), limit=200)
    if str(count) == "0":
        return why
    return f"{printable(str(count), limit=20)} were left out{f': {why}' if why else '.'}"


def _wait(said: str, now: datetime) -> float | None:
    """`Retry-After` in seconds (RFC 9110 10.2.3), within an hour; `None` where nothing of it can be read."""
    if said.strip().isdigit():
        return min(float(said.strip()[:9]), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0.0, (at - now).total_seconds()), _LONGEST_WAIT)
