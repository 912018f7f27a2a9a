"""ORG-12 by the pages: whatever an owner does is one event, with who, from where, and what it was before; and what
somebody may not is one too."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from tests.web.test_connections import ADD
from tests.web.world import Browser, World
from valetkey.audit.feed.messages import as_object
from valetkey.audit.model import Everyone, TrailEvent
from valetkey.identity.model import Role
from valetkey.policy.model import Setting
from valetkey.store.schema import organization

BLOCK = {"setting": "block", "connector": "*", "tool": "delete_note", "tool_class": "*", "role": "*"}
TOKENS = "/settings/tokens/new"
PROGRAM = "Firefox/134 Bearer ghp_" + "c" * 36


@pytest.fixture(autouse=True)
async def of_several(world: World) -> None:
    async with world.database.write() as tx:
        await tx.execute(update(organization).values(kind="organization"))


async def events(world: World, *, after: int = 0) -> list[TrailEvent]:
    """The oldest first."""
    return [one for one in await world.services.trail.list(Everyone(), limit=1000) if one.seq > after][::-1]


async def done(world: World, browser: Browser, page: str, path: str, form: dict[str, str]) -> list[dict[str, Any]]:
    """What a feed is sent of a form on a page."""
    before = (await events(world))[-1].seq
    await browser.open(page)
    answer = await browser.submit(path, form)
    assert answer.status_code == 200, path
    return [as_object(one) for one in await events(world, after=before)]


async def test_each_thing_an_owner_does_on_a_page_is_one_event_with_who_and_from_where(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    browser.client.headers["user-agent"] = PROGRAM
    bob = await world.person("bob")
    connector = await world.connector(ada, name="Wiki", url="https://wiki.example/mcp")
    connection = await world.connection(ada, connector)
    edit = f"/directory/{connector.slug}/edit"
    acts: list[tuple[str, str, dict[str, str], str]] = [
        ("/connections/add", "/connections/add", {**ADD, "when": "needed"}, "connector_created"),
        (edit, edit, {"name": "Wiki two", "url": connector.url}, "connector_updated"),
        ("/admin/ceilings", "/admin/ceilings", BLOCK, "tool_policy_updated"),
        ("/admin/data", "/admin/data", {"kind": "floor", "level": "metadata", "connector": "*"}, "retention_updated"),
        ("/admin/retention", "/admin/retention", {"contents": "90", "calls": "400"}, "retention_updated"),
        ("/admin/retention", "/admin/retention/holds", {"person": bob.id, "reason": "Case 1"}, "retention_updated"),
        ("/admin/rules", "/admin/rules", {"own_connectors": "yes", "scopes": ""}, "member_rules_updated"),
        (TOKENS, TOKENS, {"name": "x", "audience": "/mcp", "days": "1"}, "api_key_created"),
        (f"/connections/{connection.id}", f"/connections/{connection.id}/disconnect", {}, "user_disconnected"),
        ("/admin", "/admin/people", {"login": "grace", "display_name": "Grace", "role": "member"}, "user_created"),
        ("/admin", f"/admin/people/{bob.id}/disable", {}, "user_deleted"),
    ]  # fmt: skip

    before = {"connector_updated": ("Wiki", "name_before"), "tool_policy_updated": ("ask", "before")}
    await world.services.policy.ceilings.set(ada.organization_id, Setting.ASK, actor="operator", tool=BLOCK["tool"])
    for page, path, form, kind in acts:
        told = await done(world, browser, page, path, form)

        assert [one["kind"] for one in told if one["kind"] == kind] == [kind], (path, told)
        for one in told:
            assert (one["actor_type"], one["actor"], one["ip"]) == ("user", ada.id, "127.0.0.1"), one
            assert one["user_agent"] == "Firefox/134 Bearer [redacted]"
            assert one["organization"] == ada.organization_id
        if kind in before:
            was, name = before[kind]
            assert told[0]["detail"][name] == was, told


async def test_what_a_member_may_not_is_an_event_too_once_a_minute(world: World) -> None:
    await world.person("ada", role=Role.OWNER)
    browser, bob = await world.signed_in("bob")

    for _ in range(3):
        await browser.open("/settings")
        assert (await browser.send("/admin/ceilings", BLOCK)).status_code == 404
    await browser.open("/settings")
    assert (await browser.send("/connections/add", ADD)).status_code == 403

    told = [as_object(one) for one in await events(world) if one.actor == f"person:{bob.id}"]
    assert [(one["kind"], one["object"]) for one in told if "refused" in one["event"]] == [
        ("attempt_refused", "POST /admin/ceilings"), ("connector_change_refused", ""),
    ]  # fmt: skip
    world.clock.advance(61)
    await browser.open("/settings")
    await browser.send("/admin/ceilings", BLOCK)
    assert [one.object for one in await events(world, after=told[-1]["id"])] == ["POST /admin/ceilings"]


@pytest.mark.parametrize("login", ["ada", "nobody"])
async def test_a_wrong_password_is_an_event_by_nobody_whether_there_is_such_a_login_or_not(
    world: World, login: str
) -> None:
    ada = await world.person("ada", role=Role.OWNER)
    browser = world.browser()

    await browser.sign_in(login, "three wrong otters")

    told = as_object((await events(world))[-1])
    assert (told["kind"], told["actor_type"], told["ip"]) == ("user_signed_in", "unauthenticated", "127.0.0.1")
    assert told["organization"] == (ada.organization_id if login == "ada" else "")
    assert "otters" not in str(told)
