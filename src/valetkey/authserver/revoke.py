"""The revocation endpoint (RFC 7009): a client gives back a token. A refresh token takes its whole family with it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from valetkey.authserver.answers import answer, error_answer, too_many_answer
from valetkey.authserver.client_authentication import authenticate_client, tries_basic
from valetkey.authserver.form import read_form
from valetkey.authserver.model import NetworkOf, OAuthError
from valetkey.authserver.throttle import Throttle
from valetkey.identity.clients import Clients
from valetkey.identity.families import Families
from valetkey.identity.model import GrantRefused
from valetkey.kernel.errors import TooMany
from valetkey.kernel.secret import Secret


class RevocationEndpoint:
    def __init__(self, *, clients: Clients, families: Families, throttle: Throttle, network: NetworkOf) -> None:
        self._clients = clients
        self._families = families
        self._throttle = throttle
        self._network = network

    async def __call__(self, request: Request) -> Response:
        try:
            self._throttle.knock(self._network(request))
            form = await read_form(request)
            client = await authenticate_client(request, form, self._clients)
            if "token" not in form:
                raise OAuthError("invalid_request", "token is missing.")
            # token_type_hint only speeds a search up; ours needs none (RFC 7009 2.1).
            await self._families.revoke(Secret(form["token"]), client=client)
        except OAuthError as error:
            return error_answer(error, basic=tries_basic(request))
        except GrantRefused as error:
            return error_answer(OAuthError("unauthorized_client", error.message))
        except TooMany as error:
            return too_many_answer(error)
        return answer({})
