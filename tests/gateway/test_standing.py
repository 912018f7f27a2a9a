"""A standing yes at the doors: unattended calls run by it, as many as were said, and the vault looks at it itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.gateway.client import MODERN
from tests.gateway.conftest import Hub
from tests.gateway.service import Answer, Seen, Service
from tests.gateway.test_confirm import REVISIONS, question, was_asked
from valetkey.audit.model import CallIntent, Outcome
from valetkey.connections.model import Connection
from valetkey.identity.model import Person
from valetkey.policy import approval_repository, standing_repository
from valetkey.policy.approval_model import Use
from valetkey.policy.model import Setting
from valetkey.policy.standing_model import Standing, StandingApproval
from valetkey.policy.terms import Terms
from valetkey.vault.release import NotReleased


async def say_yes_to_more(hub: Hub, person: Person, terms: Terms) -> StandingApproval:
    """What the page does after the passkey: a yes to the call that waits, and one to later ones."""
    waiting, policy = await question(hub, person), hub.policy
    call = await policy.approvals.call_of(waiting)
    await policy.standing.demand(waiting, terms)
    await policy.approvals.approve(waiting, session_id="s_1", proof=b"{}")
    return await policy.standing.give(waiting, call, terms, session_id="s_1", proof=b"{}")


@pytest.mark.parametrize("version", REVISIONS)
async def test_calls_run_unattended_as_often_as_was_said_and_each_is_in_the_log(
    hub: Hub, service: Service, version: str
) -> None:
    """T34 for standing approvals; CUS-12, S-22 (c), (d)."""
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service, version=version)
    await client.call("delete_all", {"id": 1})
    given = await say_yes_to_more(hub, ada, Terms(2, 7, frozenset({"id"})))

    once = await client.call("delete_all", {"id": 1})  # by the approval of exactly this call
    unattended = [await client.call("delete_all", {"id": n}) for n in (2, 3)]
    after = await client.call("delete_all", {"id": 4})
    more = await client.call("delete_all", {"id": 5, "also": "x"})

    assert not once.result.get("isError")
    assert not any(got.result.get("isError") for got in unattended)
    assert was_asked(after, "/approvals/")
    assert was_asked(more, "/approvals/")
    assert [call.message["params"]["arguments"] for call in service.calls] == [{"id": 1}, {"id": 2}, {"id": 3}]
    by = [record for record in await hub.records(ada) if record.rule == "standing"]
    assert [record.outcome for record in by] == [Outcome.OK, Outcome.OK]
    assert all(record.detail.startswith(given.id) for record in by)
    assert (await hub.policy.standing.list(ada.id))[0].state_at(hub.clock.now()) is Standing.USED_UP


async def test_another_client_and_another_person_are_asked(hub: Hub, modern: Service) -> None:
    ada, grace = await hub.person("ada"), await hub.person("grace")
    for person, token in ((ada, "adas-token"), (grace, "graces-token")):
        await hub.connect(person, modern, token)
    await (await hub.client(ada, modern)).call("delete_all")
    await say_yes_to_more(hub, ada, Terms(9, 7))

    for client in (await hub.client(ada, modern), await hub.client(grace, modern)):
        assert was_asked(await client.call("delete_all"), "/approvals/")

    assert modern.calls == []


@pytest.mark.parametrize("version", ["2025-11-25", MODERN])
async def test_what_a_ceiling_or_the_person_wants_asked_is_asked_at_once(
    hub: Hub, modern: Service, version: str
) -> None:
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token")
    client = await hub.client(ada, modern, version=version)
    await client.call("delete_all")
    await say_yes_to_more(hub, ada, Terms(9, 7))
    for _ in range(2):
        assert not (await client.call("delete_all")).result.get("isError")

    limit = await hub.policy.ceilings.set(hub.organization_id, Setting.ASK, actor="person:o")
    assert was_asked(await client.call("delete_all"), "/approvals/")
    await hub.policy.ceilings.remove(hub.organization_id, limit.id, actor="person:o")
    assert not (await client.call("delete_all")).result.get("isError")
    snapshot = await hub.snapshots.get(connection.id)
    assert snapshot is not None
    tool = snapshot.tool("delete_all")
    assert tool is not None
    hub.clock.advance(1)
    await hub.policy.permissions.set(connection.id, [(tool, Setting.ASK, None)])
    assert was_asked(await client.call("delete_all"), "/approvals/")
    assert len(modern.calls) == 3


async def test_a_tool_that_changes_and_changes_back_is_asked_for(hub: Hub, modern: Service) -> None:
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token")
    client = await hub.client(ada, modern)
    await client.call("delete_all")
    await say_yes_to_more(hub, ada, Terms(9, 7))
    assert not (await client.call("delete_all")).result.get("isError")
    before = list(modern.tools)

    changed = [tool.replace(b'"delete_all"', b'"delete_all","title":"Delete everything there is"') for tool in before]
    await hub.snapshots.put(connection.id, changed, b"{}", 60)
    await hub.snapshots.put(connection.id, before, b"{}", 60)

    assert was_asked(await client.call("delete_all"), "/approvals/")
    assert (await hub.policy.standing.list(ada.id))[0].ended_because == "tool_changed"


async def test_a_call_without_an_answer_is_not_repeated_by_it(hub: Hub, modern: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")
    client = await hub.client(ada, modern)
    await client.call("delete_all", {"id": 1})
    await say_yes_to_more(hub, ada, Terms(9, 7, frozenset({"id"})))

    async def nonsense(_seen: Seen, _params: dict[str, Any]) -> Answer:
        return Answer(b"not json")

    modern.on_call = nonsense
    await client.call("delete_all", {"id": 2})
    again = await client.call("delete_all", {"id": 2})
    other = await client.call("delete_all", {"id": 3})

    assert was_asked(again, "/approvals/")
    assert not was_asked(other, "/approvals/")
    assert [call.message["params"]["arguments"] for call in modern.calls] == [{"id": 2}, {"id": 3}]


async def test_what_would_be_of_class_v_by_taint_or_by_name_is_asked(hub: Hub, modern: Service) -> None:
    """H and untrusted content read elsewhere: the standing yes was not for that."""
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token")
    client = await hub.client(ada, modern)
    await client.call("delete_all")
    await say_yes_to_more(hub, ada, Terms(9, 7))
    token = (await hub.tokens.list(ada.id))[0]
    slug = hub.connector(modern).slug
    other = await hub.connections.add(ada, hub.connector(modern), label="other")
    await hub.policy.taints.mark(ada.id, token.id, other.id, slug)

    got = await client.call("delete_all")

    assert connection.id != other.id
    assert was_asked(got, "/approvals/")
    assert len(modern.calls) == 0


# --- what the vault believes ------------------------------------------------------------------------------------------


async def released(hub: Hub, connection: Connection, approval_id: str, tool: str = "delete_all") -> bool:
    """Whether a ticket is given for a recorded call that says it used this approval."""
    person_id = connection.person_id
    intent = CallIntent(
        id=f"call_{approval_id}_{tool}", started_at=hub.clock.now(), client="", connector="c", label="",
        day="2026-11-22", request_bytes=0, request=None, organization_id=hub.organization_id, person_id=person_id,
        connection_id=connection.id, method="tools/call", tool=tool, own_tool=tool,
    )  # fmt: skip
    use = Use(intent.id, approval_id, connection.id, tool, "d" * 64, hub.clock.now())
    async with hub.database.write() as tx:
        if await approval_repository.find_use(tx, use.call_id) is None:
            await approval_repository.add_use(tx, use)
    with hub.call_log.begin(intent):
        try:
            return bool(await hub.credentials.ticket(connection.id, person_id=person_id, call_id=intent.id))
        except NotReleased:
            return False


async def test_the_vault_looks_at_the_standing_approval_and_believes_no_use(hub: Hub, modern: Service) -> None:
    """Whoever can write that one was used has not thereby a yes."""
    ada, grace = await hub.person("ada"), await hub.person("grace")
    connection = await hub.connect(ada, modern, "adas-token")
    hers = await hub.connect(grace, modern, "graces-token")
    await (await hub.client(ada, modern)).call("delete_all")
    given = await say_yes_to_more(hub, ada, Terms(1, 7))
    assert await released(hub, connection, given.id)

    lies: dict[str, dict[str, Any]] = {
        "nobody's": {"person_id": grace.id},
        "another account's": {"connection_id": hers.id},
        "another tool's": {"tool": "echo"},
        "another definition's": {"fingerprint": "0" * 64},
        "another version's": {"connector_version": 2},
        "elsewhere": {"origin": "https://evil.example"},
        "under other rules": {"rules": "0" * 64},
        "of a lower class": {"counts_as": "M"},
        "of class v": {"counts_as": "V"},
        "without a passkey": {"proof": None},
        "revoked": {"ended_at": hub.clock.now(), "ended_because": "revoked"},
        "over": {"expires_at": hub.clock.now()},
        "given later": {"created_at": hub.clock.now() + timedelta(seconds=1)},
    }
    for n, (name, lie) in enumerate(lies.items()):
        forged = replace(given, id=f"standing_{n}", **lie)
        async with hub.database.write() as tx:
            await standing_repository.add(tx, forged)
        assert not await released(hub, connection, forged.id), name
    assert not await released(hub, connection, "standing_unheard_of")
    assert not await released(hub, connection, given.id, tool="send")
    assert not await released(hub, hers, given.id)

    await hub.policy.standing.revoke(ada.id, given.id, actor="person:ada")
    assert not await released(hub, connection, given.id)
