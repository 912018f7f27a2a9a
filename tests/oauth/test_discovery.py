"""Where metadata lies, and what of it is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.client.auth import utils as oracle

from tests.oauth.urls import ISSUER, METADATA, a_server, url
from valetkey.net.url import parse_url
from valetkey.oauth.discovery import (
    as_document,
    as_locations,
    covers,
    is_same_issuer,
    prm_locations,
    read_as_document,
    read_as_metadata,
    read_prm,
)
from valetkey.oauth.model import BadMetadata

HOST = "https://as.example.com"


@pytest.mark.parametrize(
    ("issuer", "paths"),
    [
        (HOST, ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]),
        (f"{HOST}/", ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]),
        (
            f"{HOST}/t1",
            [
                "/.well-known/oauth-authorization-server/t1",
                "/.well-known/openid-configuration/t1",
                "/t1/.well-known/openid-configuration",
            ],
        ),
        (
            f"{HOST}/a/b/c",
            [
                "/.well-known/oauth-authorization-server/a/b/c",
                "/.well-known/openid-configuration/a/b/c",
                "/a/b/c/.well-known/openid-configuration",
            ],
        ),
        (
            f"{HOST}/t1/",
            [
                "/.well-known/oauth-authorization-server/t1",
                "/.well-known/openid-configuration/t1",
                "/t1/.well-known/openid-configuration",
            ],
        ),
    ],
)
def test_the_metadata_of_an_issuer_is_looked_for_at_exactly_these_places_in_this_order(
    issuer: str, paths: list[str]
) -> None:
    found = as_locations(url(issuer))

    assert list(found) == [HOST + path for path in paths]
    assert list(found) == oracle.build_oauth_authorization_server_metadata_discovery_urls(issuer, "https://h.example")


@pytest.mark.parametrize(
    ("connector", "paths"),
    [
        ("https://h.example/mcp", ["/mcp", ""]),
        ("https://h.example/a/b/mcp/", ["/a/b/mcp/", ""]),
        ("https://h.example", [""]),
        ("https://h.example/", [""]),
    ],
)
def test_resource_metadata_is_looked_for_below_the_path_and_then_at_the_root(connector: str, paths: list[str]) -> None:
    found = prm_locations(url(connector))

    assert list(found) == [f"https://h.example/.well-known/oauth-protected-resource{path}" for path in paths]
    assert list(found) == oracle.build_protected_resource_metadata_discovery_urls(None, connector)


@pytest.mark.parametrize(
    ("resource", "connector", "does"),
    [
        ("https://h.example/mcp", "https://h.example/mcp", True),
        ("https://h.example/mcp/", "https://h.example/mcp", True),
        ("https://h.example/mcp", "https://h.example/mcp/", True),
        ("https://H.Example/mcp", "https://h.example:443/mcp", True),
        ("https://h.example", "https://h.example/mcp", True),
        ("https://h.example/", "https://h.example", True),
        ("https://h.example/mcp", "https://h.example/mcp/v2", True),
        ("https://h.example/mcp", "https://h.example/mcp2", False),
        ("https://h.example/mcp/v2", "https://h.example/mcp", False),
        ("https://h.example/Mcp", "https://h.example/mcp", False),
        ("https://other.example/mcp", "https://h.example/mcp", False),
        ("https://h.example.evil.example/mcp", "https://h.example/mcp", False),
        ("https://h.example:8443/mcp", "https://h.example/mcp", False),
        ("http://h.example/mcp", "https://h.example/mcp", False),
        ("https://h.example/mcp?t=1", "https://h.example/mcp?t=2", False),
    ],
)
def test_a_resource_is_ours_only_if_it_is_or_lies_above_what_was_entered(
    resource: str, connector: str, does: bool
) -> None:
    assert covers(url(resource), url(connector)) is does


def _prm(**changed: Any) -> bytes:
    whole = {"resource": "https://h.example/mcp", "authorization_servers": [ISSUER], **changed}
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


def test_the_resource_is_kept_as_it_was_written() -> None:
    found = read_prm(
        _prm(resource="https://H.example/mcp/", scopes_supported=["a", "b c", "a"]),
        connector=url("https://h.example/mcp"),
        parse=parse_url,
        allow_http=False,
    )

    assert found.resource == "https://H.example/mcp/"
    assert found.scopes == ("a", "b", "c")


def test_metadata_about_another_resource_is_refused_and_both_are_named() -> None:
    with pytest.raises(BadMetadata, match=r"https://other\.example/mcp.*https://h\.example/mcp"):
        read_prm(
            _prm(resource="https://other.example/mcp"),
            connector=url("https://h.example/mcp"),
            parse=parse_url,
            allow_http=False,
        )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>not found</html>",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"resource":' * 50_000,
        b'{"resource": "https://h.example/mcp", "resource": "https://h.example/mcp", "authorization_servers": ["https://as.example.com"]}',
        b'{"resource": NaN}',
        b'{"resource": 1e999, "n": ' + b"9" * 5000 + b"}",
        _prm(resource=None),
        _prm(resource=7),
        _prm(resource="javascript:alert(1)"),
        _prm(resource="https://u:p@h.example/mcp"),
        _prm(authorization_servers=None),
        _prm(authorization_servers=[]),
        _prm(authorization_servers=ISSUER),
        _prm(authorization_servers=[ISSUER, 7]),
        _prm(authorization_servers=[ISSUER] * 1001),
        _prm(scopes_supported="a b"),
        _prm(scopes_supported={"a": 1}),
        _prm(scopes_supported=[["a"]]),
    ],
)
def test_malformed_resource_metadata_is_refused(body: bytes) -> None:
    with pytest.raises(BadMetadata):
        read_prm(body, connector=url("https://h.example/mcp"), parse=parse_url, allow_http=False)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"issuer": None}, "issuer"),
        ({"issuer": "https://other.example"}, "issuer"),
        ({"issuer": "https://as.example.com/t1"}, "issuer"),
        ({"issuer": "https://AS.example.com"}, "issuer"),
        ({"issuer": ["https://as.example.com"]}, "issuer"),
        ({"authorization_endpoint": None}, "authorization_endpoint"),
        ({"authorization_endpoint": "javascript:alert(document.domain)"}, "authorization_endpoint"),
        ({"authorization_endpoint": "JaVaScRiPt:alert(1)//https://as.example.com"}, "authorization_endpoint"),
        ({"authorization_endpoint": "data:text/html,<script>alert(1)</script>"}, "authorization_endpoint"),
        ({"authorization_endpoint": "file:///etc/passwd"}, "authorization_endpoint"),
        ({"authorization_endpoint": "vbscript:x"}, "authorization_endpoint"),
        ({"authorization_endpoint": "http://as.example.com/authorize"}, "authorization_endpoint"),
        ({"authorization_endpoint": "https://as.example.com\\@evil.example/"}, "authorization_endpoint"),
        ({"authorization_endpoint": "https://as.example.com/a#b"}, "authorization_endpoint"),
        ({"authorization_endpoint": "https://as.example.com/\r\nx: y"}, "authorization_endpoint"),
        ({"authorization_endpoint": "x" * 5000}, "authorization_endpoint"),
        ({"authorization_endpoint": {"url": "https://as.example.com"}}, "authorization_endpoint"),
        ({"token_endpoint": None}, "token_endpoint"),
        ({"token_endpoint": "http://as.example.com/token"}, "token_endpoint"),
        ({"token_endpoint": "https://u:p@as.example.com/token"}, "token_endpoint"),
        ({"token_endpoint": 7}, "token_endpoint"),
        ({"registration_endpoint": "ftp://as.example.com/register"}, "registration_endpoint"),
        ({"revocation_endpoint": "//as.example.com/revoke"}, "revocation_endpoint"),
        ({"code_challenge_methods_supported": None}, "code_challenge_methods_supported"),
        ({"code_challenge_methods_supported": []}, "code_challenge_methods_supported"),
        ({"code_challenge_methods_supported": ["plain"]}, "code_challenge_methods_supported"),
        ({"code_challenge_methods_supported": ["s256"]}, "code_challenge_methods_supported"),
        ({"code_challenge_methods_supported": "S256"}, "code_challenge_methods_supported"),
        ({"grant_types_supported": ["client_credentials"]}, "grant_types_supported"),
        ({"response_types_supported": ["token"]}, "response_types_supported"),
        ({"scopes_supported": "a b"}, "scopes_supported"),
        ({"scopes_supported": [1]}, "scopes_supported"),
        ({"client_id_metadata_document_supported": "yes"}, "client_id_metadata_document_supported"),
        ({"authorization_response_iss_parameter_supported": 1}, "authorization_response_iss_parameter_supported"),
    ],
)
def test_metadata_that_is_not_the_issuers_or_not_safe_is_refused(changed: dict[str, Any], field: str) -> None:
    document = {name: value for name, value in {**METADATA, **changed}.items() if value is not None}

    with pytest.raises(BadMetadata) as caught:
        read_as_metadata(json.dumps(document).encode(), issuer=ISSUER, parse=parse_url, allow_http=False)

    assert caught.value.field == field


def test_only_the_slash_of_a_root_issuer_may_differ_and_the_metadatas_spelling_counts() -> None:
    """Google's servers are named with the slash and state themselves without (python-sdk#1919)."""
    google = read_as_document(
        {**METADATA, "issuer": "https://accounts.example.com"},
        issuer="https://accounts.example.com/",
        parse=parse_url,
        allow_http=False,
    )

    assert google.issuer == "https://accounts.example.com"
    assert not is_same_issuer("https://as.example.com/t1", "https://as.example.com/t1/")
    assert not is_same_issuer("", "")
    assert not is_same_issuer("", "/")


