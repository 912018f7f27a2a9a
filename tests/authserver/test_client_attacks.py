"""Documents and registrations of clients that are not what they say (security.md T25)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.authserver.assistants import (
    CURSOR,
    WEB,
    Assistant,
    Hub,
    answered,
    is_page,
)
from valetkey.kernel.errors import OutboundFailed

HTTPS = "https://assistant.example/callback"

# --- documents of clients -------------------------------------------------------------------------------------------

DOCUMENT: dict[str, Any] = {**WEB, "grant_types": ["authorization_code"], "response_types": ["code"]}

BAD_DOCUMENTS: list[Any] = [
    b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"{" * 5000, b'{"client_id":"a","client_id":"b"}',
    {}, {**DOCUMENT, "client_id": "https://assistant.example/oauth/client.json/"},
    {**DOCUMENT, "client_id": "https://assistant.example/oauth/Client.json"}, {**DOCUMENT, "client_id": ["x"]},
    {**DOCUMENT, "client_id": "https://evil.example/oauth/client.json"}, {**DOCUMENT, "redirect_uris": []},
    {**DOCUMENT, "redirect_uris": "https://assistant.example/callback"}, {**DOCUMENT, "redirect_uris": [1]},
    {**DOCUMENT, "redirect_uris": ["http://assistant.example/callback"]}, {**DOCUMENT, "redirect_uris": [HTTPS, "x:y"]},
    {**DOCUMENT, "redirect_uris": [HTTPS, "javascript:alert(1)"]}, {**DOCUMENT, "redirect_uris": ["https://*/cb"]},
    {**DOCUMENT, "redirect_uris": [f"https://a.example/{n}" for n in range(51)]},
    {name: value for name, value in DOCUMENT.items() if name != "redirect_uris"},
    {**DOCUMENT, "client_secret": "x"}, {**DOCUMENT, "client_secret_expires_at": 0},
    {**DOCUMENT, "token_endpoint_auth_method": "client_secret_basic"},
    {**DOCUMENT, "token_endpoint_auth_method": "client_secret_post"},
    {**DOCUMENT, "token_endpoint_auth_method": "client_secret_jwt"},
    {**DOCUMENT, "token_endpoint_auth_method": "private_key_jwt"},
    {**DOCUMENT, "grant_types": ["implicit"]}, {**DOCUMENT, "response_types": ["token"]},
    {**DOCUMENT, "grant_types": "x"},
    {**DOCUMENT, "padding": "x" * 10_300},
]  # fmt: skip


@pytest.mark.parametrize("document", BAD_DOCUMENTS)
async def test_a_document_that_is_not_right_makes_no_client(quick_hub: Hub, document: Any) -> None:
    quick_hub.rooms.web.has(WEB["client_id"], document)
    assistant = Assistant(quick_hub, WEB["client_id"], HTTPS)

    assert is_page(await quick_hub.browser.open(assistant.asks()))


@pytest.mark.parametrize("status", [201, 204, 301, 302, 304, 400, 401, 404, 500])
async def test_only_a_plain_answer_is_a_document(quick_hub: Hub, status: int) -> None:
    quick_hub.rooms.web.has(WEB["client_id"], DOCUMENT, status=status)

    assert is_page(await quick_hub.browser.open(Assistant(quick_hub, WEB["client_id"], HTTPS).asks()))


@pytest.mark.parametrize("content_type", ["text/html", "text/plain; charset=utf-8", "", "application/jsonx"])
async def test_only_json_is_a_document(quick_hub: Hub, content_type: str) -> None:
    quick_hub.rooms.web.has(WEB["client_id"], DOCUMENT, headers={"content-type": content_type})

    assert is_page(await quick_hub.browser.open(Assistant(quick_hub, WEB["client_id"], HTTPS).asks()))


@pytest.mark.parametrize(
    "client_id",
    [
        "https://assistant.example", "https://assistant.example/", "http://assistant.example/c.json",
        "https://user@assistant.example/c.json", "https://u:p@assistant.example/c.json",
        "https://assistant.example/c.json#x", "https://assistant.example/a/../c.json", "https://assistant.example/./c.json",
        "https://assistant.example/%2e%2e/c.json", "https://Assistant.example/c.json", "https://assistant.example:443/c.json",
        "HTTPS://assistant.example/c.json", "https://127.1/c.json", "https://intranet/c.json", "https://x.internal/c.json",
        "https://assistant.example/c\\d.json", "https://assistant.example/" + "c" * 1000, "https:///c.json", "https://",
        "https://assistant.example/c.json?token=secret123456", "https://assistant.example/c .json",
        "https://assistant.example/%5cc.json", "ftp://assistant.example/c.json", "file:///etc/passwd",
    ],
)  # fmt: skip
async def test_a_client_id_that_could_mean_two_things_is_not_even_fetched(quick_hub: Hub, client_id: str) -> None:
    quick_hub.rooms.web.has(client_id, {**DOCUMENT, "client_id": client_id})

    assert is_page(await quick_hub.browser.open(Assistant(quick_hub, client_id, HTTPS).asks()))
    assert quick_hub.rooms.web.asked == []


async def test_a_host_that_does_not_answer_is_named_and_not_asked_again_at_once(quick_hub: Hub) -> None:
    quick_hub.rooms.web.documents[WEB["client_id"]] = OutboundFailed("It takes too long.")
    assistant = Assistant(quick_hub, WEB["client_id"], HTTPS)

    pages = [await quick_hub.browser.open(assistant.asks()) for _ in range(5)]

    assert "assistant.example" in pages[0].json()["problem"]
    assert all(is_page(page) for page in pages)
    assert len(quick_hub.rooms.web.asked) == 1
    quick_hub.documented(WEB)
    quick_hub.clock.advance(60)
    assert (await quick_hub.browser.open(assistant.asks())).status_code == 200


async def test_a_document_cannot_take_over_a_registered_client_nor_the_other_way_round(quick_hub: Hub) -> None:
    registered = await quick_hub.registered({**CURSOR, "client_id": WEB["client_id"]})

    assert registered.client_id != WEB["client_id"]
    assert registered.client_id.startswith("client_")


# --- registrations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": "https://a.example/cb"}, "invalid_redirect_uri"),
        ({"redirect_uris": [{}]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://a.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://a.example/*"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://a.example/cb#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://a.example/cb", "data:text/html,x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["myapp:/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [f"https://a.example/{n}" for n in range(6)]}, "invalid_redirect_uri"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": ["none"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": None}, "invalid_client_metadata"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"software_statement": "x" * 4096}, "invalid_client_metadata"),
    ],
)
async def test_a_registration_that_asks_for_what_there_is_not_is_refused(
    quick_hub: Hub, changed: dict[str, Any], error: str
) -> None:
    response = await quick_hub.register({**CURSOR, **changed})

    assert answered(response, 413 if "software_statement" in changed else 400)["error"] == error


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a":1,"a":2}', b"\xff", b"[" * 4000])
async def test_a_registration_that_is_no_json_object_is_refused(quick_hub: Hub, content: bytes) -> None:
    response = await quick_hub.stranger.http.post(
        "/oauth/register", content=content, headers={"content-type": "application/json"}
    )

    assert answered(response, 400)["error"] == "invalid_client_metadata"


async def test_a_registration_is_json(quick_hub: Hub) -> None:
    response = await quick_hub.stranger.http.post("/oauth/register", data={"redirect_uris": HTTPS})

    assert answered(response, 400)["error"] == "invalid_client_metadata"


async def test_one_private_use_address_we_do_not_take_leaves_the_rest_of_a_registration(quick_hub: Hub) -> None:
    response = await quick_hub.register({**CURSOR, "redirect_uris": ["myapp://cb", "http://localhost:8787/callback"]})

    assert answered(response, 201)["redirect_uris"] == ["http://localhost:8787/callback"]


async def test_what_a_registration_says_of_itself_beyond_that_is_not_believed(quick_hub: Hub) -> None:
    said = answered(
        await quick_hub.register(
            {**CURSOR, "scope": "admin", "client_secret": "mine", "grant_types": ["authorization_code", "password"]}
        ),
        201,
    )

    assert (said["scope"], said["grant_types"]) == ("mcp", ["authorization_code", "refresh_token"])
    assert "client_secret" not in said


async def test_ten_registrations_an_hour_from_one_network(hub: Hub) -> None:
    answers = [(await hub.register(CURSOR)).status_code for _ in range(10)]
    refused = await hub.register(CURSOR)

    assert answers == [201] * 10
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) <= 3600
    hub.clock.advance(3600)
    assert (await hub.register(CURSOR)).status_code == 201


async def test_clients_nobody_let_in_are_forgotten_after_a_day_and_the_others_are_not(hub: Hub) -> None:
    loved, ignored = await hub.registered(CURSOR), await hub.registered(CURSOR)
    tokens = await loved.tokens()
    hub.clock.advance(24 * 3600 + 1)
    await hub.rooms.sweeper.sweep()

    assert is_page(await hub.browser.open(ignored.asks()))
    answered(await loved.refresh(tokens["refresh_token"]))


async def test_a_thousand_clients_may_wait_for_a_consent_and_no_more(quick_hub: Hub) -> None:
    metadata = json.dumps(CURSOR).encode()
    for number in range(1000):
        await quick_hub.rooms.clients.register_dynamic(metadata, f"10.{number // 250}.{number % 250}.1")

    assert (await quick_hub.register(CURSOR)).status_code == 429
    quick_hub.clock.advance(24 * 3600 + 1)
    assert (await quick_hub.register(CURSOR)).status_code == 201
