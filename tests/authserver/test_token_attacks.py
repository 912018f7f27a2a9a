"""Codes, clients and refresh tokens in the wrong hands, or used wrongly (security.md T25)."""

from __future__ import annotations

import base64

import pytest

from tests.authserver.assistants import (
    CHALLENGE,
    CLAUDE_AI,
    CURSOR,
    VERIFIER,
    WEB,
    Hub,
    answered,
)
from tests.identity.rooms import PUBLIC_URL

MCP = f"{PUBLIC_URL}/mcp"
HTTPS = "https://assistant.example/callback"

# --- codes ----------------------------------------------------------------------------------------------------------

WRONG_CODES: list[tuple[dict[str, str], str]] = [
    ({"code_verifier": ""}, "invalid_request"),
    ({"code_verifier": VERIFIER[:-1]}, "invalid_grant"),
    ({"code_verifier": VERIFIER + "a"}, "invalid_grant"),
    ({"code_verifier": VERIFIER.lower()}, "invalid_grant"),
    ({"code_verifier": CHALLENGE}, "invalid_grant"),  # plain
    ({"code_verifier": "a" * 42}, "invalid_grant"),
    ({"code_verifier": "a" * 129}, "invalid_grant"),
    ({"code_verifier": "é" * 43}, "invalid_grant"),
    ({"redirect_uri": ""}, "invalid_grant"),
    ({"redirect_uri": "https://assistant.example/other"}, "invalid_grant"),
    ({"redirect_uri": "https://assistant.example/callback/"}, "invalid_grant"),
    ({"resource": f"{PUBLIC_URL}/c/github/mcp"}, "invalid_target"),
    ({"code": "vkc_nonsense"}, "invalid_grant"),
    ({"code": ""}, "invalid_request"),
    ({"resource": "https://evil.example/mcp"}, "invalid_target"),
    ({"resource": f"{MCP}/"}, "invalid_target"),
    ({"grant_type": ""}, "invalid_request"),
    ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ({"grant_type": "password"}, "unsupported_grant_type"),
    ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}, "unsupported_grant_type"),
]


@pytest.mark.parametrize(("changed", "error"), WRONG_CODES)
async def test_a_code_presented_wrongly_gives_nothing(quick_hub: Hub, changed: dict[str, str], error: str) -> None:
    assistant = quick_hub.documented(WEB)
    code = await assistant.code()

    response = await assistant.redeem(code, **changed)

    assert answered(response, 400)["error"] == error
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": "a" * 43},
        {"redirect_uri": "https://assistant.example/other"},
        {"resource": f"{PUBLIC_URL}/c/x/mcp"},
    ],
)
async def test_a_code_that_was_presented_wrongly_is_worth_nothing_any_more(hub: Hub, wrong: dict[str, str]) -> None:
    assistant = hub.documented(WEB)
    code = await assistant.code()
    await assistant.redeem(code, **wrong)

    assert answered(await assistant.redeem(code), 400)["error"] == "invalid_grant"


async def test_a_code_lives_for_sixty_seconds(hub: Hub) -> None:
    assistant = hub.documented(WEB)
    in_time, too_late = await assistant.code(), await assistant.code()
    hub.clock.advance(59)
    answered(await assistant.redeem(in_time))
    hub.clock.advance(1)

    assert answered(await assistant.redeem(too_late), 400)["error"] == "invalid_grant"


async def test_a_code_used_twice_takes_everything_back(hub: Hub) -> None:
    assistant = hub.documented(WEB)
    code = await assistant.code()
    tokens = answered(await assistant.redeem(code))
    assert await hub.works_at(tokens["access_token"], "/mcp")

    assert answered(await assistant.redeem(code), 400)["error"] == "invalid_grant"

    assert not await hub.works_at(tokens["access_token"], "/mcp")
    assert answered(await assistant.refresh(tokens["refresh_token"]), 400)["error"] == "invalid_grant"
    assert [event.detail["because"] for event in await hub.rooms.happened("grant.ended")] == ["code_reused"]


async def test_a_code_is_no_access_token_and_no_refresh_token(quick_hub: Hub) -> None:
    assistant = quick_hub.documented(WEB)
    code = await assistant.code()

    assert not await quick_hub.works_at(code, "/mcp")
    assert answered(await assistant.refresh(code), 400)["error"] == "invalid_grant"


# --- one client's things in another's hands -------------------------------------------------------------------------


async def test_a_code_in_another_clients_hands_is_worth_nothing_to_anybody(hub: Hub) -> None:
    assistant, thief = hub.documented(WEB), await hub.registered(CURSOR)
    code = await assistant.code()

    assert answered(await thief.redeem(code, redirect_uri=HTTPS), 400)["error"] == "invalid_grant"
    assert answered(await assistant.redeem(code), 400)["error"] == "invalid_grant"


