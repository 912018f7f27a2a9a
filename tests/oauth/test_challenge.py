"""Reading `WWW-Authenticate`."""

from __future__ import annotations

import re

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.client.auth import utils as oracle

from valetkey.oauth.challenge import NO_CHALLENGE, Challenge, bearer, parse_www_authenticate


@pytest.mark.parametrize(
    ("value", "challenges"),
    [
        # RFC 6750 section 3
        ('Bearer realm="example"', [("bearer", {"realm": "example"})]),
        (
            'Bearer realm="example",\n error="invalid_token",\n error_description="The access token expired"'.replace(
                "\n", ""
            ),
            [
                (
                    "bearer",
                    {"realm": "example", "error": "invalid_token", "error_description": "The access token expired"},
                )
            ],
        ),
        # RFC 9110 section 11.6.1
        (
            'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""',
            [("basic", {"realm": "simple"}), ("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'})],
        ),
        # RFC 9728 section 5.1
        (
            'Bearer resource_metadata="https://resource.example.com/.well-known/oauth-protected-resource"',
            [
                (
                    "bearer",
                    {"resource_metadata": "https://resource.example.com/.well-known/oauth-protected-resource"},
                )
            ],
        ),
        ("Negotiate", [("negotiate", {})]),
        ("Basic, Bearer", [("basic", {}), ("bearer", {})]),
        (", ,Bearer realm=x , ", [("bearer", {"realm": "x"})]),
        ('BEARER Scope = "a b" ,ERROR=x', [("bearer", {"scope": "a b", "error": "x"})]),
        # What the field does: no quotes round a URL, no comma between parameters
        ("Bearer error_uri=https://h/p?x=1, scope=a", [("bearer", {"error_uri": "https://h/p?x=1", "scope": "a"})]),
        ('Bearer error="x" scope="a b"', [("bearer", {"error": "x", "scope": "a b"})]),
        ('Bearer scope=""', [("bearer", {"scope": ""})]),
        # Broken: what can be read is, the rest is left out
        ('Bearer scope="a, error="x"', [("bearer", {"scope": "a, error="}), ("x", {})]),
        ('Bearer realm="never ends, scope="', [("bearer", {"realm": "never ends, scope="})]),
        ('Bearer realm="never ends', [("bearer", {})]),
        ("", []),
        ("===", []),
        ('"quoted"', []),
    ],
)  # fmt: skip
def test_challenges_are_read(value: str, challenges: list[tuple[str, dict[str, str]]]) -> None:
    found = parse_www_authenticate(value)

    assert [(one.scheme, dict(one.parameters)) for one in found] == challenges


def test_a_token68_is_no_parameter() -> None:
    first, second = parse_www_authenticate('Negotiate a87421000492aa8==, Bearer scope="x"')

    assert (first.token68, second.scope) == ("a87421000492aa8==", "x")


def test_what_stands_inside_a_quoted_string_or_in_another_challenge_is_not_taken_for_ours() -> None:
    """The SDK's regular expression takes both, so a server could be made to point elsewhere by what it quotes."""
    hostile = 'Digest realm="resource_metadata=https://evil.example", scope="admin", Bearer scope="read"'

    chosen = bearer(parse_www_authenticate(hostile))

    assert (chosen.resource_metadata, chosen.scope) == ("", "read")


def test_the_first_bearer_challenge_that_says_something_counts() -> None:
    found = parse_www_authenticate('Basic realm="x", Bearer, Bearer scope="one", Bearer scope="two"')

    assert bearer(found).scope == "one"
    assert bearer(parse_www_authenticate("Basic")) is NO_CHALLENGE


def test_of_a_parameter_that_is_repeated_the_first_counts() -> None:
    assert bearer(parse_www_authenticate('Bearer scope="a", scope="b"')).scope == "a"


def test_an_endless_header_is_not_read_at_all() -> None:
    assert parse_www_authenticate('Bearer scope="' + "a" * 20_000 + '"') == ()


_TOKENS = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,12}", fullmatch=True)
_VALUES = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)


def _written(challenge: Challenge) -> str:
    def quoted(text: str) -> str:
        return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'

    return f"{challenge.scheme} " + ", ".join(f"{name}={quoted(value)}" for name, value in challenge.parameters.items())


_NAMES = _TOKENS.map(str.lower)
_CHALLENGES = st.builds(Challenge, _NAMES, st.dictionaries(_NAMES, _VALUES, min_size=1))


@given(st.lists(_CHALLENGES, max_size=4))
def test_what_is_written_is_read_again(challenges: list[Challenge]) -> None:
    assert parse_www_authenticate(", ".join(map(_written, challenges))) == tuple(challenges)


@given(st.text(max_size=300) | st.text(alphabet='Bearr =",\\a\t/', max_size=60))
def test_nothing_makes_it_fail(value: str) -> None:
    for one in parse_www_authenticate(value):
        assert one.scheme


@given(scope=st.from_regex(r"[a-z:.]{1,9}( [a-z:.]{1,9}){0,3}", fullmatch=True))
def test_it_agrees_with_the_sdk_on_what_both_can_read(scope: str) -> None:
    value = f'Bearer resource_metadata="https://h.example/x", scope="{scope}"'
    response = httpx2.Response(401, headers={"www-authenticate": value})

    ours = bearer(parse_www_authenticate(value))

    assert ours.scope == oracle.extract_scope_from_www_auth(response)
    assert ours.resource_metadata == oracle.extract_resource_metadata_from_www_auth(response)
