"""Each event and each call has its leaf in the log, written in the same transaction, and the head is their root."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tests.audit.conftest import intent
from tests.conftest import FakeClock
from valetkey.audit import leaves as leaves_module
from valetkey.audit import log_repository, repository
from valetkey.audit.calls import CallLog
from valetkey.audit.leaves import canonical, payload_hash, placed
from valetkey.audit.merkle import leaf_hash, root_of
from valetkey.audit.model import CallEnding, CallIntent, Everyone, Outcome
from valetkey.audit.repository import CallRecords, insert_calls
from valetkey.audit.trail import Trail
from valetkey.audit.verify import Against, verify
from valetkey.store.database import Database
from valetkey.store.schema import trail_leaf


async def leaves(database: Database) -> list[tuple[str, dict[str, str | int]]]:
    """Kind and record of every leaf, after seeing that they are numbered, hashed, and under the head."""
    async with database.write() as tx:
        rows = (await tx.execute(select(trail_leaf).order_by(trail_leaf.c.seq))).all()
        head = await log_repository.lock_head(tx)
    assert [row.seq for row in rows] == list(range(head.size))
    assert [bytes(row.hash) for row in rows] == [leaf_hash(bytes(row.record)) for row in rows]
    assert root_of([bytes(row.hash) for row in rows]) == head.root()
    records = [json.loads(row.record) for row in rows]
    assert [record["seq"] for record in records] == [row.seq for row in rows]
    return [(row.kind, record) for row, record in zip(rows, records, strict=True)]


async def test_a_call_has_a_leaf_with_the_hashes_of_its_payloads_and_not_what_they_hold(
    database: Database, log: CallLog, clock: FakeClock
) -> None:
    call = log.begin(intent(clock, tool="add_íssue"))
    call.finish(Outcome.OK, response=b"sealed response")
    await log.flush()

    ((kind, record),) = await leaves(database)
    assert (kind, record["id"], record["tool"]) == ("call", call.intent.id, "add_íssue")
    assert record["request"] == payload_hash(b"sealed request")
    assert record["response"] == payload_hash(b"sealed response")


async def test_an_event_has_a_leaf_with_the_hash_of_its_detail(database: Database, clock: FakeClock) -> None:
    await Trail(database, clock).write("key.created", actor="system", detail={"secret-ish": "x"})

    ((kind, record),) = await leaves(database)
    assert (kind, record["event"]) == ("event", "key.created")
    assert "secret-ish" not in json.dumps(record)


async def test_who_writes_at_once_writes_one_log_without_a_gap(
    database: Database, log: CallLog, clock: FakeClock
) -> None:
    trails = [Trail(database, clock) for _ in range(4)]

    async def call_much() -> None:
        for _ in range(30):
            log.begin(intent(clock)).finish(Outcome.OK)
            await log.flush()

    await asyncio.gather(
        call_much(), *(trail.write(f"e.{number}", actor="system") for number in range(10) for trail in trails)
    )

    written = await leaves(database)
    assert len(written) == 70
    numbers = [int(record["event_seq"]) for kind, record in written if kind == "event"]
    assert numbers == sorted(numbers)


async def test_an_event_that_cannot_be_written_leaves_no_leaf(sqlite_database: Database, clock: FakeClock) -> None:
    with pytest.raises(TypeError):
        await Trail(sqlite_database, clock).write(1.5, actor="system")  # type: ignore[arg-type]

    assert await leaves(sqlite_database) == []
    assert await Trail(sqlite_database, clock).list(Everyone()) == []


async def test_a_replay_adds_no_second_leaf(database: Database, clock: FakeClock) -> None:
    first, again = intent(clock), intent(clock)
    ending = CallEnding(id=first.id, outcome=Outcome.OK)
    for calls in ([(first, ending)], [(first, ending), (again, CallEnding(id=again.id, outcome=Outcome.OK))]):
        async with database.write() as tx:
            await insert_calls(tx, calls)

    assert [record["id"] for _kind, record in await leaves(database)] == [first.id, again.id]


async def test_a_replay_does_not_bring_back_what_was_erased(database: Database, clock: FakeClock) -> None:
    call = intent(clock)
    calls = [(call, CallEnding(id=call.id, outcome=Outcome.OK))]
    async with database.write() as tx:
        await insert_calls(tx, calls)
    await CallRecords(database).delete_for_person("per_ada")

    async with database.write() as tx:
        await insert_calls(tx, calls, again=True)

    assert [kind for kind, _record in await leaves(database)] == ["call", "deletion"]
    assert await CallRecords(database).list(Everyone()) == []


async def test_deleting_calls_is_in_the_log_itself(database: Database, log: CallLog, clock: FakeClock) -> None:
    log.begin(intent(clock)).finish(Outcome.OK)
    await log.flush()
    records = CallRecords(database)

    await records.delete_for_person("per_ada")

    (_, (kind, erased)) = await leaves(database)
    assert (kind, erased["person_id"], erased["calls"]) == ("deletion", "per_ada", 1)


def test_a_canonical_record_is_what_rfc_8785_says() -> None:
    record: dict[str, str | int] = {"peach": '\u20ac$\u000f\nA\'B"\\"/\x7f', "a": -5, "Z": "é", "_": 2**53 - 1}

    assert canonical(record) == (
        '{"Z":"é","_":9007199254740991,"a":-5,"peach":"€$\\u000f\\nA\'B\\"\\\\\\"/\x7f"}'.encode()
    )


@given(texts=st.lists(st.text(max_size=30), min_size=9, max_size=9), payload=st.none() | st.binary(max_size=40))
def test_the_leaf_of_a_call_is_the_canonical_record_of_its_row(texts: list[str], payload: bytes | None) -> None:
    """Whoever verifies has the row, and makes the record from that."""
    intent = CallIntent(
        id="call_1", started_at=datetime(2026, 11, 22, 1, 2, 3, 4, tzinfo=UTC), organization_id="org_1",
        person_id="per_1", client=texts[0], connector=texts[1], connection_id=texts[2], label=texts[3],
        method=texts[4], tool=texts[5], day="2026-11-22", request_bytes=7, request=payload,
    )  # fmt: skip
    ending = CallEnding(
        id="call_1", outcome=Outcome.OK, rule=texts[6], detail=texts[7], origin=texts[8], duration_us=9,
        response=payload, response_bytes=3,
    )  # fmt: skip

    for on_postgresql in (False, True):
        row = repository._row(intent, ending, on_postgresql=on_postgresql)
        kind, reference, record = repository._leaf(row)

        columns = dict(zip(repository._COLUMNS, row, strict=True))
        expected = leaves_module.call_record(columns, started_at=1_795_309_323_000_004)
        assert (kind, reference) == ("call", "call_1")
        assert placed(record, 12345) == canonical({**expected, "seq": 12345})


BREAKERS = [
    "line\r\nbreak", '"} , {"', "\x1b[31mred\x1b[0m", "\x00", "\u2028\u2029\x85", "\u202egnp.exe", "\ud800",
    "x" * 4_000_000, "\\", "{{7*7}}", "%s%n",
]  # fmt: skip


@pytest.mark.parametrize("field", ["client", "connector", "connection_id", "label", "method", "tool", "day"])
@pytest.mark.parametrize("breaker", BREAKERS, ids=lambda breaker: ascii(breaker[:8]))
async def test_whatever_a_call_brings_its_record_is_one_line_of_json(
    small_log: CallLog, sqlite_database: Database, clock: FakeClock, field: str, breaker: str
) -> None:
    """T16: nothing from outside makes two records of one, or a record that is none."""
    given = breaker[:10] if field == "day" else breaker
    small_log.begin(intent(clock, **{field: given})).finish(Outcome.OK, detail=breaker, rule=breaker, origin=breaker)
    await small_log.flush()

    ((_kind, record),) = await leaves(sqlite_database)
    async with sqlite_database.read() as tx:
        written = bytes((await tx.execute(select(trail_leaf.c.record))).scalar_one())
    assert written.count(b"\n") + written.count(b"\r") == 0
    assert json.loads(written) == record
    assert len(written) < 5000
    assert (await verify(sqlite_database, Against())).is_whole


@pytest.mark.parametrize("value", [1.0, True, None, Outcome.OK, 2**53, ["x"], b"x"])
def test_nothing_but_texts_and_whole_numbers_becomes_a_record(value: object) -> None:
    with pytest.raises(TypeError):
        canonical({"x": value})  # type: ignore[dict-item]
