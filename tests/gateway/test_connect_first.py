"""When there is no credential: the person is sent to a page of ours, in the way their client knows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.conftest import Hub
from tests.gateway.service import Answer, Service
from valetkey.audit.model import Outcome
from valetkey.connections.model import State

MODERN = "2026-07-28"
OPENS_URLS: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}}


async def disconnected(hub: Hub, service: Service, **options: Any) -> Any:
    """Ada, whose credential is gone, and her client."""
    ada = await hub.person("ada")
    connection = await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service, **options)
    await hub.room.disconnecting.disconnect(ada.id, connection.id, by="person:ada")
    return ada, connection, client


async def test_a_modern_client_that_opens_urls_is_asked_to(hub: Hub, service: Service) -> None:
    ada, connection, client = await disconnected(hub, service, capabilities=OPENS_URLS)

    got = await client.call("echo", {"text": "a"})

    assert got.status == 200
    assert got.result["resultType"] == "input_required"
    assert "requestState" not in got.result
    [asked] = got.result["inputRequests"].values()
    assert asked["method"] == "elicitation/create"
    assert asked["params"]["mode"] == "url"
    assert asked["params"]["url"] == f"http://localhost:{hub.port}/connections/{connection.id}"
    assert service.seen == []
    assert [record.outcome for record in await hub.records(ada)] == [Outcome.NOT_CONNECTED]


async def test_the_retried_call_works_once_the_person_has_connected(hub: Hub, service: Service) -> None:
    ada, connection, client = await disconnected(hub, service, capabilities=OPENS_URLS)
    asked = await client.call("echo", {"text": "a"})
    answers = {key: {"action": "accept"} for key in asked.result["inputRequests"]}

    early = await client.call("echo", {"text": "a"}, inputResponses=answers)
    await hub.give_token(ada, hub.connector(service), connection, "adas-new-token")
    await hub.switch_on(connection, service, "echo")
    late = await client.call("echo", {"text": "a"}, inputResponses=answers)

    assert early.result["resultType"] == "input_required"
    assert late.text == "a"
    assert service.tokens == ["adas-new-token"]
    assert "inputResponses" not in service.calls[0].message["params"]


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_person_who_said_no_is_not_asked_again_by_the_same_call(
    hub: Hub, service: Service, action: str
) -> None:
    _, _, client = await disconnected(hub, service, capabilities=OPENS_URLS)

    got = await client.call("echo", inputResponses={"connect": {"action": action}})

    assert got.result["isError"] is True
    assert "chose not to" in got.text


async def test_a_client_of_2025_11_25_that_opens_urls_gets_the_error_that_says_so(hub: Hub, service: Service) -> None:
    _, connection, client = await disconnected(hub, service, version="2025-11-25", capabilities=OPENS_URLS)

    got = await client.call("echo")

    assert (got.status, got.error["code"]) == (200, -32042)
    [elicitation] = got.error["data"]["elicitations"]
    assert elicitation["url"] == f"http://localhost:{hub.port}/connections/{connection.id}"
    assert elicitation["mode"] == "url"
    assert elicitation["elicitationId"]


@pytest.mark.parametrize(
    ("version", "capabilities"),
    [
        (MODERN, {}),
        (MODERN, {"elicitation": {}}),
        ("2025-11-25", {"elicitation": {"form": {}}}),
        ("2025-06-18", OPENS_URLS),  # there were no URLs in elicitations then
        ("2025-03-26", {}),
    ],
)
async def test_every_other_client_gets_a_sentence_with_the_link(
    hub: Hub, service: Service, version: str, capabilities: dict[str, Any]
) -> None:
    _, connection, client = await disconnected(hub, service, version=version, capabilities=capabilities)

    got = await client.call("echo")

    assert got.result["isError"] is True
    assert f"http://localhost:{hub.port}/connections/{connection.id}" in got.text


async def test_the_aggregate_says_connect_first_under_the_old_name(hub: Hub, service: Service) -> None:
    """A client still has the list from before; its call is not *unknown tool* but *connect first*."""
    ada = await hub.person("ada")
    connection = await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada)
    [echo, *_] = await client.names()
    await hub.room.disconnecting.disconnect(ada.id, connection.id, by="person:ada")
    await hub.snapshots.forget(connection.id)

    got = await client.call(echo)

    assert f"/connections/{connection.id}" in got.text
    assert (await hub.records(ada))[-1].outcome is Outcome.NOT_CONNECTED


async def test_a_connector_that_was_never_connected_says_where_to(hub: Hub, service: Service) -> None:
    ada, grace = await hub.person("ada"), await hub.person("grace")
    await hub.connect(ada, service, "adas-token")
    client = await hub.client(grace, service)

    called = await client.call("echo")
    listed = await client.tools()

    assert f"http://localhost:{hub.port}/" in called.text
    assert listed.result["tools"] == []
    assert listed.result["_meta"]["valetkey/partial"][0]["reason"] == "not_connected"


async def test_a_401_is_answered_with_a_renewed_credential_and_one_more_try(hub: Hub, service: Service) -> None:
    """CON-24: every second request is refused, and nobody notices."""
    ada = await hub.person("ada")
    connection = await hub.connect(ada, service, "adas-token-0")
    client = await hub.client(ada, service)
    count = 0

    async def renew(_connection_id: str) -> bool:
        nonlocal count
        count += 1
        service.accepted = {f"adas-token-{count}"}
        await hub.give_token(ada, hub.connector(service), connection, f"adas-token-{count}")
        return True

    hub.credentials.renew = renew
    for number in range(3):
        service.accepted = {"none"}
        assert (await client.call("echo", {"text": str(number)})).text == str(number)

    assert hub.credentials.refused_times == 3
    assert [record.outcome for record in await hub.records(ada)] == [Outcome.OK] * 3


@pytest.mark.parametrize("renewed", [True, False])
async def test_a_credential_that_stays_refused_ends_in_reconnect_and_never_in_a_401_of_ours(
    hub: Hub, service: Service, renewed: bool
) -> None:
    ada = await hub.person("ada")
    connection = await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service)
    service.accepted = {"nobody's"}

    async def renew(_connection_id: str) -> bool:
        await hub.give_token(ada, hub.connector(service), connection, "adas-renewed-token")
        return True

    if renewed:
        hub.credentials.renew = renew
    got = await client.call("echo")
    again = await client.call("echo")

    assert got.status == again.status == 200
    assert got.result["isError"] is True
    assert f"/connections/{connection.id}" in got.text
    assert (await hub.connections.get(ada.id, connection.id)).state is State.RECONNECT
    assert hub.credentials.refused_times == 1
    assert [record.outcome for record in await hub.records(ada)] == [Outcome.NOT_CONNECTED] * 2
    assert len({seen.token for seen in service.seen}) == (2 if renewed else 1)


async def test_a_200_with_a_challenge_starts_no_sign_in(hub: Hub, modern: Service) -> None:
    """CON-06: only a 401 does."""
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")
    client = await hub.client(ada, modern, capabilities=OPENS_URLS)

    async def on_call(_seen: Any, _params: Any) -> Any:
        body = b'{"jsonrpc":"2.0","id":%d,"result":{"content":[],"isError":true}}' % _seen.message["id"]
        return Answer(body, headers=[("www-authenticate", "Bearer")])

    modern.on_call = on_call
    got = await client.call("echo")

    assert got.result["isError"] is True
    assert hub.credentials.refused_times == 0
