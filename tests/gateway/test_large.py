"""CON-20, S-09: a result beyond the limit is kept whole for its person alone, and the assistant is told so."""

from __future__ import annotations

import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import func, select, update

from tests.gateway.client import Got
from tests.gateway.conftest import Hub
from tests.gateway.service import Answer, Seen, Service
from valetkey.audit.kept_results import MOST, PART
from valetkey.audit.model import Outcome
from valetkey.gateway.large import MAX_RESULT, limit_of
from valetkey.identity.model import Person
from valetkey.kernel.errors import NotFound, RootKeyUnavailable, ValetkeyError
from valetkey.privacy.levels import Level
from valetkey.privacy.whole import Whole
from valetkey.store.schema import kept_result
from valetkey.vault.day_keys import DayKey
from valetkey.vault.model import Tampered

TOKEN = b"ghp_" + b"a" * 36
KEPT = {"call_id": "call_0", "parts": MOST // PART - 1, "organization_id": "org_1", "day": "2026-11-22", "sealed": b"x"}
EMPTY = len('{"content":[{"type":"text","text":""}]}')


class Tool:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw


def text_of(size: int) -> bytes:
    """A result of so many characters."""
    return b'{"content":[{"type":"text","text":"%b"}]}' % (b"y" * (size - EMPTY))


def saying(body: bytes) -> Callable[[Seen, Any], Awaitable[Answer | bytes]]:
    async def on_call(_seen: Seen, _params: Any) -> bytes:
        return body

    return on_call


async def one_call(hub: Hub, service: Service, body: bytes, level: Level = Level.FULL) -> tuple[Person, str, Got]:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    await hub.levels.choose(
        ada.organization_id, ada.id, level, connector=hub.connector(service).slug, actor="person:ada"
    )
    service.on_call = saying(body)
    got = await (await hub.client(ada, service)).call("echo")
    [record] = await hub.records(ada)
    assert (record.outcome, record.response_bytes) == (
        (Outcome.TOO_LARGE, len(body)) if level is not Level.NONE else (Outcome.TOO_LARGE, 0)
    )
    return ada, record.id, got


async def whole(hub: Hub, person_id: str, call_id: str) -> bytes:
    found = await Whole(hub.database, hub.day_keys).open(person_id, call_id)
    return b"".join([part async for part in found])


async def parts(hub: Hub) -> int:
    async with hub.database.read() as tx:
        return int((await tx.execute(select(func.count()).select_from(kept_result))).scalar_one())


async def test_what_is_too_large_is_kept_whole_and_the_assistant_hears_its_size_its_beginning_and_where_it_is(
    hub: Hub, modern: Service
) -> None:
    body = text_of(600_000)

    ada, call_id, got = await one_call(hub, modern, body)

    assert got.result["isError"] is True
    assert "600,000 characters" in got.text
    assert f"/activity/{call_id}" in got.text
    assert f"valetkey call result {call_id}" in got.text
    assert f"/api/v1/calls/{call_id}/result" in got.text
    assert got.result["content"][1]["text"] == body[:2000].decode()
    assert await whole(hub, ada.id, call_id) == body
    assert await parts(hub) == 3


async def test_nobody_else_gets_it_nor_does_anybody_when_it_was_erased(hub: Hub, modern: Service) -> None:
    ada, call_id, _got = await one_call(hub, modern, text_of(MAX_RESULT + 1))
    bob = await hub.person("bob")
    opener = Whole(hub.database, hub.day_keys)

    with pytest.raises(NotFound):
        await opener.open(bob.id, call_id)
    assert await opener.sweep() == 0
    await hub.day_keys.destroy(ada.id)
    with pytest.raises(NotFound):
        await opener.open(ada.id, call_id)
    assert (await opener.sweep(), await parts(hub)) == (1, 0)


@pytest.mark.parametrize("problem", [Tampered("It was changed."), RootKeyUnavailable("Nobody answers.")])
async def test_a_key_that_cannot_be_opened_holds_up_the_retention_of_nobody_else(
    hub: Hub, modern: Service, problem: ValetkeyError
) -> None:
    """And what it may open another time is kept."""
    ada, call_id, _got = await one_call(hub, modern, text_of(MAX_RESULT + 1))
    bob = {**KEPT, "person_id": "person_bob", "part": 0}
    async with hub.database.write() as tx:
        await tx.execute(kept_result.insert(), [bob])

    class Damaged:
        async def existing(self, person_id: str, tenant: str, day: str) -> DayKey:
            if person_id == ada.id:
                raise problem
            return await hub.day_keys.existing(person_id, tenant, day)

    assert await Whole(hub.database, Damaged()).sweep() == 1  # Bob's, whose key never was

    assert await whole(hub, ada.id, call_id)


async def test_a_secret_is_taken_out_before_it_is_kept_also_where_two_parts_meet(hub: Hub, modern: Service) -> None:
    """DATA-09."""
    head = b'{"content":[{"type":"text","text":"'
    body = head + b"y " * ((PART - len(head) - 20) // 2) + TOKEN + b" y" * 1000 + b'"}]}'

    ada, call_id, _got = await one_call(hub, modern, body)

    kept = await whole(hub, ada.id, call_id)
    assert TOKEN not in kept
    assert kept == body.replace(TOKEN, b"[redacted]")


async def test_what_is_kept_for_one_person_is_bounded_and_whoever_asked_hears_so(hub: Hub, modern: Service) -> None:
    """What is there stays for its time: it is the next one that is not kept."""
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")
    full = [{**KEPT, "person_id": ada.id, "part": number} for number in range(MOST // PART - 1)]
    async with hub.database.write() as tx:
        await tx.execute(kept_result.insert(), full)
    modern.on_call = saying(text_of(MAX_RESULT + 1))
    client = await hub.client(ada, modern)

    assert "kept whole for the person alone" in (await client.call("echo")).text
    refused = (await client.call("echo")).text

    assert "The rest was not kept: 256 MiB are kept for this person already" in refused
    assert await parts(hub) == MOST // PART


async def test_parts_in_another_order_open_nothing(hub: Hub, modern: Service) -> None:
    ada, call_id, _got = await one_call(hub, modern, text_of(PART * 2))

    async with hub.database.write() as tx:
        for old, new in ((0, 9), (1, 0), (9, 1)):
            await tx.execute(update(kept_result).where(kept_result.c.part == old).values(part=new))

    with pytest.raises(Tampered):
        await whole(hub, ada.id, call_id)


@pytest.mark.parametrize("level", [Level.METADATA, Level.NONE])
async def test_where_contents_are_not_kept_it_is_not_and_the_assistant_hears_so(
    hub: Hub, modern: Service, level: Level
) -> None:
    _ada, _call_id, got = await one_call(hub, modern, text_of(MAX_RESULT + 1), level)

    assert "The rest was not kept" in got.text
    assert "/activity/" not in got.text
    assert await parts(hub) == 0


async def test_a_huge_image_is_kept_as_any_other(hub: Hub, modern: Service) -> None:
    body = b'{"content":[{"type":"image","mimeType":"image/png","data":"%b"}]}' % (b"A" * 2_000_000)

    ada, call_id, got = await one_call(hub, modern, body)

    assert f"{len(body):,} characters" in got.text
    assert await whole(hub, ada.id, call_id) == body


@pytest.mark.parametrize("blocks", [600_000, 1_000_000])
async def test_very_many_tiny_blocks_are_refused_before_anything_is_made_of_them(
    hub: Hub, modern: Service, blocks: int
) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")
    modern.on_call = saying(b'{"content":[%b{}]}' % (b"{}," * blocks))

    got = await (await hub.client(ada, modern)).call("echo")

    [record] = await hub.records(ada)
    assert got.result["isError"] is True
    assert record.outcome in (Outcome.PROTOCOL_ERROR, Outcome.TOO_LARGE)
    assert await parts(hub) == 0


async def test_a_stream_of_100_megabytes_is_read_no_further_than_an_answer_may_be_long(
    hub: Hub, modern: Service
) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")

    async def on_call(_seen: Seen, _params: Any) -> Answer:
        return Answer(pieces=[b"x" * (1 << 20)] * 100)

    modern.on_call = on_call
    client = await hub.client(ada, modern)
    tracemalloc.start()

    got = await client.call("echo")

    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (got.result["isError"], "Ask for less" in got.text) == (True, True)
    assert most < 16 << 20
    assert await parts(hub) == 0


@pytest.mark.parametrize(
    ("said", "limit"),
    [
        (b"{}", 150_000),
        (b'{"_meta":{"anthropic/maxResultSizeChars":200000}}', 200_000),
        (b'{"_meta":{"anthropic/maxResultSizeChars":1000}}', 1_000),
        (b'{"_meta":{"anthropic/maxResultSizeChars":500001}}', 500_000),
        (b'{"_meta":{"anthropic/maxResultSizeChars":"200000"}}', 150_000),
        (b'{"_meta":{"anthropic/maxResultSizeChars":-1}}', 150_000),
        (b'{"description":"anthropic/maxResultSizeChars"}', 150_000),
        (b'{"_meta":"anthropic/maxResultSizeChars"}', 150_000),
    ],
)
def test_a_tool_may_have_a_limit_of_its_own_within_ours(said: bytes, limit: int) -> None:
    assert limit_of(Tool(said)) == limit
    assert limit_of(None) == 150_000


async def test_that_limit_holds_for_its_results(hub: Hub, modern: Service) -> None:
    ada = await hub.person("ada")
    modern.tools = [
        tool.replace(b'"name": "echo"', b'"name": "echo", "_meta": {"anthropic/maxResultSizeChars": 200000}')
        for tool in modern.tools
    ]
    await hub.connect(ada, modern, "adas-token")
    client = await hub.client(ada, modern)

    modern.on_call = saying(text_of(200_000))
    assert len((await client.call("echo")).text) == 200_000 - EMPTY
    modern.on_call = saying(text_of(200_001))
    assert "200,001 characters; this hub passes on at most 200,000" in (await client.call("echo")).text
