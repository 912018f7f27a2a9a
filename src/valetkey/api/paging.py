"""Lists, page by page: newest first, `limit` at a time, on from `before`."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=200, description="At most this many.")]
Before = Annotated[str, Query(max_length=64, description="`next_before` of the page before; empty for the first.")]


class Listed(BaseModel, Generic[T]):
    """All there is."""

    items: list[T]


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_before: str | None = Field(description="Give it as `before` for the next page; null at the end.")
