"""Finding out how a service is signed in to: the whole matrix, on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.connections.conftest import Hub, OpenHub
from tests.connections.outside import Answer, Asked, AuthServer, Place, Service
from valetkey.connections.model import Attempt, ConnectFacts, ScopeOrigin, StepFailed
from valetkey.identity.model import BrowserSession

PRM = "/.well-known/oauth-protected-resource"


async def _facts(hub: Hub, who: BrowserSession, url: str, **auth: Any) -> ConnectFacts:
    attempt: Attempt = await hub.room.connecting.begin(who, await hub.connector(who.person, url, **auth))
    return attempt.facts


async def _scope_asked(hub: Hub, who: BrowserSession, url: str, **auth: Any) -> tuple[str | None, ConnectFacts]:
    """The `scope` parameter exactly as it leaves, and the facts that were shown."""
    attempt, sent = await hub.go(who, await hub.connector(who.person, url, **auth))
    return dict(parse_qsl(urlsplit(sent).query, keep_blank_values=True)).get("scope"), attempt.facts


# --- S-18, S-19: which scopes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("challenge", "resource", "listed", "auth", "asked", "origin"),
    [
        ("a b", None, None, {}, "a b", ScopeOrigin.CHALLENGE),
        ("", ["c", "d"], None, {}, "c d", ScopeOrigin.CONNECTOR),
        ("b a", ["a", "b", "c"], ["x"], {}, "b a", ScopeOrigin.CHALLENGE),
        (" a  a b", ["c"], None, {}, "a b", ScopeOrigin.CHALLENGE),
        ("", [], ["x", "admin:*"], {}, "x admin:*", ScopeOrigin.AUTHORIZATION_SERVER),
        ("", None, ["x"], {"no_scope_fallback": True}, None, ScopeOrigin.NONE),
        ("", None, None, {}, None, ScopeOrigin.NONE),
        ("a", None, ["offline_access"], {}, "a offline_access", ScopeOrigin.CHALLENGE),
        ("a", ["a"], ["a", "b"], {}, "a", ScopeOrigin.CHALLENGE),
        ("a b", ["c"], ["offline_access"], {"scope": "a"}, "a", ScopeOrigin.PINNED),
        ("", [f"s{n}" for n in range(300)], None, {}, " ".join(f"s{n}" for n in range(300)), ScopeOrigin.CONNECTOR),
    ],
)
async def test_exactly_these_scopes_are_asked_for(
    hub: Hub,
    ada: BrowserSession,
    service: Service,
    server: AuthServer,
    challenge: str,
    resource: list[str] | None,
    listed: list[str] | None,
    auth: dict[str, Any],
    asked: str | None,
    origin: ScopeOrigin,
) -> None:
    service.scope, service.resource, server.scopes = challenge, {"scopes_supported": resource}, listed

    scope, facts = await _scope_asked(hub, ada, service.url, **auth)

    assert (scope, facts.scope_origin) == (asked, origin)
    assert any("broader" in one for one in facts.warnings) is (origin is ScopeOrigin.AUTHORIZATION_SERVER)


async def test_a_scope_the_server_refuses_is_told_with_the_way_out(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """S-19 (c): told, not tried again."""
    attempt, url = await hub.go(ada, await hub.connector(ada.person, service.url))
    state = dict(server.consent(url))["state"]

    with pytest.raises(StepFailed) as caught:
        await hub.come_back(ada, attempt, [("state", state), ("iss", server.issuer), ("error", "invalid_scope")])

    assert "notes:write" in caught.value.hint
    assert "untick" in caught.value.hint
    assert server.posts("/token") == []


# --- CON-06, CON-08: where the metadata lies -----------------------------------------------------------------------


def _prm(service: Service, server: AuthServer, scope: str) -> Answer:
    return Answer(body={"resource": service.url, "authorization_servers": [server.issuer], "scopes_supported": [scope]})


@pytest.mark.parametrize(
    ("present", "winner"),
    [
        (["pointer", "path", "root"], "pointer"),
        (["path", "root"], "path"),
        (["root"], "root"),
        (["pointer", "root"], "pointer"),
    ],
)
async def test_of_conflicting_resource_metadata_the_first_in_order_wins(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, present: list[str], winner: str
) -> None:
    server.scopes = None
    places = {"pointer": "/elsewhere/prm", "path": f"{PRM}/mcp", "root": PRM}
    for name, place in places.items():
        service.answers[place] = _prm(service, server, name) if name in present else Answer(404)
    service.challenge = (
        "Bearer" if "pointer" not in present else f'Bearer resource_metadata="{service.origin}/elsewhere/prm"'
    )

    facts = await _facts(hub, ada, service.url)

    assert facts.scopes == (winner,)
    order = [path.removeprefix("GET ") for path in service.paths if path.startswith("GET")]
    assert (
        order
        == [places[name] for name in ("pointer", "path", "root")][
            0 if "pointer" in present else 1 : list(places).index(winner) + 1
        ]
    )


@pytest.mark.parametrize(
    "pointer", ["data:application/json,{}", "ftp://h.example/x", "javascript:1", "::", "/relative"]
)
async def test_a_pointer_that_is_no_address_is_not_followed_and_the_known_places_are_asked(
    hub: Hub, ada: BrowserSession, service: Service, pointer: str
) -> None:
    service.challenge = f'Bearer resource_metadata="{pointer}"'

    facts = await _facts(hub, ada, service.url)

    assert facts.scope_origin is ScopeOrigin.CONNECTOR


async def test_a_pointer_into_a_private_network_is_not_followed(
    hub: Hub, ada: BrowserSession, service: Service
) -> None:
    service.challenge = 'Bearer resource_metadata="http://169.254.169.254/latest/meta-data"'

    with pytest.raises(StepFailed) as caught:
        await _facts(hub, ada, service.url)

    assert (caught.value.kind, caught.value.party) == ("unreachable", "169.254.169.254")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(200, b"x" * 100_000), "authorization_failed"),
        (Answer(200, b"<html>"), "authorization_failed"),
        (Answer(500), "unreachable"),
        (Answer(503), "unreachable"),
        (Answer(429), "unreachable"),
    ],
)
async def test_metadata_that_may_be_there_but_cannot_be_had_is_a_failure_not_an_absence(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, answer: Answer, kind: str
) -> None:
    service.answers["/elsewhere"] = answer
    service.challenge = f'Bearer resource_metadata="{service.origin}/elsewhere"'

    with pytest.raises(StepFailed) as caught:
        await _facts(hub, ada, service.url)

    assert (caught.value.kind, caught.value.stage) == (kind, "resource metadata")
    assert server.asked == []


async def test_a_pointer_to_nothing_is_told_rather_than_guessed_round(
    hub: Hub, ada: BrowserSession, server: AuthServer
) -> None:
    async with Service(server) as service:
        service.challenge = f'Bearer resource_metadata="{service.origin}/gone"'
        service.answers[f"{PRM}/mcp"] = Answer(302, b"", {"location": "https://x.example"})

        with pytest.raises(StepFailed, match="points to is not there"):
            await _facts(hub, ada, service.url)


async def test_a_page_for_everything_is_not_metadata(hub: Hub, ada: BrowserSession, service: Service) -> None:
    """Many single-page sites answer 200 with HTML wherever one asks."""
    service.challenge = "Bearer"
    service.answers[PRM] = Answer(body=service.prm())
    service.answers[f"{PRM}/mcp"] = Answer(200, b"<!doctype html>")

    facts = await _facts(hub, ada, service.url)

    assert facts.method == "oauth"


async def test_only_a_401_begins_a_sign_in(hub: Hub, ada: BrowserSession) -> None:
    """CON-06: a `WWW-Authenticate` beside a 200 says nothing."""

    class Misleading(Service):
        async def handle(self, asked: Any) -> Answer:
            answer = await super().handle(asked)
            answer.headers["www-authenticate"] = 'Bearer resource_metadata="https://evil.example/prm"'
            return answer

    async with Misleading(None) as service:
        facts = await _facts(hub, ada, service.url)

        assert facts.method == "none"


async def test_a_service_that_is_neither_open_nor_says_how_to_sign_in_is_told_so(hub: Hub, ada: BrowserSession) -> None:
    async with Place() as place:
        with pytest.raises(StepFailed, match="HTTP 404") as caught:
            await _facts(hub, ada, f"{place.origin}/mcp")

        assert caught.value.kind == "authorization_failed"


async def test_a_service_that_is_not_there_is_unreachable(hub: Hub, ada: BrowserSession) -> None:
    async with Place() as place:
        address = f"{place.origin}/mcp"

    with pytest.raises(StepFailed) as caught:
        await _facts(hub, ada, address)

    assert (caught.value.kind, caught.value.stage) == ("unreachable", "probe")


# --- CON-09, CON-12: the authorization server ----------------------------------------------------------------------


@pytest.fixture
async def tenant(issuer_path: str) -> AsyncIterator[AuthServer]:
    """A server whose issuer has no path, one segment, three."""
    async with AuthServer(issuer_path) as one:
        yield one


@pytest.mark.parametrize(
    ("issuer_path", "found_at"),
    # An issuer without a path has two places, the others have three.
    [("", 0), ("", 1), *((path, place) for path in ("/t1", "/a/b/c") for place in (0, 1, 2))],
)
async def test_the_metadata_of_an_issuer_is_asked_for_in_order_until_it_is_there(
    hub: Hub, ada: BrowserSession, tenant: AuthServer, found_at: int
) -> None:
    path = tenant.path
    places = [f"/.well-known/oauth-authorization-server{path}", f"/.well-known/openid-configuration{path}"]
    if path:
        places.append(f"{path}/.well-known/openid-configuration")
    for place in places[:found_at]:
        tenant.answers[place] = Answer(404)

    async with Service(tenant) as service:
        facts = await _facts(hub, ada, service.url)

    assert facts.issuer == tenant.issuer
    assert tenant.paths == [f"GET {place}" for place in places[: found_at + 1]]


async def test_an_outage_at_the_first_place_does_not_make_us_ask_the_next(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    server.answers["/.well-known/oauth-authorization-server"] = Answer(503)

    with pytest.raises(StepFailed) as caught:
        await _facts(hub, ada, service.url)

    assert (caught.value.kind, caught.value.stage) == ("unreachable", "authorization server metadata")
    assert len(server.asked) == 1


async def test_the_first_server_that_can_be_used_is_used_and_the_person_is_told_of_the_others(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    async with AuthServer() as broken:
        broken.metadata = {"code_challenge_methods_supported": None}
        service.resource["authorization_servers"] = [broken.issuer, server.issuer]

        facts = await _facts(hub, ada, service.url)

        assert facts.issuer == server.issuer
        assert any("could not be used" in warning and "PKCE" in warning for warning in facts.warnings)


async def test_a_service_that_has_changed_its_server_is_told_of_when_reconnecting(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """CON-12: never silently, and the old tokens do not go to the new server."""
    connector = await hub.connector(ada.person, service.url)
    connection = await hub.connect(ada, connector, server)
    old = await hub.bearer(connection)
    async with AuthServer() as other:
        service.server = other

        attempt, url = await hub.go(ada, connector)
        await hub.come_back(ada, attempt, other.consent(url))

        assert any(server.issuer in warning and other.issuer in warning for warning in attempt.facts.warnings)
        assert not any(old.encode() in asked.body for asked in other.asked)


async def test_metadata_is_kept_for_five_minutes_and_stands_in_while_its_server_is_away(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """CON-27."""
    await _facts(hub, ada, service.url)
    connector = (await hub.connectors.list_for(ada.person))[0]

    await hub.room.connecting.begin(ada, connector)
    kept = len(server.asked)
    hub.clock.advance(301)
    await hub.room.connecting.begin(ada, connector)
    asked_again = len(server.asked)
    hub.clock.advance(301)
    server.answers["/.well-known/oauth-authorization-server"] = Answer(503)
    stale = await hub.room.connecting.begin(ada, connector)

    assert (kept, asked_again) == (1, 2)
    assert stale.facts.issuer == server.issuer


async def test_a_server_that_moved_its_endpoints_is_noticed_after_five_minutes(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    await _facts(hub, ada, service.url)
    server.metadata = {"authorization_endpoint": f"{server.origin}/new-authorize"}
    hub.clock.advance(301)

    _, url = await hub.go(ada, (await hub.connectors.list_for(ada.person))[0])

    assert url.startswith(f"{server.origin}/new-authorize?")


# --- CON-10: the first revision ------------------------------------------------------------------------------------


class FirstRevision(AuthServer):
    """A service of 2025-03-26: guards `/mcp` and is its own authorization server, with metadata or without."""

    has_metadata = True

    async def handle(self, asked: Any) -> Answer:
        if asked.path == "/mcp":
            return Answer(401, b"") if not self.lets_in(asked.bearer) else Answer(404)
        if asked.path.startswith("/.well-known/") and not self.has_metadata:
            return Answer(404)
        if asked.path.startswith(PRM):
            return Answer(404)
        return await super().handle(asked)


@pytest.mark.parametrize("has_metadata", [True, False])
async def test_a_service_of_the_first_revision_is_connected_and_said_to_be_one(
    hub: Hub, ada: BrowserSession, has_metadata: bool
) -> None:
    async with FirstRevision() as service:
        service.has_metadata, service.iss = has_metadata, ""
        connector = await hub.connector(ada.person, f"{service.origin}/mcp")

        attempt, url = await hub.go(ada, connector)
        connection = await hub.come_back(ada, attempt, service.consent(url))

        assert service.lets_in(await hub.bearer(connection))
        assert connection.resource == f"{service.origin}/mcp"
        assert any("first MCP revision" in warning for warning in attempt.facts.warnings)
        assert any("guess" in warning for warning in attempt.facts.warnings) is not has_metadata


async def test_a_first_revision_service_whose_metadata_is_of_another_issuer_is_refused(
    hub: Hub, ada: BrowserSession
) -> None:
    async with FirstRevision() as service:
        service.metadata = {"issuer": "https://accounts.example.com"}

        with pytest.raises(StepFailed, match="accounts"):
            await _facts(hub, ada, f"{service.origin}/mcp")


# --- services that want no sign-in ---------------------------------------------------------------------------------


class Mute(Service):
    """Lists its tools to anyone, and holds every other question open."""

    async def handle(self, asked: Asked) -> Answer:
        if asked.path != "/mcp":
            await asyncio.Event().wait()
        return await super().handle(asked)


async def test_a_service_that_wants_no_sign_in_is_not_waited_for_to_say_so(open_hub: OpenHub) -> None:
    """Added as one that signs in; whether it does is asked once, for a quarter of the time there is."""
    hub = open_hub(discovery_seconds=1.0)
    await hub.vault.start("dep_test")
    ada = hub.browser(await hub.person("ada"))

    async with Mute(None) as service, asyncio.timeout(5):
        facts = await _facts(hub, ada, service.url)

    assert (facts.method, len(facts.tools)) == ("none", 2)
    assert any("could not be found out" in warning for warning in facts.warnings)
    assert [one.path for one in service.asked if one.path != "/mcp"] == [f"{PRM}/mcp"]


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_an_open_service_whose_well_known_places_are_out_of_order_can_be_connected(
    hub: Hub, ada: BrowserSession, status: int
) -> None:
    async with Service(None) as service:
        service.answers[f"{PRM}/mcp"] = Answer(status)

        facts = await _facts(hub, ada, service.url)

    assert facts.method == "none"


async def test_an_open_service_that_says_how_to_sign_in_is_signed_in_to(
    hub: Hub, ada: BrowserSession, server: AuthServer
) -> None:
    """CON-16: it lists its tools to anyone, and wants to know who calls them."""
    async with Service(None) as service:
        prm = {"resource": service.url, "authorization_servers": [server.issuer]}
        service.answers[f"{PRM}/mcp"] = Answer(body=prm)

        facts = await _facts(hub, ada, service.url)

    assert (facts.method, facts.issuer, len(facts.tools)) == ("oauth", server.issuer, 2)


# --- CON-19: time --------------------------------------------------------------------------------------------------


async def test_finding_out_is_bounded_and_the_stage_is_told(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    hub = open_hub(discovery_seconds=0.5)
    await hub.vault.start("dep_test")
    ada = hub.browser(await hub.person("ada"))
    server.gate.clear()

    with pytest.raises(StepFailed, match=r"longer than 0\.5 s") as caught:
        async with asyncio.timeout(5):
            await _facts(hub, ada, service.url)

    assert caught.value.stage == "authorization server metadata"
    assert caught.value.reference
