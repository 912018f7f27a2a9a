"""Events for programs: flat objects, one to a line; what all ways of sending them share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from valetkey.audit.asked import ADDRESS, PROGRAM, TOKEN
from valetkey.audit.feed.names import name_of
from valetkey.audit.model import TrailEvent

CONTENT_TYPE: Final = "application/x-ndjson"
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
        "at": instant(event.at),
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
    return b"".join(as_json(as_object(event)) + b"\n" for event in events)


def instant(at: datetime) -> str:
    """As RFC 3339 has it, in UTC, with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_json(value: object) -> bytes:
    """On one line, in ASCII."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode()