@given(
    st.sampled_from(["https://a.example", "https://a.example/", "https://a.example/x", "https://a.example/x/", ""]),
    st.sampled_from(["https://a.example", "https://a.example/", "https://a.example/x", "https://a.example/x/", ""]),
)
def test_issuers_are_compared_as_the_sdk_does(one: str, other: str) -> None:
    if one and other:
        assert is_same_issuer(one, other) == oracle.issuers_match(one, other)


def test_http_is_taken_only_where_it_is_allowed() -> None:
    document = {name: str(value).replace("https:", "http:") for name, value in METADATA.items() if "endpoint" in name}
    document = {**METADATA, **document, "issuer": "http://as.example.com"}

    allowed = read_as_document(document, issuer="http://as.example.com", parse=parse_url, allow_http=True)

    assert allowed.token_endpoint.text == "http://as.example.com/token"
    with pytest.raises(BadMetadata, match="not https"):
        read_as_document(document, issuer="http://as.example.com", parse=parse_url, allow_http=False)


def test_what_is_kept_of_metadata_is_read_again_as_it_was() -> None:
    server = a_server(
        registration_endpoint=f"{ISSUER}/register",
        revocation_endpoint=f"{ISSUER}/revoke",
        scopes_supported=["a", "b"],
        token_endpoint_auth_methods_supported=["none"],
        client_id_metadata_document_supported=True,
        authorization_response_iss_parameter_supported=True,
    )

    kept = json.loads(json.dumps(as_document(server)))

    assert read_as_document(kept, issuer=ISSUER, parse=parse_url, allow_http=False) == server


