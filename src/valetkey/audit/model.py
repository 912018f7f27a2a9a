"""The values of audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How a call ended. `interrupted` is written at the next start for a call that was cut off by a crash."""

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


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call as it is kept. `request` and `response` are sealed under the person's key of `day`."""

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
