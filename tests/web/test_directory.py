"""The directory in pages: everybody sees what they can connect, and is told what is known before they do."""

from __future__ import annotations

import re

import pytest
from msgspec import structs
from sqlalchemy import update

from tests.web.world import World
from valetkey.directory.listings import Listings, load_listings
from valetkey.directory.model import ReviewState
from valetkey.identity.model import Role
from valetkey.net.url import parse_url
from valetkey.store.schema import organization


@pytest.fixture
def listed(world: World) -> World:
    world.services.connectors.listings = load_listings(parse_url=parse_url)
    return world


async def as_organization(world: World) -> None:
    async with world.database.write() as tx:
        await tx.execute(update(organization).values(kind="organization"))


def slugs(page: str) -> set[str]:
    return set(re.findall(r'href="/connections/new/([a-z0-9-]+)"', page))


async def test_a_listing_is_found_and_shows_what_is_known_and_what_is_not(listed: World) -> None:
    browser, _ = await listed.signed_in("ada")

    found = await browser.get("/directory?q=notion")
    page = (await browser.get("/connections/new/notion")).text

    assert slugs(found.text) == {"notion"}
    assert "Community – not checked live" in found.text
    assert "Notion Labs" in page
    assert "https://github.com/makenotion/claude-code-notion-plugin" in page
    assert "Not known: collected, purpose" in page
    assert "Nobody has checked the service." in page


async def test_a_url_that_is_listed_leads_to_the_listing(listed: World) -> None:
    """S-05 (d)."""
    browser, ada = await listed.signed_in("ada")
    await browser.get("/connections/add")

    page = await browser.submit(
        "/connections/add", {"url": "https://mcp.notion.com/mcp/", "name": "My Notion", "sign_in": "oauth"}
    )

    assert page.url.path == "/connections/new/notion"
    assert await listed.services.connectors.list_for(ada) == []


async def test_looking_at_a_listing_adds_nothing(listed: World) -> None:
    browser, ada = await listed.signed_in("ada")

    await browser.get("/connections/new/notion")

    assert await listed.services.connectors.list_for(ada) == []


async def test_a_key_is_sent_with_the_version_of_what_was_read_or_not_at_all(listed: World) -> None:
    """S-24: the form of another day, or of nobody, is not taken."""
    browser, ada = await listed.signed_in("ada")
    await browser.get("/connections/new/jina")
    fields = {"acknowledged": "yes", "header:Authorization": "Bearer key", "disclosed": "0" * 64}

    refused = await browser.post("/connections/new/jina", [("csrf", browser.csrf()), *fields.items()])

    assert refused.status_code == 409
    assert "has changed since" in refused.text
    assert [one for one in await listed.services.connections.list(ada.id) if one.connected_at] == []


async def test_a_member_sees_what_was_switched_on_and_reaches_no_more(listed: World) -> None:
    """S-30, CUS-06: two listings and three custom connectors are five on every page."""
    await as_organization(listed)
    owner = await listed.person("olga", role=Role.OWNER)
    for slug in ("notion", "github"):
        await listed.services.connectors.add_listed(owner, slug)
    for n in range(3):
        await listed.connector(owner, name=f"Custom {n}", url=f"https://custom{n}.example/mcp")
    browser, bob = await listed.signed_in("bob")

    shown = (await browser.get("/directory")).text
    searched = (await browser.get("/directory?q=stripe")).text
    deep = await browser.get("/connections/new/stripe")
    form = await browser.get("/connections/add?url=https://mcp.stripe.com")
    posted = await browser.post("/connections/add", [("csrf", browser.csrf()), ("url", "https://x.example/mcp")])

    assert len(slugs(shown)) == 5
    assert {"notion", "github"} <= slugs(shown)
    assert slugs(searched) == set()
    assert (deep.status_code, form.status_code, posted.status_code) == (404, 403, 403)
    assert len(await listed.services.connectors.list_for(bob)) == 5


async def test_a_name_that_reads_like_a_listings_is_warned_of_where_it_is_connected(listed: World) -> None:
    browser, ada = await listed.signed_in("ada")
    fake = await listed.connector(ada, name="Nоtion", url="https://mcp.elsewhere.example/mcp")

    page = (await browser.get(f"/connections/new/{fake.slug}")).text

    assert "Its name reads like Notion in the directory" in page
    assert "Custom – unverified" in page


