"""What members may do by themselves, on the pages of a hub: each rule apart, held by the server (ORG-09, ORG-11)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import update

from tests.web.world import World
from valetkey.audit.model import OfOrganization
from valetkey.connections.model import State
from valetkey.directory.access.model import NamedTool, Rules
from valetkey.directory.connectors import LIMIT
from valetkey.identity.model import Role
from valetkey.kernel.errors import Conflict, Forbidden
from valetkey.store.schema import organization

HERE = "/admin/rules"
URL = "https://mcp.mine.example/mcp"


@pytest.fixture(autouse=True)
async def company(world: World) -> None:
    async with world.database.write() as tx:
        await tx.execute(update(organization).values(kind="organization"))


async def say(world: World, rules: Rules, *, purge: bool = False) -> None:
    await world.services.ruling.set(world.organization.id, rules, purge=purge, by="person:x")


@pytest.mark.parametrize(
    ("rules", "auth", "added"),
    [
        (Rules(), {}, False),
        (Rules(own_clients=True, local_servers=True), {}, False),
        (Rules(own_connectors=True), {}, True),
        (Rules(own_connectors=True), {"client_id": "mine"}, False),
        (Rules(own_connectors=True, own_clients=True), {"client_id": "mine"}, True),
        (Rules(own_connectors=True, own_clients=True, is_exclusive=True), {}, False),
    ],
)
async def test_ORG_09_each_thing_a_member_may_add_is_permitted_apart_and_by_the_server(
    world: World, rules: Rules, auth: dict[str, str], added: bool
) -> None:
    mia = await world.person("mia")
    await say(world, rules)

    try:
        connector = await world.services.connectors.add_own(mia, name="Mine", url=URL, auth=auth)
    except Forbidden:
        assert not added
        assert await world.services.connectors.list_for(mia) == []
        return

    assert added
    assert connector.state == "enabled"
    assert connector.is_personal
    assert len(await world.services.connectors.list_for(mia)) <= LIMIT


async def test_ORG_09_what_a_member_added_is_theirs_alone_and_stands_in_nobodys_way(world: World) -> None:
    await say(world, Rules(own_connectors=True))
    browser, mia = await world.signed_in("mia")
    other, bob = await world.signed_in("bob")
    await browser.open("/connections/add")
    await browser.submit("/connections/add", {"name": "Mine", "url": URL, "sign_in": "none"})

    [mine] = await world.services.connectors.list_for(mia)
    again = await world.services.connectors.add_own(bob, name="His", url=URL)

    assert "Mine" in (await browser.open("/directory")).text
    assert "Mine" not in (await other.open("/directory")).text
    assert (await other.open(f"/connections/new/{mine.slug}")).status_code == 404
    assert again.id != mine.id
    assert (await world.services.groups.of(bob.id)) == {bob.id}


async def test_ORG_10_what_was_decided_for_all_is_not_undone_under_another_name(world: World) -> None:
    """Blocked by its address: a member who adds it anew, called something else, gets nowhere."""
    owner = await world.person("olga", role=Role.OWNER)
    mia = await world.person("mia")
    blocked = await world.connector(owner, url=URL)
    await world.services.connectors.set_state(blocked.id, "blocked")
    await say(world, Rules(own_connectors=True))

    for url in (
        URL,
        URL.upper().replace("HTTPS", "https").replace("/MCP", "/mcp"),
        URL.replace(".example", ".example:443"),
    ):
        with pytest.raises(Conflict):
            await world.services.connectors.add_own(mia, name="Harmless", url=url)


async def test_ORG_09_a_rule_taken_back_shuts_what_was_added_under_it(world: World) -> None:
    mia = await world.person("mia")
    await say(world, Rules(own_connectors=True))
    connector = await world.services.connectors.add_own(mia, name="Mine", url=URL)
    connection = await world.connection(mia, connector)

    await say(world, Rules())

    assert (await world.services.connectors.by_id(connector.id)).state == "ruled_out"
    frozen = await world.services.connections.get(mia.id, connection.id)
    assert frozen.state is State.RECONNECT
    await say(world, Rules(own_connectors=True))
    assert (await world.services.connectors.by_id(connector.id)).state == "enabled"
    assert (await world.services.connections.get(mia.id, connection.id)).state is State.RECONNECT


@pytest.mark.parametrize("purge", [False, True])
async def test_ORG_11_an_exclusive_set_shuts_all_others_which_come_back_with_new_consent_only(
    world: World, purge: bool
) -> None:
    owner = await world.person("olga", role=Role.OWNER)
    mia = await world.person("mia")
    inside, outside = await world.connector(owner), await world.connector(owner, name="Other", url=URL)
    kept, lost = await world.connection(mia, inside), await world.connection(mia, outside)

    await say(world, Rules(is_exclusive=True, managed=frozenset({inside.slug})), purge=purge)

    states = {one.slug: one.state for one in await world.services.connectors.list_for(owner)}
    assert states == {inside.slug: "enabled", outside.slug: "ruled_out"}
    assert (await world.services.connections.get(mia.id, kept.id)).state is State.CONNECTED
    ended = State.NOT_CONNECTED if purge else State.RECONNECT
    assert (await world.services.connections.get(mia.id, lost.id)).state is ended
    with pytest.raises(Conflict, match="leave no room"):
        await world.services.connections.open_entry(mia, replace(outside, state="ruled_out"), label="", display_name="")

    await say(world, Rules())

    assert (await world.services.connectors.by_id(outside.id)).state == "enabled"
    assert (await world.services.connections.get(mia.id, lost.id)).state is ended


@pytest.mark.parametrize(("role", "sees", "sets"), [
    (Role.OWNER, True, True), (Role.ADMIN, True, False), (Role.AUDITOR, True, False), (Role.MEMBER, False, False),
])  # fmt: skip
async def test_an_owner_sets_the_rules_and_the_change_is_in_the_trail(
    world: World, role: Role, sees: bool, sets: bool
) -> None:
    browser, ada = await world.signed_in("ada", role=role)

    page = await browser.open(HERE)
    await browser.open("/settings")
    fields = {"own_connectors": "yes", "scopes": "github member: repo read:user"}
    answer = await browser.post(HERE, [("csrf", browser.csrf()), *fields.items()])

    assert page.status_code == (200 if sees else 404)
    assert ("Save" in page.text) is sets
    assert (answer.status_code == 303) is sets
    rules = (await world.services.access.rules(world.organization.id)).rules
    assert rules.own_connectors is sets
    events = await world.services.trail.list(OfOrganization(ada.organization_id))
    told = [one.detail["own_connectors"] for one in events if one.event == "rules.set"]
    assert told == ([{"from": False, "to": True}] if sets else [])


async def test_a_line_that_is_no_rule_is_named_and_nothing_is_changed(world: World) -> None:
    browser, _ = await world.signed_in("ada", role=Role.OWNER)
    await browser.open(HERE)

    page = await browser.submit(HERE, {"own_connectors": "yes", "scopes": "repo"})

    assert page.status_code == 422
    assert "is no rule" in page.text
    assert (await world.services.access.rules(world.organization.id)).rules == Rules()


async def test_what_an_owner_says_holds_stands_on_the_page_again_with_who_said_it_and_is_taken_back_there(
    world: World,
) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    connector = await world.connector(ada)
    await browser.open(HERE)
    switched = ("own_connectors", "own_clients", "local_servers", "exclusive", "owners_accept")
    lines = {"scopes": "github member: repo read:user\n* *: openid", "text_only": "github show board\n* *"}

    page = await browser.submit(
        HERE, {**dict.fromkeys(switched, "yes"), **lines, "managed": connector.slug, "purge": "no"}
    )

    said = (await world.services.access.rules(ada.organization_id)).rules
    assert (said.own_connectors, said.own_clients, said.local_servers, said.owners_accept) == (True,) * 4
    assert (said.is_exclusive, said.managed, said.only_domains) == (True, frozenset({connector.slug}), False)
    assert said.text_only == {NamedTool("github", "show board"), NamedTool("*", "*")}
    assert {(one.connector, one.role) for one in said.scopes} == {("github", "member"), ("*", "*")}
    assert "It holds for everyone at once" in page.text
    assert "Set just now by Ada." in re.sub(r"<[^>]+>", "", page.text)
    checked = set(re.findall(r'name="(\w+)" value="[\w-]+" checked', page.text))
    assert checked == {*switched, "managed", "purge"}
    assert all(line in page.text for line in ("github member: read:user repo", "github show board", "* *"))

    await browser.submit(HERE, {"purge": "no"})

    assert (await world.services.access.rules(ada.organization_id)).rules == Rules(local_servers=False)


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("scopes", "github: repo", "is no rule"),
        ("scopes", "github lord: repo", "lord"),
        ("text_only", "github", "names no tool"),
    ],
)
async def test_what_makes_no_sense_is_named_and_what_was_typed_stays_on_the_page(
    world: World, field: str, text: str, told: str
) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    await browser.open(HERE)

    page = await browser.submit(HERE, {"own_connectors": "yes", "exclusive": "yes", field: text})

    assert page.status_code == 422
    assert told in page.text
    assert 'name="own_connectors" value="yes" checked' in page.text
    assert (await world.services.access.rules(ada.organization_id)).rules == Rules()


async def test_who_finds_a_browser_open_changes_no_rule(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    await browser.open(HERE)
    world.clock.advance(301)

    page = await browser.submit(HERE, {"own_connectors": "yes"})

    assert page.url.path == "/signin/again"
    assert (await world.services.access.rules(ada.organization_id)).rules == Rules()


async def test_who_added_a_service_for_everybody_and_is_no_owner_any_more_takes_it_from_nobody(world: World) -> None:
    """Neither removes it nor enters the secret of its client, which is everybody's (CUS-06)."""
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    connector = await world.connector(ada, client_id="our-client")
    await world.person("olga", role=Role.OWNER)
    path = f"/connections/new/{connector.slug}"
    await browser.open(path)
    assert 'name="client_secret"' in (await browser.submit(path)).text
    await world.services.people.set_role(ada.id, Role.MEMBER)
    await browser.open(path)

    page = await browser.submit(path)
    refused = await browser.send(f"/directory/{connector.slug}/remove")

    assert 'name="client_secret"' not in page.text
    assert refused.status_code == 403
    assert [one.slug for one in await world.services.connectors.list_for(ada)] == [connector.slug]
