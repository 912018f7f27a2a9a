"""The trace: every step looked up by its reference, no secret in any (CON-32)."""

from __future__ import annotations

import dataclasses
from contextlib import suppress

import pytest

from tests.connections.conftest import Hub
from tests.connections.outside import Answer, AuthServer, Service
from valetkey.connections import trace
from valetkey.connections.model import StepFailed, TemporarilyUnavailable
from valetkey.connections.trace import request_line, scrubbed
from valetkey.identity.model import BrowserSession
from valetkey.net.url import parse_url


async def test_the_whole_way_is_written_down_in_order(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)
    hub.clock.advance(3600)
    await hub.bearer(connection)
    await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    steps = await hub.room.trace.list(ada.person.id, connection.id)

    assert [(step.stage, step.status) for step in steps] == [
        ("probe", 401),
        ("resource metadata", 200),
        ("authorization server metadata", 200),
        ("registration", 201),
        ("authorization", None),
        ("callback", None),
        ("exchange", 200),
        ("connected", None),
        ("refresh", 200),
        ("revocation", 200),
        ("revocation", 200),
    ]
    assert steps[0].request == f"POST {service.url}"
    assert steps[0].reason.startswith("WWW-Authenticate: Bearer resource_metadata=")
    assert steps[6].request == f"POST {server.origin}/token"


async def test_no_secret_is_in_any_step(hub: Hub, ada: BrowserSession, service: Service, server: AuthServer) -> None:
    """The fake repeats the refresh token it refuses in its error description, as some servers do."""
    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)
    token = await hub.bearer(connection)
    sent = server.posts("/token")[-1]
    for grant in server.refreshes.values():
        grant.is_live = False
    assert not await hub.room.credentials.refused(connection.id, connection.generation)

    said = repr(await hub.room.trace.list(ada.person.id, connection.id)) + (await hub.now(connection)).state_reason

    assert "is not known" in said
    secrets = [token, sent.form["code"], sent.form["code_verifier"], sent.headers["authorization"].split()[1]]
    for secret in (*secrets, *server.refreshes, *server.used_refreshes, *server.access):
        assert secret not in said
    assert not any(known.secret in said for known in server.clients.values() if known.secret)


@pytest.mark.parametrize("kind", ["unreachable", "authorization_failed", "registration_failed"])
async def test_each_of_the_three_failures_has_a_reference_that_leads_to_its_step(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, kind: str
) -> None:
    connector = await hub.connector(ada.person, service.url)
    if kind == "unreachable":
        server.answers["/.well-known/oauth-authorization-server"] = Answer(503)
    elif kind == "authorization_failed":
        server.metadata = {"code_challenge_methods_supported": None}
    else:
        server.answers["/register"] = Answer(400, {"error": "invalid_client_metadata"})

    with pytest.raises(StepFailed) as caught:
        await hub.go(ada, connector)

    failed = caught.value
    (connection,) = await hub.room.connections.list(ada.person.id)
    last = (await hub.room.trace.list(ada.person.id, connection.id))[-1]
    assert (failed.kind, failed.party) == (kind, "127.0.0.1")
    assert last.id == failed.reference
    assert last.reason.startswith(failed.party)


async def test_what_a_server_says_is_bounded_and_cannot_disguise_itself(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)
    server.answers["/register"] = Answer(400, {"error": "x\x1b[2J\u202e", "error_description": "<script>" * 400})

    with pytest.raises(StepFailed) as caught:
        await hub.go(ada, connector)

    assert len(caught.value.message) < 400
    assert caught.value.message.isprintable()


async def test_a_trace_is_its_persons_own_and_has_an_end(
    hub: Hub, ada: BrowserSession, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await hub.person("bob")
    monkeypatch.setattr(trace, "KEPT", 5)
    connection = await hub.room.connections.add(ada.person, await hub.connector(ada.person, service.url))
    steps = hub.room.trace.of(person_id=ada.person.id, connection_id=connection.id)

    for number in range(12):
        await steps.note("probe", f"GET {number}")

    kept = await hub.room.trace.list(ada.person.id, connection.id)
    assert len(kept) == 5
    assert kept[-1].request == "GET 11"
    assert await hub.room.trace.list(bob.id, connection.id) == []
    assert dataclasses.is_dataclass(kept[0])


def test_a_request_line_shows_the_names_in_a_query_and_not_its_values() -> None:
    url = parse_url("https://h.example/path?state=CANARY&x=1")

    assert request_line("GET", url) == "GET https://h.example/path?state=…&x=…"


def test_what_looks_like_a_token_is_taken_out_of_a_servers_words() -> None:
    assert scrubbed("The refresh token rt-8f3a9c0d1e is not known") == "The refresh token … is not known"
    assert scrubbed("unauthorized_client: misconfigured") == "unauthorized_client: misconfigured"
    assert "eyJhbGciOi" not in scrubbed("token eyJhbGciOiJIUzI1NiJ9.e30.abc")


@pytest.mark.parametrize("where", ["declined", "exchange", "exchange is down", "refresh", "refresh is down"])
async def test_after_the_person_has_left_the_last_step_names_the_failing_party_too(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, where: str
) -> None:
    """Requirements 4.6: silence was the commonest complaint."""
    connector = await hub.connector(ada.person, service.url)
    answer = Answer(503) if where.endswith("down") else Answer(400, {"error": "invalid_grant"})
    if where.startswith("refresh"):
        connection = await hub.connect(ada, connector, server)
        server.answers["/token"] = answer
        with suppress(TemporarilyUnavailable):
            await hub.room.credentials.refused(connection.id, connection.generation)
    else:
        attempt, url = await hub.go(ada, connector)
        back = server.consent(url, declined=where == "declined")
        if where != "declined":
            server.answers["/token"] = answer
        with pytest.raises(StepFailed):
            await hub.come_back(ada, attempt, back)
        (connection,) = await hub.room.connections.list(ada.person.id)

    last = (await hub.room.trace.list(ada.person.id, connection.id))[-1]

    assert last.stage == {"declined": "callback", "exchange": "exchange"}.get(where.partition(" ")[0], "refresh")
    assert "127.0.0.1" in last.reason + last.request
