"""Registering ourselves as a client (RFC 7591), and checking what we were registered as."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from valetkey.kernel.errors import printable
from valetkey.kernel.secret import Secret
from valetkey.oauth.client_document import GRANT_TYPES, authentication
from valetkey.oauth.document import read_object, text_of, texts_of
from valetkey.oauth.model import (
    CLIENT_AUTHS,
    AuthorizationServer,
    BadMetadata,
    Client,
    ClientAuth,
    RegistrationRefused,
)

_LONGEST_ID = 2048


@dataclass(frozen=True, slots=True)
class Registered:
    """Who we are at the server from now on, and where and with what the registration itself is managed."""

    client: Client
    management_uri: str
    management_token: Secret | None


def preferred_auth(offered: tuple[str, ...], *, can_sign: bool) -> ClientAuth:
    """The method to ask for, of those the server offers; a secret rather than none, since we can keep one.

    `can_sign` is whether the server takes signatures that we can make.

    A server that offers none in its metadata means `client_secret_basic` (RFC 8414 2). Raises `RegistrationRefused`
    when it offers only methods that we do not speak.
    """
    if not offered:
        return "client_secret_basic"
    for auth in CLIENT_AUTHS:
        if auth in offered and (can_sign or auth != "private_key_jwt"):
            return auth
    raise RegistrationRefused(
        f"The authorization server takes none of the ways we can prove who we are ({printable(', '.join(offered))})."
    )


def registration_request(
    *, name: str, home: str, redirect_uri: str, auth: ClientAuth, key: Mapping[str, Any] | None
) -> bytes:
    """The JSON body of a registration. `key` is our public key there, for `private_key_jwt`.

    `application_type` is `web`, but `native` for a hub on a person's own machine: OpenID Connect registers plain http
    callbacks on localhost for native clients only.
    """
    return json.dumps(
        {
            "client_name": name,
            "client_uri": home,
            "redirect_uris": [redirect_uri],
            "grant_types": GRANT_TYPES,
            "response_types": ["code"],
            **(authentication(key) if key is not None else {"token_endpoint_auth_method": auth}),
            "application_type": "web" if redirect_uri.startswith("https://") else "native",
        }
    ).encode()


def read_registration(status: int, body: bytes, *, redirect_uri: str, asked: ClientAuth) -> Registered:
    """Who we are now. The server may have substituted what was asked for (RFC 7591 3.2.1): what came back counts.

    Raises `RegistrationRefused`.
    """
    try:
        document = read_object(body)
        if status not in (200, 201):
            error, description = text_of(document, "error"), text_of(document, "error_description")
            words = printable(f"{error}: {description}" if description else error)
            raise RegistrationRefused(f"The authorization server did not register us ({words or f'HTTP {status}'}).")
        client_id = text_of(document, "client_id")
        auth = text_of(document, "token_endpoint_auth_method") or asked
        secret = text_of(document, "client_secret")
        redirects = texts_of(document, "redirect_uris")
        management_uri = text_of(document, "registration_client_uri")
        management_token = text_of(document, "registration_access_token")
    except BadMetadata as error:
        if status not in (200, 201):
            raise RegistrationRefused(f"The authorization server did not register us (HTTP {status}).") from error
        raise RegistrationRefused(f"The registration cannot be read: {error.message}") from error
    if not 1 <= len(client_id) <= _LONGEST_ID or not client_id.isprintable() or not client_id.isascii():
        raise RegistrationRefused("The registration has no usable client id.")
    if redirects and redirect_uri not in redirects:
        raise RegistrationRefused("The authorization server registered another callback than ours.")
    spoken = next((known for known in CLIENT_AUTHS if known == auth), None)
    if spoken is None:
        raise RegistrationRefused(f"We were registered to use {printable(auth)}, which we do not speak.")
    if spoken == "private_key_jwt" and asked != spoken:
        raise RegistrationRefused("We were registered to sign with a key, and gave none.")
    if spoken.startswith("client_secret") and not secret:
        raise RegistrationRefused(f"We were registered to use {spoken}, and given no secret.")
    return Registered(
        Client(client_id, spoken, Secret(secret) if spoken.startswith("client_secret") else None),
        management_uri,
        Secret(management_token) if management_token else None,
    )


def secret_auth(server: AuthorizationServer) -> ClientAuth:
    """How a typed secret is sent: as the server prefers, by header where it does not say (RFC 8414 2)."""
    post_only = "client_secret_post" in server.client_auths and "client_secret_basic" not in server.client_auths
    return "client_secret_post" if post_only else "client_secret_basic"
