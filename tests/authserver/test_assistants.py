"""The assistants of the field, each as it really asks, from registration to refresh."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.authserver.assistants import (
    CLAUDE_AI,
    CLAUDE_CODE,
    CURSOR,
    VS_CODE,
    WEB,
    Assistant,
    Browser,
    Hub,
    answered,
    is_page,
    sent_back,
)
from tests.identity.rooms import PUBLIC_URL
from valetkey.identity.client_documents import load_pinned
from valetkey.kernel.errors import StartRefused


async def lives(hub: Hub, assistant: Assistant) -> None:
    """Consent, tokens, a call, a refresh, a call, and giving it all back."""
    tokens = await assistant.tokens()
    assert await hub.works_at(tokens["access_token"], "/mcp")
    fresh = answered(await assistant.refresh(tokens["refresh_token"]))
    assert await hub.works_at(fresh["access_token"], "/mcp")
    answered(await assistant.send("/oauth/revoke", {"token": fresh["refresh_token"]}))
    assert not await hub.works_at(fresh["access_token"], "/mcp")
    assert not await hub.works_at(tokens["access_token"], "/mcp")


async def test_claude_code_comes_by_its_document_and_an_ephemeral_port(hub: Hub) -> None:
    for port in (53123, 61999):
        await lives(hub, hub.documented(CLAUDE_CODE, f"http://localhost:{port}/callback"))

    assert hub.rooms.web.asked == [CLAUDE_CODE["client_id"]]  # kept, ports and all


@pytest.mark.parametrize(
    "redirect_uri", ["http://127.0.0.1:33418/", "http://127.0.0.1:50007/", "https://vscode.dev/redirect"]
)
async def test_vs_code_comes_by_its_document_on_any_port_or_by_its_web_page(quick_hub: Hub, redirect_uri: str) -> None:
    await lives(quick_hub, quick_hub.documented(VS_CODE, redirect_uri))


async def test_vs_code_registers_where_documents_cannot_be_fetched(quick_hub: Hub) -> None:
    metadata = {name: value for name, value in VS_CODE.items() if name != "client_id"}
    assistant = await quick_hub.registered(metadata)
    assistant.redirect_uri = "http://127.0.0.1:50007/"

    await lives(quick_hub, assistant)


@pytest.mark.parametrize("redirect_uri", CURSOR["redirect_uris"])
async def test_cursor_registers_three_addresses_and_uses_any_of_them(quick_hub: Hub, redirect_uri: str) -> None:
    response = await quick_hub.register(CURSOR)
    assert answered(response, 201)["redirect_uris"] == CURSOR["redirect_uris"]
    assert "client_secret" not in response.json()

    await lives(quick_hub, Assistant(quick_hub, response.json()["client_id"], redirect_uri))


@pytest.mark.parametrize("how", ["", "client_secret_basic", "client_secret_post", "none"])
async def test_claude_ai_registers_with_a_secret_or_without_and_gets_what_it_asked_for(hub: Hub, how: str) -> None:
    metadata = {**CLAUDE_AI, "token_endpoint_auth_method": how} if how else CLAUDE_AI
    assistant = await hub.registered(metadata)

    assert assistant.how == (how or "client_secret_basic")  # RFC 7591's default
    assert bool(assistant.secret) == (how != "none")
    await lives(hub, assistant)


async def test_two_windows_that_refresh_at_once_both_go_on(hub: Hub) -> None:
    assistant = await hub.registered(CLAUDE_AI)
    tokens = await assistant.tokens()

    first = answered(await assistant.refresh(tokens["refresh_token"]))
    second = answered(await assistant.refresh(tokens["refresh_token"]))

    assert await hub.works_at(first["access_token"], "/mcp")
    assert await hub.works_at(second["access_token"], "/mcp")


async def test_a_client_that_names_no_resource_and_no_scope_means_the_whole(quick_hub: Hub) -> None:
    """As clients of 2025-03-26 do."""
    assistant = await quick_hub.registered(CLAUDE_AI)

    tokens = await assistant.tokens(resource="", scope="")

    assert tokens["scope"] == "mcp"
    assert await quick_hub.works_at(tokens["access_token"], "/mcp")


async def test_a_token_for_one_resource_is_refused_at_another(hub: Hub) -> None:
    assistant = await hub.registered(CURSOR)
    tokens = await assistant.tokens(resource=f"{PUBLIC_URL}/c/github/mcp")

    assert await hub.works_at(tokens["access_token"], "/c/github/mcp")
    for other in ("/mcp", "/c/gitlab/mcp", "/c/github/work/mcp", "/api/v1"):
        assert not await hub.works_at(tokens["access_token"], other)


async def test_the_consent_page_says_who_where_to_and_how_far(quick_hub: Hub) -> None:
    assistant = quick_hub.documented(CLAUDE_CODE, "http://localhost:53123/callback")

    view = (await quick_hub.browser.open(assistant.asks(resource=f"{PUBLIC_URL}/c/github/work/mcp"))).json()

    assert (view["client_name"], view["client_host"], view["redirect_host"]) == (
        "Claude Code",
        "claude.ai",
        "localhost",
    )
    assert (view["is_loopback"], view["verified"], view["kind"]) == (True, False, "cimd")
    assert (view["resource"], view["connector"]) == ("/c/github/work/mcp", "github")
    assert view["covers"] == "Your account “work” at github, and nothing else."
    assert view["redirect_origin"] == "http://localhost:53123"


async def test_a_token_for_a_profile_is_for_nothing_else_and_the_page_says_so(hub: Hub) -> None:
    assistant = await hub.registered(CURSOR)
    view = (await hub.browser.open(assistant.asks(resource=f"{PUBLIC_URL}/p/work/mcp"))).json()
    tokens = await assistant.tokens(resource=f"{PUBLIC_URL}/p/work/mcp")

    assert (view["resource"], view["profile"], view["connector"]) == ("/p/work/mcp", "work", "")
    assert view["covers"] == "What your profile “work” names, and nothing else."
    assert await hub.works_at(tokens["access_token"], "/p/work/mcp")
    for other in ("/mcp", "/p/play/mcp", "/c/work/mcp", "/api/v1"):
        assert not await hub.works_at(tokens["access_token"], other)


async def test_a_registered_client_is_vouched_for_by_nobody(quick_hub: Hub) -> None:
    assistant = await quick_hub.registered({**CURSOR, "client_name": "Claude <b>Code</b>\u202e\n" + "x" * 100})

    view = (await quick_hub.browser.open(assistant.asks())).json()

    assert view["client_host"] == ""
    assert view["is_private_use"] is True
    assert len(view["client_name"]) <= 60
    assert view["client_name"].isprintable()


async def test_consent_to_a_documented_web_client_is_remembered(hub: Hub) -> None:
    assistant = hub.documented(WEB)
    await assistant.tokens()

    again = await hub.browser.open(assistant.asks())

    assert "code" in sent_back(again)
    answered(await assistant.redeem(sent_back(again)["code"]))


@pytest.mark.parametrize(
    "changed",
    [
        {"resource": f"{PUBLIC_URL}/c/github/mcp"},
        {"prompt": "consent"},
        {"redirect_uri": "https://other.assistant.example/callback"},
    ],
)
async def test_what_was_not_agreed_to_is_asked_about(quick_hub: Hub, changed: dict[str, str]) -> None:
    both = [*WEB["redirect_uris"], "https://other.assistant.example/callback"]
    assistant = quick_hub.documented({**WEB, "redirect_uris": both})
    await assistant.tokens()

    assert (await quick_hub.browser.open(assistant.asks(**changed))).status_code == 200


@pytest.mark.parametrize("changed", [{"client_name": "Somebody"}, {"logo_uri": "https://x.example/"}])
async def test_a_client_whose_document_changed_is_asked_about_again(quick_hub: Hub, changed: dict[str, str]) -> None:
    assistant = quick_hub.documented(WEB)
    await assistant.tokens()
    quick_hub.documented({**WEB, **changed})
    quick_hub.clock.advance(24 * 3600)
    quick_hub.browser.http.cookies.set(
        "sid", (await quick_hub.rooms.sessions.begin(quick_hub.ada, "passkey", "")).reveal().decode()
    )

    assert (await quick_hub.browser.open(assistant.asks())).status_code == 200


@pytest.mark.parametrize(
    ("document", "redirect_uri"),
    [(CLAUDE_CODE, "http://localhost:53123/callback"), (VS_CODE, "http://127.0.0.1:33418/")],
)
async def test_a_native_app_is_asked_about_every_time(
    quick_hub: Hub, document: dict[str, Any], redirect_uri: str
) -> None:
    """Any program on the machine can listen there and say that it is this client."""
    assistant = quick_hub.documented(document, redirect_uri)
    await assistant.tokens()

    assert (await quick_hub.browser.open(assistant.asks())).status_code == 200


async def test_a_registered_client_is_asked_about_every_time(quick_hub: Hub) -> None:
    assistant = await quick_hub.registered(CLAUDE_AI)
    await assistant.tokens()

    assert (await quick_hub.browser.open(assistant.asks())).status_code == 200


async def test_a_client_that_was_shown_out_is_asked_about_again(hub: Hub) -> None:
    assistant = hub.documented(WEB)
    await assistant.tokens()
    [grant] = await hub.rooms.families.list(hub.ada.id)
    assert "code" in sent_back(await hub.browser.open(assistant.asks()))

    await hub.rooms.families.end(hub.ada.id, grant.id)

    assert (await hub.browser.open(assistant.asks())).status_code == 200


async def test_consent_given_is_in_the_trail(quick_hub: Hub) -> None:
    await quick_hub.documented(WEB).tokens()

    [event] = await quick_hub.rooms.happened("consent.given")
    assert event.asked
    assert event.asked["ip"] == "192.0.2.1"
    assert (event.person_id, event.object) == (quick_hub.ada.id, WEB["client_id"])
    assert event.detail["redirect_host"] == "assistant.example"


async def test_a_client_that_offers_more_addresses_by_now_is_looked_at_again(quick_hub: Hub) -> None:
    assistant = quick_hub.documented(WEB)
    await assistant.tokens()
    quick_hub.documented({**WEB, "redirect_uris": [*WEB["redirect_uris"], "https://assistant.example/new"]})
    quick_hub.clock.advance(61)

    page = await quick_hub.browser.open(assistant.asks(redirect_uri="https://assistant.example/new"))

    assert page.status_code == 200
    assert len(quick_hub.rooms.web.asked) == 2


async def test_a_document_is_kept_for_a_day_and_survives_its_host_going_away_for_refreshes(hub: Hub) -> None:
    assistant = hub.documented(CLAUDE_CODE, "http://localhost:1/callback")
    tokens = await assistant.tokens()
    del hub.rooms.web.documents[CLAUDE_CODE["client_id"]]
    hub.clock.advance(24 * 3600)
    answered(await assistant.refresh(tokens["refresh_token"]))

    assert is_page(await hub.stranger.open(assistant.asks()))


async def test_a_pinned_document_needs_no_way_out(quick_hub: Hub, tmp_path: Path) -> None:
    file = tmp_path / "claude-code.json"
    file.write_text(json.dumps(CLAUDE_CODE))
    pinned = load_pinned([file], now=quick_hub.clock.now())
    offline = Hub(quick_hub.rooms.database, quick_hub.clock, pinned=pinned)
    offline.ada = quick_hub.ada
    offline.browser = Browser(offline, await offline.rooms.sessions.begin(offline.ada, "passkey", ""))
    assistant = Assistant(offline, CLAUDE_CODE["client_id"], "http://localhost:53123/callback")

    view = (await offline.browser.open(assistant.asks())).json()

    assert (view["verified"], view["kind"]) == (True, "pinned")
    await lives(offline, assistant)
    assert offline.rooms.web.asked == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"client_id": "http://a.example/x"}'])
async def test_a_pinned_file_that_is_no_document_stops_the_start(quick_hub: Hub, tmp_path: Path, text: str) -> None:
    file = tmp_path / "client.json"
    file.write_text(text)

    with pytest.raises(StartRefused, match=r"client\.json"):
        load_pinned([file], now=quick_hub.clock.now())
    with pytest.raises(StartRefused, match="missing"):
        load_pinned([tmp_path / "missing"], now=quick_hub.clock.now())
