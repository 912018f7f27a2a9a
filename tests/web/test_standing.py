"""An approval that stands is given with the approval of a call, on its page; listed and revoked on another."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.identity.authenticator import Authenticator
from tests.web.test_approvals import CALL, ask, at_home, state, with_passkey
from tests.web.world import Browser, World
from valetkey.app import end_sign_ins
from valetkey.policy.approval_model import Approval, State
from valetkey.policy.model import Setting
from valetkey.policy.standing_model import Standing
from valetkey.policy.tool_class import ToolClass
from valetkey.store.schema import oauth_client, refresh_token, token_family

ON = {"stand": "yes", "calls": "5", "days": "7"}


async def version(world: World, organization_id: str) -> str:
    return (await world.services.policy.ceilings.of(organization_id)).version


async def ask_standing(world: World, *people: Any, kind: ToolClass = ToolClass.LOW_WRITE, **more: Any) -> Approval:
    said = await version(world, people[0].organization_id)
    return await ask(world, *people, kind=kind, may_stand=kind is not ToolClass.VERTICAL, policy_version=said, **more)


async def confirm(browser: Browser, approval: Approval, key: Authenticator, signed: Any, sent: Any) -> int:
    """What the page's script does; `sent` may be other terms than those that were signed."""
    csrf = browser.csrf()
    given = await browser.script(f"{approval.path}/options", signed, csrf=csrf)
    if given.status_code != 200:
        return given.status_code
    answer = json.loads(key.get(json.dumps(given.json()["options"])))
    body = {**sent, "challenge": "", "response": answer}
    return (await browser.script(f"{approval.path}/confirm", body, csrf=csrf)).status_code


