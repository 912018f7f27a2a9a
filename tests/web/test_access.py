"""The owner's page of connectors: hosts they may reach, on and off, and for whom; who sees it, and that it holds."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.web.world import World
from valetkey.audit.model import OfOrganization
from valetkey.identity.model import Role
from valetkey.store.schema import organization

HERE = "/admin/connectors"


@pytest.fixture(autouse=True)
async def company(world: World) -> None:
    async with world.database.write() as tx:
        await tx.execute(update(organization).values(kind="organization"))


@pytest.mark.parametrize(("role", "sees", "manages", "limits"), [
    (Role.OWNER, True, True, True), (Role.ADMIN, True, True, False), (Role.AUDITOR, True, False, False),
    (Role.MEMBER, False, False, False),
])  # fmt: skip
async def test_an_owner_says_where_connectors_go_an_admin_switches_them_and_an_auditor_looks(
    world: World, role: Role, sees: bool, manages: bool, limits: bool
) -> None:
    browser, _ = await world.signed_in("ada", role=role)
    connector = await world.connector(await world.person("root", role=Role.OWNER))

    page = await browser.open(HERE)
    await browser.open("/settings")
    csrf = browser.csrf()
    answered = [
        (await browser.post(path, [("csrf", csrf), *fields.items()])).status_code == 303
        for path, fields in (
            (f"{HERE}/hosts", {"limited": "yes", "allowed": "mcp.example.com"}),
            (f"{HERE}/{connector.slug}/state", {"state": "blocked"}),
            (f"{HERE}/{connector.slug}/groups", {"everybody": "yes"}),
        )
    ]

    assert page.status_code == (200 if sees else 404)
    assert ("Only the hosts below" in page.text) is limits
    assert answered == [limits, manages, manages]
    assert ((await world.services.connectors.by_id(connector.id)).state == "blocked") is manages


async def test_hosts_that_are_named_hold_at_once_are_told_to_members_and_stand_in_the_trail(world: World) -> None:
    """ORG-10: what was connected cannot be called, what is new cannot be added, and nothing was asked of the host."""
    owner, ada = await world.signed_in("ada", role=Role.OWNER, name="Ada")
    connector = await world.connector(ada)
    connection = await world.connection(ada, connector)
    await owner.open(HERE)

    said = {"limited": "yes", "allowed": "*.example.net\nMCP.ok.example", "denied": ""}
    page = await owner.submit(f"{HERE}/hosts", said)
    told = await owner.open(f"/connections/{connection.id}")
    start = await owner.open(f"/connections/new/{connector.slug}")
    await owner.open("/connections/add")
    other = await owner.submit(
        "/connections/add", {"name": "Other", "url": "https://mcp.other.example/mcp", "sign_in": "oauth"}
    )
    await owner.open(HERE)
    wrong = await owner.submit(f"{HERE}/hosts", {**said, "allowed": "https://mcp.example.com"})

    for words in ("mcp.ok.example", "1 connector is outside", "Host not allowed by your organization", "Ada"):
        assert words in page.text, words
    assert "Outside the hosts of your organization" in told.text
    assert "does not let connectors reach this service" in start.text
    assert "does not let connectors reach mcp.other.example" in other.text
    assert wrong.status_code == 422
    assert "is no host" in wrong.text
    events = await world.services.trail.list(OfOrganization(ada.organization_id))
    [told_of] = [one for one in events if one.event == "hosts.set"]
    assert (told_of.actor, *(told_of.detail[name] for name in ("came", "limited", "was_limited"))) == (
        f"person:{ada.id}", ["*.example.net", "mcp.ok.example"], True, False,
    )  # fmt: skip


async def test_where_one_signs_in_must_be_on_the_list_too_and_is_not_asked_for_anything_before(world: World) -> None:
    owner, ada = await world.signed_in("ada", role=Role.OWNER)
    connector = await world.connector(ada)
    await world.services.access.set_hosts(
        ada.organization_id, is_limited=True, allowed=["mcp.example.com"], denied=[], by=f"person:{ada.id}"
    )

    await owner.open(f"/connections/new/{connector.slug}")
    refused = await owner.submit(f"/connections/new/{connector.slug}", {"label": ""})
    asked = [url for url in world.service.asked if "auth.example.net" in url]
    await world.services.access.set_hosts(
        ada.organization_id, is_limited=True, allowed=["mcp.example.com", "auth.example.net"], denied=[], by="x"
    )
    await owner.open(f"/connections/new/{connector.slug}")
    passed = await owner.submit(f"/connections/new/{connector.slug}", {"label": ""})

    assert "does not let connectors reach auth.example.net" in refused.text
    assert asked == []
    assert passed.url.path.startswith("/connections/review/")


async def test_a_connector_for_a_group_is_found_by_its_members_alone(world: World) -> None:
    owner, ada = await world.signed_in("ada", role=Role.OWNER)
    connector = await world.connector(ada)
    bob, person = await world.signed_in("bob")
    eve, _ = await world.signed_in("eve")
    directory = world.services.provisioning.directory
    group = await directory.add_group(ada.organization_id, name="Finance", external_id="", members=[person.id], by="x")
    await owner.open(f"{HERE}/{connector.slug}")

    nobody = await owner.submit(f"{HERE}/{connector.slug}/groups", {"everybody": "no"})
    page = await owner.submit(f"{HERE}/{connector.slug}/groups", {"everybody": "no", "group": group.id})

    assert nobody.status_code == 422
    assert "It holds for everyone at once." in page.text
    assert "For Finance" in (await owner.open(HERE)).text
    assert connector.slug in (await bob.open("/directory")).text
    assert connector.slug not in (await eve.open("/directory")).text
    assert (await eve.open(f"/connections/new/{connector.slug}")).status_code == 404
