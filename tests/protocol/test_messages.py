"""Messages that we read and write ourselves."""

from __future__ import annotations

import json
from typing import Any

import mcp_types.methods
import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.protocol import messages
from valetkey.protocol.asks import Answered
from valetkey.protocol.errors import INVALID_PARAMS, Rejected
from valetkey.protocol.versions import LEGACY, MODERN, negotiate

META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "secretive", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}, "sampling": {}},
    "progressToken": "mine",
    "traceparent": "00-1-2-03",
    "vendor/key": {"n": 1.0},
}


def call(**params: Any) -> messages.ToolCall:
    return messages.tool_call(messages.read_params(json.dumps({"name": "t", **params}).encode()), modern=True)


def test_only_our_own_envelope_goes_upstream() -> None:
    """Version, name and capabilities of the client are about the other leg; its progress token could clash."""
    asked = call(_meta=META)

    meta = json.loads(messages.upstream_meta(asked.meta, token=7, client_info=b'{"name":"valetkey"}', modern=True))

    assert meta == {
        "traceparent": "00-1-2-03",
        "vendor/key": {"n": 1.0},
        "progressToken": 7,
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "valetkey"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    legacy = json.loads(messages.upstream_meta(asked.meta, token=None, client_info=b"{}", modern=False))
    assert legacy == {"traceparent": "00-1-2-03", "vendor/key": {"n": 1.0}}


def test_unknown_members_of_a_call_pass() -> None:
    asked = messages.tool_call(
        messages.read_params(b'{"arguments":{"n":1.50},"x":[12345678901234567890],"name":"t"}'), modern=True
    )

    sent = messages.call_params(asked.name, asked.arguments, b"", asked.rest)

    assert sent == b'{"name":"t","arguments":{"n":1.50},"x":[12345678901234567890]}'


def test_what_the_person_answered_to_us_does_not_pass() -> None:
    asked = call(inputResponses={"connect": {"action": "accept"}}, requestState="s")

    assert dict(asked.rest) == {}
    assert not asked.declined
    assert call(inputResponses={"connect": {"action": "cancel"}}).declined
    assert asked.answered == Answered(b'{"connect": {"action": "accept"}}', "s")


@pytest.mark.parametrize(
    "params", [b"", b"{}", b'{"name":7}', b'{"name":"t","arguments":[]}', b'{"name":"t","_meta":1}', b'{"name":null}']
)
def test_params_that_are_no_call_are_rejected(params: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        messages.tool_call(messages.read_params(params), modern=True)

    assert caught.value.rpc_code == INVALID_PARAMS


@given(st.text())
def test_initialize_is_never_answered_with_a_modern_revision(version: str) -> None:
    assert negotiate(version) in LEGACY
    assert negotiate(MODERN) == "2025-11-25"
    assert all(negotiate(known) == known for known in LEGACY)


@pytest.mark.parametrize("version", [MODERN, "2025-11-25", "2025-06-18"])
def test_our_own_results_are_what_the_revision_wants(version: str) -> None:
    """Held against the reference's validators for each revision."""

    def check(method: str, result: bytes) -> None:
        mcp_types.methods.validate_server_result(method, version, json.loads(result))

    server = messages.server_result(
        version=version, instructions="i", info=b'{"name":"n","version":"1"}', capabilities={}
    )
    check("server/discover" if version == MODERN else "initialize", server)
    check("tools/list", messages.tools_result([], version=version, ttl_ms=5, meta={"valetkey/partial": []}))
    check("tools/call", messages.text_result("No.", version=version))
    if version == MODERN:
        check("tools/call", messages.url_request("Please.", "https://hub.example/connections"))


def test_server_facts_are_read_from_either_handshake() -> None:
    legacy = messages.server_facts(b'{"protocolVersion":"2025-06-18","serverInfo":{"name":"a"},"instructions":"x"}')
    modern = messages.server_facts(
        b'{"supportedVersions":["2026-07-28"],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"a"}}}'
    )

    assert legacy is not None
    assert modern is not None
    assert json.loads(legacy.summary()) == {
        "serverInfo": {"name": "a"}, "instructions": "x", "protocolVersion": "2025-06-18",
    }  # fmt: skip
    assert json.loads(modern.summary()) == {"serverInfo": {"name": "a"}, "protocolVersion": "2026-07-28"}
    assert messages.server_facts(b"{}") is None
    assert messages.server_facts(b"[]") is None