def test_the_example_of_rfc_8414_is_read() -> None:
    """Section 3.2, with the PKCE methods it leaves out."""
    body = b"""{"issuer":"https://server.example.com",
     "authorization_endpoint":"https://server.example.com/authorize",
     "token_endpoint":"https://server.example.com/token",
     "token_endpoint_auth_methods_supported":["client_secret_basic", "private_key_jwt"],
     "token_endpoint_auth_signing_alg_values_supported":["RS256", "ES256"],
     "userinfo_endpoint":"https://server.example.com/userinfo",
     "jwks_uri":"https://server.example.com/jwks.json",
     "registration_endpoint":"https://server.example.com/register",
     "scopes_supported":["openid", "profile", "email", "address", "phone", "offline_access"],
     "response_types_supported":["code", "code token"],
     "service_documentation":"http://server.example.com/service_documentation.html",
     "ui_locales_supported":["en-US", "en-GB", "en-CA", "fr-FR", "fr-CA"],
     "code_challenge_methods_supported":["S256"]}"""

    server = read_as_metadata(body, issuer="https://server.example.com", parse=parse_url, allow_http=False)

    assert server.token_endpoint.text == "https://server.example.com/token"
    assert server.scopes == ("openid", "profile", "email", "address", "phone", "offline_access")
    assert server.client_auths == ("client_secret_basic", "private_key_jwt")
    assert not server.promises_iss
