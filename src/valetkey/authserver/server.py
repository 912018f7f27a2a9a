"""The authorization server as one thing: given what it needs from the rooms below and from the pages, its routes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from valetkey.audit.asked import asking
from valetkey.authserver.authorize import Authorize
from valetkey.authserver.consent import ACTION
from valetkey.authserver.metadata import Metadata
from valetkey.authserver.model import (
    CheckCsrf,
    CimdWorks,
    NetworkOf,
    RenderConsent,
    RenderProblem,
    SignedIn,
    ToSignIn,
)
from valetkey.authserver.register import RegistrationEndpoint
from valetkey.authserver.revoke import RevocationEndpoint
from valetkey.authserver.throttle import Throttle
from valetkey.authserver.token import TokenEndpoint
from valetkey.identity.clients import Clients
from valetkey.identity.consents import Consents
from valetkey.identity.families import Families
from valetkey.kernel.clock import Clock

_AUTHORIZATIONS_PER_MINUTE = 120
_TOKEN_REQUESTS_PER_MINUTE = 600

_WELL_KNOWN = "/.well-known"


def peer_of(request: Request) -> str:
    """The address the request came from, as the server below says it; behind a proxy it is told by that one."""
    return request.client.host if request.client else ""


class _Route(Route):
    """A path of this door: what is written down in answering it was asked from where the request came."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        with asking(scope):
            await super().handle(scope, receive, send)


class AuthServer:
    """The door for OAuth clients. The pages hand in what is theirs: sessions, forms, consent, problems."""

    def __init__(
        self,
        *,
        public_url: str,
        clients: Clients,
        consents: Consents,
        families: Families,
        clock: Clock,
        cimd_works: CimdWorks,
        signed_in: SignedIn,
        check_csrf: CheckCsrf,
        to_sign_in: ToSignIn,
        render_consent: RenderConsent,
        render_problem: RenderProblem,
        network: NetworkOf = peer_of,
    ) -> None:
        self._metadata = Metadata(public_url=public_url, cimd_works=lambda: clients.has_pinned or cimd_works())
        self._authorize = Authorize(
            public_url=public_url,
            clients=clients,
            consents=consents,
            families=families,
            throttle=Throttle(clock=clock, per_minute=_AUTHORIZATIONS_PER_MINUTE),
            network=network,
            signed_in=signed_in,
            check_csrf=check_csrf,
            to_sign_in=to_sign_in,
            render_consent=render_consent,
            render_problem=render_problem,
        )
        throttle = Throttle(clock=clock, per_minute=_TOKEN_REQUESTS_PER_MINUTE)
        self._token = TokenEndpoint(
            public_url=public_url, clients=clients, families=families, throttle=throttle, network=network
        )
        self._revoke = RevocationEndpoint(clients=clients, families=families, throttle=throttle, network=network)
        self._register = RegistrationEndpoint(clients=clients, network=network)

    def routes(self) -> list[Route]:
        """Every path of this door."""
        metadata = self._metadata
        documents = {
            "oauth-authorization-server": metadata.authorization_server,
            "openid-configuration": metadata.authorization_server,
            "oauth-protected-resource": metadata.protected_resource,
        }
        return [
            *(
                _Route(f"{_WELL_KNOWN}/{name}{rest}", endpoint, methods=["GET"])
                for name, endpoint in documents.items()
                for rest in ("", "/{path:path}")
            ),
            _Route(ACTION, self._authorize.ask, methods=["GET"]),
            _Route(ACTION, self._authorize.decide, methods=["POST"]),
            _Route("/oauth/token", self._token.__call__, methods=["POST"]),
            _Route("/oauth/register", self._register.__call__, methods=["POST"]),
            _Route("/oauth/revoke", self._revoke.__call__, methods=["POST"]),
        ]