async def test_a_click_gives_it_for_what_takes_a_click(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    call = b'{"name":"delete_note","arguments":{"id":"n3","why":"old"}}'
    approval = await ask_standing(world, ada, connection, connector, call=call)

    page = await browser.open(approval.path)
    assert "Also say yes to later calls like this one" in page.text
    after = await browser.submit(f"{approval.path}/approve", {**ON, "free_1": "yes"})

    assert "later calls like it" in after.text
    assert await state(world, approval) is State.APPROVED
    [given] = await world.services.policy.standing.list(ada.id)
    assert (given.calls, given.uses_left, given.expires_at - given.created_at) == (5, 5, timedelta(days=7))
    assert (given.tool, given.client_name, given.proof) == ("delete_note", "Claude", None)
    scope = await world.services.policy.standing.scope_of(given)
    assert (scope.shown, scope.free) == (call, frozenset({"why"}))


async def test_without_saying_so_nothing_stands(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    approval = await ask_standing(world, ada, connection, connector)

    await browser.open(approval.path)
    await browser.submit(f"{approval.path}/approve", {"calls": "5", "days": "7", "free_0": "yes"})

    assert await state(world, approval) is State.APPROVED
    assert await world.services.policy.standing.list(ada.id) == []


async def test_a_passkey_signs_the_terms_along_with_the_call(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    key = await with_passkey(world, ada)
    approval = await ask_standing(world, ada, connection, connector, kind=ToolClass.HIGH)
    await browser.open(approval.path)

    for signed, sent in (
        ({}, ON),
        (ON, {**ON, "calls": "6"}),
        (ON, {**ON, "days": "30"}),
        (ON, {**ON, "free_0": "yes"}),
        (ON, {}),
    ):
        assert await confirm(browser, approval, key, signed, sent) == 401
        assert await state(world, approval) is State.PENDING
    assert await confirm(browser, approval, key, ON, ON) == 200

    [given] = await world.services.policy.standing.list(ada.id)
    assert given.proof is not None
    assert b"signature" in given.proof
    assert await state(world, approval) is State.APPROVED


async def test_a_click_is_not_enough_where_a_passkey_is_needed(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    await with_passkey(world, ada)
    approval = await ask_standing(world, ada, connection, connector, kind=ToolClass.HIGH)

    await browser.open(approval.path)

    assert (await browser.send(f"{approval.path}/approve", ON)).status_code == 403
    assert await world.services.policy.standing.list(ada.id) == []


async def test_class_v_and_what_a_ceiling_wants_asked_offer_nothing_and_take_nothing(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    key = await with_passkey(world, ada)
    vertical = await ask_standing(world, ada, connection, connector, kind=ToolClass.VERTICAL)
    limited = await ask(world, ada, connection, connector, kind=ToolClass.LOW_WRITE, call=CALL.replace(b"n3", b"n4"))

    for approval in (vertical, limited):
        assert "later calls" not in (await browser.open(approval.path)).text
    await browser.open(vertical.path)
    assert await confirm(browser, vertical, key, ON, ON) == 403
    assert await confirm(browser, vertical, key, {}, ON) == 401
    await browser.open(limited.path)
    assert (await browser.send(f"{limited.path}/approve", ON)).status_code == 403

    assert await world.services.policy.standing.list(ada.id) == []
    assert await state(world, limited) is State.PENDING


@pytest.mark.parametrize(
    "wrong", [{"calls": "0"}, {"calls": "1001"}, {"calls": "ten"}, {"calls": "-1"}, {"days": "31"}]
)
async def test_what_cannot_stand_is_not_approved_either(world: World, wrong: dict[str, str]) -> None:
    browser, ada, connection, connector = await at_home(world)
    approval = await ask_standing(world, ada, connection, connector)

    await browser.open(approval.path)

    assert (await browser.send(f"{approval.path}/approve", {**ON, **wrong})).status_code == 422
    assert await state(world, approval) is State.PENDING


async def test_a_tool_that_changed_since_the_question_gets_no_standing_yes(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    approval = await ask_standing(world, ada, connection, connector)
    await browser.open(approval.path)
    changed = b'{"name":"delete_note","description":"Deletes all notes, for good.","inputSchema":{}}'
    await world.services.snapshots.put(connection.id, [changed], b"{}", 60)

    assert (await browser.send(f"{approval.path}/approve", ON)).status_code == 409
    assert await state(world, approval) is State.PENDING


async def test_it_is_listed_with_what_it_is_for_and_revoked_there_by_its_person_alone(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    call = b'{"name":"delete_note","arguments":{"id":"n3\\u202e","why":"old"}}'
    approval = await ask_standing(world, ada, connection, connector, call=call)
    await browser.open(approval.path)
    await browser.submit(f"{approval.path}/approve", {**ON, "free_1": "yes"})
    [given] = await world.services.policy.standing.list(ada.id)
    hers, _ = await world.signed_in("grace")

    page = (await browser.open("/approvals/standing")).text
    for words in ("delete_note", "Claude", "5 of 5 calls", "anything", "⟦U+202E⟧"):
        assert words in page, words
    assert "delete_note" not in (await hers.open("/approvals/standing")).text
    assert (await hers.send(f"/approvals/standing/{given.id}/revoke")).status_code in (403, 404)
    assert (await browser.post(f"/approvals/standing/{given.id}/revoke", [])).status_code == 403
    assert (await world.services.policy.standing.list(ada.id))[0].state_at(world.clock.now()) is Standing.STANDS

    await browser.open("/approvals/standing")
    page = (await browser.submit(f"/approvals/standing/{given.id}/revoke")).text

    assert "Revoked" in page
    assert (await world.services.policy.standing.list(ada.id))[0].state_at(world.clock.now()) is Standing.ENDED


async def test_putting_the_assistant_out_ends_what_stood_for_it(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    approval = await ask_standing(world, ada, connection, connector)
    await browser.open(approval.path)
    await browser.submit(f"{approval.path}/approve", ON)
    now, client_id = world.clock.now(), approval.client_id
    client = {"id": client_id, "kind": "cimd", "name": "Claude", "redirect_uris": [], "auth_method": "none"}
    family = {"id": "fam_1", "person_id": ada.id, "client_id": client_id, "resource": "/mcp", "scope": "mcp"}
    token = {"hash": "x", "family_id": "fam_1", "expires_at": now + timedelta(days=30), "retries": 0}
    async with world.database.write() as tx:
        await tx.execute(oauth_client.insert().values(**client, document_hash="x", created_at=now))
        await tx.execute(token_family.insert().values(**family, created_at=now, last_used_at=now))
        await tx.execute(refresh_token.insert().values(**token, created_at=now))

    await browser.open("/settings")
    await browser.submit("/settings/assistants/fam_1/end")

    [given] = await world.services.policy.standing.list(ada.id)
    assert given.ended_because == "assistant_put_out"


# --- said beforehand ------------------------------------------------------------------------------------------------


async def let_in(world: World, login: str, audience: str = "/mcp") -> str:
    """A program with a token of this person's; its id."""
    person = await world.services.people.find(login)
    assert person
    _, info = await world.services.tokens.create_personal(person, "nightly", audience, ("mcp",), 86_400)
    return info.id


async def test_a_person_says_yes_beforehand_to_calls_that_nobody_has_made_yet(world: World) -> None:
    """What comes of it is an approval like any other: whole, on its own page, with a passkey where it takes one."""
    browser, ada, connection, _ = await at_home(world)
    key, program = await with_passkey(world, ada), await let_in(world, "ada")
    path = f"/approvals/standing/new/{connection.id}"
    asked = {"tool": "delete_note", "assistant": program, "arguments": '{"id": "n3"}'}

    await browser.open(path)
    page = await browser.submit(path, asked)
    [approval] = await world.services.policy.approvals.list(ada.id)
    status = await confirm(browser, approval, key, ON, ON)

    assert page.url.path == approval.path
    assert "n3" in page.text
    assert status == 200
    [given] = await world.services.policy.standing.list(ada.id)
    assert (given.client_id, given.client_name, given.tool, given.calls) == (program, "nightly", "delete_note", 5)
    assert given.proof


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"arguments": '{"id": "a", "id": "b"}'}, "each name once"),
        ({"arguments": "[1]"}, "are a JSON object"),
        ({"assistant": "somebody"}, "choose an assistant"),
        ({"tool": "other"}, "no such tool"),
    ],
)
async def test_what_was_filled_in_wrongly_beforehand_is_named_and_asks_nothing(
    world: World, changed: dict[str, str], says: str
) -> None:
    browser, ada, connection, _ = await at_home(world)
    path = f"/approvals/standing/new/{connection.id}"
    asked = {"tool": "delete_note", "assistant": await let_in(world, "ada"), "arguments": "{}"}

    await browser.open(path)
    page = await browser.submit(path, asked | changed)

    assert page.status_code == 422
    assert says in page.text
    assert await world.services.policy.approvals.list(ada.id) == []


async def test_nothing_is_said_beforehand_of_what_is_confirmed_each_time(world: World) -> None:
    """A ceiling that wants a person asked each time is not answered by something that stands."""
    browser, ada, connection, _ = await at_home(world)
    await world.services.policy.ceilings.set(ada.organization_id, Setting.ASK, actor="person:x")
    path = f"/approvals/standing/new/{connection.id}"

    await browser.open(path)
    page = await browser.submit(path, {"tool": "delete_note", "assistant": await let_in(world, "ada")})

    assert (page.status_code, "confirmed each time" in page.text) == (422, True)
    assert await world.services.policy.approvals.list(ada.id) == []


async def test_what_stood_for_a_program_of_a_profile_ends_with_the_profile(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    services = world.services
    profile = await services.profiles.add(ada, "work", title="", access="auto", choices=[], by=f"person:{ada.id}")
    there, elsewhere = await let_in(world, "ada", "/p/work/mcp"), await let_in(world, "ada")
    for program in (there, elsewhere):
        approval = await ask_standing(world, ada, connection, connector, client_id=program)
        await browser.open(approval.path)
        await browser.submit(f"{approval.path}/approve", ON)

    await end_sign_ins(services.families, services.tokens, services.policy, profile)

    now = world.clock.now()
    states = {one.client_id: one.state_at(now) for one in await services.policy.standing.list(ada.id)}
    assert states == {there: Standing.ENDED, elsewhere: Standing.STANDS}
