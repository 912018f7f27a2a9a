"""Lists, page by page: one way for all that can grow.

A cursor names the last thing that was seen by what the list is ordered by, and not the number of a page: whoever
follows `next` sees each thing that was there exactly once, whatever is added meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Generic, Protocol, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from valetkey.kernel.errors import BadInput

R = TypeVar("R")
T = TypeVar("T")

Key = tuple[str | int, ...]
"""What a list is ordered by, of one thing in it: never the same for two, and the same as long as the thing is there."""

LONGEST_CURSOR: Final = 2000
MOST: Final = 200
_MOST_PARTS = 4
LARGEST: Final = 2**63 - 1  # what a database can compare with

Cursor = Annotated[
    str, Query(max_length=LONGEST_CURSOR, description="`next` of the page before, as it is; empty for the first page.")
]


class Listed(BaseModel, Generic[T]):
    """All there is, where there can be only so many."""

    items: list[T]


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")


@dataclass(frozen=True, slots=True)
class Cut(Generic[R]):
    """What is on the page, before anybody asks how it is shown."""

    rows: Sequence[R]
    next: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins, which is after the thing with this key, and for how many things it has room."""

    after: Key
    limit: int

    def cut(self, rows: Iterable[R], *, by: Callable[[R], Key], newest_first: bool = False) -> Cut[R]:
        """The page's rows, in order. Raises `BadInput` for a cursor of another list."""
        keyed = sorted(((by(row), row) for row in rows), key=lambda one: one[0], reverse=newest_first)
        if self.after:
            if keyed and not _alike(self.after, keyed[0][0]):
                raise _no_such_page()
            keyed = [one for one in keyed if (one[0] < self.after if newest_first else one[0] > self.after)]
        there = keyed[: self.limit]
        following = cursor_of(there[-1][0]) if len(keyed) > self.limit else None
        return Cut([row for _, row in there], following)

    def page(
        self, rows: Iterable[R], *, by: Callable[[R], Key], show: Callable[[R], T], newest_first: bool = False
    ) -> Page[T]:
        """The same, shown."""
        cut = self.cut(rows, by=by, newest_first=newest_first)
        return Page(items=[show(row) for row in cut.rows], next=cut.next)

    @property
    def one_more(self) -> int:
        """How many to ask of a room that reads no more than it is asked for: by the one more it is seen to go on."""
        return self.limit + 1

    @property
    def text(self) -> str:
        """The key of a list that is ordered by one text, for a room that goes on from it; empty for the first page."""
        if not self.after:
            return ""
        if len(self.after) == 1 and isinstance(found := self.after[0], str) and found.isascii() and found.isprintable():
            return found
        raise _no_such_page()

    @property
    def number(self) -> int:
        """The same, of a list that is ordered by one number; 0 for the first page."""
        if not self.after:
            return 0
        if len(self.after) == 1 and isinstance(found := self.after[0], int):
            return found
        raise _no_such_page()


def cursor_of(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).rstrip(b"=").decode()


def instant(at: datetime) -> str:
    """A time as a part of a key: texts of times in one zone and of one length are ordered as the times are."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


class Aged(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def created_at(self) -> datetime: ...


def by_age(thing: Aged) -> Key:
    """The key of lists that are ordered by when things were made."""
    return instant(thing.created_at), thing.id


def place(
    cursor: Cursor = "", limit: Annotated[int, Query(ge=1, le=MOST, description="At most this many.")] = 50
) -> Place:
    """What every list takes."""
    return Place(read_cursor(cursor), limit)


At = Annotated[Place, Depends(place)]


def read_cursor(cursor: str) -> Key:
    """The key in a cursor; none in an empty one. Raises `BadInput`."""
    if not cursor:
        return ()
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise _no_such_page() from error
    if not isinstance(found, list) or not 0 < len(found) <= _MOST_PARTS or not all(map(_may_be_of_a_key, found)):
        raise _no_such_page()
    return tuple(found)


def _may_be_of_a_key(part: object) -> bool:
    return isinstance(part, str) or (type(part) is int and 0 <= part <= LARGEST)


def _alike(one: Key, other: Key) -> bool:
    return [type(part) for part in one] == [type(part) for part in other]


def _no_such_page() -> BadInput:
    return BadInput("There is no such page.", field="cursor", hint="Give `next` of the page before, as it is.")
