"""S-02: what the hub can reach for a person is what that person can reach, each with their own credential."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from tests.gateway.client import Client
from tests.gateway.conftest import Hub
from tests.gateway.service import Answer, Seen, Service
from valetkey.audit.model import Outcome
from valetkey.identity.model import Role
from valetkey.kernel.errors import NotConnected


async def test_a_denial_of_the_service_is_passed_on_to_whom_it_was_said(hub: Hub, service: Service) -> None:
    """(a) Ada may read it, Grace may not: Grace hears so, and the service saw Grace's own token."""

    async def only_ada(seen: Seen, _params: Any) -> Answer | bytes:
        if seen.token != "adas-token":
            return Answer(b"", 403)
        return b'{"content":[{"type":"text","text":"the document"}]}'

    service.on_call = only_ada
    ada, grace = await hub.person("ada"), await hub.person("grace")
    await hub.connect(ada, service, "adas-token")
    await hub.connect(grace, service, "graces-token")

    for_ada = await (await hub.client(ada, service)).call("echo", {"document": 1})
    for_grace = await (await hub.client(grace, service)).call("echo", {"document": 1})

    assert for_ada.text == "the document"
    assert (for_grace.status, for_grace.result["isError"]) == (200, True)
    assert "403" in for_grace.text
    assert service.tokens == ["adas-token", "graces-token"]
    assert [record.outcome for record in await hub.records(grace)] == [Outcome.HTTP_ERROR]


def _whose(seen: Seen) -> str:
    """Whose token it was, which a service may say; the token itself would be masked on its way (T18)."""
    return seen.token.partition("-")[0]


async def test_the_same_question_by_another_person_is_asked_again(hub: Hub, service: Service) -> None:
    """(b) No answer is kept for anybody, let alone for somebody else."""
    ada, grace = await hub.person("ada"), await hub.person("grace")
    await hub.connect(ada, service, "adas-token")
    await hub.connect(grace, service, "graces-token")

    async def mine(seen: Seen, _params: Any) -> bytes:
        return json.dumps({"content": [{"type": "text", "text": _whose(seen)}]}).encode()

    service.on_call = mine
    clients = [await hub.client(ada, service), await hub.client(grace, service)]

    said = [(await client.call("echo", {"document": 1})).text for client in clients * 2]

    assert said == ["adas", "graces"] * 2


async def test_200_interleaved_calls_each_carry_their_own_persons_token(hub: Hub, service: Service) -> None:
    """(c) Three people, two doors, both eras, all at once."""

    async def say_token(seen: Seen, params: dict[str, Any]) -> bytes:
        await asyncio.sleep(random.random() / 50)  # so that answers overtake each other
        return json.dumps(
            {"content": [{"type": "text", "text": f"{_whose(seen)} {params['arguments']['n']}"}]}
        ).encode()

    service.on_call = say_token
    clients: list[tuple[str, Client, str]] = []
    for login in ("ada", "grace", "alan"):
        person = await hub.person(login)
        await hub.connect(person, service, f"{login}s-canary")
        slug = hub.connector(service).slug
        clients.append((login, await hub.client(person, service), "echo"))
        clients.append((login, await hub.client(person), f"{slug}_echo"))
        clients.append((login, await hub.client(person, service, version="2025-11-25"), "echo"))

    async def call(number: int) -> None:
        login, client, name = clients[number % len(clients)]
        got = await client.call(name, {"n": number})
        assert got.text == f"{login}s {number}"

    await asyncio.gather(*(call(number) for number in range(200)))

    for seen in service.calls:
        number = seen.message["params"]["arguments"]["n"]
        assert seen.token == f"{clients[number % len(clients)][0]}s-canary"
    used = {(seen.header("mcp-session-id"), seen.token) for seen in service.seen if seen.header("mcp-session-id")}
    assert len({session for session, _ in used}) == len({token for _, token in used}) == len(used)
    assert len(used) == (3 if service.era == "legacy" else 0)


