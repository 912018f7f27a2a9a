"""What the bridge rewrites, it rewrites wherever it stands, and nothing else: with results of every shape."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.protocol import translate, uris
from valetkey.protocol.jsonrpc import members
from valetkey.protocol.messages import read_params
from valetkey.protocol.onward import is_as_severe, onward, redirected
from valetkey.protocol.translate import REQUESTS
from valetkey.protocol.versions import LEGACY, MODERN, Era

KEYS = st.sampled_from(["uri", "type", "content", "resource", "vendor/x", "_meta", "ttlMs", "a\u2028"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8,
)  # fmt: skip
NUMBERS = st.sampled_from([b"-0", b"1.50", b"12345678901234567890123", b"1e400"])
OBJECTS = st.dictionaries(st.text(max_size=6), JSON, max_size=4)
URIS = st.sampled_from(["note:///1", "ui://a/b", "https://x.example/", "", "vk+a+b", "ü"])
BLOCKS = st.one_of(
    st.fixed_dictionaries({"type": st.just("resource_link"), "uri": URIS}, optional={"vendor/x": JSON}),
    st.fixed_dictionaries({"type": st.just("resource"), "resource": st.fixed_dictionaries({"uri": URIS})}),
    st.fixed_dictionaries({"type": st.text(max_size=5)}, optional={"uri": URIS, "vendor/x": JSON}),
    JSON,
)


def raw(value: Any) -> bytes:
    return json.dumps(value).encode()


def mark(uri: str) -> str:
    return f"mine:{uri}"


def marked(block: Any) -> Any:
    """The same by a plain reading of the rule: links and embedded resources have URIs, nothing else has."""
    if isinstance(block, dict) and block.get("type") == "resource_link" and isinstance(block.get("uri"), str):
        return {**block, "uri": mark(block["uri"])}
    if isinstance(block, dict) and block.get("type") == "resource" and isinstance(block.get("resource"), dict):
        inner = block["resource"]
        return (
            {**block, "resource": {**inner, "uri": mark(inner["uri"])}} if isinstance(inner.get("uri"), str) else block
        )
    return block


@given(st.lists(BLOCKS, max_size=4), OBJECTS)
def test_uris_change_where_they_are_uris_and_nowhere_else(blocks: list[Any], rest: dict[str, Any]) -> None:
    result = {**rest, "content": blocks}

    changed = json.loads(uris.in_result("tools/call", raw(result), mark))

    assert changed == {**result, "content": [marked(block) for block in blocks]}


@given(OBJECTS, NUMBERS, st.sampled_from([MODERN, *LEGACY]), st.sampled_from(sorted(REQUESTS)))
def test_a_result_loses_and_gains_only_what_its_row_says(
    rest: dict[str, Any], number: bytes, version: str, method: str
) -> None:
    row = REQUESTS[method]
    given_raw = b'{"vendor/number":%b,%b' % (number, raw({"x": 1, **rest})[1:])
    own = {"resultType", "ttlMs", "cacheScope"} if row.is_hinted else {"resultType"}
    modern_only = {"resultType", "ttlMs", "cacheScope", "inputRequests", "requestState"}

    made = members(translate.result(given_raw, row, version=version))

    before = members(given_raw)
    changed = own if version == MODERN else modern_only
    assert {key: made[key] for key in made if key not in changed} == {
        key: before[key] for key in before if key not in changed
    }
    assert (own <= made.keys()) if version == MODERN else not modern_only & made.keys()


@given(OBJECTS, st.sampled_from(LEGACY))
def test_there_and_back_again_is_the_same(rest: dict[str, Any], version: str) -> None:
    """What an older server says, said to a newer client and read back by an older one."""
    plain = {key: value for key, value in rest.items() if key not in ("resultType", "ttlMs", "cacheScope")}
    plain = {key: value for key, value in plain.items() if key not in ("inputRequests", "requestState")}
    row = REQUESTS["resources/read"]

    there = translate.result(raw(plain), row, version=MODERN)

    assert json.loads(translate.result(there, row, version=version)) == plain


@given(OBJECTS, st.text(max_size=10), st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_a_request_goes_on_with_all_it_says_but_its_envelope(
    rest: dict[str, Any], uri: str, meta: dict[str, Any]
) -> None:
    params = {**rest, "uri": uri, "_meta": meta}
    params.pop("inputResponses", None)
    params.pop("requestState", None)

    passed = onward("resources/read", read_params(raw(params)), modern=True)
    elsewhere = redirected(passed, uri=msgspec.json.encode("other"))

    assert passed.named == uri
    assert json.loads(passed.params) == {key: value for key, value in params.items() if key != "_meta"}
    assert json.loads(passed.params_with(b'{"a":1}'))["_meta"] == {"a": 1}
    assert (elsewhere.named, json.loads(elsewhere.params)["uri"]) == ("other", "other")


@pytest.mark.parametrize("ttl", [b"-1", b'"x"', b"null", b"[]", b"true"])
def test_a_time_that_is_none_is_no_time(ttl: bytes) -> None:
    row = REQUESTS["prompts/list"]

    made = json.loads(translate.result(b'{"ttlMs":%b,"cacheScope":"public"}' % ttl, row, version=MODERN))

    assert (made["ttlMs"], made["cacheScope"]) == (0, "private")


def test_a_missing_resource_has_its_revisions_code_and_its_uri() -> None:
    row = REQUESTS["resources/read"]
    old, new = b'{"code":-32002,"message":"no"}', b'{"code":-32602,"message":"no","data":{"uri":"a:b"}}'

    newer = translate.error(old, version=MODERN, row=row, uri="a:b")
    older = translate.error(new, version="2025-11-25", row=row, uri="a:b")

    assert (newer.code, json.loads(newer.raw)["data"]) == (-32602, {"uri": "a:b"})
    assert older.code == -32002
    assert translate.error(b'{"code":-32602,"message":"x"}', version="2025-11-25", row=row).code == -32602


@pytest.mark.parametrize(("level", "wanted", "passes"), [
    ("info", "", True), ("info", "warning", False), ("error", "warning", True), ("odd", "error", True),
])  # fmt: skip
def test_log_messages_below_the_level_are_left_out(level: str, wanted: str, passes: bool) -> None:
    assert is_as_severe(raw({"level": level, "data": 1}), wanted) is passes


def test_each_row_is_known_to_somebody_and_says_what_stands_for_it() -> None:
    for method, row in REQUESTS.items():
        assert row.clients, method
        if row.clients != frozenset(Era):
            assert row.instead, method
