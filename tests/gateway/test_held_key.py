"""Calls with the key that an owner entered for everybody: each is a person's own, marked, and asked for (CUS-04)."""

from __future__ import annotations

import json

from tests.gateway.conftest import Hub
from tests.gateway.service import Service
from valetkey.audit.model import Outcome
from valetkey.connections.model import Connection
from valetkey.directory.model import Connector
from valetkey.identity.model import Person
from valetkey.kernel.secret import Secret
from valetkey.policy.approval_model import State
from valetkey.policy.model import Setting

KEY = "key-of-everybody"
READS = {
    "name": "get_note",
    "description": "Reads a note.",
    "inputSchema": {"type": "object", "properties": {"id": {"type": "integer"}}},
    "annotations": {"readOnlyHint": True},
}


async def shared(hub: Hub, owner: Person, service: Service) -> Connector:
    connector = await hub.connectors.add_custom(
        owner,
        name="Ours",
        url=service.url,
        auth_kind="header",
        auth={"headers": ["X-API-Key"], "identity": "organization"},
    )
    hub._added[service.url] = connector
    service.tools.append(json.dumps(READS).encode())
    values = {"X-API-Key": Secret(KEY)}
    await hub.room.held.hold(connector, values, by=f"person:{owner.id}", person_id=owner.id)
    return connector


async def member(hub: Hub, login: str, connector: Connector, service: Service) -> tuple[Person, Connection]:
    person = await hub.person(login)
    connection = await hub.room.connecting.set_header(
        person, connector, values={}, acknowledged=hub.connectors.disclosure(connector).version
    )
    await hub.switch_on(connection, service, "get_note", "delete_all")
    return person, connection


async def test_each_members_call_goes_by_it_is_theirs_in_the_log_and_says_whose_key_it_was(
    hub: Hub, service: Service
) -> None:
    """VLT-13: who used it, and that it was everybody's."""
    owner = await hub.person("olga")
    connector = await shared(hub, owner, service)
    people = [(await member(hub, login, connector, service))[0] for login in ("ada", "bob")]

    for person in people:
        await (await hub.client(person, service)).call("get_note", {"id": 1})

    assert [seen.header("x-api-key") for seen in service.calls] == [KEY, KEY]
    for person in people:
        [record] = await hub.records(person)
        assert (record.outcome, record.person_id) == (Outcome.OK, person.id)
        assert record.detail.startswith("identity: org.")


async def test_what_changes_something_is_asked_for_each_time_and_the_vault_holds_to_that_by_itself(
    hub: Hub, modern: Service
) -> None:
    owner = await hub.person("olga")
    connector = await shared(hub, owner, modern)
    ada, connection = await member(hub, "ada", connector, modern)
    snapshot = await hub.snapshots.get(connection.id)
    assert snapshot is not None
    tool = snapshot.tool("delete_all")
    assert tool is not None
    await hub.policy.permissions.set(connection.id, [(tool, Setting.ALLOW, None)])
    client = await hub.client(ada, modern)

    answer = await client.call("delete_all", {})

    [asked] = [one for one in await hub.policy.approvals.list(ada.id) if one.state is State.PENDING]
    assert asked.path in answer.raw.decode()
    assert asked.may_remember is False
    assert modern.calls == []


async def test_a_member_who_disconnected_calls_by_it_no_more(hub: Hub, modern: Service) -> None:
    owner = await hub.person("olga")
    connector = await shared(hub, owner, modern)
    ada, connection = await member(hub, "ada", connector, modern)
    client = await hub.client(ada, modern)
    await client.call("get_note", {"id": 1})

    await hub.room.disconnecting.disconnect(ada.id, connection.id, by=f"person:{ada.id}")
    await client.call("get_note", {"id": 2})

    assert len(modern.calls) == 1


async def test_nothing_goes_there_without_the_key_once_it_was_taken_away(hub: Hub, modern: Service) -> None:
    owner = await hub.person("olga")
    connector = await shared(hub, owner, modern)
    ada, _ = await member(hub, "ada", connector, modern)
    client = await hub.client(ada, modern)

    await hub.room.held.take_away(connector, by=f"person:{owner.id}", person_id=owner.id)
    await client.call("get_note", {"id": 1})

    assert modern.calls == []
