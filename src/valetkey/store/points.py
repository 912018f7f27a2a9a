"""Where a transaction can be cut off, or find its database down: with these no write is without a point (T43, T54)."""

from __future__ import annotations

from enum import StrEnum


class Point(StrEnum):
    """What has just been done when a point is reached."""

    STORE_ASKED = "store.asked"  # somebody wants to read or write; nothing was said to the database
    STORE_SAID = "store.said"  # all of a transaction but its end
    STORE_COMMITTED = "store.committed"
