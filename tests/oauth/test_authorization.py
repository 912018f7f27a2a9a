"""Sending a person off, and reading what they come back with."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.utils import validate_authorization_response_iss
from mcp.shared.auth import OAuthMetadata

from tests.oauth.urls import ISSUER, METADATA, a_server
from valetkey.kernel.errors import BadInput
from valetkey.kernel.secret import Secret
from valetkey.oauth import pkce
from valetkey.oauth.authorization import (
    Approved,
    Declined,
    authorization_url,
    parameters_of,
    read_callback,
    state_of,
)
from valetkey.oauth.model import AuthorizationServer, BadMetadata, MixedUp


def _sent(server: AuthorizationServer, *, scope: str = "a b") -> str:
    return authorization_url(
        server,
        client_id="https://hub.example.com/oauth/client/0.json",
        redirect_uri="https://hub.example.com/oauth/callback/0",
        state=Secret("the-state"),
        code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        resource="https://h.example/mcp",
        scope=scope,
    )


def test_the_proof_key_of_rfc_7636_appendix_b_gives_its_challenge() -> None:
    assert (
        pkce.challenge(Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))
        == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_a_new_verifier_is_long_random_and_made_of_allowed_characters() -> None:
    one, other = pkce.new_verifier(), pkce.new_verifier()

    assert one != other
    assert 43 <= len(one) <= 128
    assert all(chr(byte).isalnum() or chr(byte) in "-._~" for byte in one.reveal())


def test_the_way_there_carries_everything_once_and_encoded() -> None:
    sent = urlsplit(_sent(a_server()))

    assert f"{sent.scheme}://{sent.netloc}{sent.path}" == f"{ISSUER}/authorize"
    assert "scope=a%20b" in sent.query
    assert parse_qsl(sent.query) == [
        ("response_type", "code"),
        ("client_id", "https://hub.example.com/oauth/client/0.json"),
        ("redirect_uri", "https://hub.example.com/oauth/callback/0"),
        ("state", "the-state"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("resource", "https://h.example/mcp"),
        ("scope", "a b"),
    ]


def test_without_scopes_there_is_no_scope_parameter_and_offline_access_asks_for_consent() -> None:
    without = dict(parse_qsl(urlsplit(_sent(a_server(), scope="")).query, keep_blank_values=True))
    offline = dict(parse_qsl(urlsplit(_sent(a_server(), scope="a offline_access")).query))

    assert "scope" not in without
    assert "prompt" not in without
    assert offline["prompt"] == "consent"


def test_an_endpoints_own_query_is_kept_but_may_not_hold_our_parameters() -> None:
    kept = _sent(a_server(authorization_endpoint=f"{ISSUER}/authorize?policy=b2c"))
    hostile = a_server(authorization_endpoint=f"{ISSUER}/authorize?redirect_uri=https://evil.example/")

    assert kept.startswith(f"{ISSUER}/authorize?policy=b2c&response_type=code&")
    with pytest.raises(BadMetadata, match="redirect_uri"):
        _sent(hostile)


@pytest.mark.parametrize("promises", [True, False])
@pytest.mark.parametrize("named", [None, ISSUER, f"{ISSUER}/", "https://evil.example", ""])
@pytest.mark.parametrize("answer", [{"code": "c"}, {"error": "access_denied", "error_description": "CANARY"}])
def test_an_answer_is_believed_as_rfc_9207_says(promises: bool, named: str | None, answer: dict[str, str]) -> None:
    """The table of section 2.4, for codes and errors alike. The SDK decides the same."""
    parameters = {**answer, "state": "s", **({"iss": named} if named is not None else {})}
    metadata = OAuthMetadata.model_validate({**METADATA, "authorization_response_iss_parameter_supported": promises})

    if named == ISSUER or (named is None and not promises):
        read = read_callback(parameters, issuer=ISSUER, promises_iss=promises)
        validate_authorization_response_iss(named, metadata)

        assert isinstance(read, Approved if "code" in answer else Declined)
    else:
        with pytest.raises(MixedUp) as caught:
            read_callback(parameters, issuer=ISSUER, promises_iss=promises)
        with pytest.raises(OAuthFlowError):
            validate_authorization_response_iss(named, metadata)

        assert not any(word in str(caught.value) for word in ("evil", "CANARY", "access_denied"))


def test_a_servers_words_come_bounded_and_without_control_characters() -> None:
    answer = {"error": "access_denied\x1b[31m", "error_description": "x" * 5000 + "\u202e"}

    read = read_callback(answer, issuer=ISSUER, promises_iss=False)

    assert isinstance(read, Declined)
    assert read.error == "access_denied�[31m"
    assert len(read.description) <= 201


def test_a_parameter_that_comes_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="twice"):
        parameters_of([("state", "a"), ("code", "b"), ("code", "c")])
    with pytest.raises(BadInput, match="longer"):
        parameters_of({"code": "x" * 5000})
    with pytest.raises(BadInput, match="no state"):
        state_of({"code": "x"})
    with pytest.raises(BadInput, match="no authorization code"):
        read_callback({"state": "x"}, issuer=ISSUER, promises_iss=False)


def test_neither_code_nor_state_shows_itself() -> None:
    read = read_callback({"code": "CANARY"}, issuer=ISSUER, promises_iss=False)

    assert "CANARY" not in repr(read)
    assert "CANARY" not in repr(state_of({"state": "CANARY"}))
