"""T19: nothing a client sends in its head reaches a service; only what we build does."""

from __future__ import annotations

import json

import pytest

from tests.gateway.conftest import Hub
from tests.gateway.service import Service

INBOUND = [
    *(f"X-Forwarded-{name}" for name in ("For", "Host", "Proto", "Port", "User", "Email", "Groups", "Prefix")),
    *("Cookie", "Cookie2", "Forwarded", "Via", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP"),
    *("Proxy-Authorization", "Proxy-Connection", "X-Api-Key", "X-Auth-Token", "Api-Key", "X-Amz-Security-Token"),
    *("X_Forwarded_For", "Mcp_Session_Id", "Authorization_", "X-Authorization", "X_Mcp_Name", "Content_Length"),
    *("Referer", "User-Agent", "Accept-Language", "Accept-Encoding", "Range", "If-None-Match", "If-Modified-Since"),
    *("Keep-Alive", "TE", "Trailer", "X-Request-Id", "X-Correlation-Id", "Traceparent", "Tracestate", "Baggage"),
    *("Last-Event-ID", "X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-User-Id", "X-Org-Id"),
    *("Mcp-Param-Region", "Mcp-Param-Authorization", "Sec-Fetch-Site", "Sec-Fetch-Mode", "DNT", "Pragma"),
    *("Cache-Control", "From", "Date", "Warning", "Max-Forwards", "Early-Data"),
]  # fmt: skip
ALLOWED = {
    "host", "accept", "accept-encoding", "content-type", "content-length", "user-agent", "authorization",
    "mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id",
}  # fmt: skip
CANARY = "inbound-canary"


@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25"])
async def test_sixty_inbound_headers_and_none_arrives(hub: Hub, service: Service, version: str) -> None:
    assert len(INBOUND) >= 60
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service, version=version)
    client.extra = [(name, CANARY) for name in INBOUND]

    got = await client.call("echo", {"text": "hello"})
    listed = await client.tools()

    assert got.text == "hello"
    assert listed.status == 200
    for seen in service.seen:
        names = [name for name, _ in seen.headers]
        assert set(names) <= ALLOWED
        assert len(names) == len(set(names))
        assert CANARY not in str(seen.headers)
        assert seen.header("authorization") == "Bearer adas-token"
        assert client.token not in str(seen)
        if session := client.session:
            assert session not in str(seen)


async def test_nothing_about_the_person_arrives(hub: Hub, service: Service) -> None:
    """CON-33: OAuth is the only identity; no id, no name, no mail, no organization, in any header, member or URL."""
    ada = await hub.person("ada.lovelace@example.com")
    connection = await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service)

    await client.call("echo", {"text": "x"}, _meta={"traceparent": "00-a-b-01"})

    for seen in service.seen:
        sent = json.dumps([seen.method, seen.path, seen.headers, seen.body.decode()])
        for told in (ada.id, ada.login, ada.display_name, hub.organization_id, connection.id, client.token, "test"):
            assert told not in sent, told
