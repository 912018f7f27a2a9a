"""The room as one value: what doors ask about what is kept of people."""

from __future__ import annotations

from dataclasses import dataclass

from valetkey.kernel.clock import Clock
from valetkey.privacy.levels import Levels, TrailWriter
from valetkey.store.database import Database
from valetkey.store.notify import Notifications


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """`levels`: how much of calls is kept."""

    levels: Levels


def open_privacy(database: Database, notifications: Notifications, *, clock: Clock, trail: TrailWriter) -> Privacy:
    return Privacy(levels=Levels(database, notifications, clock=clock, trail=trail))