async def test_ORG_01_what_an_owner_enables_and_connects_for_themself_connects_no_member(
    hub: Hub, service: Service
) -> None:
    """ORG-01, two acts: the connector is there for everybody; the account is the owner's own."""
    olga = await hub.people.create(
        login="olga", display_name="Olga", organization_id=hub.organization_id, role=Role.OWNER
    )
    mia = await hub.person("mia")
    owners = await hub.connect(olga, service, "olgas-token")
    client = await hub.client(mia, service)

    before = await client.call("echo")

    assert (before.result["isError"], "connect" in before.text) == (True, True)
    assert [one.slug for one in await hub.connectors.list_for(mia)] == [hub.connector(service).slug]
    assert list(await hub.connections.list(mia.id)) == []
    with pytest.raises(NotConnected):
        await hub.credentials.ticket(owners.id, person_id=mia.id, call_id="call_1")
    await hub.connect(mia, service, "mias-token")
    assert (await client.call("echo", {"text": "hi"})).text == "hi"
    assert service.tokens == ["mias-token"]


async def test_what_is_taken_away_at_the_service_is_gone_with_the_next_call(hub: Hub, service: Service) -> None:
    """(d) Nothing waits for a token to expire."""
    allowed = True

    async def while_allowed(_seen: Seen, _params: Any) -> Answer | bytes:
        return b'{"content":[{"type":"text","text":"yes"}]}' if allowed else Answer(b"", 403)

    service.on_call = while_allowed
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service)
    assert (await client.call("echo")).text == "yes"

    allowed = False

    assert (await client.call("echo")).result["isError"] is True


async def test_who_lost_their_token_is_told_to_connect_and_never_gets_another_persons(
    hub: Hub, service: Service
) -> None:
    """(e) The class of bugs called *get any valid token*."""
    ada, grace = await hub.person("ada"), await hub.person("grace")
    connection = await hub.connect(ada, service, "adas-token")
    await hub.connect(grace, service, "graces-token")
    client = await hub.client(ada, service)
    await client.call("echo")
    before = len(service.seen)

    await hub.vault.shred(connection.id)
    got = await client.call("echo")

    assert got.result["isError"] is True
    assert f"/connections/{connection.id}" in got.text
    assert len(service.seen) == before
    assert (await hub.records(ada))[-1].outcome is Outcome.NOT_CONNECTED


async def test_nobody_calls_with_somebody_elses_account(hub: Hub, service: Service) -> None:
    """Grace has an account there, Alan none; Alan's token opens his doors only, and behind them is nothing."""
    grace, alan = await hub.person("grace"), await hub.person("alan")
    await hub.connect(grace, service, "graces-token")
    slug = hub.connector(service).slug

    one = await (await hub.client(alan, service)).call("echo")
    every = await (await hub.client(alan)).call(f"{slug}_echo")
    labelled = await (await hub.client(alan, path=f"/c/{slug}/main/mcp")).call("echo")

    assert one.result["isError"] is True
    assert "connect" in one.text
    assert every.error["code"] == -32602
    assert labelled.result["isError"] is True
    assert service.seen == []
    assert [record.outcome for record in await hub.records(alan)] == [
        Outcome.NOT_CONNECTED,
        Outcome.REFUSED,
        Outcome.NOT_CONNECTED,
    ]


async def test_two_accounts_of_one_person_are_two_accounts(hub: Hub, service: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    await hub.connect(ada, service, "adas-work-token", label="work")
    slug = hub.connector(service).slug
    client = await hub.client(ada)

    assert await client.names() == [
        f"{slug}_echo", f"{slug}_delete_all", f"{slug}_work_echo", f"{slug}_work_delete_all",
    ]  # fmt: skip
    await client.call(f"{slug}_echo")
    await client.call(f"{slug}_work_echo")
    await (await hub.client(ada, path=f"/c/{slug}/work/mcp")).call("echo")
    await (await hub.client(ada, path=f"/c/{slug}/mcp")).call("echo")

    assert service.tokens == ["adas-token", "adas-work-token", "adas-work-token", "adas-token"]
    assert [record.label for record in await hub.records(ada)] == ["main", "work", "work", "main"]
