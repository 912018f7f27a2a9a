"""Having everything erased: what is left is hashes, an account, and a receipt; nobody else notices (DATA-10)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.hub import Hub, open_hub
from tests.api.things import Things, give_things, write_call
from tests.conftest import FakeClock
from valetkey.audit.kept_results import KeptResults
from valetkey.audit.model import KeptOf, OfPerson
from valetkey.kernel.errors import VaultFailed
from valetkey.privacy.consent import TEXT_HASH
from valetkey.privacy.erase import Erased
from valetkey.privacy.levels import Level
from valetkey.store.database import Database
from valetkey.vault.day_keys import DayKeys

DAY = "2026-11-22"


@pytest.fixture
async def hub(sqlite_database: Database, clock: FakeClock) -> Hub:
    hub = await open_hub(sqlite_database, clock)
    hub.elsewhere.database = sqlite_database
    return hub


@pytest.fixture
def days(hub: Hub, keyring_database: Database, tmp_path: Path) -> DayKeys:
    return hub.keep_keys(keyring_database, tmp_path / "root.key")


@pytest.fixture
async def things(hub: Hub, days: DayKeys) -> Things:
    return await give_things(hub, "eve")


async def erase(hub: Hub, login: str) -> Erased:
    person = hub.people[login]
    erased = await hub.services.erasing.step(person, by=f"person:{person.id}")
    while erased.finished_at is None:
        erased = await hub.services.erasing.step(person, by=f"person:{person.id}")
    return erased


async def test_what_is_left_is_the_account_and_a_receipt_and_the_trail_verifies(
    hub: Hub, days: DayKeys, things: Things
) -> None:
    eve = hub.people["eve"]
    await days.key(eve.id, eve.organization_id, DAY)
    await hub.services.trail_log.checkpoints.make()
    kept = KeptResults(hub.database)
    await kept.keep(KeptOf("call_1", eve.id, eve.organization_id, DAY, 1), [b"sealed"])
    assert await kept.find("call_1", eve.id) is not None

    erased = await erase(hub, "eve")

    assert await kept.find("call_1", eve.id) is None
    assert (erased.connections, erased.unconfirmed, erased.days, erased.calls) == (1, 0, 1, 1)
    assert erased.events > 3
    assert await hub.services.connections.list(eve.id) == ()
    assert await hub.services.policy.standing.list(eve.id) == []
    assert await hub.services.calls.list(OfPerson(eve.id)) == []
    with pytest.raises(VaultFailed):
        await days.existing(eve.id, eve.organization_id, DAY)
    assert [one.event for one in await hub.services.trail.list(OfPerson(eve.id))] == [
        "data.erased", "data.connections_ended",
    ]  # fmt: skip
    assert await hub.services.erasing.receipts(eve.id) == [erased]
    assert ("forget_receipts", eve.id) in hub.elsewhere.asked
    report = await hub.services.trail_log.verify(None, None, ())
    assert report.findings == ()
    assert (await hub.services.people.get(eve.id)).login == "eve"


async def test_nothing_of_anybody_else_goes(hub: Hub, days: DayKeys, things: Things) -> None:
    bob = hub.people["bob"]
    await days.key(bob.id, bob.organization_id, DAY)
    await write_call(hub, bob, "call_of_bob", hub.clock.now())
    before = await hub.services.trail.list(OfPerson(bob.id))

    await erase(hub, "eve")

    await days.existing(bob.id, bob.organization_id, DAY)
    assert [one.id for one in await hub.services.calls.list(OfPerson(bob.id))] == ["call_of_bob"]
    assert await hub.services.trail.list(OfPerson(bob.id)) == before


async def test_a_choice_to_keep_little_stays_and_a_yes_to_training_is_taken_back(
    hub: Hub, days: DayKeys, things: Things
) -> None:
    eve, privacy = hub.people["eve"], hub.services.privacy
    await privacy.levels.choose(eve.organization_id, eve.id, Level.NONE, actor="x")
    await privacy.consents.give(eve, text_hash=TEXT_HASH, actor="x")

    await erase(hub, "eve")

    assert await privacy.levels.level(eve.organization_id, eve.id, "github") is Level.NONE
    assert await privacy.consents.of(eve) is None


async def test_what_was_cut_off_goes_on_and_says_how_far_it_is(hub: Hub, days: DayKeys, things: Things) -> None:
    client = await hub.with_scopes("eve")

    first = (await client.post("/data/erase", json={})).json()
    listed = (await client.get("/data/erasures")).json()["items"]
    last = (await client.post("/data/erase", json={})).json()

    assert (first["finished_at"], first["percent"]) == (None, 0)
    assert listed == [first]
    assert last["id"] == first["id"]
    assert (last["finished_at"] is not None, last["percent"]) == (True, 100)


async def test_it_takes_a_token_made_within_the_hour(hub: Hub, days: DayKeys, things: Things) -> None:
    token = await hub.token("eve", "data:erase")
    hub.clock.advance(3599.0)
    fresh = await hub.client(hub.app, token).get("/me")
    assert fresh.status_code == 200
    old, _ = await hub.services.tokens.create_personal(hub.people["eve"], "old", "/api/v1", ("data:erase",), 7200.0)
    hub.clock.advance(3601.0)

    refused = await hub.client(hub.app, old.reveal().decode()).post("/data/erase", json={})

    assert refused.status_code == 403
    assert await hub.services.calls.list(OfPerson(hub.people["eve"].id))


async def test_an_archive_that_is_taken_after_holds_nothing_but_the_account_and_the_erasure(
    hub: Hub, days: DayKeys, things: Things
) -> None:
    await erase(hub, "eve")

    client, after, files = await hub.with_scopes("eve"), "", dict[str, int]()
    while after or not files:
        part = (await client.get("/data/export", params={"after": after})).json()
        files[part["file"]], after = files.get(part["file"], 0) + len(part["lines"]), part["next_after"]

    assert {name: files[name] for name in ("connections", "approvals", "calls")} == dict.fromkeys(
        ("connections", "approvals", "calls"), 0
    )
    told = {one.event for one in await hub.services.trail.list(OfPerson(hub.people["eve"].id))}
    assert told == {"data.erased", "data.connections_ended", "token.created", "data.exported"}
