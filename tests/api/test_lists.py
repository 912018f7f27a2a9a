"""Lists come in pages, every one that can grow: whoever follows `next` sees each thing once, whatever is added."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Table, insert, select

from tests.api.described import case_of, wrong_with
from tests.api.test_doors import World, furnished
from tests.api.things import write_call
from valetkey.api.app import ROUTERS
from valetkey.audit.model import OfPerson, WantedEvents
from valetkey.connections.accounts import TOPIC
from valetkey.connections.trace import KEPT
from valetkey.identity.model import Role
from valetkey.store import schema
from valetkey.store.types import Instant
from valetkey.upstream.pages import MAX_TOOLS

Adds = Callable[[World, int], Awaitable[object]]

BOUNDED: Mapping[tuple[str, str], str] = {
    # Lists of which there can be only so many, and how many.
    ("GET", "/connections/{connection_id}/trace"): f"the last {KEPT} steps of a connection are kept",
    ("GET", "/connections/{connection_id}/tools"): f"as many as one service may list: {MAX_TOOLS}",
    ("GET", "/connections/{connection_id}/tools/changes"): "one for each of those tools",
    ("GET", "/connections/{connection_id}/permissions"): "one for each of those tools",
    ("GET", "/registry"): "at most 20: who wants others says more words",
    ("GET", "/submissions/terms"): "the texts of one version, which come with the hub",
    ("POST", "/connections/{connection_id}/tools"): "as it answers when they are listed",
    ("POST", "/connections/{connection_id}/tools/changes"): "as it answers when they are listed",
    ("POST", "/connections/{connection_id}/permissions"): "as it answers when they are listed",
    ("POST", "/connections/{connection_id}/permissions/level"): "as it answers when they are listed",
    ("POST", "/connections/disconnect-all"): "a receipt for each connection that this request ended",
    ("POST", "/trail/verify"): "a report: it counts records, and names the first bad ones",
    ("POST", "/data/bounds"): "a floor and a ceiling for each connector",
}
PARTS: Mapping[tuple[str, str], str] = {
    # What is taken along as a whole, in parts: each says itself where the next begins.
    ("GET", "/data/export"): "an archive of files, part by part",
    ("GET", "/trail/export"): "records with proofs under one checkpoint, from a number on",
    ("POST", "/data/training-export"): "each part is written into the trail, so it is no GET",
}
"""Those have `after` or `from`, for what they go on from is more than one thing."""


def post(path: str, of: Callable[[int], dict[str, Any]], *, operator: bool = False) -> Adds:
    async def adds(world: World, number: int) -> None:
        client = world.hub.operator if operator else await world.with_scopes("ada")
        answer = await client.post(world.things.path(path), json=of(number))
        assert answer.status_code in (200, 201), answer.text

    return adds


def row(table: Table, of: Callable[[World, int], dict[str, Any]]) -> Adds:
    """Another in the table itself, like one that is there: nothing of how it is made matters here."""

    async def adds(world: World, number: int) -> None:
        async with world.hub.database.write() as tx:
            there = (await tx.execute(select(table).limit(1))).mappings().first() or _blank(table, world)
            await tx.execute(insert(table).values({**there, **of(world, number)}))

    return adds


def _blank(table: Table, world: World) -> dict[str, Any]:
    empty = {"Integer": 0, "BigInteger": 0, "LargeBinary": b"", "Boolean": False, "Json": []}
    return {
        column.name: world.hub.clock.now()
        if isinstance(column.type, Instant)
        else empty.get(type(column.type).__name__, "")
        for column in table.columns
        if not column.nullable
    }


def event(name: str, of: Callable[[World], str], **detail: str) -> Adds:
    async def adds(world: World, number: int) -> None:
        ada = world.hub.people["ada"]
        told = {key: f"{value}{number}" for key, value in detail.items()}
        await world.hub.services.trail.write(
            name, actor="person:x", organization_id=ada.organization_id, person_id=ada.id, object=of(world), detail=told
        )

    return adds


async def call(world: World, number: int) -> None:
    await write_call(world.hub, world.hub.people["ada"], f"call_{number:04}", world.hub.clock.now())


async def used(world: World, number: int) -> None:
    await write_call(
        world.hub, world.hub.people["ada"], f"call_{number:04}", world.hub.clock.now() - timedelta(days=1),
        connector=f"c{number:04}",
    )  # fmt: skip


async def assistant(world: World, number: int) -> None:
    ada, now = world.hub.people["ada"], world.hub.clock.now()
    client = {"id": "c_1", "name": "Claude", "kind": "metadata"}
    family = {"id": f"grant_{number:04}", "person_id": ada.id, "client_id": "c_1"}
    token = {"hash": f"{number:064}", "family_id": family["id"], "expires_at": now + timedelta(days=1)}
    async with world.hub.database.write() as tx:
        if (await tx.execute(select(schema.oauth_client.c.id))).first() is None:
            await tx.execute(insert(schema.oauth_client).values({**_blank(schema.oauth_client, world), **client}))
        for table, values in ((schema.token_family, family), (schema.refresh_token, token)):
            await tx.execute(insert(table).values({**_blank(table, world), **values}))


async def receipt(world: World, number: int) -> None:
    world.hub.elsewhere.kept.insert(0, f"rec_{number:04}")


async def checkpoint(world: World, number: int) -> None:
    await event("person.seen", lambda _: "")(world, number)
    await world.hub.services.trail_log.checkpoints.make()


async def reviewer(world: World, number: int) -> None:
    rooms, theirs = world.hub.services, world.hub.people["eve"].organization_id
    who = await rooms.people.create(
        login=f"reviewer-{number}", display_name="", organization_id=theirs, role=Role.MEMBER
    )
    await rooms.submissions.desk.appoint(who)


async def withdrawn(world: World, number: int) -> None:
    consent = {"id": f"consent_{number:04}", "ended_at": world.hub.clock.now()}
    item = {"call_id": f"c{number}", "id": f"item_{number:04}", "consent_id": consent["id"]}
    await row(schema.training_consent, lambda world, _: {"person_id": world.hub.people["eve"].id, **consent})(world, 0)
    await row(schema.training_item, lambda _, __: item)(world, 0)


def submission(**said: Any) -> Adds:
    return row(schema.submission, lambda _, number: {"id": f"sub_{number:04}", "slug": f"sub-{number}", **said})


def invitation(organization: str, person: str) -> Adds:
    def of(world: World, number: int) -> dict[str, Any]:
        people, now = world.hub.people, world.hub.clock.now()
        return {
            "id": f"inv_{organization}{number:04}", "organization_id": people[organization].organization_id,
            "person_id": people[person].id, "role": "member", "expires_at": now + timedelta(days=7),
        }  # fmt: skip

    return row(schema.invitation, of)


def own(table: Table, prefix: str, **said: Callable[[World, int], Any]) -> Adds:
    """A row of Ada's, with an id that says its number."""

    def of(world: World, number: int) -> dict[str, Any]:
        ada = world.hub.people["ada"]
        whose = {
            "person_id": ada.id,
            "organization_id": ada.organization_id,
            "connection_id": world.things.connection.id,
        }
        known = {name: value for name, value in whose.items() if name in table.columns}
        return {**known, "id": f"{prefix}_{number:04}", **{name: value(world, number) for name, value in said.items()}}

    return row(table, of)