async def test_a_custom_connector_has_no_privilege_of_a_listing(listed: World) -> None:
    """CUS-15: it is found marked as what it is, borrows nothing that a listing has, and its page says where it leads.
    That it passes the same gate is `tests/policy/test_decide.py`'s to show, for each class and state.
    """
    browser, ada = await listed.signed_in("ada")
    known = await listed.services.connectors.add_listed(ada, "github")
    custom = await listed.connector(ada, name="GitHub", url="https://mcp.elsewhere.example/mcp")

    found = (await browser.get(f"/directory?q={custom.slug}")).text
    page = (await browser.get(f"/connections/new/{custom.slug}")).text

    assert slugs(found) <= {custom.slug}
    assert "Custom – unverified" in found or custom.slug not in slugs(found)
    assert (known.listing, custom.listing, custom.review_state) == ("github", "", ReviewState.CUSTOM)
    assert "client_id" not in custom.auth
    assert "Custom – unverified" in page
    assert "https://mcp.elsewhere.example" in page


async def test_a_client_id_registered_by_hand_is_entered_where_the_listing_says_how(listed: World) -> None:
    """GitHub registers no client by itself (requirements 4.3)."""
    browser, ada = await listed.signed_in("ada")

    page = (await browser.get("/connections/new/github")).text
    done = await browser.submit("/directory/github/client", {"client_id": "Iv1.ours"})

    connector = await listed.services.connectors.get("github", ada)
    assert "Create an OAuth app" in page
    assert done.url.path == "/connections/new/github"
    assert (connector.auth["client_id"], connector.version) == ("Iv1.ours", 2)
    assert connector.auth["no_registration"] is True


async def test_a_member_gives_no_connector_a_client_id(listed: World) -> None:
    await as_organization(listed)
    owner = await listed.person("olga", role=Role.OWNER)
    await listed.services.connectors.add_listed(owner, "github")
    browser, bob = await listed.signed_in("bob")
    await browser.get("/connections/new/github")

    refused = await browser.send("/directory/github/client", {"client_id": "mine"})

    assert refused.status_code == 403
    assert "client_id" not in (await listed.services.connectors.get("github", bob)).auth


async def test_how_connecting_went_is_a_page_and_a_file_without_secrets(listed: World) -> None:
    """CON-32: the steps of one's own account, with the references that errors name."""
    browser, ada = await listed.signed_in("ada")
    connector = await listed.connector(ada)
    path = await listed.connect(browser, connector.slug)

    page = (await browser.get(f"{path}/trace")).text
    file = await browser.get(f"{path}/trace.json")

    steps = file.json()["steps"]
    assert "attachment" in file.headers["content-disposition"]
    assert {"probe", "exchange"} <= {step["stage"] for step in steps}
    assert all(step["reference"] in page for step in steps)
    assert not re.search(r"code=[^…]|access_token|state=[^…]|vks_", page + file.text)


async def test_how_somebody_elses_connecting_went_is_not_found(listed: World) -> None:
    browser, ada = await listed.signed_in("ada")
    path = await listed.connect(browser, (await listed.connector(ada)).slug)
    other, _ = await listed.signed_in("bob")

    assert (await other.get(f"{path}/trace")).status_code == 404
    assert (await other.get(f"{path}/trace.json")).status_code == 404


async def test_a_listing_that_moved_says_so_and_is_moved_by_who_may(listed: World) -> None:
    """CUS-08: a new address is a new consent."""
    browser, ada = await listed.signed_in("ada", role=Role.OWNER)
    connector = await listed.services.connectors.add_listed(ada, "notion")
    elsewhere = [
        structs.replace(one, url="https://mcp.notion.example/mcp") if one.slug == "notion" else one
        for one in listed.services.connectors.listings
    ]
    listed.services.connectors.listings = Listings(elsewhere)
    await listed.notifications.publish("connectors", f"{ada.organization_id}/notion")
    await listed.notifications.publish("connectors", connector.id)

    page = (await browser.get("/connections/new/notion")).text
    done = await browser.submit("/directory/notion/move")

    assert "The directory has it elsewhere now" in page
    assert "Custom – unverified" in page
    assert "connects anew" in done.text
    assert (await listed.services.connectors.get("notion", ada)).url == "https://mcp.notion.example/mcp"
