"""The owner's page of connectors: hosts they may reach, on and off, and for whom; who sees it, and that it holds."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.conftest import FakeClock
from tests.web.world import World
from valetkey.audit.model import OfOrganization
from valetkey.directory.listings import DataHandling, Listing, ReviewedTool, SignIn, Source
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


REVIEWED = Listing(
    slug="board", name="Board", publisher="Board Inc.", about="Cards on a board.", url="https://mcp.board.example/mcp",
    categories=("project work",), vertical="finance", auth=SignIn(scope="board:read board:write"),
    data=DataHandling(collected="What you put on a board.", retention="90 days"),
    tools=(
        ReviewedTool(name="list_cards", is_a="read", fingerprint="0" * 64),
        ReviewedTool(name="delete_board", is_a="high", fingerprint="1" * 64),
    ),
    source=Source(url="https://board.example/docs", date=FakeClock().now().date()),
)  # fmt: skip


async def test_an_owner_is_shown_tools_scopes_data_and_risk_where_a_connector_is_switched_on(world: World) -> None:
    """ORG-21: of a listing as its reviewer saw it; no account is needed for that, and none is made."""
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    world.services.connectors.listings.publish([REVIEWED])
    connector = await world.services.connectors.add_listed(ada, "board")
    await world.services.connectors.set_state(connector.id, "blocked")

    page = (await browser.open(f"{HERE}/board")).text

    for words in (
        "Switch on", "As its listing names them", "list_cards", "delete_board", "money, law, health, insurance",
        "acts in finance",
        "board:read board:write", "What you put on a board.", "90 days", "runs for nobody",
    ):  # fmt: skip
        assert words in page, words
    assert len(await world.services.connections.list(ada.id)) == 0


async def test_an_owner_sees_what_their_own_account_lists_and_nobody_elses(world: World) -> None:
    """ORG-21, ORG-01."""
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    member = await world.person("mia")
    connector = await world.connector(ada)
    delete = b'{"name":"delete_everything","description":"Deletes it all <b>for good</b>."}'
    await world.connection(member, connector, tools=(delete,))

    before = (await browser.open(f"{HERE}/{connector.slug}")).text
    await world.connection(ada, connector, tools=(delete,))
    after = (await browser.open(f"{HERE}/{connector.slug}")).text

    assert "delete_everything" not in before
    assert "only to who has signed in" in before
    for words in ("delete_everything", "As your own account there", "hard to take back", "&lt;b&gt;"):
        assert words in after, words
