"""Leaving: nothing that acts or speaks for the person is left, and nobody else notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.hub import HOUR, Hub, open_hub
from tests.conftest import FakeClock
from valetkey.audit.model import Everyone
from valetkey.identity.model import Role
from valetkey.kernel.errors import Conflict, NotFound, NotSignedIn, VaultFailed
from valetkey.store.database import Database
from valetkey.vault.day_keys import DayKeys

DAY = "2026-11-22"


@pytest.fixture
async def hub(sqlite_database: Database, clock: FakeClock) -> Hub:
    return await open_hub(sqlite_database, clock)


@pytest.fixture
def days(hub: Hub, keyring_database: Database, tmp_path: Path) -> DayKeys:
    return hub.keep_keys(keyring_database, tmp_path / "root.key")


async def test_who_leaves_is_out_at_once_ends_every_connection_and_takes_their_contents_along(
    hub: Hub, days: DayKeys
) -> None:
    bob, ada = hub.people["bob"], hub.people["ada"]
    for person in (bob, ada):
        await days.key(person.id, person.organization_id, DAY)
    secret, _ = await hub.services.tokens.create_personal(bob, "laptop", "/mcp", (), HOUR)

    left = await hub.services.offboarding.remove(bob.id, by=f"person:{ada.id}")

    assert (left.connections, left.unconfirmed, left.days) == (1, 0, 1)
    assert hub.elsewhere.asked == [("disconnect_all", bob.id, f"person:{ada.id}")]
    with pytest.raises(NotSignedIn):
        await hub.services.tokens.authenticate(secret.reveal(), audience="/mcp")
    with pytest.raises(VaultFailed):
        await days.existing(bob.id, bob.organization_id, DAY)
    await days.existing(ada.id, ada.organization_id, DAY)
    gone = await hub.services.people.get(bob.id)
    assert (gone.login, gone.display_name, gone.state) == (bob.id, "(left)", "disabled")
    assert await hub.services.people.find("bob") is None
    events = [(event.event, event.actor) for event in await hub.services.trail.list(Everyone())]
    assert events[0] == ("person.removed", f"person:{ada.id}")


async def test_asking_once_more_finishes_what_was_cut_off(hub: Hub, days: DayKeys) -> None:
    bob = hub.people["bob"]
    await days.key(bob.id, bob.organization_id, DAY)
    await hub.services.people.disable(bob.id)

    await hub.services.offboarding.remove(bob.id, by="operator")
    again = await hub.services.offboarding.remove(bob.id, by="operator")

    assert again.days == 0


async def test_the_last_owner_stays(hub: Hub, days: DayKeys) -> None:
    ada = hub.people["ada"]

    with pytest.raises(Conflict, match="last owner"):
        await hub.services.offboarding.remove(ada.id, by="operator")

    assert hub.elsewhere.asked == []
    assert (await hub.services.people.get(ada.id)).state == "active"


async def test_a_login_that_became_free_can_be_given_to_somebody_else(hub: Hub, days: DayKeys) -> None:
    bob = hub.people["bob"]
    await hub.services.offboarding.remove(bob.id, by="operator")

    new = await hub.add("bob", bob.organization_id, Role.MEMBER)

    assert new.id != bob.id
    with pytest.raises(NotFound):
        await hub.services.offboarding.remove("person_none", by="operator")


async def test_a_member_deletes_their_own_account_and_nobody_elses(hub: Hub, days: DayKeys) -> None:
    bob = await hub.with_scopes("bob")

    refused = await bob.delete("/people/ada")
    done = await bob.delete("/people/bob")

    assert refused.status_code == 403
    assert (done.status_code, done.json()["connections"]) == (200, 1)
    assert (await bob.get("/people")).status_code == 401
