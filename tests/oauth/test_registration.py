"""Becoming a client: what we ask to be, and what we take for an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp.shared.auth import OAuthClientMetadata

from valetkey.kernel.secret import Secret
from valetkey.oauth.client_document import client_document
from valetkey.oauth.model import ClientAuth, RegistrationRefused
from valetkey.oauth.registration import preferred_auth, read_registration, registration_request

CALLBACK = "https://hub.example.com/oauth/callback/0123456789abcdef"


def test_we_ask_to_be_a_web_client_with_one_callback_that_may_refresh() -> None:
    body = registration_request(
        name="Valetkey", home="https://hub.example.com", redirect_uri=CALLBACK, auth="client_secret_basic", key=None
    )

    asked = json.loads(body)

    assert asked["redirect_uris"] == [CALLBACK]
    assert asked["grant_types"] == ["authorization_code", "refresh_token"]
    assert asked["application_type"] == "web"
    OAuthClientMetadata.model_validate(asked)


def test_a_hub_on_a_persons_own_machine_is_a_native_client() -> None:
    body = registration_request(
        name="Valetkey", home="http://localhost:8484", redirect_uri="http://localhost:8484/cb", auth="none", key=None
    )

    assert json.loads(body)["application_type"] == "native"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ((), "client_secret_basic"),
        (("none",), "none"),
        (("none", "client_secret_post"), "client_secret_post"),
        (("private_key_jwt", "client_secret_basic", "none"), "client_secret_basic"),
        (("none", "private_key_jwt"), "private_key_jwt"),
    ],
)
def test_we_would_rather_prove_who_we_are(offered: tuple[str, ...], chosen: ClientAuth) -> None:
    assert preferred_auth(offered, can_sign=True) == chosen


def test_a_server_that_offers_only_what_we_do_not_speak_is_told_so() -> None:
    with pytest.raises(RegistrationRefused, match="private_key_jwt"):
        preferred_auth(("private_key_jwt", "tls_client_auth"), can_sign=False)


def _read(status: int = 201, asked: ClientAuth = "client_secret_basic", **document: Any) -> Any:
    return read_registration(status, json.dumps(document).encode(), redirect_uri=CALLBACK, asked=asked)


def test_what_came_back_counts_not_what_was_asked() -> None:
    substituted = _read(client_id="c", token_endpoint_auth_method="client_secret_post", client_secret="s")
    public = _read(client_id="c", token_endpoint_auth_method="none", client_secret="s")
    silent = _read(client_id="c", client_secret="s")

    assert (substituted.client.auth, substituted.client.secret) == ("client_secret_post", Secret("s"))
    assert (public.client.auth, public.client.secret) == ("none", None)
    assert silent.client.auth == "client_secret_basic"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"client_id": ""},
        {"client_id": 7},
        {"client_id": "x" * 3000},
        {"client_id": "a\nb", "token_endpoint_auth_method": "none"},
        {"client_id": "c"},
        {"client_id": "c", "client_secret": ""},
        {"client_id": "c", "client_secret": ["s"]},
        {"client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "private_key_jwt"},
        {"client_id": "c", "client_secret": "s", "redirect_uris": ["https://evil.example/cb"]},
    ],
)
def test_a_registration_we_cannot_work_with_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(RegistrationRefused):
        _read(**document)


def test_a_refusal_is_told_in_the_servers_words_bounded() -> None:
    with pytest.raises(RegistrationRefused, match="invalid_redirect_uri: not \\*here\\*"):
        _read(400, error="invalid_redirect_uri", error_description="not *here*")
    with pytest.raises(RegistrationRefused, match="HTTP 404"):
        read_registration(404, b"<html>", redirect_uri=CALLBACK, asked="none")
    with pytest.raises(RegistrationRefused) as caught:
        _read(400, error="x" * 3000)
    assert len(caught.value.message) < 300


def test_our_document_names_its_own_address_and_one_callback() -> None:
    address = "https://hub.example.com/oauth/client/0123456789abcdef.json"

    document = client_document(
        client_id=address, name="Valetkey", home="https://hub.example.com", redirect_uri=CALLBACK, key=None
    )

    assert document["client_id"] == address
    assert document["redirect_uris"] == [CALLBACK]
    assert document["token_endpoint_auth_method"] == "none"
    OAuthClientMetadata.model_validate(document)
