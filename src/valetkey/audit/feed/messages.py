"""Events as they are sent: JSON Lines in a signed request, or syslog messages (RFC 5424)."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from valetkey.audit.asked import ADDRESS, PROGRAM, TOKEN
from valetkey.audit.feed.names import name_of
from valetkey.audit.model import TrailEvent
from valetkey.audit.sinks.syslog import framed

CONTENT_TYPE: Final = "application/x-ndjson"
_LOG_AUDIT, _NOTICE = 13, 5
# Of actors, as the trail writes them, what ORG-12 calls their type. A directory's token acts for its organization.
_ACTORS: Final = {"person": "user", "client": "user", "scim": "admin_key"}


def actor_type(event: TrailEvent) -> str:
    """What kind of actor it was: a person with a token of theirs is an API key."""
    kind = event.actor.partition(":")[0]
    by_token = kind == "person" and (event.asked or {}).get(TOKEN)
    return "api_key" if by_token else _ACTORS.get(kind, kind)


def place(event: TrailEvent) -> dict[str, str]:
    """From where it was asked: address, program, and the id of the token; each empty where there was none."""
    asked = event.asked or {}
    return {name: asked.get(name, "") for name in (ADDRESS, PROGRAM, TOKEN)}


def as_object(event: TrailEvent) -> dict[str, Any]:
    """An event for a program: flat, with the actor's type and id apart, and from where it was asked."""
    kind, _, actor_id = event.actor.partition(":")
    return {
        "id": event.seq,
        "at": _instant(event.at),
        "kind": name_of(event.event),
        "event": event.event,
        "actor_type": actor_type(event),
        "actor": actor_id or kind,
        **place(event),
        "organization": event.organization_id,
        "person": event.person_id,
        "object": event.object,
        "detail": dict(event.detail),
    }


def lines(events: Sequence[TrailEvent]) -> bytes:
    """One JSON object to a line, the oldest first."""
    return b"".join(_json(as_object(event)) + b"\n" for event in events)


def signed_part(message_id: str, at: datetime, body: bytes) -> bytes:
    """What a webhook's mark is over: id, time and body, so that none of them can be another's."""
    return f"{message_id}.{int(at.timestamp())}.".encode() + body


def headers(message_id: str, at: datetime, mark: bytes) -> dict[str, str]:
    """As the Standard Webhooks have them: whoever knows that form can verify it with what they have."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": f"v1,{base64.b64encode(mark).decode()}",
    }


def syslog(events: Sequence[TrailEvent]) -> bytes:
    """One message to an event, each with its length before it (RFC 5425); the event's name is the message's id."""
    said = bytearray()
    for event in events:
        head = f"<{_LOG_AUDIT * 8 + _NOTICE}>1 {_instant(event.at)} - valetkey - {event.event[:32]} - "
        said += framed(head.encode() + _json(as_object(event)))
    return bytes(said)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode()
