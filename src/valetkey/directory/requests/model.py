"""The values of requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RequestState(StrEnum):
    """What became of it."""

    OPEN = "open"
    APPROVED = "approved"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class ConnectorRequest:
    """One service that members want, whoever asked first: `askers` are all of them, by id, the first one first.

    `name` is the first asker's word for it and says nothing; `host` is what counts. `slug` is the connector that a yes
    switched on.
    """

    id: str
    organization_id: str
    name: str
    url: str
    host: str
    state: RequestState
    created_at: datetime
    resolved_at: datetime | None = None
    resolved_by: str = ""
    slug: str = ""
    askers: tuple[str, ...] = ()