def wanted(number: int) -> dict[str, Any]:
    return {"url": f"https://wanted{number}.example/mcp"}


async def connection(world: World, number: int) -> None:
    await own(schema.connection, "cn", label=lambda *_: f"l{number}", is_default=lambda *_: False)(world, number)
    await world.hub.notifications.publish(TOPIC, world.hub.people["ada"].id)


GROWS: Mapping[str, tuple[str, Adds]] = {
    # Every list that can grow, who reads it, and how one more comes to be in it.
    "/people": ("ada", post("/people", lambda number: {"login": f"more-{number}"})),
    "/organizations": ("operator", post("/organizations", lambda number: {"name": f"N{number}"}, operator=True)),
    "/organizations/{organization}/domains": (
        "ada", post("/organizations/{organization}/domains", lambda number: {"name": f"d{number}.example"}),
    ),
    "/organizations/{organization}/provisioning-tokens": (
        "ada", own(schema.provisioning_token, "pt", hash=lambda _, number: f"{number:064}"),
    ),
    "/organizations/{organization}/groups": (
        "ada", own(schema.provisioned_group, "group", name=lambda _, number: f"g{number}", role=lambda _, __: None),
    ),
    "/organizations/{organization}/invitations": ("ada", invitation("ada", "eve")),
    "/organizations/{organization}/feeds": ("ada", own(schema.feed, "feed", kind=lambda _, __: "webhook")),
    "/organizations/{organization}/usage": ("ada", used),
    "/invitations": ("eve", invitation("ada", "eve")),
    "/connector-requests": ("ada", post("/connector-requests", wanted)),
    "/organizations/{organization}/connector-requests": ("ada", post("/connector-requests", wanted)),
    "/tokens": ("ada", own(schema.access_token, "tok", hash=lambda _, number: f"{number:064}")),
    "/assistants": ("ada", assistant),
    "/connections/receipts": ("ada", receipt),
    "/connectors": ("ada", post("/connectors", lambda number: {"name": f"N{number}", "url": f"https://{number}.example/"})),
    "/directory": ("ada", post("/connectors", lambda number: {"name": f"M{number}", "url": f"https://m{number}.example/"})),
    "/submissions": ("ada", submission()),
    "/desk": ("operator", submission(state="in review")),
    "/desk/all": ("operator", submission(state="in review", submitted_at=datetime(2026, 1, 1, tzinfo=UTC))),
    "/desk/reviewers": ("operator", reviewer),
    "/desk/looks": ("operator", row(schema.listing_look, lambda _, number: {"slug": f"s{number:04}", "tools": "{}"})),
    "/connections": ("ada", connection),
    "/connections/{connection_id}/uses": (
        "ada", event("connection.refreshed", lambda world: world.things.connection.id, origin="https://h"),
    ),
    "/profiles": ("ada", post("/profiles", lambda number: {"name": f"p{number}"})),
    "/policy/ceilings": ("ada", post("/policy/ceilings", lambda number: {"setting": "ask", "connector": f"c{number}"})),
    "/approvals": (
        "ada",
        own(schema.approval, "approval", request_digest=lambda _, number: f"{number}", state=lambda *_: "denied"),
    ),
    "/approvals/standing": ("ada", own(schema.standing_approval, "standing")),
    "/alerts": ("ada", own(schema.alert, "alert", subject=lambda _, number: f"s{number}")),
    "/alerts/organization": (
        "ada",
        own(schema.alert, "alert", connector=lambda _, number: f"c{number}", subject=lambda _, number: f"t{number}"),
    ),
    "/calls": ("ada", call),
    "/calls/{call_id}/readings": ("ada", event("call.read", lambda world: world.things.call_id, reason="why")),
    "/data/retention/runs": (
        "operator", row(schema.retention_run, lambda _, number: {"id": f"run_{number:04}", "days": number}),
    ),
    "/data/holds": ("ada", own(schema.legal_hold, "hold")),
    "/data/training-export/withdrawn": ("operator", withdrawn),
    "/data/erasures": ("ada", own(schema.erasure, "erasure")),
    "/privacy/versions": ("ada", post("/privacy", lambda number: {"text": f"V{number}."}, operator=True)),
    "/trail": ("ada", event("person.seen", lambda _: "")),
    "/trail/checkpoints": ("ada", checkpoint),
}  # fmt: skip

