"""What owners set of the organization's directory and of the feed of events, on pages; nobody else sees them."""

from __future__ import annotations

import html
import re

import pytest
from sqlalchemy import update

from tests.web.world import World
from valetkey.audit.model import OfOrganization
from valetkey.identity.model import Role
from valetkey.kernel.secret import Secret
from valetkey.store.schema import organization

PAGES = ("/admin/provisioning", "/admin/feeds")


@pytest.fixture(autouse=True)
async def company(world: World) -> None:
    async with world.database.write() as tx:
        await tx.execute(update(organization).values(kind="organization"))


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AUDITOR, Role.MEMBER])
async def test_nobody_but_an_owner_finds_them_or_does_anything_there(world: World, role: Role) -> None:
    owner = await world.person("root", role=Role.OWNER)
    feed, _ = await world.services.feeds.add(owner.organization_id, "syslog://logs.example", by="x")
    browser, _ = await world.signed_in("ada", role=role)

    pages = [(await browser.open(path)).status_code for path in PAGES]
    await browser.open("/settings")
    csrf = browser.csrf()
    posted = [
        (await browser.post(path, [("csrf", csrf), ("name", "x"), ("days", "1")])).status_code
        for path in ("/admin/feeds", f"/admin/feeds/{feed.id}/test", f"/admin/feeds/{feed.id}/remove",
                     "/admin/provisioning/tokens")
    ]  # fmt: skip

    assert (pages, posted) == ([404, 404], [404] * 4)
    assert await world.services.feeds.list(owner.organization_id) == [feed]


async def test_a_webhook_is_added_its_key_shown_once_tried_seen_to_fail_to_recover_and_removed(
    world: World,
) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    await browser.open("/admin/feeds")

    wrong = await browser.submit("/admin/feeds", {"address": "http://siem.example/x"})
    shown = await browser.submit("/admin/feeds", {"address": "https://siem.example/x"})
    [feed] = await world.services.feeds.list(ada.organization_id)
    page = await browser.open("/admin/feeds")
    tried = await browser.submit(f"/admin/feeds/{feed.id}/test")
    world.siem.is_down = True
    failed = await browser.submit(f"/admin/feeds/{feed.id}/test")
    world.siem.is_down = False
    again = await browser.submit(f"/admin/feeds/{feed.id}/test")
    removed = await browser.submit(f"/admin/feeds/{feed.id}/remove")

    assert (wrong.status_code, "reached over https" in wrong.text) == (422, True)
    assert "whsec_" in shown.text
    assert "sealed in the vault" in shown.text
    assert "whsec_" not in page.text
    assert "Nothing sent yet" in page.text
    assert "The place took it" in tried.text
    assert "siem.example does not answer." in failed.text
    assert "Works" in again.text
    assert "None yet." in removed.text
    sent = [one["event"] for one in world.siem.events if one["event"].startswith("feed.")]
    assert sent == ["feed.added", "feed.tried", "feed.tried", "feed.failing", "feed.tried"]


async def test_a_collector_is_added_with_a_sealed_header_that_no_page_shows_again(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    await browser.open("/admin/feeds")
    form = {"address": "otlp+https://otel.example", "header": "authorization", "value": "Bearer CANARY"}

    alone = await browser.submit("/admin/feeds", {**form, "value": ""})
    page = await browser.submit("/admin/feeds", form)
    [feed] = await world.services.feeds.list(ada.organization_id)
    world.siem.collector.body = b'{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}'
    partly = await browser.submit(f"/admin/feeds/{feed.id}/test")
    world.siem.collector.status = 401
    failed = await browser.submit(f"/admin/feeds/{feed.id}/test")

    assert (alone.status_code, "A header has a name and a value." in alone.text) == (422, True)
    assert "with the sealed header" in page.text
    assert "1 were left out: too old" in partly.text
    assert "It refused events for good" in failed.text
    assert "CANARY" not in alone.text + page.text + partly.text + failed.text
    assert world.siem.collector.asked[0][3] == b"authorization: Bearer CANARY\r\n"


async def test_a_directory_s_token_is_shown_once_speaks_until_it_is_revoked_and_groups_give_roles(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    bob = await world.person("bob")
    provisioning = world.services.provisioning
    group = await provisioning.directory.add_group(
        ada.organization_id, name="Operations", external_id="", members=[bob.id], by="x"
    )
    await browser.open("/admin/provisioning")

    wrong = await browser.submit("/admin/provisioning/tokens", {"name": "Entra", "days": "999"})
    shown = await browser.submit("/admin/provisioning/tokens", {"name": "Entra", "days": "30"})
    found = re.search(r"vkp_[\w-]+", html.unescape(shown.text))
    assert found, shown.text
    token = await provisioning.tokens.authenticate(Secret(found[0]))
    page = await browser.open("/admin/provisioning")
    given = await browser.submit(f"/admin/provisioning/groups/{group.id}/role", {"role": "auditor"})
    role = (await world.services.people.get(bob.id)).role
    refused = await browser.submit(f"/admin/provisioning/groups/{group.id}/role", {"role": "owner"})
    await browser.open("/admin/provisioning")
    revoked = await browser.submit(f"/admin/provisioning/tokens/{token.id}/revoke")

    assert wrong.status_code == 422
    assert token.organization_id == ada.organization_id
    assert found[0] not in page.text
    assert "Operations" in page.text
    assert "have it at once" in given.text
    assert role is Role.AUDITOR
    assert refused.status_code == 422
    assert "Revoked." in revoked.text
    assert await provisioning.tokens.list(ada.organization_id) == []
    events = [one.event for one in await world.services.trail.list(OfOrganization(ada.organization_id))]
    assert {"provisioning.token_created", "provisioning.token_revoked", "group.role_set"} <= set(events)
