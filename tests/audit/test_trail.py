"""The trail is there when the act it tells of is done, and is read by whom it concerns."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import FakeClock
from valetkey.audit.model import Everyone, OfOrganization, OfPerson, TrailEvent
from valetkey.audit.trail import Trail
from valetkey.kernel.errors import BadInput
from valetkey.store.database import Database


async def test_an_event_is_there_when_write_returns(database: Database, clock: FakeClock) -> None:
    trail = Trail(database, clock)

    await trail.write(
        "connection.ended",
        actor="person:per_ada",
        organization_id="org_1",
        person_id="per_ada",
        object="con_1",
        detail={"keys_destroyed": 2, "revocation": "confirmed"},
    )

    (event,) = await Trail(database, clock).list(OfPerson("per_ada"))
    assert event == TrailEvent(
        seq=event.seq,
        at=clock.now(),
        event="connection.ended",
        actor="person:per_ada",
        organization_id="org_1",
        person_id="per_ada",
        object="con_1",
        detail={"keys_destroyed": 2, "revocation": "confirmed"},
    )


async def test_each_reads_what_concerns_them_newest_first_in_pages(database: Database, clock: FakeClock) -> None:
    trail = Trail(database, clock)
    for number in range(9):
        person, organization = ("per_bob", "org_2") if number % 3 == 0 else ("per_ada", "org_1")
        await trail.write(f"e.{number}", actor="system", organization_id=organization, person_id=person)

    async def events(*arguments: Any, **others: Any) -> list[str]:
        return [event.event for event in await trail.list(*arguments, **others)]

    assert await events(OfPerson("per_ada")) == ["e.8", "e.7", "e.5", "e.4", "e.2", "e.1"]
    assert await events(OfOrganization("org_2")) == ["e.6", "e.3", "e.0"]
    first = await trail.list(Everyone(), limit=5)
    assert await events(Everyone(), before=first[-1].seq) == ["e.3", "e.2", "e.1", "e.0"]
    assert await events(OfPerson("per_none")) == []


async def test_a_detail_that_is_no_detail_is_refused(sqlite_database: Database, clock: FakeClock) -> None:
    trail = Trail(sqlite_database, clock)

    with pytest.raises(BadInput):
        await trail.write("x.y", actor="system", detail={"body": "x" * 5_000})

    assert await trail.list(Everyone()) == []


async def test_text_from_outside_becomes_one_printable_line(database: Database, clock: FakeClock) -> None:
    trail = Trail(database, clock)

    await trail.write("x.y", actor="client:a\nb\0" + "c" * 500, object="\x1b[31m" + "o" * 500)

    (event,) = await trail.list(Everyone())
    assert (event.actor + event.object).isprintable()
    assert (len(event.actor), len(event.object)) == (80, 200)
