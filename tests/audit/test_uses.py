"""A person sees every use of their credential, once each, in order, and nobody else's (S-22 (d), VLT-12)."""

from __future__ import annotations

import pytest

from tests.audit.conftest import intent
from tests.conftest import FakeClock
from valetkey.audit.model import CallEnding, Outcome
from valetkey.audit.repository import insert_calls
from valetkey.audit.trail import Trail
from valetkey.audit.uses import Use, Uses
from valetkey.kernel.errors import BadInput
from valetkey.store.database import Database

SERVICE = "https://mcp.example.com"


async def called(database: Database, clock: FakeClock, *, origin: str = SERVICE, **others: str) -> str:
    clock.advance(1)
    call = intent(clock, **others)
    async with database.write() as tx:
        await insert_calls(tx, [(call, CallEnding(id=call.id, outcome=Outcome.OK, origin=origin))])
    return call.id


async def renewed(database: Database, clock: FakeClock, *, person: str = "per_ada", connection: str = "con_1") -> None:
    clock.advance(1)
    detail = {"origin": "https://as.example.com"}
    await Trail(database, clock).write(
        "connection.refresh", actor="system", person_id=person, object=connection, detail=detail
    )


async def all_pages(database: Database, limit: int) -> list[Use]:
    uses: list[Use] = []
    before = ""
    while True:
        found, before = await Uses(database).list("con_1", "per_ada", before=before, limit=limit)
        uses += found
        assert len(found) <= limit
        if not before:
            return uses


async def test_calls_and_renewals_stand_in_one_list_with_where_the_credential_went(
    database: Database, clock: FakeClock
) -> None:
    first = await called(database, clock, tool="get_issue")
    await renewed(database, clock)
    second = await called(database, clock, tool="add_issue")

    uses = await all_pages(database, 50)

    assert [(use.what, use.call_id, use.origin) for use in uses] == [
        ("call", second, SERVICE),
        ("connection.refresh", "", "https://as.example.com"),
        ("call", first, SERVICE),
    ]
    assert (uses[0].tool, uses[0].client, uses[0].outcome) == ("add_issue", "Claude Code", "ok")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
async def test_page_after_page_shows_each_use_once(database: Database, clock: FakeClock, limit: int) -> None:
    calls = []
    for number in range(9):
        calls.append(await called(database, clock))
        if number % 2:
            await renewed(database, clock)

    uses = await all_pages(database, limit)

    assert [use.call_id for use in uses if use.call_id] == calls[::-1]
    assert len(uses) == 13
    assert [use.at for use in uses] == sorted((use.at for use in uses), reverse=True)


async def test_a_call_that_was_refused_before_the_credential_left_is_no_use(
    sqlite_database: Database, clock: FakeClock
) -> None:
    await called(sqlite_database, clock, origin="")

    assert await all_pages(sqlite_database, 50) == []


async def test_somebody_elses_and_another_accounts_uses_are_not_shown(
    sqlite_database: Database, clock: FakeClock
) -> None:
    await called(sqlite_database, clock, person_id="per_grace")
    await called(sqlite_database, clock, connection_id="con_2")
    await renewed(sqlite_database, clock, person="per_grace")
    await renewed(sqlite_database, clock, connection="con_2")

    assert await all_pages(sqlite_database, 50) == []


@pytest.mark.parametrize("before", ["x", "call_1", "call_1.", "call_1.x", "'.1", "call_1.1\n"])
async def test_a_place_that_was_never_given_out_is_refused(sqlite_database: Database, before: str) -> None:
    with pytest.raises(BadInput):
        await Uses(sqlite_database).list("con_1", "per_ada", before=before, limit=5)
