"""For whom the hub is at work, told to PostgreSQL with every transaction: what its row-level security goes by.

The doors say it once they know who is there, and everything below is done for that person. What the hub does by itself
(jobs, signing in, the vault) it does for itself. Row-level security is the second wall: the first is the owner in every
WHERE. Where a WHERE is forgotten, a person's request still finds that person's rows, and no one else's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Reach(StrEnum):
    """Whose rows can be reached."""

    PERSON = "person"
    ORGANIZATION = "organization"  # for who owns or administers it, or audits it
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Acting:
    """For whom."""

    reach: Reach
    person_id: str = ""
    organization_id: str = ""


HUB: Final = Acting(Reach.HUB)
_acting: ContextVar[Acting] = ContextVar("acting", default=HUB)


def acting_for() -> Acting:
    """For whom this task is at work."""
    return _acting.get()


@contextmanager
def on_behalf_of(whom: Acting) -> Iterator[None]:
    """Everything within, tasks begun in it too, is done for them."""
    before = _acting.set(whom)
    try:
        yield
    finally:
        _acting.reset(before)


@contextmanager
def as_the_hub() -> Iterator[None]:
    """For what one person's wish does to others' things: each use says why."""
    with on_behalf_of(HUB):
        yield
