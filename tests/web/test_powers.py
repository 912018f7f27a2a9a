"""What a role gives beyond one's own things is there while its person is about, and no longer (security.md 5.1)."""

from __future__ import annotations

from tests.web.world import PASSWORD, Browser, World
from valetkey.identity.model import Role
from valetkey.store.schema import passkey
from valetkey.web.door import Page
from valetkey.web.site import site_map

PAGES = site_map()
MINUTE = 60.0


OF_AUDITORS = {"/admin/activity/{call}"}
"""What no other role can send, owners neither."""


def address(page: Page, person: str) -> str:
    return page.path.replace("{person}", person).replace("{", "").replace("}", "")


async def pages_of_a_role(world: World, owner: Browser, person: str) -> list[Page]:
    """Found by asking: every page that an owner gets and a member is told nothing of."""
    member, _ = await world.signed_in("mia")
    found = []
    for page in PAGES:
        if page.method != "GET" or page.path.startswith(("/signin", "/oauth")):
            continue
        theirs, owners = [await who.get(address(page, person)) for who in (member, owner)]
        if theirs.status_code == 404 and owners.status_code != 404:
            found.append(page)
    return found


async def test_every_page_of_a_role_asks_who_is_there_after_half_an_hour_away(world: World) -> None:
    """Pages are found by asking, so one that is added later without the question fails here."""
    owner, _ = await world.signed_in("olga", role=Role.OWNER)
    bob = await world.person("bob")
    pages = await pages_of_a_role(world, owner, bob.id)
    assert {page.path for page in pages} >= {"/admin", "/admin/people/{person}/disable"}

    world.clock.advance(30 * MINUTE)
    assert (await owner.get("/connections")).status_code == 200

    for page in pages:
        answer = await owner.get(address(page, bob.id))
        assert answer.status_code == 303, page.path
        assert answer.headers["location"] == f"/signin/again?to={address(page, bob.id)}"


async def test_no_form_of_a_role_does_anything_after_half_an_hour_away(world: World) -> None:
    owner, olga = await world.signed_in("olga", role=Role.OWNER)
    auditor, _ = await world.signed_in("ann", role=Role.AUDITOR)
    bob = await world.person("bob")
    world.clock.advance(30 * MINUTE)
    for who in (owner, auditor):
        await who.get("/settings")
    theirs = {True: (auditor, auditor.csrf()), False: (owner, owner.csrf())}

    for page in (page for page in PAGES if page.method == "POST" and page.path.startswith("/admin")):
        who, csrf = theirs[page.path in OF_AUDITORS]
        fields = [("csrf", csrf), ("login", "eve"), ("display_name", "Eve"), ("role", "owner")]
        answer = await who.post(address(page, bob.id), fields)
        assert answer.status_code == 303, page.path
        assert answer.headers["location"].startswith("/signin/again?to=/admin"), page.path

    people = await world.services.people.list(world.organization.id)
    assert sorted((one.login, one.state) for one in people) == [
        ("ann", "active"), ("bob", "active"), (olga.login, "active"),
    ]  # fmt: skip


async def test_a_service_of_somebody_else_is_not_taken_out_with_rested_powers(world: World) -> None:
    owner, _ = await world.signed_in("olga", role=Role.OWNER)
    connector = await world.connector(await world.person("bob"))
    world.clock.advance(30 * MINUTE)
    await owner.get("/settings")

    answer = await owner.send(f"/directory/{connector.slug}/remove")

    assert answer.headers["location"] == "/signin/again?to=/directory"
    assert (await world.services.connectors.get(connector.slug, await world.person("eve"))).id == connector.id


async def test_an_owners_own_things_stay_theirs_for_as_long_as_a_members(world: World) -> None:
    """One person's own hub must not sign its owner out every half hour."""
    owner, olga = await world.signed_in("olga", role=Role.OWNER)
    connector = await world.connector(olga)
    connection = await world.connection(olga, connector)
    world.clock.advance(11.9 * 60 * MINUTE)

    page = await owner.open(f"/connections/{connection.id}")
    assert page.url.path == f"/connections/{connection.id}"
    page = await owner.submit(f"/connections/{connection.id}/disconnect")

    assert "/connections/receipts/" in page.url.path


async def test_saying_who_one_is_wakes_the_powers_in_a_new_session_and_leads_back(world: World) -> None:
    owner, _ = await world.signed_in("olga", role=Role.OWNER)
    before = owner.client.cookies["sid"]
    world.clock.advance(30 * MINUTE)

    page = await owner.open("/admin")
    assert page.url.path == "/signin/again"
    page = await owner.submit("/signin/again", {"password": PASSWORD, "to": "/admin"})

    assert page.url.path == "/admin"
    assert owner.client.cookies["sid"] != before


async def test_who_has_a_passkey_proves_it_with_that_and_is_told_what_to_do_without(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    row = {"id": "pk_1", "person_id": ada.id, "credential_id": b"1", "public_key": b"1", "sign_count": 0, "name": "Key"}
    async with world.database.write() as tx:
        await tx.execute(passkey.insert().values(row | {"created_at": world.clock.now()}))
    world.clock.advance(2 * MINUTE)

    page = await browser.open("/settings/tokens/new")
    assert page.url.path == "/signin/again"
    assert 'name="password"' not in page.text
    assert "valetkey user invite ada --recovery" in page.text
    page = await browser.submit("/signin/again", {"password": PASSWORD, "to": "/settings/tokens/new"})

    assert page.status_code == 422
    assert (await browser.open("/settings/tokens/new")).url.path == "/signin/again"
