"""The owner's page of ceilings: who sees it, who sets them, and that they hold at once and stand in the trail."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import urlencode

import pytest

from tests.web.world import PASSWORD, World
from valetkey.audit.model import OfOrganization
from valetkey.identity.model import Role
from valetkey.policy.model import Setting

BLOCK = {"setting": "block", "connector": "*", "tool": "delete_note", "tool_class": "*", "role": "*"}


@pytest.mark.parametrize(("role", "sees", "sets", "answers"), [
    (Role.OWNER, True, True, True), (Role.ADMIN, True, True, False), (Role.AUDITOR, True, False, False),
    (Role.MEMBER, False, False, False),
])  # fmt: skip
async def test_who_sees_ceilings_who_sets_them_and_who_answers_for_a_connector(
    world: World, role: Role, sees: bool, sets: bool, answers: bool
) -> None:
    browser, ada = await world.signed_in("ada", role=role)
    owner = await world.person("root", role=Role.OWNER)
    connector = await world.connector(owner)
    ceilings = world.services.policy.ceilings
    kept = await ceilings.set(ada.organization_id, Setting.ASK, actor=f"person:{owner.id}", tool="kept")

    page = await browser.open("/admin/ceilings")
    await browser.open("/settings")
    csrf = browser.csrf()
    answered = [
        (await browser.post(path, [("csrf", csrf), *fields.items()])).status_code == 303
        for path, fields in (
            ("/admin/ceilings", BLOCK),
            (f"/admin/ceilings/{kept.id}/remove", {}),
            ("/admin/verticals", {"connector": connector.slug, "enabled": "yes"}),
            ("/admin/raised", {"connector": connector.slug, "at_least": "finance"}),
        )
    ]

    assert page.status_code == (200 if sees else 404)
    assert ("Set a ceiling" in page.text) is sets
    assert ("Answer for it" in page.text) is answers
    assert answered == [sets, sets, answers, answers]
    assert [one.tool for one in await ceilings.list(ada.organization_id)] == (["delete_note"] if sets else ["kept"])
    assert ((await ceilings.of(ada.organization_id)).enabled == {connector.slug}) is answers


async def test_a_ceiling_that_is_set_holds_at_once_is_shown_and_stands_in_the_trail_until_it_is_removed(
    world: World,
) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER, name="Ada")
    connector = await world.connector(ada)
    connection = await world.connection(ada, connector)
    why = f"/connections/{connection.id}/why?tool=delete_note"
    await browser.open("/admin/ceilings")

    page = await browser.submit("/admin/ceilings", {**BLOCK, "connector": connector.slug, "role": "owner"})
    held = await browser.open(why)
    await browser.open("/admin/ceilings")
    again = await browser.submit("/admin/ceilings", {**BLOCK, "connector": connector.slug, "role": "owner"})
    [one] = await world.services.policy.ceilings.list(ada.organization_id)
    removed = await browser.submit(f"/admin/ceilings/{one.id}/remove")

    for words in ("delete_note", "Notes", "Owner", "Ada", "It holds for everyone at once."):
        assert words in page.text, words
    assert "role_block" in held.text
    assert again.text.count("/remove") == 1
    assert "There are none" in removed.text
    assert "role_block" not in (await browser.open(why)).text
    events = await world.services.trail.list(OfOrganization(ada.organization_id))
    told = [(one.event, one.actor, one.detail["setting"]) for one in events if one.event.startswith("ceiling.")]
    assert told == [
        ("ceiling.removed", f"person:{ada.id}", "block"), ("ceiling.set", f"person:{ada.id}", "block"),
        ("ceiling.set", f"person:{ada.id}", "block"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"setting": "perhaps"}, "A ceiling is allow, ask or block."),
        ({"connector": "nobodys"}, "There is no such connector."),
        ({"tool_class": "Q"}, "There is no such class."),
        ({"role": "king"}, "There is no such role."),
        ({"tool": "x" * 256}, "Say which, or * for every one."),
    ],
)
async def test_a_ceiling_that_makes_no_sense_is_not_set_and_the_form_says_what_is_wrong(
    world: World, wrong: dict[str, str], words: str
) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    await browser.open("/admin/ceilings")

    page = await browser.send("/admin/ceilings", {**BLOCK, **wrong})

    assert page.status_code == 422
    assert words in page.text
    assert await world.services.policy.ceilings.list(ada.organization_id) == ()


async def test_an_owner_answers_for_an_unverified_connector_and_stops_to(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    connector = await world.connector(ada)
    pay = b'{"name":"send_money","description":"Transfers money to an account."}'
    connection = await world.connection(ada, connector, tools=(pay,))
    why = f"/connections/{connection.id}/why?tool=send_money"
    before = await browser.open(why)
    await browser.open("/admin/ceilings")

    page = await browser.submit("/admin/verticals", {"connector": connector.slug, "enabled": "yes"})
    enabled = await browser.open(why)
    await browser.open("/admin/ceilings")
    await browser.submit("/admin/verticals", {"connector": connector.slug, "enabled": "no"})
    await browser.open("/admin/ceilings")
    unknown = await browser.send("/admin/verticals", {"connector": "nobodys", "enabled": "yes"})

    assert "No longer" in page.text
    assert "vertical_not_enabled" in before.text
    assert "class_v" in enabled.text
    assert "with a passkey" in enabled.text
    assert "vertical_not_enabled" in (await browser.open(why)).text
    assert unknown.status_code == 422


async def test_setting_a_ceiling_asks_again_after_five_minutes(world: World) -> None:
    """Whoever finds a browser open must not be able to loosen what holds for everybody."""
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    await browser.open("/admin/ceilings")
    world.clock.advance(301)

    page = await browser.submit("/admin/ceilings", BLOCK)

    assert page.url.path == "/signin/again"
    assert await world.services.policy.ceilings.list(ada.organization_id) == ()
    page = await browser.submit("/signin/again", {"password": PASSWORD, "to": "/admin/ceilings"})
    assert page.url.path == "/admin/ceilings"


async def test_another_organizations_ceiling_is_not_there(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    other = await world.services.organizations.create("Elsewhere", "organization")
    theirs = await world.services.policy.ceilings.set(other.id, Setting.BLOCK, actor="person:x", tool="secret_tool")

    page = await browser.open("/admin/ceilings")
    answer = await browser.send(f"/admin/ceilings/{theirs.id}/remove")

    assert not re.search("secret_tool", page.text)
    assert answer.status_code == 404
    assert len(await world.services.policy.ceilings.list(other.id)) == 1
    assert ada.organization_id != other.id


async def test_an_owner_raises_what_a_connector_acts_in_and_the_class_of_a_tool_and_nobody_lowers_either(
    world: World,
) -> None:
    """S-27 (d): raisable, not lowerable, by the owner; in the trail."""
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    connector = await world.connector(ada)
    tools = (b'{"name":"go_ahead","description":"Goes ahead."}', b'{"name":"delete_note","description":"Deletes."}')
    connection = await world.connection(ada, connector, tools=tools)
    why = f"/connections/{connection.id}/why?tool="

    async def said(tool: str, to: str) -> str:
        await browser.open("/admin/ceilings")
        fields = {"connector": connector.slug, "raised_tool": tool, "at_least": to}
        return (await browser.send("/admin/raised", fields)).text

    before = (await browser.open(f"{why}go_ahead")).text
    await said("", "finance")
    raised = (await browser.open(f"{why}go_ahead")).text
    await said("", "")
    back = (await browser.open(f"{why}go_ahead")).text
    await said("delete_note", "W")
    not_lowered = (await browser.open(f"{why}delete_note")).text
    await said("delete_note", "V")
    vertical = (await browser.open(f"{why}delete_note")).text

    assert "vertical_not_enabled" not in before
    assert "vertical_not_enabled" not in back
    assert "Your organization says that it is about finance" in raised
    assert "vertical_not_enabled" in raised
    assert "class_h" in not_lowered
    assert "vertical_not_enabled" in vertical
    assert "A connector is about one of" in await said("", "H")
    events = await world.services.trail.list(OfOrganization(ada.organization_id))
    told = [
        (one.detail["tool"], one.detail["before"], one.detail["to"])
        for one in events
        if one.event == "connector.raised"
    ]
    assert told == [
        ("delete_note", "W", "V"), ("delete_note", "", "W"), ("*", "finance", ""), ("*", "", "finance"),
    ]  # fmt: skip


async def test_a_ceiling_is_for_the_tool_that_is_called_so_to_the_letter(world: World) -> None:
    """ORG-05, through the form and the page that says why: nothing in a name is read as a pattern or a path."""
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    connector = await world.connector(ada)
    names = ["a/b", "a/../b", "del*", "*", "a:b", "a|b", "a%2Fb", "löschen", "<b>", "a b", "a?c=d&e", "a#b"]
    tools = [json.dumps({"name": name, "description": "Lists."}).encode() for name in names]
    connection = await world.connection(ada, connector, tools=tuple(tools))

    async def stopped() -> list[str]:
        pages = {
            name: await browser.open(f"/connections/{connection.id}/why?{urlencode({'tool': name})}") for name in names
        }
        return [name for name, page in pages.items() if "ceiling_block" in page.text]

    for name in names:
        await browser.open("/admin/ceilings")
        page = await browser.submit("/admin/ceilings", {**BLOCK, "connector": connector.slug, "tool": name})
        [one] = await world.services.policy.ceilings.list(ada.organization_id)

        assert (one.tool, html.escape(name, quote=False) in page.text or name == "*") == (name, True)
        assert await stopped() == (names if name == "*" else [name])
        await world.services.policy.ceilings.remove(ada.organization_id, one.id, actor="person:x")
