"""SCIM as one ASGI app, to be mounted at `/scim/v2`: behind it is a provisioning token's organization, nothing else.

Deactivating somebody ends at once what acts for them here, on every replica: sessions, assistants, tokens, connections.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from pydantic import ValidationError
from scim2_models import (
    Context,
    Error,
    ListResponse,
    PatchOp,
    ResourceType,
    ResponseParameters,
    Schema,
    SCIMException,
    SearchRequest,
    ServiceProviderConfig,
)
from scim2_models import Resource as ScimResource
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from valetkey.api.problems import status_of
from valetkey.api.scim.bodies import as_standard_says, read_body
from valetkey.api.scim.groups import GroupDesk
from valetkey.api.scim.people import PeopleDesk
from valetkey.api.scim.resources import MOST, POLICY, PROVIDER, GroupOfUsers, User
from valetkey.api.services import Services
from valetkey.audit.asked import asking
from valetkey.identity.provisioning.model import ProvisioningToken
from valetkey.kernel.errors import Conflict, NotSignedIn, ValetkeyError
from valetkey.kernel.secret import Secret

MEDIA_TYPE = "application/scim+json"
_TOKEN = "vkp_"  # noqa: S105 – what one begins with

Handler = Callable[[Request, ProvisioningToken], Awaitable[Response]]
Desk = PeopleDesk | GroupDesk


class ScimDoor:
    """The door: bounds the body, and turns whatever goes wrong into a SCIM error (RFC 7644 3.12)."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._app = Starlette(routes=list(self._routes()))
        self._app.router.redirect_slashes = False
        self._app.add_exception_handler(HTTPException, _on_http_exception)
        self._app.add_exception_handler(Exception, _on_failure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with asking(scope):
                await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 – the outermost door; `_on_failure` has answered already
            structlog.get_logger(__name__).error("a SCIM request failed", error=type(error).__name__)

    def _routes(self) -> list[Route]:
        people, groups = PeopleDesk(self._services), GroupDesk(self._services)
        return [
            Route("/ServiceProviderConfig", self._guarded(_show_config), methods=["GET"]),
            Route("/ResourceTypes", self._guarded(_list_types), methods=["GET"]),
            Route("/ResourceTypes/{resource_id}", self._guarded(_show_type), methods=["GET"]),
            Route("/Schemas", self._guarded(_list_schemas), methods=["GET"]),
            Route("/Schemas/{resource_id}", self._guarded(_show_schema), methods=["GET"]),
            Route("/.search", self._guarded(_SearchingAll(people, groups)), methods=["POST"]),
            *self._resources("/Users", people),
            *self._resources("/Groups", groups),
        ]

    def _resources(self, path: str, desk: Desk) -> list[Route]:
        by_method: dict[str, dict[str, Handler]] = {
            path: {"GET": _Listing(desk), "POST": _Creating(desk)},
            path + "/.search": {"POST": _Searching(desk)},
            path + "/{resource_id}": {
                "GET": _Showing(desk),
                "PUT": _Replacing(desk),
                "PATCH": _Patching(desk),
                "DELETE": _Removing(desk),
            },
        }
        return [
            Route(place, self._guarded(handler), methods=[method])
            for place, handlers in by_method.items()
            for method, handler in handlers.items()
        ]

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            try:
                token = await self._authenticated(request)
                with POLICY:
                    return await handler(request, token)
            except SCIMException as error:
                if isinstance(error.__cause__, ValidationError):  # whose own words are for who programs
                    return _answer(Error.from_validation_error(error.__cause__.errors()[0]), error.status)
                return _answer(error.to_error(), error.status)
            except ValidationError as error:
                return _answer(Error.from_validation_error(error.errors()[0]), 400)
            except NotSignedIn as error:
                answer = _refusal(401, error.message)
                answer.headers["www-authenticate"] = 'Bearer realm="valetkey"'
                return answer
            except ValetkeyError as error:
                kind = "uniqueness" if isinstance(error, Conflict) else "invalidValue"
                status = status_of(error)
                return _refusal(status, str(error), kind if status in (400, 409) else "")

        return guarded

    async def _authenticated(self, request: Request) -> ProvisioningToken:
        given = request.headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token.startswith(_TOKEN) or len(token) > 100:
            raise NotSignedIn("This needs one provisioning token (`Authorization: Bearer vkp_…`).")
        return await self._services.provisioning.tokens.authenticate(Secret(token.strip()))


# --- what a service says of itself ------------------------------------------------------------------------------------


async def _show_config(request: Request, _token: ProvisioningToken) -> Response:
    assert PROVIDER.config is not None  # it was given
    config: ServiceProviderConfig = PROVIDER.config
    return _shown(config, 200, Context.RESOURCE_QUERY_RESPONSE)


async def _list_types(request: Request, _token: ProvisioningToken) -> Response:
    _no_filter(request)
    return _listed(ListResponse[ResourceType], list(PROVIDER.resource_types), len(PROVIDER.resource_types), 1)


async def _show_type(request: Request, _token: ProvisioningToken) -> Response:
    found = next((one for one in PROVIDER.resource_types if one.id == request.path_params["resource_id"]), None)
    return _shown(found, 200, Context.RESOURCE_QUERY_RESPONSE) if found else _refusal(404, "There is no such type.")


async def _list_schemas(request: Request, _token: ProvisioningToken) -> Response:
    _no_filter(request)
    return _listed(ListResponse[Schema], list(PROVIDER.schemas), len(PROVIDER.schemas), 1)


async def _show_schema(request: Request, _token: ProvisioningToken) -> Response:
    found = next((one for one in PROVIDER.schemas if one.id == request.path_params["resource_id"]), None)
    return _shown(found, 200, Context.RESOURCE_QUERY_RESPONSE) if found else _refusal(404, "There is no such schema.")


def _no_filter(request: Request) -> None:
    if "filter" in request.query_params:
        raise HTTPException(403)  # RFC 7644 4: lest a client takes the whole for what it filtered by


# --- users and groups -------------------------------------------------------------------------------------------------


class _Listing:
    """GET of all, filtered and page by page (RFC 7644 3.4.2)."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, request: Request, token: ProvisioningToken) -> Response:
        return await self._answer(request, token, dict(request.query_params))

    async def _answer(self, request: Request, token: ProvisioningToken, given: dict[str, Any]) -> Response:
        search: Any = SearchRequest[self._desk.model].model_validate(given)  # type: ignore[name-defined]  # one of two
        found = await self._desk.list(token, base_of(request))
        return _searched(ListResponse[self._desk.model], search, list(found))  # type: ignore[name-defined]  # as above


class _Searching(_Listing):
    """The same, asked for in a body: for what is not to stand in an address (RFC 7644 3.4.3)."""

    async def __call__(self, request: Request, token: ProvisioningToken) -> Response:
        return await self._answer(request, token, await read_body(request))


class _SearchingAll:
    """Users and groups at once."""

    def __init__(self, people: PeopleDesk, groups: GroupDesk) -> None:
        self._people = people
        self._groups = groups

    async def __call__(self, request: Request, token: ProvisioningToken) -> Response:
        search = SearchRequest[User | GroupOfUsers].model_validate(await read_body(request))
        found = [*await self._people.list(token, base_of(request)), *await self._groups.list(token, base_of(request))]
        return _searched(ListResponse[User | GroupOfUsers], search, found)


class _Creating:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, request: Request, token: ProvisioningToken) -> Response:
        given = self._desk.model.model_validate(await read_body(request), scim_ctx=Context.RESOURCE_CREATION_REQUEST)
        made = await self._desk.create(token, given, base_of(request))  # type: ignore[arg-type]  # as its own model
        answer = _shown(made, 201, Context.RESOURCE_CREATION_RESPONSE, _wanted(request, self._desk))
        answer.headers["location"] = str(made.meta.location) if made.meta else ""
        return answer


class _Showing:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, request: Request, token: ProvisioningToken) -> Response:
        found = await self._desk.get(token, request.path_params["resource_id"], base_of(request))
        return _shown(found, 200, Context.RESOURCE_QUERY_RESPONSE, _wanted(request, self._desk))


class _Replacing:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, request: Request, token: ProvisioningToken) -> Response:
        before: Any = await self._desk.get(token, request.path_params["resource_id"], base_of(request))
        given: Any = self._desk.model.model_validate(
            await read_body(request), scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST
        )
        given.replace(before)
        made = await self._desk.change(token, before.id, given, base_of(request))
        return _shown(made, 200, Context.RESOURCE_REPLACEMENT_RESPONSE, _wanted(request, self._desk))


class _Patching:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, request: Request, token: ProvisioningToken) -> Response:
        found: Any = await self._desk.get(token, request.path_params["resource_id"], base_of(request))
        patch: Any = PatchOp[self._desk.model].model_validate(  # type: ignore[name-defined]  # one of two classes
            as_standard_says(await read_body(request)), scim_ctx=Context.RESOURCE_PATCH_REQUEST
        )
        if patch.patch(found):
            found = await self._desk.change(token, found.id, found, base_of(request))
        return _shown(found, 200, Context.RESOURCE_PATCH_RESPONSE, _wanted(request, self._desk))


class _Removing:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, request: Request, token: ProvisioningToken) -> Response:
        await self._desk.remove(token, request.path_params["resource_id"])
        return Response(status_code=204)


# --- reading and answering --------------------------------------------------------------------------------------------


def base_of(request: Request) -> str:
    """The hub's own origin: requests for another host do not come this far."""
    return str(request.base_url).rstrip("/")


def _wanted(request: Request, desk: Desk) -> ResponseParameters[Any]:
    given = {name: request.query_params[name] for name in ("attributes", "excludedAttributes")
             if name in request.query_params}  # fmt: skip
    return ResponseParameters[desk.model].model_validate(given)  # type: ignore[name-defined]  # one of two classes


def _shown(
    resource: ScimResource[Any], status: int, context: Context, wanted: ResponseParameters[Any] | None = None
) -> Response:
    return _written(resource.model_dump_json(scim_ctx=context, **_parameters(wanted)), status)


def _listed(
    kind: Any, page: list[Any], total: int, first: int, wanted: ResponseParameters[Any] | None = None
) -> Response:
    answer = kind(total_results=total, items_per_page=len(page), start_index=first, resources=page)
    return _written(answer.model_dump_json(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, **_parameters(wanted)), 200)


def _searched(kind: Any, search: Any, found: list[Any]) -> Response:
    """The page of what is found that was asked for."""
    if search.filter is not None:
        found = [one for one in found if search.filter.match(one)]
    first = search.start_index_0 or 0
    count = MOST if search.count is None else min(search.count, MOST)
    return _listed(kind, found[first : first + count], len(found), first + 1, search)


def _parameters(wanted: ResponseParameters[Any] | None) -> dict[str, Any]:
    return {} if wanted is None else {"response_parameters": wanted}


def _answer(error: Error, status: int) -> Response:
    error.status = status
    return _written(error.model_dump_json(), status)


def _refusal(status: int, detail: str, kind: str = "") -> Response:
    return _answer(Error(status=status, detail=detail, scim_type=kind or None), status)


def _written(text: str, status: int) -> Response:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(text, status, headers, MEDIA_TYPE)


async def _on_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {400: "The body is no JSON object of texts.", 403: "This is not filtered.", 404: "There is nothing here.",
             405: "This is not done here.", 413: "The body is too large."}  # fmt: skip
    answer = _refusal(error.status_code, words.get(error.status_code, "No."), "invalidSyntax"
                      if error.status_code == 400 else "")  # fmt: skip
    answer.headers.update(error.headers or {})
    return answer


async def _on_failure(_request: Request, _error: Exception) -> Response:
    return _refusal(500, "Something went wrong in the hub. Its log says what.")


def create(services: Services) -> ASGIApp:
    """The door. Mount it at `/scim/v2`."""
    return ScimDoor(services)


__all__ = ["GroupOfUsers", "User", "create"]
