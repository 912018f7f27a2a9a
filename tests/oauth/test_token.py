"""The token endpoint's two sides: what we send, and what an answer means."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oauth.urls import url
from valetkey.kernel.secret import Secret
from valetkey.oauth.model import Client, TokenFailure, TokenFailureKind, TokenSet
from valetkey.oauth.revocation import Revocation, read_revocation_response, revocation_request
from valetkey.oauth.token import exchange_request, read_token_response, refresh_request, usable_seconds

ENDPOINT = url("https://as.example.com/token")
PUBLIC = Client("s6BhdRkqt3", "none")


def _plain(value: str | Secret) -> str:
    return value.reveal().decode() if isinstance(value, Secret) else value


def test_a_code_is_exchanged_with_its_verifier_callback_and_resource() -> None:
    sent = exchange_request(
        ENDPOINT,
        PUBLIC,
        code=Secret("SplxlOBeZQQYbYS6WxSbIA"),
        verifier=Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        redirect_uri="https://client.example.com/cb",
        resource="https://h.example/mcp",
    )

    assert {name: _plain(value) for name, value in sent.fields.items()} == {
        "grant_type": "authorization_code",
        "code": "SplxlOBeZQQYbYS6WxSbIA",
        "redirect_uri": "https://client.example.com/cb",
        "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        "resource": "https://h.example/mcp",
        "client_id": "s6BhdRkqt3",
    }
    assert "SplxlOBeZQQYbYS6WxSbIA" not in repr(sent)


def test_a_refresh_names_the_resource_and_no_scope() -> None:
    sent = refresh_request(ENDPOINT, PUBLIC, refresh_token=Secret("rt"), resource="https://h.example/mcp")

    assert set(sent.fields) == {"grant_type", "refresh_token", "resource", "client_id"}


def test_basic_authentication_encodes_before_it_joins() -> None:
    """RFC 6749 2.3.1: a colon in the id would else end it, and a space or percent change it."""
    client = Client("id:with space", "client_secret_basic", Secret("s+e/c%r:e=t ü"))

    sent = refresh_request(ENDPOINT, client, refresh_token=Secret("rt"), resource="r")

    header = _plain(sent.headers["authorization"])
    assert base64.b64decode(header.removeprefix("Basic ")) == b"id%3Awith+space:s%2Be%2Fc%25r%3Ae%3Dt+%C3%BC"
    assert "client_id" not in sent.fields
    assert "client_secret" not in sent.fields


def test_rfc_6749s_example_of_basic_authentication() -> None:
    client = Client("s6BhdRkqt3", "client_secret_basic", Secret("7Fjfp0ZBr1KtDRbnfVdmIw"))

    sent = refresh_request(ENDPOINT, client, refresh_token=Secret("tGzv3JOkF0XG5Qx2TlKWIA"), resource="r")

    assert _plain(sent.headers["authorization"]) == "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"


def test_a_secret_may_be_posted_instead() -> None:
    client = Client("id", "client_secret_post", Secret("s"))

    sent = refresh_request(ENDPOINT, client, refresh_token=Secret("rt"), resource="r")

    assert "authorization" not in sent.headers
    assert (sent.fields["client_id"], _plain(sent.fields["client_secret"])) == ("id", "s")


def test_rfc_6749s_example_of_a_response() -> None:
    """Section 5.1, with the token type that section 7.1 means."""
    body = (
        b'{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"bearer","expires_in":3600,'
        b'"refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","example_parameter":"example_value"}'
    )

    read = read_token_response(200, body)

    assert isinstance(read, TokenSet)
    assert read.access_token == Secret("2YotnFZFEjr1zCsicMWpAA")
    assert read.refresh_token == Secret("tGzv3JOkF0XG5Qx2TlKWIA")
    assert read.usable_for == 3540
    assert read.granted("a b") == "a b"
    assert "2Yot" not in repr(read)


@pytest.mark.parametrize(
    ("scope", "granted"),
    [("a", "a"), ("a b", "a b"), ("", ""), ("repo,user", "repo user"), (["a", "b"], "a b"), (None, "x y")],
)
def test_what_was_granted_is_what_the_answer_says_else_what_was_asked(scope: Any, granted: str) -> None:
    read = read_token_response(200, json.dumps({"access_token": "t", "scope": scope}).encode())

    assert isinstance(read, TokenSet)
    assert read.granted("x y") == granted


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid_grant"}, TokenFailureKind.GRANT_ENDED),
        (401, {"error": "invalid_grant"}, TokenFailureKind.GRANT_ENDED),
        (403, {"error": "INVALID_GRANT"}, TokenFailureKind.GRANT_ENDED),
        (200, {"error": "invalid_grant"}, TokenFailureKind.GRANT_ENDED),
        (200, {"ok": False, "error": "invalid_grant"}, TokenFailureKind.GRANT_ENDED),
        (400, {"error": {"code": "invalid_grant", "message": "gone"}}, TokenFailureKind.GRANT_ENDED),
        (200, {"error": "bad_refresh_token"}, TokenFailureKind.GRANT_ENDED),
        (400, {"error": "invalid_client"}, TokenFailureKind.CLIENT_REFUSED),
        (401, {"error": "unauthorized_client"}, TokenFailureKind.CLIENT_REFUSED),
        (400, {"error": "invalid_scope"}, TokenFailureKind.SCOPE_REFUSED),
        (400, {"error": "invalid_target"}, TokenFailureKind.REFUSED),
        (400, {"error": "invalid_request"}, TokenFailureKind.REFUSED),
        (400, {"error": "temporarily_unavailable"}, TokenFailureKind.PASSING),
        # Nothing that says the grant is gone
        (500, {"error": "invalid_grant"}, TokenFailureKind.PASSING),
        (503, b"", TokenFailureKind.PASSING),
        (429, {"error": "invalid_grant"}, TokenFailureKind.PASSING),
        (408, b"", TokenFailureKind.PASSING),
        (403, b"<html>blocked: invalid_grant</html>", TokenFailureKind.PASSING),
        (403, {"message": "invalid_grant"}, TokenFailureKind.PASSING),
        (400, {"error": ""}, TokenFailureKind.PASSING),
        (400, {"error": 7}, TokenFailureKind.PASSING),
        (400, {"error": ["invalid_grant"]}, TokenFailureKind.PASSING),
        (401, b'{"error":"invalid_grant","error":"x"}', TokenFailureKind.PASSING),
        (404, b"", TokenFailureKind.PASSING),
        # Success claimed, and nothing of use
        (200, b"access_token=x&token_type=bearer", TokenFailureKind.UNREADABLE),
        (200, {}, TokenFailureKind.UNREADABLE),
        (200, {"access_token": ""}, TokenFailureKind.UNREADABLE),
        (200, {"access_token": 7}, TokenFailureKind.UNREADABLE),
        (200, {"access_token": "a b"}, TokenFailureKind.UNREADABLE),
        (200, {"access_token": "a\r\nx: y"}, TokenFailureKind.UNREADABLE),
        (200, {"access_token": "tökèn"}, TokenFailureKind.UNREADABLE),
        (200, {"access_token": "x" * 20_000}, TokenFailureKind.UNREADABLE),
        (200, {"access_token": "t", "token_type": "DPoP"}, TokenFailureKind.UNREADABLE),
        (200, {"access_token": "t", "refresh_token": ["r"]}, TokenFailureKind.UNREADABLE),
        (200, {"access_token": "t", "scope": 7}, TokenFailureKind.UNREADABLE),
    ],
)  # fmt: skip
def test_a_failure_is_of_this_kind(status: int, body: Any, kind: TokenFailureKind) -> None:
    read = read_token_response(status, body if isinstance(body, bytes) else json.dumps(body).encode())

    assert isinstance(read, TokenFailure)
    assert read.kind is kind


@given(st.integers(200, 599), st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["error", "access_token", "code", "scope", "token_type", "expires_in"]), inner, max_size=4),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_whatever_comes_is_tokens_or_a_failure(status: int, body: bytes) -> None:
    read = read_token_response(status, body)

    assert isinstance(read, (TokenSet, TokenFailure))
    if isinstance(read, TokenFailure) and read.kind is TokenFailureKind.GRANT_ENDED:
        assert b"invalid_grant" in body.lower()


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (3600, 3540),
        (300, 270),
        (10, 9),
        ("3600", 3540),
        (3600.5, 3540.5),
        (None, 300),
        (True, 300),
        (0, 0),
        (-1, 0),
        ("soon", 0),
        (10**12, 0),
        (10**400, 0),
        (float("inf"), 0),
        ([3600], 0),
    ],
)
def test_a_token_is_used_for_this_long(expires_in: Any, seconds: float) -> None:
    assert usable_seconds(expires_in) == pytest.approx(seconds)


def test_rfc_7009s_example_of_a_revocation() -> None:
    sent = revocation_request(
        url("https://as.example.com/revoke"),
        Client("s6BhdRkqt3", "client_secret_basic", Secret("gX1fBat3bV")),
        token=Secret("45ghiukldjahdnhzdauz"),
        hint="refresh_token",
    )

    assert {name: _plain(value) for name, value in sent.fields.items()} == {
        "token": "45ghiukldjahdnhzdauz",
        "token_type_hint": "refresh_token",
    }
    assert _plain(sent.headers["authorization"]) == "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, b"", Revocation.CONFIRMED),
        (200, b"anything", Revocation.CONFIRMED),
        (400, b'{"error":"unsupported_token_type"}', Revocation.UNSUPPORTED),
        (400, b'{"error":"invalid_client"}', Revocation.FAILED),
        (503, b"", Revocation.FAILED),
        (302, b"", Revocation.FAILED),
        (404, b"<html>", Revocation.FAILED),
    ],
)
def test_only_a_200_confirms_a_revocation(status: int, body: bytes, meaning: Revocation) -> None:
    assert read_revocation_response(status, body) is meaning
