"""The header codec, held against the reference implementation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared import inbound

from valetkey.protocol import headers

ARGUMENTS = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.floats(allow_nan=False, allow_infinity=False)
    | st.dictionaries(st.sampled_from(["d", "e"]), st.integers() | st.text(max_size=5)),
)  # fmt: skip
TOOL: dict[str, Any] = {
    "name": "t",
    "inputSchema": {
        "type": "object",
        "properties": {
            "a": {"type": "string", "x-mcp-header": "Alpha"},
            "b": {"type": "integer", "x-mcp-header": "Beta"},
            "c": {"type": "object", "properties": {"d": {"type": "boolean", "x-mcp-header": "Delta"}}},
        },
    },
}
DECLARED = headers.declared_params(json.dumps(TOOL).encode()) or {}
ASCII = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
SENTINELS = st.from_regex(r"=\?base64\?[A-Za-z0-9+/=]*\?=", fullmatch=True)


@given(st.text())
def test_any_text_survives_a_header(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    value = headers.encode_value(text)

    assert headers.decode_value(value) == text
    assert all(0x20 <= byte <= 0x7E for byte in value)
    assert value == value.strip()
    assert value.decode() == inbound.encode_header_value(text)


@given(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
    | st.from_regex(r"=\?base64\?[A-Za-z0-9+/=]*\?=", fullmatch=True)
)
def test_header_values_are_read_as_the_reference_reads_them(value: str) -> None:
    assert headers.decode_value(value.encode()) == inbound.decode_header_value(value)


def test_a_broken_sentinel_matches_nothing() -> None:
    for value in (b"=?base64?YQ=?=", b"=?base64?*?=", b"=?base64?/w==?=", b"=?base64?YR==?="):
        assert headers.decode_value(value) is None


@given(ARGUMENTS)
def test_param_headers_are_made_as_the_reference_makes_them(arguments: dict[str, Any]) -> None:
    expected = inbound.mcp_param_headers(inbound.x_mcp_header_map(TOOL["inputSchema"]), arguments)

    made = headers.param_headers(DECLARED, arguments)

    assert {name.decode(): value.decode() for name, value in made} == {k.lower(): v for k, v in expected.items()}
    assert headers.mismatched_param(DECLARED, arguments, dict(made)) == ""


@given(ARGUMENTS, ARGUMENTS)
def test_headers_of_other_arguments_are_refused_as_the_reference_refuses_them(
    arguments: dict[str, Any], others: dict[str, Any]
) -> None:
    sent = headers.param_headers(DECLARED, others)
    as_text = {name.decode(): value.decode() for name, value in sent}

    refused = inbound.validate_mcp_param_headers(TOOL["inputSchema"], arguments, as_text) is not None

    assert bool(headers.mismatched_param(DECLARED, arguments, dict(sent))) == refused


@pytest.mark.parametrize(("header", "matches"), [(b"42", True), (b"42.0", True), (b"42.5", False), (b"4.2e1", False)])
def test_integers_compare_as_numbers(header: bytes, matches: bool) -> None:
    assert (headers.mismatched_param(DECLARED, {"b": 42}, {b"mcp-param-beta": header}) == "") is matches


def _tool(schema: dict[str, Any]) -> bytes:
    return json.dumps({"name": "t", "inputSchema": schema}).encode()


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "not a token"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": 7}}},
        {"properties": {"a": {"x-mcp-header": "A"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}}},
        {"type": "string", "x-mcp-header": "Root"},
        {"anyOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}]},
        {"properties": {"a": {"items": {"type": "string", "x-mcp-header": "A"}}}},
        {"$defs": {"x": {"type": "string", "x-mcp-header": "A"}}},
    ],
)
def test_an_invalid_annotation_makes_the_tool_unusable(schema: dict[str, Any]) -> None:
    assert headers.declared_params(_tool(schema)) is None
    assert inbound.find_invalid_x_mcp_header(schema) is not None


@pytest.mark.parametrize("name", ["password", "API-Key", "client_secret", "accessToken", "token", "db passphrase"])
def test_what_is_called_like_a_secret_is_never_put_in_a_header(name: str) -> None:
    """U17: headers are what proxies write down. The reference would send it, so the tool is not offered at all."""
    by_parameter = {"properties": {name: {"type": "string", "x-mcp-header": "A"}}}
    by_header = {"properties": {"a": {"type": "string", "x-mcp-header": name.replace(" ", "-")}}}

    assert headers.declared_params(_tool(by_parameter)) is None
    assert headers.declared_params(_tool(by_header)) is None


@pytest.mark.parametrize("name", ["region", "tokens_max", "keyword", "passenger", "max_token_count", "compass"])
def test_what_only_looks_a_little_like_one_is(name: str) -> None:
    schema = {"properties": {name: {"type": "string", "x-mcp-header": "A"}}}

    assert headers.declared_params(_tool(schema)) == {(name,): ("A", "string")}


def test_annotations_in_data_are_no_annotations() -> None:
    schema = {"properties": {"a": {"type": "object", "default": {"x-mcp-header": "A"}, "enum": [{"x-mcp-header": 1}]}}}

    assert headers.declared_params(_tool(schema)) == {}
    assert headers.declared_params(b'{"name":"t"}') == {}


def test_an_argument_that_utf8_cannot_hold_still_has_a_header_and_agrees_with_it() -> None:
    """JSON can spell half a pair of surrogates, and what cannot be encoded must not be a fault of ours (T30)."""
    declared: dict[headers.Path, tuple[str, str]] = {("a",): ("A", "string")}
    arguments = json.loads(r'{"a":"cut \ud83d"}')

    made = headers.param_headers(declared, arguments)

    assert [headers.decode_value(value) for _, value in made] == ["cut \ufffd"]
    assert headers.mismatched_param(declared, arguments, dict(made)) == ""
