"""What may be entered for a connector of one's own."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.directory.custom import new_slug, read_auth, read_name
from valetkey.kernel.errors import BadInput


@pytest.mark.parametrize("name", ["GitHub", "Verified ✓", "日本語", "Ä b", "x" * 100, "🚀 rocket"])
def test_visible_names_are_taken_as_they_are(name: str) -> None:
    assert read_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", "   ", "x" * 101, None, 7, "Git\u200bHub", "\u202eGitHub", "GitHub\n", "Git\tHub", "GitHub\u00a0",
        "GitHub\u3164", "Git\ufe0fHub", "Git\u00adHub", "\ufeffGitHub", "Git\x1b[31mHub", "Git\U000e0041Hub",
        "Git\u2028Hub", "\ud800", "Git\u034fHub", "Git\u2800Hub",
    ],
)  # fmt: skip
def test_names_with_something_that_cannot_be_seen_are_refused(name: Any) -> None:
    with pytest.raises(BadInput) as refusal:
        read_name(name)

    assert refusal.value.field == "name"


def test_spaces_around_a_name_are_no_part_of_it() -> None:
    assert read_name("  GitHub ") == "GitHub"


@given(st.text(min_size=1, max_size=100), st.from_regex(r"[a-z0-9.\-]{1,40}", fullmatch=True))
def test_a_slug_is_always_well_formed_and_ends_in_six_random_characters(name: str, host: str) -> None:
    slug = new_slug(name, host=host)

    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,16})-[0-9a-z]{6}", slug)
    assert len(slug) <= 24


@pytest.mark.parametrize(
    ("name", "host", "expected"),
    [
        ("GitHub", "api.github.com", "github-"),
        ("Ünïcode & More", "h", "unicode-more-"),
        ("日本語", "mcp.linear.app", "linear-app-"),
        ("日本語", "---", "custom-"),
        ("A very long name for a connector", "h", "a-very-long-name-"),
    ],
)
def test_a_slug_comes_from_the_name_or_else_the_host(name: str, host: str, expected: str) -> None:
    assert new_slug(name, host=host)[:-6] == expected


@pytest.mark.parametrize(
    ("kind", "facts", "field"),
    [
        ("basic", {}, "auth_kind"),
        (None, {}, "auth_kind"),
        ("oauth", [], "auth"),
        ("oauth", {"client_secret": "s"}, "auth"),
        ("none", {"headers": ["X-API-Key"]}, "auth"),
        ("oauth", {"client_id": ""}, "auth.client_id"),
        ("oauth", {"client_id": "a b"}, "auth.client_id"),
        ("oauth", {"scope": "read\nwrite"}, "auth.scope"),
        ("oauth", {"no_scope_fallback": "yes"}, "auth.no_scope_fallback"),
        ("header", {}, "auth.headers"),
        ("header", {"headers": []}, "auth.headers"),
        ("header", {"headers": "X-API-Key"}, "auth.headers"),
        ("header", {"headers": [1]}, "auth.headers"),
        ("header", {"headers": ["X-API-Key", "Api-Key", "X-Token", "X-Auth-Token", "Private-Token"]}, "auth.headers"),
        ("header", {"headers": ["X-API-Key", "x-api-key"]}, "auth.headers"),
        ("header", {"headers": ["X-API-Key"], "optional_headers": ["x-api-key"]}, "auth.headers"),
        ("oauth", {"headers": ["AUTHORIZATION"]}, "auth.headers"),
        ("oauth", {"optional_headers": ["authorization"]}, "auth.headers"),
    ],
)
def test_facts_about_signing_in_that_cannot_be_used_are_refused_naming_the_field(
    kind: Any, facts: Any, field: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        read_auth(kind, facts)

    assert refusal.value.field == field


@pytest.mark.parametrize(
    "name",
    [
        "Host", "Cookie", "Content-Length", "Mcp-Session-Id", "mcp-protocol-version", "Transfer-Encoding", "Connection",
        "Proxy-Authorization", "X-Forwarded-For", "X-Api-Key\r\nHost", "X-API-Key ", "", "X-ÄPI-Key", "Origin", ":path",
        "Idempotency-Key", "Sec-WebSocket-Key", "x" * 65, "X-API-Key\n",
    ],
)  # fmt: skip
def test_only_headers_that_services_take_a_key_in_may_be_named(name: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read_auth("header", {"headers": [name]})

    assert refusal.value.field == "auth.headers"
    assert "\n" not in refusal.value.message


def test_what_was_checked_is_what_is_kept() -> None:
    facts = {"headers": ["X-API-Key"], "optional_headers": ["X-Token"]}

    assert read_auth("header", facts) == ("header", facts)
    assert read_auth("oauth", {"client_id": "abc", "scope": "a b", "no_scope_fallback": True}) == (
        "oauth",
        {"client_id": "abc", "scope": "a b", "no_scope_fallback": True},
    )
    assert read_auth("none", {}) == ("none", {})
