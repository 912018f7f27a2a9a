"""Reporting a service: a person says what is wrong with it, and what they saw of it is put on record (CUS-09).

The case is an event of the trail, which stays as it was written: which service, at which address and under which label,
why, and the fingerprints of its tools as they were then. Who answers for the organization is alerted, without a name.
What is wrong is chosen, not written: nothing in the trail could be erased again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from valetkey.audit.alerts import AlertKind, Alerts, Noticed
from valetkey.audit.trail import Trail
from valetkey.connections.model import Connection
from valetkey.directory.model import Connector
from valetkey.directory.snapshots import Snapshots
from valetkey.kernel.errors import BadInput

REASONS: Final[Mapping[str, str]] = {
    "pretends": "It pretends to be somebody else.",
    "acts": "It does something else than it says.",
    "orders": "Its texts try to steer assistants.",
    "takes": "It wants more data or rights than it needs.",
    "other": "Something else is wrong with it.",
}

_MOST_TOOLS = 100
_SHORT = 16


class Reporting:
    """Takes reports."""

    def __init__(self, *, snapshots: Snapshots, alerts: Alerts, trail: Trail) -> None:
        self._snapshots = snapshots
        self._alerts = alerts
        self._trail = trail

    async def report(self, connection: Connection, connector: Connector, reason: str, *, by: str) -> None:
        """Raises `BadInput` for a reason that is none."""
        if reason not in REASONS:
            raise BadInput(f"What is wrong is one of {', '.join(REASONS)}.", field="reason")
        snapshot = await self._snapshots.get(connection.id)
        prints = sorted(tool.fingerprint for tool in snapshot.tools) if snapshot is not None else []
        await self._trail.write(
            "connector.reported",
            actor=by,
            organization_id=connection.organization_id,
            person_id=connection.person_id,
            object=connector.id,
            detail={
                "slug": connector.slug,
                "origin": connector.origin,
                "review_state": connector.review_state.value,
                "reason": reason,
                "snapshot": hashlib.sha256("\n".join(prints).encode()).hexdigest(),
                "tools": [each[:_SHORT] for each in prints[:_MOST_TOOLS]],
            },
        )
        self._alerts.notice(
            Noticed(
                organization_id=connection.organization_id,
                person_id=connection.person_id,
                connection_id=connection.id,
                connector=connector.slug,
                kind=AlertKind.REPORT,
                subject=reason,
                words=f"You reported it: {REASONS[reason]}",
            )
        )
