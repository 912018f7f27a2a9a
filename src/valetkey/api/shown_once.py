"""Marks a route whose answer holds a secret of ours, shown this once: it is kept nowhere, for no retry."""

from __future__ import annotations

from typing import Any, Final

SHOWN_ONCE: Final[dict[str, Any]] = {"x-shown-once": True}
