"""Signing in through one's organization, on the pages: set by an owner, used by somebody new, confirmed there again."""

from __future__ import annotations

import html
import re

from tests.identity.provider import Account
from tests.web.world import PASSWORD, Browser, World, leads_to
from valetkey.identity.model import Role
from valetkey.kernel.secret import Secret

ADA = Account("00u-ada", "ada@example.com")


async def owner_of_an_organization(world: World) -> Browser:
    """Olga, an owner who just signed in, of Engines, whose domain example.com is verified."""
    engines = await world.services.organizations.create("Engines", "organization")
    olga = await world.services.people.create(
        login="olga", display_name="Olga", organization_id=engines.id, role=Role.OWNER
    )
    await world.services.passwords.set(olga.id, Secret(PASSWORD))
    providers = world.services.openid.providers
    await providers.add_domain(engines.id, "example.com", by="operator")
    await providers.verify_domain(engines.id, "example.com", by="operator", vouched=True)
    browser = world.browser()
    await browser.sign_in("olga")
    return browser


async def set_provider(world: World, owner: Browser, **more: str) -> None:
    given = {"issuer": world.provider.issuer, "client_id": "valetkey", "client_secret": world.provider.client_secret}
    await owner.open("/admin/sign-in")
    page = await owner.submit("/admin/sign-in", {**given, "who": "everybody", "how": "also", "email": "says", **more})
    assert "Saved." in page.text, page.text


async def sign_in(world: World, browser: Browser, account: Account = ADA) -> str:
    """There and back; the page that stands in between, once more, when an assistant waits."""
    await browser.open("/signin/organization?to=/connections")
    away = leads_to(await browser.send("/signin/organization", {"address": "ada@example.com", "to": "/connections"}))
    return await come_back(world, browser, away, account)


async def come_back(world: World, browser: Browser, away: str, account: Account = ADA) -> str:
    path = re.search(r"redirect_uri=http%3A%2F%2Flocalhost%3A8484(%2F[^&]*)", away)
    assert path
    query = world.provider.approve(away, account)
    answer = await browser.get(f"{path[1].replace('%2F', '/')}?{query}")
    return answer.headers.get("location", "") or html.unescape(answer.text)


async def test_an_owner_sets_a_provider_and_somebody_new_signs_in_by_it(world: World) -> None:
    owner, ada = await owner_of_an_organization(world), world.browser()
    assert "Through my organization" not in (await ada.open("/signin")).text

    await set_provider(world, owner)
    assert "Through my organization" in (await ada.open("/signin")).text
    landed = await sign_in(world, ada)

    assert landed == "/connections"
    page = await ada.open("/settings")
    assert "by openid" in page.text
    assert "Tied to your account at" in page.text
    assert world.provider.client_secret not in (await owner.open("/admin/sign-in")).text


async def test_the_answer_of_a_sign_in_that_somebody_else_began_signs_nobody_in(world: World) -> None:
    await set_provider(world, await owner_of_an_organization(world))
    eve, ada = world.browser(), world.browser()
    await eve.open("/signin/organization")
    away = leads_to(await eve.send("/signin/organization", {"address": "eve@example.com", "to": "/"}))

    page = await come_back(world, ada, away, Account("eve", "eve@example.com"))

    assert "begun in another browser" in page
    assert "sid" not in ada.client.cookies
    assert (await ada.get("/settings")).headers["location"].startswith("/signin")


async def test_where_it_is_the_only_way_a_password_opens_nothing_more(world: World) -> None:
    owner, ada = await owner_of_an_organization(world), world.browser()
    await set_provider(world, owner)
    await sign_in(world, ada)
    person = await world.services.people.find("ada@example.com")
    assert person is not None
    await world.services.passwords.set(person.id, Secret(PASSWORD))

    await set_provider(world, owner, how="only", client_secret="")

    other = world.browser()
    assert "its own identity provider" in (await other.sign_in("ada@example.com")).text
    assert (await ada.get("/settings")).status_code == 200
    assert (await owner.get("/admin/sign-in")).status_code == 200


async def test_who_signs_in_there_confirms_there_too(world: World) -> None:
    owner, ada = await owner_of_an_organization(world), world.browser()
    await set_provider(world, owner)
    await sign_in(world, ada)
    world.clock.advance(400)

    page = await ada.open("/settings/tokens/new")
    assert "Confirm through my organization" in page.text
    away = leads_to(await ada.send("/signin/organization/again", {"to": "/settings/tokens/new"}))
    world.provider.auth_time = 400.0
    assert "did not ask you again" in await come_back(world, ada, away)

    world.provider.auth_time = 0.0
    await ada.open("/settings/tokens/new")
    away = leads_to(await ada.send("/signin/organization/again", {"to": "/settings/tokens/new"}))
    assert await come_back(world, ada, away) == "/settings/tokens/new"
    assert (await ada.get("/settings/tokens/new")).status_code == 200


async def test_only_owners_of_an_organization_find_the_page(world: World) -> None:
    await owner_of_an_organization(world)
    admin, _ = await world.signed_in("anton", role=Role.ADMIN)
    personal, _ = await world.signed_in("paula", role=Role.OWNER)

    for browser in (admin, personal):
        assert (await browser.get("/admin/sign-in")).status_code == 404
