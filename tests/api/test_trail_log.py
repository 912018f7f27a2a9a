"""The log over the API: what it proves holds, each sees their own part of it, and what was changed is named."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from tests.api.hub import Hub
from tests.api.things import Things, give_things
from valetkey.audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from valetkey.audit.note import read_note, read_verifier_key


@pytest.fixture
async def things(hub: Hub) -> Things:
    return await give_things(hub)


async def signed(hub: Hub) -> dict[str, Any]:
    answer = await hub.operator.post("/trail/checkpoints", json={})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def holds(proven: dict[str, Any], checkpoint: dict[str, Any]) -> bool:
    note = read_note(checkpoint["note"])
    assert read_verifier_key(checkpoint["key"]).has_signed(note)
    return verify_inclusion(
        leaf=leaf_hash(proven["record"].encode()),
        index=proven["index"],
        size=note.checkpoint.size,
        proof=[bytes.fromhex(one) for one in proven["proof"]],
        root=note.checkpoint.root,
    )


async def test_a_person_takes_home_a_proof_of_their_own_call(hub: Hub, things: Things) -> None:
    await signed(hub)

    proven = (await (await hub.with_scopes("ada")).get(f"/trail/proofs/calls/{things.call_id}")).json()

    assert holds(proven, proven["checkpoint"])
    assert not holds({**proven, "record": proven["record"].replace("Claude", "Other")}, proven["checkpoint"])


async def test_what_no_checkpoint_covers_yet_is_not_proven(hub: Hub, things: Things) -> None:
    answer = await hub.operator.get(f"/trail/proofs/calls/{things.call_id}")

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_a_later_checkpoint_is_proven_to_continue_an_earlier_one(hub: Hub, things: Things) -> None:
    await signed(hub)
    await hub.operator.post("/organizations", json={"name": "New"})
    await hub.services.trail.write("token.created", actor="system")
    await signed(hub)

    proven = (await hub.operator.get("/trail/proofs/consistency/1/2")).json()

    before, after = (read_note(proven[which]["note"]).checkpoint for which in ("before", "after"))
    assert before.size < after.size
    assert verify_consistency(
        before=before.size,
        root_before=before.root,
        size=after.size,
        root=after.root,
        proof=[bytes.fromhex(one) for one in proven["proof"]],
    )


async def test_an_export_holds_ones_own_records_each_with_a_proof(hub: Hub, things: Things) -> None:
    await signed(hub)

    everything, bobs = [
        (await client.get("/trail/export")).json() for client in (hub.operator, await hub.with_scopes("bob"))
    ]

    assert [one["index"] for one in everything["records"]] == list(range(everything["checkpoint"]["size"]))
    assert all(holds(one, page["checkpoint"]) for page in (everything, bobs) for one in page["records"])
    assert 0 < len(bobs["records"]) < len(everything["records"])
    assert all(hub.people["bob"].id in one["record"] for one in bobs["records"])


async def test_a_changed_record_is_named_and_nothing_more_is_proven(hub: Hub, things: Things) -> None:
    await signed(hub)
    async with hub.database.write() as tx:
        await tx.execute(text("update call_record set tool = 'other'"))

    report = (await hub.operator.post("/trail/verify", json={})).json()

    (finding,) = report["findings"]
    assert (report["is_whole"], report["exit_code"], finding["reference"]) == (False, 12, things.call_id)
    assert (await (await hub.with_scopes("bob")).post("/trail/verify", json={})).status_code == 403


@pytest.mark.parametrize("given", [{"since": "x"}, {"keys": ["x"]}, {"watch_key": "vkw_secret"}, {"other": 1}])
async def test_what_is_no_checkpoint_or_key_is_refused_without_repeating_it(
    hub: Hub, things: Things, given: dict[str, Any]
) -> None:
    answer = await hub.operator.post("/trail/verify", json=given)

    assert answer.status_code in (400, 422)
    assert "vkw_secret" not in answer.text
