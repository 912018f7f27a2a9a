"""Revoking everything: the operator's, and an owner's for their own organization; in the trail before it happens."""

from __future__ import annotations

import pytest

from tests.api.hub import HOUR, Hub
from tests.api.things import Things, give_things
from valetkey.audit.model import Everyone
from valetkey.identity.model import Role
from valetkey.store.schema import connection

URL = "/vault/revoke-all"


async def _connected(hub: Hub) -> Things:
    things = await give_things(hub)
    hub.elsewhere.database = hub.database
    async with hub.database.write() as tx:
        await tx.execute(connection.update().values(state="connected", connected_at=hub.clock.now()))
    return things


async def _told(hub: Hub) -> list[tuple[str, str]]:
    events = await hub.services.trail.list(Everyone())
    return [(event.actor, event.organization_id) for event in events if event.event == "vault.revoke_all"]


async def test_an_owner_ends_every_connection_of_their_organization_and_of_no_other(hub: Hub) -> None:
    things = await _connected(hub)
    ada = await hub.with_scopes("ada")
    eve = await hub.with_scopes("eve")

    others = (await eve.post(URL, json={})).json()
    asked_for_others = list(hub.elsewhere.asked)
    own = (await ada.post(URL, json={})).json()

    assert (others["ended"], asked_for_others) == (0, [])
    by_ada = (things.connection.id, f"person:{hub.people['ada'].id}")
    assert hub.elsewhere.asked == [("bury", *by_ada), ("end", *by_ada)]
    assert own["ended"] == 1
    assert (await ada.post(URL, json={}, params={"organization": hub.people["eve"].organization_id})).status_code == 404
    assert (f"person:{hub.people['ada'].id}", hub.people["ada"].organization_id) in await _told(hub)


async def test_going_on_is_not_a_second_beginning(hub: Hub) -> None:
    first = (await hub.operator.post(URL, json={})).json()

    await hub.operator.post(URL, json={"began_at": first["began_at"]})

    assert await _told(hub) == [("operator", "")]


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AUDITOR, Role.MEMBER])
async def test_no_other_role_may(hub: Hub, role: Role) -> None:
    await hub.add("max", hub.people["ada"].organization_id, role)
    other = await hub.with_scopes("max")

    assert (await other.post(URL, json={})).status_code == 403
    assert hub.elsewhere.asked == []
    assert await _told(hub) == []


async def test_an_old_token_may_not(hub: Hub) -> None:
    ada = await hub.with_scopes("ada")
    hub.clock.advance(HOUR + 1)

    assert (await ada.post(URL, json={})).status_code in (401, 403)
    assert await _told(hub) == []


@pytest.mark.parametrize(
    "given",
    [
        "2026-11-29T08:00:00",
        1764403200,
        1764403200.5,
        True,
        "1764403200",
        "",
        "2026-11-29",
        [],
        "0001-01-01T00:00:00+14:00x",
    ],
)
async def test_a_time_that_is_not_written_out_with_its_zone_is_refused(hub: Hub, given: object) -> None:
    """A number would be taken for seconds or for milliseconds, whichever fits."""
    owner = await hub.with_scopes("ada", "keys:write")

    answer = await owner.post(URL, json={"began_at": given})

    assert (answer.status_code, answer.json()["field"]) == (400, "began_at")


@pytest.mark.parametrize("edge", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_the_ends_of_time_are_no_failure(hub: Hub, edge: str) -> None:
    owner = await hub.with_scopes("ada", "keys:write", "trail:read", "organizations:read")
    company = hub.people["ada"].organization_id

    said = [
        await owner.post(URL, json={"began_at": edge}),
        await owner.get("/trail", params={"since": edge}),
        await owner.get("/trail", params={"until": edge}),
        await owner.get(f"/organizations/{company}/usage", params={"since": edge[:10]}),
        await owner.get(f"/organizations/{company}/usage", params={"until": edge[:10]}),
        await owner.get(f"/organizations/{company}/usage", params={"since": "0", "until": "1"}),
    ]

    assert [one.status_code for one in said if one.status_code >= 500] == []
    assert said[-1].status_code == 400


async def test_an_owner_removes_a_connector_for_everybody(hub: Hub) -> None:
    things = await _connected(hub)
    owner = await hub.with_scopes("ada")
    bob = await hub.with_scopes("bob")
    path = f"/connectors/{things.connector.slug}"

    refused = await bob.delete(path, params={"everybody": True})
    removed = await owner.delete(path, params={"everybody": True})

    assert refused.status_code == 403
    assert removed.status_code == 204
    assert (await owner.get(path)).status_code == 404
    assert ("end", things.connection.id, f"person:{hub.people['ada'].id}") in hub.elsewhere.asked
