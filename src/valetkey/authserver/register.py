"""The registration endpoint (RFC 7591), for clients that have no document: open, counted, and never trusted."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from valetkey.authserver.answers import answer, error_answer, too_many_answer
from valetkey.authserver.form import read_body
from valetkey.authserver.model import NetworkOf, OAuthError
from valetkey.identity.client_documents import LARGEST_REGISTRATION
from valetkey.identity.clients import Clients
from valetkey.identity.model import Client, ClientRefused
from valetkey.kernel.errors import TooMany
from valetkey.kernel.secret import Secret


class RegistrationEndpoint:
    def __init__(self, *, clients: Clients, network: NetworkOf) -> None:
        self._clients = clients
        self._network = network

    async def __call__(self, request: Request) -> Response:
        try:
            body = await read_body(request, content_type="application/json", limit=LARGEST_REGISTRATION)
            client, secret = await self._clients.register_dynamic(body, self._network(request))
        except OAuthError as error:
            return error_answer(OAuthError("invalid_client_metadata", error.message, status=error.status))
        except ClientRefused as error:
            return error_answer(OAuthError(error.error, error.message))
        except TooMany as error:
            return too_many_answer(error)
        return answer(_information(client, secret), status=201)


def _information(client: Client, secret: Secret | None) -> dict[str, object]:
    """RFC 7591 3.2.1: what was registered, which may be less than what was asked for."""
    information: dict[str, object] = {
        "client_id": client.id,
        "client_id_issued_at": int(client.created_at.timestamp()),
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": client.auth_method,
        "scope": "mcp",
    }
    if secret is not None:
        # Revealed to its owner, this once.
        information |= {"client_secret": secret.reveal().decode(), "client_secret_expires_at": 0}
    return information