async def test_a_refresh_token_in_another_clients_hands_is_unknown(hub: Hub) -> None:
    assistant, thief = hub.documented(WEB), await hub.registered(CURSOR)
    tokens = await assistant.tokens()

    assert answered(await thief.refresh(tokens["refresh_token"]), 400)["error"] == "invalid_grant"
    answered(await assistant.refresh(tokens["refresh_token"]))


async def test_nobody_gives_back_anothers_token(hub: Hub) -> None:
    assistant, thief = hub.documented(WEB), await hub.registered(CURSOR)
    tokens = await assistant.tokens()

    for token in (tokens["access_token"], tokens["refresh_token"]):
        response = await thief.send("/oauth/revoke", {"token": token})
        assert answered(response, 400)["error"] == "unauthorized_client"

    assert await hub.works_at(tokens["access_token"], "/mcp")


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


@pytest.mark.parametrize(
    "how",
    [
        "no id", "unknown id", "no secret", "wrong secret", "empty secret", "another's secret", "wrong basic",
        "basic of another", "basic without colon", "basic that is no base64", "bearer", "the hash",
        "secret of a public client", "document of nobody",
    ],
)  # fmt: skip
async def test_a_client_that_is_not_who_it_says_gets_nothing(quick_hub: Hub, how: str) -> None:
    client = await quick_hub.registered(CLAUDE_AI)
    other = await quick_hub.registered(CLAUDE_AI)
    public = await quick_hub.registered(CURSOR)
    stored = await quick_hub.rooms.clients.known(client.client_id)
    form: dict[str, str] = {"grant_type": "refresh_token", "refresh_token": (await client.tokens())["refresh_token"]}
    headers: dict[str, str] = {}
    if how == "unknown id":
        form |= {"client_id": "client_nonsense", "client_secret": client.secret}
    elif how == "no secret":
        form |= {"client_id": client.client_id}
    elif how == "wrong secret":
        form |= {"client_id": client.client_id, "client_secret": client.secret[:-1]}
    elif how == "empty secret":
        headers = basic(client.client_id, "")
    elif how == "another's secret":
        form |= {"client_id": client.client_id, "client_secret": other.secret}
    elif how == "wrong basic":
        headers = basic(client.client_id, "nonsense")
    elif how == "basic of another":
        headers = basic(client.client_id, other.secret)
    elif how == "basic without colon":
        headers = {"authorization": "Basic " + base64.b64encode(client.client_id.encode()).decode()}
    elif how == "basic that is no base64":
        headers = {"authorization": "Basic ***"}
    elif how == "bearer":
        headers = {"authorization": f"Bearer {client.secret}"}
    elif how == "the hash":
        form |= {"client_id": client.client_id, "client_secret": stored.secret_hash or ""}
    elif how == "secret of a public client":
        form |= {"client_id": public.client_id, "client_secret": "something"}
    elif how == "document of nobody":
        form |= {"client_id": "https://evil.example/client.json"}

    response = await quick_hub.stranger.http.post("/oauth/token", data=form, headers=headers)

    assert answered(response, 401)["error"] == "invalid_client"
    assert ("www-authenticate" in response.headers) == ("authorization" in headers and how != "bearer")
    answered(await client.refresh(form["refresh_token"]))  # and the token is still its owner's


@pytest.mark.parametrize("twice", ["basic and post", "two ids"])
async def test_a_client_says_once_who_it_is(quick_hub: Hub, twice: str) -> None:
    client = await quick_hub.registered(CLAUDE_AI)
    tokens = await client.tokens()
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    form |= {"client_secret": client.secret} if twice == "basic and post" else {"client_id": "client_other"}

    response = await quick_hub.stranger.http.post(
        "/oauth/token", data=form, headers=basic(client.client_id, client.secret)
    )

    assert answered(response, 400)["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("application/json", b'{"grant_type":"refresh_token"}'),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("", b"grant_type=refresh_token"),
        ("application/x-www-form-urlencoded", b"grant_type=refresh_token&grant_type=authorization_code&client_id=x"),
        ("application/x-www-form-urlencoded", b"client_id=%ff"),
        ("application/x-www-form-urlencoded", b"\xff\xfe"),
        ("application/x-www-form-urlencoded", b"a=1&" * 60),
    ],
)
async def test_a_token_request_in_another_shape_is_refused(quick_hub: Hub, content_type: str, content: bytes) -> None:
    for path in ("/oauth/token", "/oauth/revoke"):
        response = await quick_hub.stranger.http.post(path, content=content, headers={"content-type": content_type})

        assert answered(response, 400)["error"] == "invalid_request"


async def test_a_token_request_without_end_is_cut_off(quick_hub: Hub) -> None:
    response = await quick_hub.stranger.http.post("/oauth/token", data={"a": "b" * 40_000})

    assert answered(response, 413)["error"] == "invalid_request"


