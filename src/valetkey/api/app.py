"""The API as one ASGI app, to be mounted at `/api/v1`; the same app serves the control socket."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from valetkey import __version__
from valetkey.api import (
    access,
    alerts,
    archive,
    assistants,
    calls,
    connection_check,
    connections,
    connectors,
    data,
    desk,
    directory,
    feeds,
    health,
    invitations,
    keys,
    organizations,
    people,
    permissions,
    policy,
    privacy,
    profiles,
    provisioning,
    registry,
    requests,
    retention,
    rules,
    sign_in,
    standing,
    submissions,
    tokens,
    tools,
    trail,
    trail_log,
    usage,
    vault,
)
from valetkey.api.asking import Authenticated, on_valetkey_error
from valetkey.api.idempotency import Idempotent
from valetkey.api.openapi import describe
from valetkey.api.problems import (
    answer_failure,
    on_failure,
    on_http_exception,
    on_invalid_request,
)
from valetkey.api.services import Services
from valetkey.audit.refusals import Refusals
from valetkey.kernel.errors import ValetkeyError, printable

ROUTERS = (
    alerts,
    access,
    invitations,
    health,
    people,
    organizations,
    sign_in,
    provisioning,
    feeds,
    tokens,
    assistants,
    connectors,
    directory,
    requests,
    rules,
    submissions,
    desk,
    registry,
    connection_check,
    connections,
    tools,
    permissions,
    profiles,
    policy,
    standing,
    calls,
    data,
    retention,
    archive,
    privacy,
    trail,
    trail_log,
    usage,
    vault,
    keys,
)

_BODY_LIMIT = 1024 * 1024
_FRAMES = 6
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def create(services: Services) -> ASGIApp:
    """The API. Mount it at `/api/v1`; it authenticates before it routes."""
    api = routes(services)
    api.state.refusals = Refusals(services.trail, services.clock)
    return Outermost(Authenticated(Idempotent(api, services), services))


def routes(services: Services) -> FastAPI:
    """The routes without the door in front: for the document that describes them, and for `create`."""
    app = FastAPI(
        title="Valetkey",
        version=__version__,
        openapi_url=None,  # ours is below: it says what each route demands
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        root_path_in_servers=False,
    )
    app.state.services = services
    app.add_exception_handler(ValetkeyError, on_valetkey_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(Exception, on_failure)  # answers; then it goes on to `Outermost`, which logs it
    for noun in ROUTERS:  # as they are, one flat list: `Allow` and the description read it
        app.router.routes.extend(noun.router.routes)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return describe(app)

    return app


class Outermost:
    """The outermost door: bounds the body, hardens the answer, and turns what nobody foresaw into a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, _bounded(receive), sending)
        except Exception as error:  # noqa: BLE001 – the outermost door: whatever it was, the asker gets an answer
            _log(scope, error)
            if not started:
                await answer_failure()(scope, receive, sending)


def _log(scope: Scope, error: Exception) -> None:
    # Where it happened, not what it said: neither the message of a foreign error nor a variable is for the log.
    where = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    structlog.get_logger(__name__).error(
        "request failed", path=printable(scope["path"]), error=type(error).__name__, where=where[-_FRAMES:]
    )


def _bounded(receive: Receive) -> Receive:
    left = _BODY_LIMIT

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413)  # the only exception that FastAPI lets through while it reads a body
        return message

    return bounded
