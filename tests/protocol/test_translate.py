"""Results between the eras: what is rewritten, and that nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.test_scan import JSON
from valetkey.protocol import translate
from valetkey.protocol.versions import LEGACY, MODERN

MODERN_ONLY = ("resultType", "ttlMs", "cacheScope", "inputRequests", "requestState")
UNKNOWN = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(lambda key: key not in MODERN_ONLY),
    JSON,
    max_size=4,
).map(lambda found: {key: value for key, value in found.items() if key != "structuredContent"})


def translated(raw: bytes, version: str) -> bytes:
    facts = translate.read_result(raw)
    assert facts is not None
    return translate.tool_result(raw, facts, version=version)


def load(raw: bytes) -> Any:
    """With numbers as they were written, so that a changed digit shows."""
    return json.loads(raw, parse_int=str, parse_float=str)


@given(UNKNOWN)
def test_between_two_of_one_era_not_a_byte_changes(members: dict[str, Any]) -> None:
    legacy = json.dumps(members).encode()
    modern = json.dumps({"resultType": "complete", **members}).encode()

    assert translated(modern, MODERN) == modern
    assert all(translated(legacy, version) == legacy for version in LEGACY)


@given(UNKNOWN)
def test_a_legacy_result_becomes_modern_by_its_type_alone(members: dict[str, Any]) -> None:
    for text in (json.dumps(members), json.dumps(members, indent=2)):
        raw = translated(text.encode(), MODERN)

        assert load(raw) == {"resultType": "complete", **load(text.encode())}
        assert raw.endswith(text.encode()[1:].lstrip())


@given(UNKNOWN)
def test_a_modern_result_becomes_legacy_and_back(members: dict[str, Any]) -> None:
    modern = json.dumps({"resultType": "complete", "ttlMs": 5, "cacheScope": "public", **members}).encode()

    legacy = translated(modern, "2025-06-18")

    assert load(legacy) == load(json.dumps(members).encode())
    assert load(translated(legacy, MODERN)) == {"resultType": "complete", **load(legacy)}


def test_numbers_keep_their_digits() -> None:
    numbers = b'"n":[12345678901234567890123,-0,-0.0,1.10,1E400]'

    assert numbers in translated(b'{"resultType":"complete",%b}' % numbers, "2025-11-25")
    assert numbers in translated(b"{%b}" % numbers, MODERN)


@pytest.mark.parametrize(
    ("version", "content", "stays"),
    [
        (MODERN, b"[1]", True),
        ("2025-11-25", b'{"a":1}', True),
        ("2025-06-18", b'{"a":1}', True),
        ("2025-11-25", b"[1]", False),
        ("2025-06-18", b'"text"', False),
        ("2025-03-26", b'{"a":1}', False),
    ],
)
def test_structured_content_reaches_only_who_knows_it(version: str, content: bytes, stays: bool) -> None:
    raw = b'{"resultType":"complete","content":[],"structuredContent":%b}' % content

    assert (b"structuredContent" in translated(raw, version)) is stays


def test_a_tool_keeps_everything_but_its_name() -> None:
    raw = b'{"x/vendor":{"$defs":1.0},"name":"a","execution":{"taskSupport":"optional"},"inputSchema":{"$anchor":"b"}}'

    assert translate.tool(raw, version="2025-11-25") == raw
    assert load(translate.tool(raw, version="2025-11-25", name="gh_a")) == {**load(raw), "name": "gh_a"}
    modern = load(translate.tool(raw, version=MODERN, name="gh_a"))
    assert "execution" not in modern
    assert modern["x/vendor"] == {"$defs": "1.0"}
    assert list(modern) == ["x/vendor", "name", "inputSchema"]


@pytest.mark.parametrize(
    ("code", "version", "expected"),
    [
        (-32602, MODERN, -32602),
        (-32002, MODERN, -32602),
        (-32002, "2025-11-25", -32002),
        (-32020, MODERN, -32603),
        (-32022, "2025-11-25", -32603),
        (-32042, MODERN, -32603),
        (-1, MODERN, -1),
    ],
)
def test_errors_about_our_own_leg_stay_on_it(code: int, version: str, expected: int) -> None:
    relayed = translate.error(b'{"code":%d,"message":"m","data":{"uri":"x"}}' % code, version=version)

    assert relayed.code == expected
    assert json.loads(relayed.raw)["code"] == expected
    assert ("data" in json.loads(relayed.raw)) == (expected != -32603)


@pytest.mark.parametrize("raw", [b"7", b'"text"', b'{"message":"no code"}', b'{"code":"x"}', b"[]"])
def test_what_is_no_error_becomes_one(raw: bytes) -> None:
    assert translate.error(raw, version=MODERN).code == -32603


def test_progress_comes_back_under_the_clients_own_token() -> None:
    params = b'{"progressToken":41,"progress":1.50,"vendor":true}'

    assert (
        translate.progress(params, ours=41, theirs=b'"abc"') == b'{"progressToken":"abc","progress":1.50,"vendor":true}'
    )
    assert translate.progress(params, ours=42, theirs=b'"abc"') is None
    assert translate.progress(params, ours=41, theirs=b"") is None
    assert translate.progress(b"[]", ours=41, theirs=b"1") is None
