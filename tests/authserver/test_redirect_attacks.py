"""Redirects: nothing but what was registered is ever redirected to (security.md T25)."""

from __future__ import annotations

import pytest

from tests.authserver.assistants import (
    WEB,
    Hub,
    answered,
    is_page,
    sent_back,
)

# --- redirect URIs: nothing but what was registered is ever redirected to -------------------------------------------

HTTPS = "https://assistant.example/callback"
LOOPBACK = "http://127.0.0.1/callback"
PRIVATE = "com.example.app:/callback"

NEAR_MISSES = [
    # of the https one
    "https://assistant.example/callback/", "https://assistant.example/callback?x=1", "https://assistant.example/callbac",
    "https://assistant.example/callback2", "https://assistant.example/Callback", "https://assistant.example//callback",
    "https://assistant.example/./callback", "https://assistant.example/a/../callback", "https://assistant.example/",
    "https://assistant.example", "https://assistant.example/callback%20", "https://assistant.example/callback%00",
    "https://assistant.example/%63allback", "https://assistant.example/callback;x", "https://assistant.example/callback&x",
    "https://assistant.example:443/callback", "https://assistant.example:8443/callback",
    "https://assistant.example./callback", "https://Assistant.example/callback", "HTTPS://assistant.example/callback",
    "http://assistant.example/callback", "https://assistant.example.evil.example/callback",
    "https://evil.example/callback", "https://evil.example/https://assistant.example/callback",
    "https://evil.example?https://assistant.example/callback", "https://evil.example#https://assistant.example/callback",
    "https://assistant.example@evil.example/callback", "https://assistant.example:x@evil.example/callback",
    "https://assistant.example%2eevil.example/callback", "https://assistant.example\\@evil.example/callback",
    "https://assistant.example\\.evil.example/callback", "https://xassistant.example/callback",
    "https://sub.assistant.example/callback", "https://assistant-example/callback", "https://assistant。example/callback",
    "https://аssistant.example/callback", "//assistant.example/callback", "/callback", "callback",
    "https:///assistant.example/callback", "https:assistant.example/callback", "https://assistant.example/callback#",
    "https://assistant.example/callback#x", "https://assistant.example/callback\r\nx: y", " https://assistant.example/callback",
    "https://assistant.example/callback ", "https://assistant.example/callback\t", "https://assistant.example/callback\0",
    "https://assistant.example/*", "https://*/callback", "javascript:alert(1)//https://assistant.example/callback",
    "data:text/html,https://assistant.example/callback",
    # of the loopback one
    "http://127.0.0.1:0/callback", "http://127.0.0.1:65536/callback", "http://127.0.0.1:080/callback",
    "http://127.0.0.1:/callback", "http://127.0.0.1:1x/callback", "http://127.0.0.1/callback/", "http://127.0.0.1:5/other",
    "http://127.0.0.1:5/callback?x=1", "http://127.0.0.1:5/callback#x", "http://localhost:5/callback",
    "http://[::1]:5/callback", "http://127.0.0.2:5/callback", "http://127.1:5/callback", "http://0x7f.1:5/callback",
    "http://2130706433:5/callback", "http://0.0.0.0:5/callback", "https://127.0.0.1:5/callback",
    "http://127.0.0.1:5@evil.example/callback", "http://127.0.0.1.evil.example:5/callback",
    "http://user@127.0.0.1:5/callback", "http://127.0.0.1:5\\@evil.example/callback", "http://127.0.0.1:5/a/../callback",
    # of the private-use one
    "com.example.app://callback", "com.example.app:/callback/", "com.example.app:/callback?x",
    "com.example.app2:/callback",
    "COM.example.app:/callback", "com.example.app:callback", "com.example:/callback", "app:/callback",
    "cursor://anysphere.cursor-mcp/oauth/callback", "",
]  # fmt: skip


@pytest.mark.parametrize("redirect_uri", NEAR_MISSES)
async def test_a_redirect_to_nearly_the_registered_address_goes_nowhere(quick_hub: Hub, redirect_uri: str) -> None:
    assistant = quick_hub.documented({**WEB, "redirect_uris": [HTTPS, LOOPBACK, PRIVATE]})

    assert is_page(await quick_hub.browser.open(assistant.asks(redirect_uri=redirect_uri)))


async def test_a_redirect_given_twice_goes_nowhere(quick_hub: Hub) -> None:
    asked = quick_hub.documented(WEB).asks()

    for name in ("redirect_uri", "client_id", "state"):
        assert is_page(await quick_hub.browser.open([*asked.items(), (name, "https://evil.example/")]))


async def test_a_client_with_one_address_need_not_name_it_and_with_two_must(quick_hub: Hub) -> None:
    one = quick_hub.documented(WEB)
    page = await quick_hub.browser.open(one.asks(redirect_uri=""))
    redirect = await quick_hub.browser.decide(page.json(), "allow")
    answered(await one.redeem(sent_back(redirect)["code"], redirect_uri=""))

    two = quick_hub.documented({**WEB, "client_id": "https://b.example/c", "redirect_uris": [HTTPS, LOOPBACK]})
    assert is_page(await quick_hub.browser.open(two.asks(redirect_uri="")))


@pytest.mark.parametrize(
    "client_id", ["", "client_nonsense", "https://evil.example/client.json", "https://evil.example", "x" * 5000]
)
async def test_an_unknown_client_is_answered_with_a_page(quick_hub: Hub, client_id: str) -> None:
    asked = {**quick_hub.documented(WEB).asks(), "client_id": client_id}

    assert is_page(await quick_hub.browser.open(asked))


async def test_the_clients_own_query_stays_and_the_state_comes_back_as_it_was(quick_hub: Hub) -> None:
    uri = "https://assistant.example/callback?tenant=a%20b&x="
    assistant = quick_hub.documented({**WEB, "redirect_uris": [uri]})
    state = "a&b=c#d e\u00e9%0d%0a<>\"'"

    response = await quick_hub.ada_agrees(assistant.asks(state=state))

    assert response.headers["location"].startswith(uri + "&code=vkc_")
    assert sent_back(response)["state"] == state
    assert "\r" not in response.headers["location"]
