"""What discovery finds."""

from __future__ import annotations

import json

import pytest

from tests.authserver.assistants import CLAUDE_CODE, Hub, answered
from tests.identity.rooms import PUBLIC_URL
from valetkey.identity.client_documents import read_document

ISSUER = "/.well-known/oauth-authorization-server"


@pytest.mark.parametrize(
    "path",
    [
        ISSUER,
        f"{ISSUER}/mcp",
        f"{ISSUER}/c/github/mcp",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
        "/.well-known/openid-configuration/c/github/work/mcp",
    ],
)
async def test_the_issuer_says_the_same_wherever_it_is_asked(quick_hub: Hub, path: str) -> None:
    at_root = await quick_hub.stranger.http.get(ISSUER)

    found = await quick_hub.stranger.http.get(path)

    assert (found.status_code, found.content) == (200, at_root.content)
    assert found.headers["access-control-allow-origin"] == "*"


async def test_the_issuer_has_no_path_and_says_what_it_can_do(quick_hub: Hub) -> None:
    said = answered(await quick_hub.stranger.http.get(ISSUER))

    assert said["issuer"] == PUBLIC_URL
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["authorization_response_iss_parameter_supported"] is True
    assert "none" in said["token_endpoint_auth_methods_supported"]
    assert {said[name] for name in said if name.endswith("_endpoint")} == {
        f"{PUBLIC_URL}/oauth/{name}" for name in ("authorize", "token", "register", "revoke")
    }


@pytest.mark.parametrize(
    "resource", ["/mcp", "/c/github/mcp", "/c/github/work/mcp", "/c/no-such-thing/mcp", "/p/work/mcp"]
)
async def test_every_resource_has_a_document_whether_or_not_it_exists(quick_hub: Hub, resource: str) -> None:
    said = answered(await quick_hub.stranger.http.get(f"/.well-known/oauth-protected-resource{resource}"))

    assert said["resource"] == f"{PUBLIC_URL}{resource}"
    assert said["authorization_servers"] == [PUBLIC_URL]
    assert said["scopes_supported"] == ["mcp"]
    assert said["bearer_methods_supported"] == ["header"]


async def test_without_a_path_the_resource_is_the_one_that_is_meant_by_default(quick_hub: Hub) -> None:
    assert answered(await quick_hub.stranger.http.get("/.well-known/oauth-protected-resource"))["resource"] == (
        f"{PUBLIC_URL}/mcp"
    )


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/mcp/",
        "/c/github",
        "/c/Git_Hub/mcp",
        "/c/github/mcp/mcp",
        "/api/v1",
        "/c/a/b/c/mcp",
        "/c/%2e%2e/mcp",
        "//mcp",
    ],
)
async def test_what_is_no_resource_has_no_document(quick_hub: Hub, path: str) -> None:
    for name in ("oauth-protected-resource", "oauth-authorization-server"):
        assert (await quick_hub.stranger.http.get(f"/.well-known/{name}{path}")).status_code == 404


async def test_documents_of_clients_are_offered_only_while_they_can_be_fetched(quick_hub: Hub) -> None:
    assert answered(await quick_hub.stranger.http.get(ISSUER))["client_id_metadata_document_supported"] is True

    quick_hub.cimd_works = False

    assert answered(await quick_hub.stranger.http.get(ISSUER))["client_id_metadata_document_supported"] is False


async def test_a_hub_without_a_way_out_offers_them_for_the_pinned_ones(quick_hub: Hub) -> None:
    document = json.dumps(CLAUDE_CODE).encode()
    client = read_document(document, client_id=CLAUDE_CODE["client_id"], now=quick_hub.clock.now(), kind="pinned")
    offline = Hub(quick_hub.rooms.database, quick_hub.clock, pinned={client.id: client})
    offline.cimd_works = False

    assert answered(await offline.stranger.http.get(ISSUER))["client_id_metadata_document_supported"] is True


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/register", "/oauth/revoke"])
async def test_what_changes_something_is_not_had_by_get(quick_hub: Hub, path: str) -> None:
    assert (await quick_hub.stranger.http.get(path)).status_code == 405