# --- refresh tokens: reuse and grace --------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, 1, 30, 59, 60])
@pytest.mark.parametrize("retries", [1, 2, 3])
async def test_a_client_that_lost_our_answer_may_ask_again(quick_hub: Hub, seconds: int, retries: int) -> None:
    assistant = await quick_hub.registered(CURSOR)
    tokens = await assistant.tokens()
    answered(await assistant.refresh(tokens["refresh_token"]))
    quick_hub.clock.advance(seconds)

    for _ in range(retries):
        fresh = answered(await assistant.refresh(tokens["refresh_token"]))

    assert await quick_hub.works_at(fresh["access_token"], "/mcp")


REUSES = [
    "too late", "too often", "after the new access token", "after the new refresh token", "two generations old",
    "a sibling's", "after the end", "after revocation", "much later",
]  # fmt: skip


@pytest.mark.parametrize("how", REUSES)
async def test_a_refresh_token_used_again_otherwise_ends_everything(quick_hub: Hub, how: str) -> None:
    hub, assistant = quick_hub, await quick_hub.registered(CURSOR)
    old = (await assistant.tokens())["refresh_token"]
    new = answered(await assistant.refresh(old))
    if how == "too late":
        hub.clock.advance(61)
    elif how == "too often":
        for _ in range(3):
            new = answered(await assistant.refresh(old))
    elif how == "after the new access token":
        assert await hub.works_at(new["access_token"], "/mcp")
    elif how == "after the new refresh token":
        new = answered(await assistant.refresh(new["refresh_token"]))
    elif how == "two generations old":
        for _ in range(2):
            new = answered(await assistant.refresh(new["refresh_token"]))
    elif how == "a sibling's":
        sibling = answered(await assistant.refresh(old))
        new = answered(await assistant.refresh(new["refresh_token"]))
        old = sibling["refresh_token"]
    elif how == "after the end":
        [grant] = await hub.rooms.families.list(hub.ada.id)
        await hub.rooms.families.end(hub.ada.id, grant.id)
    elif how == "after revocation":
        answered(await assistant.send("/oauth/revoke", {"token": new["refresh_token"]}))
    elif how == "much later":
        hub.clock.advance(29 * 86400)

    assert answered(await assistant.refresh(old), 400)["error"] == "invalid_grant"

    assert not await hub.works_at(new["access_token"], "/mcp")
    assert answered(await assistant.refresh(new["refresh_token"]), 400)["error"] == "invalid_grant"
    assert len(await hub.rooms.happened("grant.ended")) == 1


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"refresh_token": ""}, "invalid_request"),
        ({"refresh_token": "vkr_nonsense"}, "invalid_grant"),
        ({"scope": "mcp admin"}, "invalid_scope"),
        ({"resource": f"{PUBLIC_URL}/c/github/mcp"}, "invalid_target"),
        ({"resource": "https://evil.example/"}, "invalid_target"),
    ],
)
async def test_a_faulty_refresh_costs_nothing(quick_hub: Hub, changed: dict[str, str], error: str) -> None:
    assistant = await quick_hub.registered(CURSOR)
    tokens = await assistant.tokens()

    assert answered(await assistant.refresh(tokens["refresh_token"], **changed), 400)["error"] == error

    answered(await assistant.refresh(tokens["refresh_token"], resource=MCP, scope="mcp offline_access"))


async def test_an_access_token_refreshes_nothing_and_a_refresh_token_opens_nothing(quick_hub: Hub) -> None:
    assistant = await quick_hub.registered(CURSOR)
    tokens = await assistant.tokens()

    assert answered(await assistant.refresh(tokens["access_token"]), 400)["error"] == "invalid_grant"
    assert not await quick_hub.works_at(tokens["refresh_token"], "/mcp")


async def test_an_access_token_lives_for_ten_minutes(hub: Hub) -> None:
    tokens = await (await hub.registered(CURSOR)).tokens()
    hub.clock.advance(599)
    assert await hub.works_at(tokens["access_token"], "/mcp")
    hub.clock.advance(1)

    assert not await hub.works_at(tokens["access_token"], "/mcp")


async def test_giving_back_an_access_token_leaves_the_rest_and_giving_back_nonsense_is_fine(hub: Hub) -> None:
    assistant = await hub.registered(CURSOR)
    tokens = await assistant.tokens()
    personal, _ = await hub.rooms.tokens.create_personal(hub.ada, "laptop", "/mcp", (), 3600)

    answered(await assistant.send("/oauth/revoke", {"token": tokens["access_token"], "token_type_hint": "nonsense"}))
    answered(await assistant.send("/oauth/revoke", {"token": "nonsense"}))
    answered(await assistant.send("/oauth/revoke", {"token": personal.reveal().decode()}))
    assert answered(await assistant.send("/oauth/revoke", {}), 400)["error"] == "invalid_request"

    assert not await hub.works_at(tokens["access_token"], "/mcp")
    assert await hub.works_at(personal.reveal().decode(), "/mcp")
    answered(await assistant.refresh(tokens["refresh_token"]))
