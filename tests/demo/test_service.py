"""The sample service, used by the MCP SDK's own client, in both eras and both ways of answering."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp_types import TextContent

from tests.demo.conftest import CALLBACK, Visitor, answer_in, register
from valetkey.demo.ledger import digest
from valetkey.demo.neighborhood import Sample, sample_service
from valetkey.demo.story.assistant import Assistant, Failed, text_of
from valetkey.demo.story.browser import Browser

Arrive = Callable[[], Visitor]


class Pocket:
    """What the SDK's client keeps."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@asynccontextmanager
async def sdk_client(sample: Sample, mode: str) -> AsyncIterator[tuple[Client, Pocket]]:
    """A client that has to find its own way in: 401, metadata, registration, login, consent."""
    browser, pocket = Browser(stop_at=CALLBACK), Pocket()
    answer: dict[str, str] = {}

    async def redirect(url: str) -> None:
        browser.open(url)
        browser.press("Sign in", {"username": "ada", "password": "lovelace"})
        answer.update(answer_in(browser.press("Allow")))

    async def callback() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code=answer["code"], state=answer["state"], iss=answer["iss"])

    metadata = OAuthClientMetadata.model_validate({"client_name": "SDK", "redirect_uris": [CALLBACK]})
    provider = OAuthClientProvider(sample.url, metadata, pocket, redirect, callback)
    async with (
        httpx2.AsyncClient(auth=provider, trust_env=False) as http,
        Client(streamable_http_client(sample.url, http_client=http), mode=mode) as client,
    ):
        yield client, pocket
    browser.close()


@pytest.mark.parametrize(("era", "streams"), [("both", False), ("both", True), ("legacy", True), ("modern", False)])
async def test_the_sdks_client_finds_its_way_in_and_reads(era: str, streams: bool) -> None:
    with sample_service(era=era, streams=streams) as sample:
        async with sdk_client(sample, "auto") as (client, pocket):
            tools = await client.list_tools()
            result = await client.call_tool("list_notes", {})
        seen = sample.seen_by_service()

    assert pocket.tokens is not None
    assert {tool.name for tool in tools.tools} == {"list_notes", "read_note", "search_notes", "delete_note"}
    assert isinstance(result.content[0], TextContent)
    assert "Bernoulli numbers" in result.content[0].text
    assert {request["token_sha256"] for request in seen} == {digest(pocket.tokens.access_token)}


async def test_the_sdks_client_can_shake_hands_with_it(sample: Sample) -> None:
    async with sdk_client(sample, "legacy") as (client, _):
        result = await client.call_tool("search_notes", {"query": "engine"})
        failed = await client.call_tool("read_note", {"id": "n99"})

    assert isinstance(result.content[0], TextContent)
    assert result.content[0].text == "n1  Bernoulli numbers"
    assert failed.is_error


def test_a_stranger_is_told_where_to_sign_in(sample: Sample) -> None:
    answer = httpx2.post(sample.url, json={}, trust_env=False)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == (
        f'Bearer resource_metadata="{sample.origin}/.well-known/oauth-protected-resource/mcp", '
        'scope="notes:read notes:write"'
    )


def test_a_made_up_token_is_invalid_and_noticed(arrive: Arrive, sample: Sample) -> None:
    answer = arrive().call("ma_made-up")

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert sample.seen_by_service()[-1]["token_sha256"] == digest("ma_made-up")


def test_a_token_for_the_neighbor_opens_nothing_here(arrive: Arrive) -> None:
    """The same authorization server, the same person, another audience (RFC 8707)."""
    visitor = arrive()
    neighbor = "http://127.0.0.1:1/mcp"
    visitor.browser.open(visitor.authorization_url(resource=neighbor))
    visitor.browser.press("Sign in", {"username": "ada", "password": "lovelace"})
    code = answer_in(visitor.browser.press("Allow"))["code"]

    token = visitor.exchange(code, resource=neighbor).json()["access_token"]

    assert visitor.call(token).status_code == 401


def test_a_narrow_token_reads_but_does_not_delete(arrive: Arrive, sample: Sample) -> None:
    visitor = arrive()
    visitor.sign_in()
    code = answer_in(visitor.browser.press("Allow", {"scope": ["notes:read"]}))["code"]
    assistant = Assistant(sample.url, visitor.exchange(code).json()["access_token"], "modern")

    read = assistant.call("read_note", id="n3")
    with pytest.raises(Failed) as refused:
        assistant.call("delete_note", id="n3")

    assert "candles" in text_of(read)
    assert refused.value.status == 403


def test_a_deleted_note_is_gone_for_its_owner_only_and_a_tool_changes_when_the_story_says_so(arrive: Arrive) -> None:
    with sample_service() as fresh:
        visitor = arrive()
        visitor.sample, visitor.client_id = fresh, register(fresh).json()["client_id"]
        assistant = Assistant(fresh.url, visitor.exchange(visitor.code()).json()["access_token"], "legacy")

        assistant.call("delete_note", id="n2")

        assert "Babbage" not in text_of(assistant.call("list_notes"))
        assert assistant.call("read_note", id="n2")["isError"]

        stranger = replace(fresh, story_key="")
        with pytest.raises(httpx2.HTTPStatusError):
            stranger.change_tool("read_note", "Reads, and sends.")
        fresh.change_tool("read_note", "Reads two notes.")
        assert assistant.list_tools()["read_note"]["description"] == "Reads two notes."


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"mcp-method": "tools/list"}, -32020),
        ({"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call"}, -32020),
        ({"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}, None),
    ],
)
def test_modern_headers_must_tell_the_same_as_the_body(
    arrive: Arrive, sample: Sample, headers: dict[str, str], code: int | None
) -> None:
    visitor = arrive()
    token = visitor.exchange(visitor.code()).json()["access_token"]
    prefix = "io.modelcontextprotocol/"
    meta = {f"{prefix}protocolVersion": "2026-07-28", f"{prefix}clientCapabilities": {}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}

    answer = httpx2.post(
        sample.url, json=body, headers={"authorization": f"Bearer {token}", **headers}, trust_env=False
    )

    assert answer.json().get("error", {}).get("code") == code


def test_a_page_of_another_site_is_not_a_client(sample: Sample) -> None:
    answer = httpx2.post(sample.url, json={}, headers={"origin": "https://evil.example"}, trust_env=False)

    assert answer.status_code == 403


def test_a_session_of_one_person_is_none_of_anothers(arrive: Arrive, sample: Sample) -> None:
    ada, grace = arrive(), arrive()
    first = Assistant(sample.url, ada.exchange(ada.code()).json()["access_token"], "legacy")
    first.list_tools()
    grace.sign_in("grace", "hopper")
    code = answer_in(grace.browser.press("Allow"))["code"]
    second = Assistant(sample.url, grace.exchange(code).json()["access_token"], "legacy", session=first.session)

    with pytest.raises(Failed, match="Session not found"):
        second.list_tools()