EVERY_LIST = pytest.mark.parametrize("path", GROWS)
_NAMES = ("id", "seq", "number", "slug", "login", "reason", "origin", "name", "connector", "days")
_numbers = count(1)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with furnished(tmp_path_factory.mktemp("lists")) as world:
        yield world


async def read(world: World, path: str, **query: str) -> dict[str, Any]:
    who = GROWS[path][0]
    client = world.hub.operator if who == "operator" else await world.with_scopes(who)
    answer = await client.get(world.things.path(path), params=query)
    assert answer.status_code == 200, answer.text
    if "limit" not in query or query["limit"] == "200":  # once is enough: it takes longer than the asking
        assert wrong_with(answer, case_of("GET", path)) == []
    found: dict[str, Any] = answer.json()
    return found


def name_of(item: Any) -> str:
    return item if isinstance(item, str) else next(str(item[name]) for name in _NAMES if item.get(name))


async def follow(world: World, path: str, *, between: Callable[[], Awaitable[object]]) -> list[str]:
    seen: list[str] = []
    page = await read(world, path, limit="2")
    while True:
        assert len(page["items"]) <= 2
        seen += [name_of(item) for item in page["items"]]
        if page["next"] is None:
            return seen
        assert len(seen) < 400, "It goes on for ever."
        await between()
        page = await read(world, path, limit="2", cursor=page["next"])


