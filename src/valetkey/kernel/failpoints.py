"""Named points between two writes, at which a test cuts a process off (security.md 7, T43).

Nothing in the product listens: reaching a point costs one comparison. Only a test, in a process of its own, does.
"""

from __future__ import annotations

from collections.abc import Callable

_listener: Callable[[str], None] | None = None


def reached(point: str) -> None:
    """Says that everything before `point` is done, and nothing after it."""
    if _listener is not None:
        _listener(point)


def listen(listener: Callable[[str], None]) -> None:
    """Calls `listener` at each point from now on, in this process."""
    global _listener
    _listener = listener
