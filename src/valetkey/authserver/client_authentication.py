"""Which client is asking at the token endpoint: by its bare id, or by the secret it registered with."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_plus

from starlette.requests import Request

from valetkey.authserver.form import Parameters
from valetkey.authserver.model import OAuthError
from valetkey.identity.clients import Clients
from valetkey.identity.model import Client, ClientRefused
from valetkey.kernel.secret import Secret


def tries_basic(request: Request) -> bool:
    """Whether the client tried HTTP Basic, and so wants that challenged."""
    return request.headers.get("authorization", "")[:6].lower() == "basic "


async def authenticate_client(request: Request, form: Parameters, clients: Clients) -> Client:
    """RFC 6749 2.3 and 3.2.1. Raises `OAuthError` (`invalid_client`, or `invalid_request` for two ways at once).

    Either way of sending the secret will do for a client that has one; a client that has none must not send one.
    """
    client_id, secret = form.get("client_id", ""), Secret(form.get("client_secret", ""))
    if "authorization" in request.headers:
        if secret:
            raise OAuthError("invalid_request", "The client authenticates in two ways at once.")
        basic_id, secret = _read_basic(request.headers["authorization"])
        if client_id not in ("", basic_id):
            raise OAuthError("invalid_request", "The client sends two client ids.")
        client_id = basic_id
    if not client_id:
        raise _refused("The client did not say who it is.")
    try:
        client = await clients.known(client_id)
    except ClientRefused as error:
        raise _refused(error.message) from error
    if client.auth_method == "none":
        if secret:
            raise _refused("The client registered without a secret, and sends one.")
    elif not clients.is_secret_of(client, secret):
        raise _refused("The client's secret is missing or wrong.")
    return client


def _read_basic(header: str) -> tuple[str, Secret]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise _refused("The only Authorization at this endpoint is Basic.")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise _refused("The Authorization header cannot be read.") from error
    client_id, colon, secret = decoded.partition(":")
    if not colon:
        raise _refused("The Authorization header cannot be read.")
    # RFC 6749 2.3.1: both parts are form-encoded before they are joined.
    return unquote_plus(client_id), Secret(unquote_plus(secret))


def _refused(message: str) -> OAuthError:
    return OAuthError("invalid_client", message, status=401)
