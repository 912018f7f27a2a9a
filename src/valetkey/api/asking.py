"""Who is asking, and may they use this route: a personal token for `/api/v1`, or the operator on the control socket.

The operator is known by the server that accepted the connection, which marks the request's scope with an object of this
process. Nothing that can be written into a request makes one.
"""

from __future__ import annotations

import contextlib
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from valetkey.api.problems import ScopeMissing, answer_invalid_token, answer_to
from valetkey.api.services import Services
from valetkey.audit.asked import asking
from valetkey.audit.refusals import Refusals, Told
from valetkey.identity.acting import acting_as
from valetkey.identity.model import Person, Principal, Role
from valetkey.identity.roles import Act, may
from valetkey.identity.scopes import OWN_CONTENT as OWN_CONTENT
from valetkey.identity.scopes import Scope as Scope
from valetkey.kernel.errors import BadInput, Forbidden, NotFound, NotSignedIn, ValetkeyError
from valetkey.store.acting import on_behalf_of

AUDIENCE = "/api/v1"
ANYBODY_MAY = frozenset({"/health", "/openapi.json"})

_EXTENSION = "valetkey.operator"
_MARK: Final = object()
_STATE = "valetkey.principal"
_SAFE = ("GET", "HEAD", "OPTIONS")
_PERSON_ID = "person_"

OPERATOR: Final = Principal(
    kind="operator",
    person_id="",
    organization_id="",
    role=Role.MEMBER,
    client_id="",
    client_name="control socket",
    audience=AUDIENCE,
    scopes=frozenset(),
    credential_id="",
)


def as_operator(app: ASGIApp) -> ASGIApp:
    """`app` for requests that were accepted on the control socket."""

    async def marked(scope: AsgiScope, receive: Receive, send: Send) -> None:
        await app({**scope, "extensions": {**scope.get("extensions", {}), _EXTENSION: _MARK}}, receive, send)

    return marked


class Authenticated:
    """The door in front of every route: without a valid token, or the control socket, nothing is even routed."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _path(scope) in ANYBODY_MAY:
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if not given and scope.get("extensions", {}).get(_EXTENSION) is _MARK:
            principal = OPERATOR
        elif not given:
            await answer_to(
                NotSignedIn("This needs a token.", hint="Send `Authorization: Bearer vkt_…`, made for /api/v1.")
            )(scope, receive, send)
            return
        else:
            try:
                principal = await self._present(given)
            except NotSignedIn:
                await answer_invalid_token()(scope, receive, send)
                return
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state[_STATE] = principal
        with on_behalf_of(acting_as(principal)), asking(scope, token=principal.credential_id):
            await self._app(scope, receive, send)

    async def _present(self, given: list[bytes]) -> Principal:
        scheme, _, token = given[0].partition(b" ")
        if len(given) != 1 or scheme.lower() != b"bearer" or not token:
            raise NotSignedIn("One bearer token is expected.")
        principal = await self._services.tokens.authenticate(token.strip(), audience=AUDIENCE)
        if principal.kind != "personal":
            raise NotSignedIn("Only personal tokens are taken here.")
        return principal


def _path(scope: AsgiScope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def principal_in(scope: AsgiScope) -> Principal | None:
    """Who is asking; `None` where anybody may."""
    found: Principal | None = scope.get("state", {}).get(_STATE)
    return found


def principal_of(request: Request) -> Principal:
    """Who is asking; `Authenticated` has let them in."""
    principal: Principal = getattr(request.state, _STATE)
    return principal


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


@dataclass(frozen=True, slots=True)
class Needs:
    """A route's demand. A token must have `scope`; the operator passes only where `operator` is said."""

    scope: Scope
    operator: bool = False

    def __call__(self, request: Request) -> Principal:
        principal = principal_of(request)
        if principal.kind == "operator":
            if not self.operator:
                raise Forbidden(
                    "This needs the person's own token.",
                    hint="Set VALETKEY_TOKEN to one made for /api/v1; being on the host is not enough.",
                )
        elif self.scope not in principal.scopes:
            raise ScopeMissing(self.scope)
        return principal


@dataclass(frozen=True, slots=True)
class OnlyOperator:
    """A demand that no token meets: what is done to the hub, on its host."""

    def __call__(self, request: Request) -> Principal:
        return self.demand(principal_of(request))

    def demand(self, principal: Principal) -> Principal:
        """Raises `Forbidden`."""
        if principal.kind != "operator":
            raise Forbidden("This is done on the hub's host only, through its control socket.")
        return principal


def demand_act(principal: Principal, act: Act) -> None:
    """The operator may; a person only in a role that allows `act`. Raises `Forbidden`."""
    if principal.kind != "operator" and not may(principal.role, act):
        raise Forbidden("Your role in the organization does not allow this.")


async def find_person(services: Services, name: str) -> Person:
    """The person with this id or login. Raises `NotFound`."""
    # Ids first: nobody gets to be meant by choosing somebody else's id for a login.
    if name.startswith(_PERSON_ID):
        with contextlib.suppress(NotFound):
            return await services.people.get(name)
    found = await services.people.find(name)
    if found is None:
        raise NotFound("There is no such person.", hint="`valetkey user list` shows those there are.")
    return found


PersonQuery = Annotated[
    str, Query(description="Login or id. The operator says whose; a token speaks for its own person.", max_length=254)
]


async def whose(
    request: Request,
    person: PersonQuery = "",
) -> Person:
    """The person whose things are meant: the token's own, or the one the operator names."""
    principal, services = principal_of(request), services_of(request)
    if principal.kind == "operator":
        if not person:
            raise BadInput("Say whose.", field="person", hint="Give a login: --user LOGIN, or ?person=LOGIN.")
        return await find_person(services, person)
    own = await services.people.get(principal.person_id)
    if person and person not in (own.id, own.login):
        raise Forbidden("A token speaks for its own person only.")
    return own


def actor_of(principal: Principal) -> str:
    """Who did it, as the trail writes it."""
    return "operator" if principal.kind == "operator" else f"person:{principal.person_id}"


async def on_valetkey_error(request: Request, error: Exception) -> Response:
    """The answer; that somebody tried to change what they may not is written down before it (ORG-12)."""
    assert isinstance(error, ValetkeyError)
    who, route = principal_in(request.scope), request.scope.get("route")
    is_news = isinstance(error, Forbidden) and not isinstance(error, Told)
    if is_news and request.method not in _SAFE and who and route:
        refusals: Refusals = request.app.state.refusals
        await refusals.tell(
            f"{request.method} {AUDIENCE}{route.path}", actor=actor_of(who), organization_id=who.organization_id,
            person_id=who.person_id, because=error.code,
        )  # fmt: skip
    return answer_to(error)


Rooms = Annotated[Services, Depends(services_of)]
Whose = Annotated[Person, Depends(whose)]