@EVERY_LIST
async def test_who_follows_a_list_sees_each_thing_once_while_others_are_added(world: World, path: str) -> None:
    add = GROWS[path][1]
    for _ in range(5):
        await add(world, next(_numbers))
    there = [name_of(item) for item in (await read(world, path, limit="200"))["items"]]
    more = 3

    async def between() -> None:
        nonlocal more
        more -= 1
        if more >= 0:
            await add(world, next(_numbers))

    seen = await follow(world, path, between=between)

    assert len(there) >= 5
    assert len(set(seen)) == len(seen)
    assert set(there) <= set(seen)
    assert [one for one in seen if one in there] == there


@EVERY_LIST
async def test_a_cursor_that_nobody_gave_is_refused_and_no_page_is_longer_than_is_said(world: World, path: str) -> None:
    who = GROWS[path][0]
    client = world.hub.operator if who == "operator" else await world.with_scopes(who)

    for wrong in ({"cursor": "~"}, {"cursor": "WzEuNV0"}, {"limit": "0"}, {"limit": "5001"}):
        answer = await client.get(world.things.path(path), params=wrong)
        assert (answer.status_code, answer.json()["field"]) == (400, next(iter(wrong))), answer.text


def test_every_list_of_the_route_table_grows_in_pages_or_says_how_long_it_can_be() -> None:
    listed = {
        (method, route.path)
        for noun in ROUTERS
        for route in noun.router.routes
        for method in route.methods
        if {"items", "lines", "records"} & set(getattr(route.response_model, "model_fields", {}))
    }
    paged = {("GET", path) for path in GROWS}

    assert listed == paged | BOUNDED.keys() | PARTS.keys()


async def test_the_trail_is_read_as_siems_read_it(world: World) -> None:
    """ORG-13: newest first, `after_id` and `before_id`, 100 unless one says, 5,000 at most, by time, actor and type."""
    ada, trail = world.hub.people["ada"], world.hub.services.trail
    for number in range(150):
        await trail.write("siem.seen", actor=f"person:{number % 3}", organization_id=ada.organization_id, person_id="x")
    await trail.write("siem.seen.not", actor="person:0", organization_id=ada.organization_id, person_id="x")
    await trail.write("siemens.seen", actor="person:0", organization_id=ada.organization_id, person_id="x")

    async def numbers(**query: str) -> list[int]:
        return [one["seq"] for one in (await read(world, "/trail", **query))["items"]]

    whole = await numbers(event="siem.seen", limit="5000")
    now = world.hub.clock.now()
    assert len(await numbers()) == 100
    assert len(whole) == 151
    assert whole == sorted(whole, reverse=True)
    assert await numbers(event="siem", limit="5000") == whole
    assert await numbers(event="siem", after_id=str(whole[5])) == whole[:5]
    assert await numbers(event="siem", before_id=str(whole[5]), limit="3") == whole[6:9]
    assert len(await numbers(event="siem.seen", actor="person:1", limit="5000")) == 50
    assert await numbers(event="siem", until=now.isoformat()) == []
    assert await numbers(event="siem", since=now.isoformat(), limit="5000") == whole


async def test_that_the_operator_ended_an_assistant_stands_in_its_persons_trail_as_the_operators(world: World) -> None:
    number = next(_numbers)
    await assistant(world, number)
    grant_id = f"grant_{number:04}"

    answer = await world.hub.operator.delete(f"/assistants/{grant_id}", params={"person": "ada"})

    assert answer.status_code == 204
    told = await world.hub.services.trail.list(OfPerson(world.hub.people["ada"].id), wanted=WantedEvents(event="grant"))
    assert [event.actor for event in told if event.object == grant_id] == ["operator"]
