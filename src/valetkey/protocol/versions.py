"""The revisions of MCP, and the two eras they fall into."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

MODERN: Final = "2026-07-28"
"""The revision without handshake and session: every request carries its own envelope (SEP-2575, SEP-2567)."""

LEGACY: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Revisions that begin with `initialize`, newest first."""

WITHOUT_HEADER: Final = "2025-03-26"
"""What a request without `MCP-Protocol-Version` is taken to speak (streamable HTTP, backward compatibility)."""


class Era(StrEnum):
    """Which of the two ways of talking a party uses. It decides the envelope, the session and the shape of results."""

    MODERN = "modern"
    LEGACY = "legacy"


def negotiate(requested: str) -> str:
    """The revision to answer `initialize` with: the one asked for if we speak it, else our newest with a handshake.

    A body that asks for the modern revision through `initialize` gets the newest legacy one: the modern revision has no
    `initialize`, so whoever sends one cannot be speaking it.
    """
    return requested if requested in LEGACY else LEGACY[0]


def has_structured_content(version: str) -> bool:
    """Whether `structuredContent` exists in this revision (2025-06-18 and later)."""
    return version >= "2025-06-18"


def has_any_structured_content(version: str) -> bool:
    """Whether `structuredContent` may be any JSON value rather than an object (2026-07-28 and later)."""
    return version >= MODERN
