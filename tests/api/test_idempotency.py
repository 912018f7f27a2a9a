"""A write that is asked for twice under one key is done once, and answered the same."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from tests.api.hub import HOUR, Hub
from tests.api.things import give_things
from valetkey.audit.model import Everyone
from valetkey.store.database import Database
from valetkey.store.schema import idempotent_request

KEY = {"idempotency-key": "5f0c-1"}
PROFILE = {"name": "evening"}


@pytest.fixture(autouse=True)
async def keys(hub: Hub, keyring_database: Database, tmp_path: Path) -> None:
    hub.keep_keys(keyring_database, tmp_path / "root.key")


async def rows(hub: Hub) -> list[Any]:
    async with hub.database.read() as tx:
        return list(await tx.execute(select(idempotent_request)))


def told(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_the_same_request_under_the_same_key_is_done_once_and_answered_the_same(hub: Hub) -> None:
    ada = await hub.with_scopes("ada")

    first, again = [await ada.post("/profiles", json=PROFILE, headers=KEY) for _ in range(2)]
    other = await ada.post("/profiles", json=PROFILE)

    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert told(other) == (409, "conflict")


async def test_a_call_of_a_tool_is_made_once(hub: Hub) -> None:
    things = await give_things(hub)
    ada = await hub.with_scopes("ada")
    body = {"connector": things.connector.slug, "tool": "list"}

    answers = [await ada.post("/calls", json=body, headers=KEY) for _ in range(3)]

    assert [answer.json()["call_id"] for answer in answers] == ["call_1"] * 3
    assert [one[0] for one in hub.elsewhere.asked] == ["call"]


async def test_an_ending_is_answered_again_though_nothing_is_left_to_end(hub: Hub) -> None:
    things = await give_things(hub)
    ada = await hub.with_scopes("ada")
    path = things.path("/tokens/{token_id}")

    assert [(await ada.delete(path, headers=KEY)).status_code for _ in range(2)] == [204, 204]
    assert (await ada.delete(path)).status_code == 404


async def test_another_request_under_the_key_is_refused(hub: Hub) -> None:
    ada = await hub.with_scopes("ada")
    await ada.post("/profiles", json=PROFILE, headers=KEY)

    others = [
        await ada.post("/profiles", json={"name": "other"}, headers=KEY),
        await ada.post("/profiles?person=ada", json=PROFILE, headers=KEY),
        await ada.post("/profiles/evening", json={"title": "x"}, headers=KEY),
        await ada.delete("/profiles/evening", headers=KEY),
    ]

    assert {told(answer) for answer in others} == {(422, "idempotency_key_reused")}


async def test_a_key_is_of_the_person_and_of_the_token_it_came_with(hub: Hub) -> None:
    """Another token may not be allowed what the answer tells."""
    ada, bob = await hub.with_scopes("ada"), await hub.with_scopes("bob")
    few = await hub.with_scopes("ada", "calls:read")

    made = [await client.post("/profiles", json=PROFILE, headers=KEY) for client in (ada, bob)]
    with_few = await few.post("/profiles", json=PROFILE, headers=KEY)

    assert [answer.status_code for answer in made] == [201, 201]
    assert all("idempotency-replayed" not in answer.headers for answer in made)
    assert told(with_few) == (422, "idempotency_key_reused")


async def test_what_was_refused_may_be_tried_again_under_its_key(hub: Hub) -> None:
    ada = await hub.with_scopes("ada")
    path = "/profiles/evening"

    refused = await ada.post(path, json={"title": "x"}, headers=KEY)
    await ada.post("/profiles", json=PROFILE)

    assert refused.status_code == 404
    assert (await ada.post(path, json={"title": "x"}, headers=KEY)).status_code == 200


async def test_what_failed_on_the_way_may_have_been_done_and_is_not_tried_again(hub: Hub) -> None:
    things = await give_things(hub)
    tried: list[str] = []

    async def fails(*_who: object, **_what: object) -> Any:
        tried.append("call")
        raise RuntimeError("no")

    hub.replaced(call_tool=fails)
    ada = await hub.with_scopes("ada")
    body = {"connector": things.connector.slug, "tool": "list"}

    answers = [await ada.post("/calls", json=body, headers=KEY) for _ in range(2)]

    assert [told(answer) for answer in answers] == [(500, "internal"), (409, "idempotency_unknown")]
    assert tried == ["call"]


async def test_of_two_at_the_same_time_one_is_done(hub: Hub) -> None:
    ada = await hub.with_scopes("ada")

    answers = await asyncio.gather(*(ada.post("/profiles", json=PROFILE, headers=KEY) for _ in range(5)))

    codes = [answer.status_code for answer in answers if "idempotency-replayed" not in answer.headers]
    assert codes.count(201) == 1
    assert set(codes) <= {201, 409}


async def test_a_secret_that_is_shown_once_is_not_kept_for_a_retry(hub: Hub) -> None:
    """Bearer secrets of ours lie nowhere but as hashes."""
    ada = await hub.with_scopes("ada")
    body = {"name": "t", "resource": "/mcp"}

    made, again = [await ada.post("/tokens", json=body, headers=KEY) for _ in range(2)]
    invited, again_invited = [
        await hub.operator.post("/people/bob/invite", json={}, headers=KEY) for _ in range(2)
    ]  # fmt: skip

    assert (made.status_code, told(again)) == (201, (409, "already_done"))
    assert (invited.status_code, told(again_invited)) == (201, (409, "already_done"))
    assert [row.answer for row in await rows(hub)] == [None, None]
    assert len([one for one in (await ada.get("/tokens")).json()["items"] if one["name"] == "t"]) == 1


async def test_every_answer_that_holds_a_secret_of_ours_is_named(hub: Hub) -> None:
    document = (await hub.nobody.get("/openapi.json")).json()
    once = {
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
        if operation.get("x-shown-once")
    }

    assert once == {"create_token", "invite_person", "create_provisioning_token", "add_feed", "begin_watch"}


async def test_what_is_kept_of_a_person_is_sealed_and_goes_with_their_keys(hub: Hub) -> None:
    things = await give_things(hub)
    ada = await hub.with_scopes("ada")
    body = {"connector": things.connector.slug, "tool": "list"}
    await ada.post("/calls", json=body, headers=KEY)

    (row,) = await rows(hub)
    await hub.services.day_keys.destroy(hub.people["ada"].id)
    again = await ada.post("/calls", json=body, headers=KEY)

    assert b"done" not in row.answer
    assert "5f0c" not in str(row)
    assert told(again) == (409, "already_done")
    assert [one[0] for one in hub.elsewhere.asked] == ["call"]


async def test_a_day_later_a_key_is_free_and_nothing_is_kept(hub: Hub) -> None:
    operator = hub.operator
    await operator.post("/people", json={"login": "new"}, headers=KEY)
    assert (await operator.post("/people", json={"login": "new"}, headers=KEY)).status_code == 201

    hub.clock.advance(24 * HOUR + 1)
    late = await operator.post("/people", json={"login": "new"}, headers=KEY)

    assert told(late) == (409, "conflict")
    assert await rows(hub) == []


async def test_there_is_a_most_of_keys_that_one_person_can_have(hub: Hub) -> None:
    ada = hub.people["ada"]
    row = {"whose": ada.id, "fingerprint": "", "begun_at": hub.clock.now(), "media_type": "", "day": ""}
    many = [{**row, "key_hash": str(at)} for at in range(1000)]
    async with hub.database.write() as tx:
        await tx.execute(idempotent_request.insert(), many)

    answer = await (await hub.with_scopes("ada")).post("/profiles", json=PROFILE, headers=KEY)
    of_bob = await (await hub.with_scopes("bob")).post("/profiles", json=PROFILE, headers=KEY)

    assert told(answer) == (429, "too_many")
    assert of_bob.status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\xe4"])
async def test_a_key_that_cannot_be_used_is_named(hub: Hub, key: str) -> None:
    ada = await hub.with_scopes("ada")

    answer = await ada.post("/profiles", json=PROFILE, headers={b"idempotency-key": key.encode("latin-1")})

    assert (told(answer), answer.json()["field"]) == ((400, "bad_input"), "Idempotency-Key")
    assert (await ada.get("/profiles")).json()["items"] == []


async def test_a_body_without_end_is_cut_off_under_a_key_too(hub: Hub) -> None:
    async def endless() -> Any:
        while True:
            yield b" " * 65536

    headers = {"content-type": "application/json", **KEY}
    answer = await hub.operator.post("/people", content=endless(), headers=headers)

    assert told(answer) == (413, "too_large")
    assert await rows(hub) == []


async def test_what_is_done_under_a_key_is_in_the_trail_once(hub: Hub) -> None:
    for _ in range(2):
        await hub.operator.post("/people/bob/invite", json={}, headers=KEY)

    events = [event.event for event in await hub.services.trail.list(Everyone())]
    assert sum("link" in event or "invite" in event for event in events) <= 1


async def test_every_write_says_that_it_takes_a_key(hub: Hub) -> None:
    document = (await hub.nobody.get("/openapi.json")).json()

    for path, item in document["paths"].items():
        for method, operation in item.items():
            names = [one["name"] for one in operation.get("parameters", ())]
            assert ("Idempotency-Key" in names) == (method != "get"), (method, path)
