"""Training (S-11): off at first, only by one's own yes, never for an organization, never a word of what was said."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from tests.api.hub import Hub, open_hub
from tests.conftest import FakeClock
from valetkey.audit.model import CallEnding, CallIntent, Everyone, Outcome
from valetkey.audit.repository import insert_calls
from valetkey.identity.model import Person, Role
from valetkey.identity.roles import Act
from valetkey.kernel.errors import BadInput, Conflict, Forbidden
from valetkey.privacy import consent_repository as repository
from valetkey.privacy.consent import TEXT, TEXT_HASH, Consent
from valetkey.privacy.policy import TEMPLATE_VERSION
from valetkey.settings import Settings
from valetkey.store.database import Database
from valetkey.store.schema import membership

CANARY = "CANARY-8f1c"


@pytest.fixture
async def hub(sqlite_database: Database, clock: FakeClock) -> Hub:
    """Ada (owner) and Bob are of an organization; Eve is on her own."""
    return await open_hub(sqlite_database, clock)


async def allow(hub: Hub, login: str = "eve") -> Consent:
    person = hub.people[login]
    return await hub.services.privacy.consents.give(person, text_hash=TEXT_HASH, actor=f"person:{person.id}")


async def a_call(hub: Hub, person: Person, number: int) -> None:
    """A call with the canary wherever somebody else's words can be."""
    hub.clock.advance(1)
    intent = CallIntent(
        id=f"call_{number:04}", started_at=hub.clock.now(), organization_id=person.organization_id,
        person_id=person.id, client=CANARY, connector=CANARY, connection_id=CANARY, label=CANARY[:12], method=CANARY,
        tool=CANARY, day="2026-11-22", request_bytes=7, request=CANARY.encode(),
    )  # fmt: skip
    ending = CallEnding(
        id=intent.id, outcome=Outcome.OK, rule=CANARY, detail=CANARY, origin=CANARY, duration_us=2500,
        response_bytes=9, response=CANARY.encode(), tool_class="R",
    )  # fmt: skip
    async with hub.database.write() as tx:
        await insert_calls(tx, [(intent, ending)])


async def export(hub: Hub) -> list[dict[str, Any]]:
    """Everything that an export yields."""
    items: list[dict[str, Any]] = []
    async with hub.operator as operator:
        after = ""
        while True:
            part = (await operator.post("/data/training-export", json={"after": after})).json()
            items += part["items"]
            after = part["next_after"]
            if not after:
                return items


async def move(hub: Hub, person: Person, organization_id: str) -> None:
    async with hub.database.write() as tx:
        where = membership.c.person_id == person.id
        await tx.execute(membership.update().where(where).values(organization_id=organization_id))


async def events(hub: Hub, name: str) -> list[dict[str, Any]]:
    return [dict(one.detail) for one in await hub.services.trail.list(Everyone()) if one.event == name]


async def test_at_first_it_is_off_for_everybody_and_an_export_is_empty(hub: Hub) -> None:
    for number, login in enumerate(hub.people):
        await a_call(hub, hub.people[login], number)
        assert await hub.services.privacy.consents.of(hub.people[login]) is None

    assert await export(hub) == []
    assert await events(hub, "training.exported") == [{"items": 0, "consent": ""}]


async def test_a_yes_says_who_when_under_which_policy_and_to_which_text(hub: Hub) -> None:
    given = await allow(hub)

    kept = await hub.services.privacy.consents.of(hub.people["eve"])
    assert kept == given
    assert kept == Consent(
        given.id, hub.people["eve"].id, hub.people["eve"].organization_id, hub.clock.now(), TEMPLATE_VERSION, TEXT_HASH,
        None,
    )  # fmt: skip
    assert await events(hub, "training.consent_given") == [{"policy_version": TEMPLATE_VERSION, "text_hash": TEXT_HASH}]


async def test_a_yes_to_another_text_is_none_and_a_second_one_says_so(hub: Hub) -> None:
    with pytest.raises(BadInput, match="has changed"):
        await hub.services.privacy.consents.give(hub.people["eve"], text_hash="0" * 64, actor="x")
    assert await hub.services.privacy.consents.of(hub.people["eve"]) is None
    await allow(hub)

    with pytest.raises(Conflict):
        await allow(hub)


async def test_an_export_has_calls_since_the_yes_and_not_a_word_of_anybodys(hub: Hub) -> None:
    """DATA-06, DATA-07, S-28: nothing that a person, an assistant or a service wrote."""
    eve = hub.people["eve"]
    await a_call(hub, eve, 1)
    hub.clock.advance(1)
    consent = await allow(hub)
    await a_call(hub, eve, 2)

    items = await export(hub)

    [item] = items
    assert CANARY not in json.dumps(items)
    assert eve.id not in json.dumps(items)
    assert item == {
        "id": item["id"], "consent": consent.id, "day": "2026-11-22", "outcome": "ok", "tool_class": "R",
        "duration_ms": 2, "request_bytes": 7, "response_bytes": 9,
    }  # fmt: skip
    assert [one["id"] for one in await export(hub)] == [item["id"]]  # the same call is the same item


