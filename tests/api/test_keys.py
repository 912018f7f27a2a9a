"""Keys are rotated by the operator, or by an owner for their own organization, and it is in the trail before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.hub import HOUR, Hub
from valetkey.audit.model import Everyone
from valetkey.identity.model import Role
from valetkey.kernel.errors import VaultFailed
from valetkey.store.database import Database
from valetkey.vault.rotation import Rotation


@pytest.fixture(autouse=True)
async def keys(hub: Hub, keyring_database: Database, tmp_path: Path) -> None:
    days = hub.keep_keys(keyring_database, tmp_path / "root.key")
    for person in hub.people.values():
        await days.key(person.id, person.organization_id, "2026-11-22")


async def test_the_operator_sees_all_keys_and_an_owner_those_of_their_organization(hub: Hub) -> None:
    everything = (await hub.operator.get("/keys")).json()
    own = (await (await hub.with_scopes("eve")).get("/keys")).json()

    assert (everything["organizations"], everything["data_keys"], len(everything["roots"])) == (2, 3, 1)
    assert (own["organizations"], own["data_keys"], own["roots"]) == (1, 1, [])


async def test_an_owner_rotates_and_rewraps_their_own_organization_only(hub: Hub) -> None:
    ada = await hub.with_scopes("ada")
    theirs = {"organization": hub.people["eve"].organization_id}

    assert (await ada.post("/keys/rotate/tenant", json={})).json() == {"version": 2}
    left = (await ada.get("/keys")).json()["data_keys_on_older_keys"]
    done = (await ada.post("/keys/rewrap", json={})).json()

    assert left == 2
    assert done == {"organization_keys": 0, "data_keys": 2, "damaged": 0, "destroyed": 1, "done": True}
    assert (await ada.post("/keys/rotate/tenant", json={}, params=theirs)).status_code == 404
    assert (await ada.post("/keys/rewrap", json={}, params=theirs)).status_code == 404
    assert (await ada.get("/keys", params=theirs)).status_code == 404


async def test_a_token_an_hour_old_changes_no_keys(hub: Hub) -> None:
    ada = hub.client(
        hub.app,
        (
            await hub.services.tokens.create_personal(
                hub.people["ada"], "old", "/api/v1", ("keys:read", "keys:write"), 48 * HOUR
            )
        )[0]
        .reveal()
        .decode(),
    )
    hub.clock.advance(HOUR + 1)

    assert (await ada.get("/keys")).status_code == 200
    assert (await ada.post("/keys/rotate/tenant", json={})).status_code == 403
    assert (await ada.post("/keys/rewrap", json={})).status_code == 403


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AUDITOR])
async def test_who_may_see_keys_may_not_change_them(hub: Hub, role: Role) -> None:
    await hub.add("max", hub.people["ada"].organization_id, role)
    other = await hub.with_scopes("max")

    assert (await other.get("/keys")).status_code == 200
    assert (await other.post("/keys/rotate/tenant", json={})).status_code == 403
    assert (await other.post("/keys/rewrap", json={})).status_code == 403


async def test_after_the_root_key_is_rotated_nothing_hangs_on_the_first(hub: Hub) -> None:
    assert (await hub.operator.post("/keys/rotate/root", json={})).json() == {"version": 2}
    before = (await hub.operator.get("/keys")).json()
    await hub.operator.post("/keys/rewrap", json={})
    after = (await hub.operator.get("/keys")).json()

    assert [root["organization_keys"] for root in before["roots"]] == [2, 0]
    assert [root["organization_keys"] for root in after["roots"]] == [0, 2]


async def test_what_cannot_be_done_is_in_the_trail_all_the_same(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event is written before the act: an act that fails, or is cut off, was still begun by somebody."""

    async def fails(self: Rotation, *_args: object, **_kwargs: object) -> int:
        raise VaultFailed("no")

    for verb in ("rotate_root", "rotate_tenant", "rewrap"):
        monkeypatch.setattr(Rotation, verb, fails)
    ours = {"organization": hub.people["ada"].organization_id}

    await hub.operator.post("/keys/rotate/root", json={})
    await hub.operator.post("/keys/rotate/tenant", json={}, params=ours)
    await hub.operator.post("/keys/rewrap", json={})

    events = [event.event for event in await hub.services.trail.list(Everyone())]
    assert events[:3] == ["key.rewrap", "key.rotate_tenant", "key.rotate_root"]


async def test_a_kit_that_no_key_can_be_sealed_to_is_not_adopted(hub: Hub) -> None:
    """The points of low order (RFC 7748, 6.1): with one adopted, no organization could have a new key."""
    theirs = {"organization": hub.people["eve"].organization_id}

    answer = await hub.operator.post("/keys/recovery-kit", json={"public_key": "00" * 32})

    assert (answer.status_code, answer.json()["field"]) == (400, "public_key")
    assert (await hub.operator.post("/keys/rotate/tenant", json={}, params=theirs)).json() == {"version": 2}
