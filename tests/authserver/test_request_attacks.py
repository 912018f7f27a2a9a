"""Authorization requests and decisions: faulty, meddled with, or somebody else's (security.md T25)."""

from __future__ import annotations

import pytest

from tests.authserver.assistants import (
    CHALLENGE,
    WEB,
    Hub,
    is_page,
    sent_back,
)
from tests.identity.rooms import PUBLIC_URL

MCP = f"{PUBLIC_URL}/mcp"
HTTPS = "https://assistant.example/callback"

# --- what goes back to the client instead: always with state and iss ------------------------------------------------

SENT_BACK: list[tuple[dict[str, str], str]] = [
    ({"response_type": ""}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code token"}, "unsupported_response_type"),
    ({"response_type": "id_token"}, "unsupported_response_type"),
    ({"response_type": "CODE"}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"response_mode": "form_post"}, "invalid_request"),
    ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
    ({"request_uri": "https://evil.example/r"}, "request_uri_not_supported"),
    ({"scope": "admin"}, "invalid_scope"),
    ({"scope": "mcp admin"}, "invalid_scope"),
    ({"scope": "mcp  offline_access"}, "invalid_scope"),
    ({"scope": "openid"}, "invalid_scope"),
    ({"scope": "MCP"}, "invalid_scope"),
    ({"prompt": "none"}, "consent_required"),
    ({"prompt": "none login"}, "invalid_request"),
    # PKCE
    ({"code_challenge": ""}, "invalid_request"),
    ({"code_challenge_method": ""}, "invalid_request"),  # absent means plain
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": "s256"}, "invalid_request"),
    ({"code_challenge_method": "S512"}, "invalid_request"),
    ({"code_challenge_method": "S256 plain"}, "invalid_request"),
    ({"code_challenge": CHALLENGE[:-1]}, "invalid_request"),
    ({"code_challenge": CHALLENGE + "A"}, "invalid_request"),
    ({"code_challenge": CHALLENGE + "="}, "invalid_request"),
    ({"code_challenge": CHALLENGE[:-1] + "+"}, "invalid_request"),
    ({"code_challenge": CHALLENGE[:-1] + "/"}, "invalid_request"),
    ({"code_challenge": " " + CHALLENGE[1:]}, "invalid_request"),
    ({"code_challenge": CHALLENGE[:-1] + "é"}, "invalid_request"),
    ({"code_challenge": CHALLENGE + "\n"}, "invalid_request"),
    ({"code_challenge": "", "code_challenge_method": ""}, "invalid_request"),
    # resources
    ({"resource": PUBLIC_URL}, "invalid_target"),
    ({"resource": f"{PUBLIC_URL}/"}, "invalid_target"),
    ({"resource": f"{MCP}/"}, "invalid_target"),
    ({"resource": f"{MCP}?x=1"}, "invalid_target"),
    ({"resource": f"{MCP}#x"}, "invalid_target"),
    ({"resource": f"{PUBLIC_URL}/api/v1"}, "invalid_target"),
    ({"resource": f"{PUBLIC_URL}/c/github/mcp/mcp"}, "invalid_target"),
    ({"resource": f"{PUBLIC_URL}/c/Git/mcp"}, "invalid_target"),
    ({"resource": f"{PUBLIC_URL}.evil.example/mcp"}, "invalid_target"),
    ({"resource": f"{PUBLIC_URL}:443/mcp"}, "invalid_target"),
    ({"resource": "http://hub.example.com/mcp"}, "invalid_target"),
    ({"resource": "https://HUB.example.com/mcp"}, "invalid_target"),
    ({"resource": "https://evil.example/mcp"}, "invalid_target"),
    ({"resource": "/mcp"}, "invalid_target"),
    ({"resource": f"{MCP} {MCP}"}, "invalid_target"),
]


@pytest.mark.parametrize(("changed", "error"), SENT_BACK)
async def test_a_faulty_request_of_a_known_client_goes_back_with_its_error(
    quick_hub: Hub, changed: dict[str, str], error: str
) -> None:
    assistant = quick_hub.documented(WEB)

    response = await quick_hub.browser.open(assistant.asks(**changed))

    back = sent_back(response)
    assert response.headers["location"].startswith(HTTPS + "?")
    assert (back["error"], back["state"], back["iss"]) == (error, "xyz", PUBLIC_URL)
    assert "code" not in back
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "error"),
    [("resource", "invalid_target"), ("scope", "invalid_request"), ("code_challenge", "invalid_request"),
     ("code_challenge_method", "invalid_request"), ("response_type", "invalid_request")],
)  # fmt: skip
async def test_a_parameter_sent_twice_is_not_chosen_from(quick_hub: Hub, name: str, error: str) -> None:
    asked = quick_hub.documented(WEB).asks()

    response = await quick_hub.browser.open([*asked.items(), (name, asked[name])])

    assert sent_back(response)["error"] == error


