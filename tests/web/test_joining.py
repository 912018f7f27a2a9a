"""An invitation on the pages: who has an account of their own is told what joining ends, and decides."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.web.world import PASSWORD, World
from valetkey.identity.model import Role
from valetkey.kernel.secret import Secret
from valetkey.store.schema import organization


@pytest.fixture(autouse=True)
async def company(world: World) -> None:
    async with world.database.write() as tx:
        await tx.execute(update(organization).values(kind="organization"))


async def test_an_owner_invites_somebody_who_has_an_account_and_nothing_happens_before_they_join(world: World) -> None:
    owner, _ = await world.signed_in("root", role=Role.OWNER)
    own = await world.services.organizations.create("Eve", "personal")
    eve = await world.services.people.create(login="eve", display_name="Eve", organization_id=own.id, role=Role.OWNER)
    await world.services.passwords.set(eve.id, Secret(PASSWORD))
    connector = await world.connector(eve, name="Diary", url="https://diary.example/mcp")
    await world.connection(eve, connector)
    browser = world.browser()
    await browser.sign_in("eve")
    await owner.open("/admin")

    invited = await owner.submit("/admin/people", {"login": "EVE", "display_name": "x", "role": "member"})
    settings = await browser.open("/settings")
    [invitation] = await world.services.invitations.to(eve.id)
    path = f"/settings/invitations/{invitation.id}"
    page = await browser.open(path)
    before = await world.services.people.get(eve.id)
    strangers = await owner.open(path)
    await browser.open(path)
    joined = await browser.submit(f"{path}/join")
    after = await world.services.people.get(eve.id)

    assert "they see your invitation in their settings" in invited.text
    assert "Riverside" in settings.text
    told = ("Nothing of what is yours moves with you", "What you connected (1)", "Take it along", "for training")
    for words in told:
        assert words in page.text, words
    assert before == eve
    assert strangers.status_code == 404
    assert "You are a member now." in joined.text
    assert (after.organization_id, after.role) == (world.organization.id, Role.MEMBER)
    assert await world.services.connections.list(eve.id) == ()


async def test_who_declines_keeps_everything_and_who_was_withdrawn_finds_nothing(world: World) -> None:
    owner, root = await world.signed_in("root", role=Role.OWNER)
    own = await world.services.organizations.create("Eve", "personal")
    eve = await world.services.people.create(login="eve", display_name="Eve", organization_id=own.id, role=Role.OWNER)
    await world.services.passwords.set(eve.id, Secret(PASSWORD))
    browser = world.browser()
    await browser.sign_in("eve")
    invitations = world.services.invitations
    first = await invitations.invite(root.organization_id, "eve", Role.MEMBER, by="x")
    await browser.open(f"/settings/invitations/{first.id}")

    declined = await browser.submit(f"/settings/invitations/{first.id}/decline")
    second = await invitations.invite(root.organization_id, "eve", Role.MEMBER, by="x")
    await owner.open("/admin")
    withdrawn = await owner.submit(f"/admin/invitations/{second.id}/withdraw")

    assert "Everything stays as it is" in declined.text
    assert "Withdrawn." in withdrawn.text
    assert (await browser.open(f"/settings/invitations/{second.id}")).status_code == 404
    assert await world.services.people.get(eve.id) == eve
