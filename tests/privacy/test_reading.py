"""Who else reads calls: owners and auditors that they were made, auditors with a reason what was in them.

S-09 (g), ORG-19.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.hub import Hub, open_hub
from tests.conftest import FakeClock
from tests.privacy.test_retention import a_call
from valetkey.audit.model import Everyone
from valetkey.identity.model import Role
from valetkey.store.database import Database
from valetkey.vault.day_keys import DayKeys


@pytest.fixture
async def hub(sqlite_database: Database, clock: FakeClock) -> Hub:
    """Ada (owner), Bob, and Audrey (auditor) are of an organization; Eve is on her own."""
    hub = await open_hub(sqlite_database, clock)
    await hub.add("audrey", hub.people["ada"].organization_id, Role.AUDITOR)
    await hub.add("adam", hub.people["ada"].organization_id, Role.ADMIN)
    return hub


@pytest.fixture
async def days(hub: Hub, keyring_database: Database, tmp_path: Path) -> DayKeys:
    return hub.keep_keys(keyring_database, tmp_path / "root.key")


async def test_an_auditor_reads_what_was_in_a_call_and_its_person_sees_who_and_why(hub: Hub, days: DayKeys) -> None:
    call_id = await a_call(hub, days)
    audrey, bob = await hub.with_scopes("audrey"), await hub.with_scopes("bob")

    read = await audrey.post(f"/calls/{call_id}/readings", json={"reason": "Case 12/26"})

    assert (read.status_code, read.json()["response"]) == (200, {"said": "hello"})
    [seen] = (await bob.get(f"/calls/{call_id}/readings")).json()["items"]
    assert (seen["by"], seen["reason"]) == (f"person:{hub.people['audrey'].id}", "Case 12/26")
    [event] = [one for one in await hub.services.trail.list(Everyone()) if one.event == "call.read"]
    assert (event.person_id, event.object) == (hub.people["bob"].id, call_id)
    assert "hello" not in str(event.detail)


@pytest.mark.parametrize("login", ["ada", "adam", "bob", "eve"])
async def test_nobody_else_reads_what_was_in_it_and_who_tries_leaves_no_reading(
    hub: Hub, days: DayKeys, login: str
) -> None:
    call_id = await a_call(hub, days, "audrey" if login == "bob" else "bob")
    client = await hub.with_scopes(login)

    assert (await client.post(f"/calls/{call_id}/readings", json={"reason": "x"})).status_code == 403
    assert (await client.get(f"/calls/{call_id}")).status_code == 404
    assert not [one for one in await hub.services.trail.list(Everyone()) if one.event == "call.read"]


async def test_an_auditor_reads_nothing_of_another_organization(hub: Hub, days: DayKeys) -> None:
    call_id = await a_call(hub, days, "eve")
    audrey = await hub.with_scopes("audrey")

    assert (await audrey.post(f"/calls/{call_id}/readings", json={"reason": "x"})).status_code == 404
    assert (await audrey.get("/calls", params={"members": True})).json()["items"] == []


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301, "a\x00b"])
async def test_without_a_reason_nothing_is_read(hub: Hub, days: DayKeys, reason: str) -> None:
    call_id = await a_call(hub, days)
    audrey = await hub.with_scopes("audrey")

    refused = await audrey.post(f"/calls/{call_id}/readings", json={"reason": reason})

    assert refused.status_code in (400, 422)
    assert not [one for one in await hub.services.trail.list(Everyone()) if one.event == "call.read"]


@pytest.mark.parametrize(("login", "status"), [("ada", 200), ("audrey", 200), ("adam", 403), ("bob", 403)])
async def test_owners_and_auditors_see_that_calls_were_made_and_no_contents(
    hub: Hub, days: DayKeys, login: str, status: int
) -> None:
    call_id = await a_call(hub, days)
    await a_call(hub, days, "eve")
    client = await hub.with_scopes(login)

    listed = await client.get("/calls", params={"members": True})

    assert listed.status_code == status
    if status == 200:
        assert [one["id"] for one in listed.json()["items"]] == [call_id]
        assert "hello" not in listed.text


async def test_what_was_erased_no_auditor_opens(hub: Hub, days: DayKeys) -> None:
    call_id = await a_call(hub, days)
    await days.destroy(hub.people["bob"].id)
    audrey = await hub.with_scopes("audrey")

    read = (await audrey.post(f"/calls/{call_id}/readings", json={"reason": "Case"})).json()

    assert (read["contents"], read["response"]) == ("erased", None)