async def test_no_row_is_of_an_organization_whatever_lies_in_the_table(hub: Hub) -> None:
    """As an import, a restored backup or a hand at the database would leave it."""
    now = hub.clock.now()
    async with hub.database.write() as tx:
        for login in ("ada", "bob"):
            person = hub.people[login]
            await repository.add(tx, f"consent_{login}", person.id, person.organization_id, now, "1", TEXT_HASH)
    for number, login in enumerate(hub.people):
        await a_call(hub, hub.people[login], number)

    assert await export(hub) == []
    assert sorted(one["consent"] for one in await events(hub, "training.exported")) == [
        "", "consent_ada", "consent_bob",
    ]  # fmt: skip


async def test_who_moves_into_an_organization_is_out_at_once_and_with_what_was_before(hub: Hub) -> None:
    """S-10 (c); and what they did there stays out when they are on their own again."""
    eve = hub.people["eve"]
    own = eve.organization_id
    await allow(hub)
    await a_call(hub, eve, 1)
    assert len(await export(hub)) == 1

    await move(hub, eve, hub.people["ada"].organization_id)
    moved = await hub.services.people.get(eve.id)
    await a_call(hub, moved, 2)

    assert await export(hub) == []
    await move(hub, eve, own)
    assert len(await export(hub)) == 1  # the first one only


async def test_a_yes_holds_in_the_personal_organization_it_was_given_in_and_in_no_later_one(hub: Hub) -> None:
    """Who was a member somewhere meanwhile comes back into another one of their own: they are asked anew."""
    eve = hub.people["eve"]
    await allow(hub)
    later = await hub.services.organizations.create("Eve", "personal")
    await move(hub, eve, later.id)
    moved = await hub.services.people.get(eve.id)
    await a_call(hub, moved, 1)

    assert await hub.services.privacy.consents.of(moved) is None
    assert await export(hub) == []
    hub.people["eve"] = moved
    hub.clock.advance(1)
    await allow(hub)
    await a_call(hub, moved, 2)
    assert len(await export(hub)) == 1


@pytest.mark.parametrize("role", Role)
async def test_no_role_can_say_yes_in_an_organization_and_the_attempt_is_in_the_trail(hub: Hub, role: Role) -> None:
    person = await hub.services.people.create(
        login="new", display_name="New", organization_id=hub.people["ada"].organization_id, role=role
    )

    with pytest.raises(Forbidden, match="nobody can allow it"):
        await hub.services.privacy.consents.give(person, text_hash=TEXT_HASH, actor=f"person:{person.id}")

    assert await events(hub, "training.consent_refused") == [{"because": "organization"}]


async def test_no_setting_role_or_field_of_the_api_speaks_of_allowing_it(hub: Hub) -> None:
    """S-10 (a). What could open it would have to be named; the only routes that name it read, take back, and export."""
    assert not [field.name for field in dataclasses.fields(Settings) if "train" in field.name or "learn" in field.name]
    assert not [act for act in Act if "train" in act]
    async with hub.operator as operator:
        described = (await operator.get("/openapi.json")).json()
    named = {(path, method) for path, methods in described["paths"].items() for method in methods if "training" in path}
    assert {(path.removeprefix("/api/v1"), method) for path, method in named} == {
        ("/data/training-consent", "get"), ("/data/training-consent", "delete"), ("/data/training-export", "post"),
        ("/data/training-export/withdrawn", "get"),
    }  # fmt: skip
    bodies = [
        (name, field)
        for name, schema in described["components"]["schemas"].items()
        for field in schema.get("properties", {})
        if "train" in field or "consent" in field
    ]
    assert bodies == [("InvitationToMe", "allows_training"), ("ItemShown", "consent")]  # of answers


async def test_taking_it_back_stops_it_and_lists_what_was_handed_out(hub: Hub) -> None:
    eve = hub.people["eve"]
    await allow(hub)
    await a_call(hub, eve, 1)
    [item] = await export(hub)
    client = await hub.with_scopes("eve")

    assert (await client.delete("/data/training-consent")).json() == {"items_to_delete": 1}

    assert await export(hub) == []
    async with hub.operator as operator:
        assert (await operator.get("/data/training-export/withdrawn")).json()["items"] == [item["id"]]
    assert await events(hub, "training.consent_withdrawn") == [{"items_to_delete": 1}]
    hub.clock.advance(1)
    await allow(hub)
    assert await export(hub) == []  # a new yes is for calls from then on


async def test_who_may_not_export_is_refused_and_stands_in_the_trail(hub: Hub) -> None:
    await allow(hub)
    for login in ("ada", "bob", "eve"):
        assert (await (await hub.with_scopes(login)).post("/data/training-export", json={})).status_code == 403

    assert await events(hub, "training.export_refused") == [{"items": 0}] * 3
    assert await events(hub, "training.exported") == []


async def test_a_long_history_comes_in_parts_without_gap_or_repetition(hub: Hub) -> None:
    await allow(hub)
    for number in range(450):
        await a_call(hub, hub.people["eve"], number)

    items = await export(hub)

    assert len({one["id"] for one in items}) == len(items) == 450
    assert sum(one["items"] for one in await events(hub, "training.exported")) == 450


def test_the_text_says_what_it_is_for_and_what_never_is() -> None:
    assert "Never part of it: what was sent or came back" in TEXT[1]
    assert "not undone" in TEXT[2]
