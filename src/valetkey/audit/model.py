"""The values of audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class Outcome(StrEnum):
    """How a call ended. `interrupted` is written at the next start for a call that was cut off by a crash.

    `input_required`: the service asked something first; the call with the answers has a record of its own.
    """

    OK = "ok"
    TOOL_ERROR = "tool_error"
    PROTOCOL_ERROR = "protocol_error"
    HTTP_ERROR = "http_error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    NOT_CONNECTED = "not_connected"
    UNREACHABLE = "unreachable"
    TOO_LARGE = "too_large"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    INPUT_REQUIRED = "input_required"


class CallIntent(msgspec.Struct, frozen=True, array_like=True, tag=1, kw_only=True, gc=False):
    """A call that is about to be made: what is known before. It is also, as it stands, the journal's first frame.

    `id` is from `new_id`, so records sort by it; `started_at` is aware. `request` is sealed under the person's key of
    `day`, and `request_bytes` is its length before sealing. A msgspec value, since one is made and encoded per call.
    """

    id: str
    started_at: datetime
    organization_id: str
    person_id: str
    client: str
    connector: str
    connection_id: str
    label: str
    method: str
    tool: str
    day: str
    request_bytes: int = 0
    request: bytes | None = None
    own_tool: str = ""
    """The tool as its service calls it: what people switch on. Not kept beyond the journal."""


class CallEnding(msgspec.Struct, frozen=True, array_like=True, tag=2, kw_only=True, gc=False):
    """How the call `id` ended: the journal's second frame. `response` is sealed as the request is."""

    id: str
    outcome: Outcome
    rule: str = ""
    detail: str = ""
    origin: str = ""
    duration_us: int = 0
    response_bytes: int = 0
    response: bytes | None = None
    tool_class: str = ""
    """What the tool counted as when the call was decided; empty when it was not, or before there was this field."""


@dataclass(frozen=True, slots=True)
class KeptOf:
    """Whose call a result is of that was kept whole, under the key of which day, and in how many parts."""

    call_id: str
    person_id: str
    organization_id: str
    day: str
    parts: int

    def about(self, number: int) -> str:
        """What the part `number` is sealed with: none can be left out, doubled, or moved to another place or call."""
        return f"{self.call_id}:result:{number}/{self.parts}"


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call as it is kept. `request` and `response` are sealed under the person's key of `day`.

    In a listing both are `None`; `find` has them.
    """

    id: str
    started_at: datetime
    organization_id: str
    person_id: str
    client: str
    connector: str
    connection_id: str
    label: str
    method: str
    tool: str
    outcome: Outcome
    rule: str
    detail: str
    origin: str
    duration_us: int
    request_bytes: int
    response_bytes: int
    day: str
    request: bytes | None
    response: bytes | None
    tool_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which calls of a listing: those that fit everything said here. What is empty filters nothing.

    `client` is any part of its name, in upper or lower case; `since` and `until` are aware, and `until` is left out.
    """

    connector: str = ""
    tool: str = ""
    outcome: Outcome | None = None
    tool_class: str = ""
    client: str = ""
    since: datetime | None = None
    until: datetime | None = None


ALL_CALLS = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedEvents:
    """Which events of a listing (ORG-13): those that fit everything said here. What is empty filters nothing.

    `after` is a number; `event` is a whole name, or all before a dot of it; `until` is left out.
    """

    after: int = 0
    event: str = ""
    actor: str = ""
    since: datetime | None = None
    until: datetime | None = None


ALL_EVENTS = WantedEvents()


@dataclass(frozen=True, slots=True)
class OfPerson:
    """Reading what concerns one person: the only scope that includes payloads."""

    person_id: str


@dataclass(frozen=True, slots=True)
class OfOrganization:
    """Reading what concerns an organization; metadata only."""

    organization_id: str


@dataclass(frozen=True, slots=True)
class EventsOf:
    """Reading what concerns an organization, for whose role does not see members' calls: of calls only one's own."""

    organization_id: str
    person_id: str


@dataclass(frozen=True, slots=True)
class Everyone:
    """Reading everything, as the operator on the host; metadata only."""


Scope = OfPerson | OfOrganization | EventsOf | Everyone
"""Whose records are read. Must be said: there is no default that means everybody's."""


@dataclass(frozen=True, slots=True)
class TrailEvent:
    """Something other than a call that happened: a sign-in link used, a connection made, a key created."""

    seq: int
    at: datetime
    event: str
    actor: str
    organization_id: str
    person_id: str
    object: str
    detail: Mapping[str, Any]
    asked: Mapping[str, str] | None = None
    """From where (`audit.asked`); `None` for what the hub did by itself, and for events older than this field."""
