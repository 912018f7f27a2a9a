"""What somebody tried and may not is told once a minute, each thing and each person apart (ORG-12)."""

from __future__ import annotations

import pytest

from tests.conftest import FakeClock
from valetkey.audit import refusals
from valetkey.audit.model import Everyone
from valetkey.audit.refusals import Refusals
from valetkey.audit.trail import Trail
from valetkey.store.database import Database


async def test_the_same_by_the_same_is_told_once_a_minute_and_anything_else_at_once(
    sqlite_database: Database, clock: FakeClock
) -> None:
    trail = Trail(sqlite_database, clock)
    told = Refusals(trail, clock)

    async def tries(what: str, who: str) -> None:
        await told.tell(what, actor=f"person:{who}", organization_id="org_1", person_id=who, because="forbidden")

    for _ in range(3):
        await tries("POST /a", "ada")
    await tries("POST /b", "ada")
    await tries("POST /a", "bob")
    clock.advance(59)
    await tries("POST /a", "ada")
    clock.advance(1)
    await tries("POST /a", "ada")

    found = [(one.actor, one.object) for one in await trail.list(Everyone(), limit=100)][::-1]
    assert found == [
        ("person:ada", "POST /a"), ("person:ada", "POST /b"), ("person:bob", "POST /a"), ("person:ada", "POST /a"),
    ]  # fmt: skip


async def test_who_tries_everything_fills_no_memory(
    sqlite_database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "_MOST", 3)
    trail = Trail(sqlite_database, clock)
    told = Refusals(trail, clock)

    for what in ("a", "b", "c", "d", "a", "d"):
        await told.tell(what, actor="person:ada", organization_id="org_1", person_id="ada", because="forbidden")

    assert [one.object for one in await trail.list(Everyone(), limit=100)][::-1] == ["a", "b", "c", "d", "a"]
