"""The token endpoint: authenticates the client, hands over to the grant, answers so that nothing keeps the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from valetkey.authserver.answers import answer, error_answer, too_many_answer
from valetkey.authserver.client_authentication import authenticate_client, tries_basic
from valetkey.authserver.form import read_form
from valetkey.authserver.grants import authorization_code, refresh_token
from valetkey.authserver.model import NetworkOf, OAuthError
from valetkey.authserver.throttle import Throttle
from valetkey.identity.clients import Clients
from valetkey.identity.families import Families
from valetkey.identity.model import GrantRefused, Issued
from valetkey.kernel.errors import TooMany

_GRANTS: Mapping[str, Callable[..., Awaitable[Issued]]] = {
    "authorization_code": authorization_code.exchange,
    "refresh_token": refresh_token.exchange,
}


class TokenEndpoint:
    def __init__(
        self, *, public_url: str, clients: Clients, families: Families, throttle: Throttle, network: NetworkOf
    ) -> None:
        self._public_url = public_url
        self._clients = clients
        self._families = families
        self._throttle = throttle
        self._network = network

    async def __call__(self, request: Request) -> Response:
        try:
            self._throttle.knock(self._network(request))
            form = await read_form(request)
            client = await authenticate_client(request, form, self._clients)
            grant_type = form.get("grant_type")
            if grant_type is None:
                raise OAuthError("invalid_request", "grant_type is missing.")
            if grant_type not in _GRANTS:
                raise OAuthError("unsupported_grant_type", "The grants are authorization_code and refresh_token.")
            issued = await _GRANTS[grant_type](form, client, self._families, public_url=self._public_url)
        except OAuthError as error:
            return error_answer(error, basic=tries_basic(request))
        except GrantRefused as error:
            return error_answer(OAuthError(error.error, error.message))
        except TooMany as error:
            return too_many_answer(error)
        return answer(
            {
                # Revealed to their owner: this answer is what the tokens are made for, and nothing keeps it.
                "access_token": issued.access.reveal().decode(),
                "token_type": "Bearer",
                "expires_in": issued.expires_in,
                "refresh_token": issued.refresh.reveal().decode(),
                "scope": issued.scope,
            }
        )