async def test_somebody_who_is_not_signed_in_signs_in_first_and_by_a_link_alone_is_not_signed_in(
    quick_hub: Hub,
) -> None:
    assistant = quick_hub.documented(WEB)
    by_link = await quick_hub.rooms.sessions.begin(quick_hub.ada, "link", "")

    assert (await quick_hub.stranger.open(assistant.asks())).headers["location"] == "/signin"
    assert sent_back(await quick_hub.stranger.open(assistant.asks(prompt="none")))["error"] == "login_required"
    quick_hub.browser.http.cookies.clear()
    quick_hub.browser.http.cookies.set("sid", by_link.reveal().decode())
    assert (await quick_hub.browser.open(assistant.asks())).headers["location"] == "/signin"


@pytest.mark.parametrize(
    "query", ["%", "client_id=%ff", "a=1&" * 60, "client_id=x%00", "\u00e9".encode().decode("latin-1")]
)
async def test_a_query_that_cannot_be_read_is_answered_with_a_page(quick_hub: Hub, query: str) -> None:
    assert is_page(await quick_hub.browser.open(query))


# --- the decision ---------------------------------------------------------------------------------------------------


async def test_no_is_an_answer(quick_hub: Hub) -> None:
    assistant = quick_hub.documented(WEB)
    page = await quick_hub.browser.open(assistant.asks())

    response = await quick_hub.browser.decide(page.json(), "deny")

    assert response.status_code == 303
    assert (sent_back(response)["error"], sent_back(response)["iss"]) == ("access_denied", PUBLIC_URL)
    assert (await quick_hub.browser.open(assistant.asks())).status_code == 200


@pytest.mark.parametrize(
    "meddled",
    [
        {"csrf": ""},
        {"csrf": "A" * 43},
        {"decision": ""},
        {"decision": "yes"},
        {"decision": "ALLOW"},
        {"client_id": "client_nonsense"},
        {"client_id": ""},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "https://assistant.example/callback/"},
    ],
)
async def test_a_form_that_was_meddled_with_sends_nothing_anywhere(quick_hub: Hub, meddled: dict[str, str]) -> None:
    page = await quick_hub.browser.open(quick_hub.documented(WEB).asks())

    assert is_page(await quick_hub.browser.decide(page.json(), "allow", **meddled))
    assert await quick_hub.rooms.happened("consent.given") == []


async def test_another_persons_form_token_is_no_token(quick_hub: Hub) -> None:
    eve = await quick_hub.rooms.person("eve")
    theirs = await quick_hub.rooms.sessions.find(await quick_hub.rooms.sessions.begin(eve, "passkey", ""))
    assert theirs is not None
    page = await quick_hub.browser.open(quick_hub.documented(WEB).asks())

    assert is_page(await quick_hub.browser.decide(page.json(), "allow", csrf=theirs.csrf))


async def test_a_decision_without_a_session_decides_nothing(quick_hub: Hub) -> None:
    page = await quick_hub.browser.open(quick_hub.documented(WEB).asks())

    assert is_page(await quick_hub.stranger.decide(page.json(), "allow"))


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"content-type": "application/json"}, b"{}"),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--x--"),
        ({"content-type": "text/plain"}, b"decision=allow"),
        ({}, b"decision=allow"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"decision=allow&decision=deny"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"a=" + b"b" * 40_000),
    ],
)
async def test_a_decision_in_another_shape_decides_nothing(
    quick_hub: Hub, headers: dict[str, str], content: bytes
) -> None:
    quick_hub.documented(WEB)

    assert is_page(await quick_hub.browser.http.post("/oauth/authorize", headers=headers, content=content))


async def test_a_document_that_changes_while_the_page_is_open_is_shown_again(quick_hub: Hub) -> None:
    assistant = quick_hub.documented(WEB)
    page = await quick_hub.browser.open(assistant.asks())
    quick_hub.clock.advance(24 * 3600)
    cookie = await quick_hub.rooms.sessions.begin(quick_hub.ada, "passkey", "")
    session = await quick_hub.rooms.sessions.find(cookie)
    assert session is not None
    quick_hub.browser.http.cookies.clear()
    quick_hub.browser.http.cookies.set("sid", cookie.reveal().decode())
    quick_hub.documented({**WEB, "client_name": "Somebody Else"})

    response = await quick_hub.browser.decide(page.json(), "allow", csrf=session.csrf)

    assert (response.status_code, response.json()["client_name"]) == (200, "Somebody Else")
    assert await quick_hub.rooms.happened("consent.given") == []


async def test_requests_without_end_are_answered_with_later(quick_hub: Hub) -> None:
    assistant = quick_hub.documented(WEB)

    answers = [(await quick_hub.browser.open(assistant.asks())).status_code for _ in range(121)]

    assert answers == [200] * 120 + [429]
