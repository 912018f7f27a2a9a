"""Our client ID metadata document for one authorization server, which reads it to know who we are (CIMD)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from valetkey.kernel.errors import NotFound

Document = Callable[[str], Awaitable[Mapping[str, Any]]]


def client_document_route(document: Document, *, path: str = "/oauth/client/{issuer}.json") -> Route:
    """`document` is `ClientIdentities.document` or `key_set`: the short name of an issuer in, the document out."""

    async def show(request: Request) -> Response:
        try:
            content = await document(request.path_params["issuer"])
        except NotFound:
            return JSONResponse({"error": "not_found"}, status_code=404)
        headers = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}
        return JSONResponse(dict(content), headers=headers)

    return Route(path, show, methods=["GET"])
