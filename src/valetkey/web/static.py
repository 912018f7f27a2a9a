"""The files of `static/`: read once, served from memory, kept by browsers for ever under their content's hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from valetkey.web.headers import harden

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"


def asset(name: str) -> str:
    """The address of a static file. Another content is another address."""
    return f"/static/{name}?v={_hash((_FOLDER / name).read_bytes())}"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


class Static:
    """Serves the files by name; there are no folders, so there is no path to climb."""

    def __init__(self, *, https: bool) -> None:
        self._https = https
        self._files = {file.name: file.read_bytes() for file in _FOLDER.iterdir() if file.suffix in _TYPES}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._answer(Request(scope, receive))
        harden(response.headers, https=self._https)
        await response(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("Method Not Allowed", 405, headers={"allow": "GET, HEAD"})
        name = request.path_params["name"]
        content = self._files.get(name)
        if content is None:
            return PlainTextResponse("Not Found", 404)
        response = Response(content, media_type=_TYPES[Path(name).suffix])
        headers: MutableHeaders = response.headers
        # Only the address that names this very content is kept: else an old page could pin a new file's name.
        if request.query_params.get("v") == _hash(content):
            headers["cache-control"] = _FOR_EVER
        return response
