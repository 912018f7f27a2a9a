"""The pages on which owners and auditors see that members' calls were made, and an auditor reads one with a reason."""

from __future__ import annotations

import pytest

from tests.web.world import World
from valetkey.audit.model import CallEnding, CallIntent, Everyone, Outcome
from valetkey.audit.repository import insert_calls
from valetkey.identity.model import Person, Role

HERE = "/admin/activity"


async def a_call(world: World, person: Person) -> str:
    key = await world.services.day_keys.key(person.id, person.organization_id, "2026-11-22")
    intent = CallIntent(
        id="call_1", started_at=world.clock.now(), organization_id=person.organization_id, person_id=person.id,
        client="Claude", connector="notes", connection_id="cn_1", label="main", method="tools/call", tool="find_note",
        day=key.day, request=key.seal(b'{"name": "find_note"}', about="call_1:request"),
    )  # fmt: skip
    response = key.seal(b'{"said": "what was in it"}', about="call_1:response")
    async with world.database.write() as tx:
        await insert_calls(tx, [(intent, CallEnding(id="call_1", outcome=Outcome.OK, response=response))])
    return "call_1"


async def test_an_auditor_reads_with_a_reason_and_the_person_sees_who_and_why(world: World) -> None:
    member, bob = await world.signed_in("bob")
    auditor, _ = await world.signed_in("audrey", role=Role.AUDITOR)
    call_id = await a_call(world, bob)
    assert "find_note" in (await auditor.open(HERE)).text
    before = await auditor.open(f"{HERE}/{call_id}")

    without = await auditor.submit(f"{HERE}/{call_id}", {"reason": " "})
    read = await auditor.submit(f"{HERE}/{call_id}", {"reason": "Case 12/26"})

    assert "what was in it" not in before.text
    assert (without.status_code, "what was in it" in without.text) == (422, False)
    assert "what was in it" in read.text
    own = (await member.open(f"/activity/{call_id}")).text
    assert "Read by others" in own
    assert "Case 12/26" in own
    readings = [one for one in await world.services.trail.list(Everyone()) if one.event == "call.read"]
    assert len(readings) == 1


@pytest.mark.parametrize(("role", "sees"), [(Role.OWNER, 200), (Role.ADMIN, 404), (Role.MEMBER, 404)])
async def test_an_owner_sees_that_it_was_made_and_nobody_else_anything(world: World, role: Role, sees: int) -> None:
    _, bob = await world.signed_in("bob")
    browser, _ = await world.signed_in("carol", role=role)
    call_id = await a_call(world, bob)

    listed, shown = await browser.open(HERE), await browser.open(f"{HERE}/{call_id}")

    assert (listed.status_code, shown.status_code) == (sees, sees)
    assert "Read it" not in shown.text
    await browser.open("/settings/data")
    assert (await browser.submit(f"{HERE}/{call_id}", {"reason": "x"})).status_code == 404
