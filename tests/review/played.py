"""A server that shows over real sockets what a crawl of the corpus says was seen: the corpus, started in process.

What no server can choose (what a hub has recorded, what a listing says) goes in beside it, as it would.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

from tests.net.servers import Received, Upstream, response
from tests.review.corpus import GOOD, HOST, definition, tools
from valetkey.kernel.clock import SystemClock
from valetkey.kernel.secret import Secret
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.certificate import CertificateClient
from valetkey.net.dialer import Dialer
from valetkey.net.outbound import outbound_by
from valetkey.net.url import parse_url
from valetkey.oauth.model import AuthorizationServer
from valetkey.review.arguments import invalid, valid
from valetkey.review.crawl import Asked, crawl
from valetkey.review.judge import judge
from valetkey.review.model import Crawl, Exchange, Lists, Page, Probe, Report, SeenTool, Trial, Trials
from valetkey.review.visit import TestAccount, Visit

NAMES = (HOST, "marginalia.example", "auth.marginalia.example")
TOKEN = "test-accounts-token"
SESSION = b"mcp-session-id"
_OURS = re.compile(r"https://((?:mcp\.|auth\.)?marginalia\.example)(?![\w.:])")
FORBIDDEN: Mapping[str, Any] = {"nothing": "is allowed"}
NO_ANSWER: Mapping[str, Any] = {"nothing": "is said"}
_TEXT = b"content-type: text/plain; charset=utf-8\r\n"


@dataclass
class Played:
    """Answers as the crawl says that it was answered."""

    crawl: Crawl
    port: int = 0
    opened: int = 0
    probe: Probe = field(init=False)
    lists: Lists = field(init=False)
    witnesses: tuple[SeenTool, ...] = field(init=False)
    told: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        assert self.crawl.probe is not None
        self.probe = self.crawl.probe
        self.lists = self.crawl.lists or Lists(versions=(), server={}, tools=())
        self.told = itertools.count()
        assert GOOD.trials is not None
        trials = self.crawl.trials or GOOD.trials
        names = () if trials.witnesses == GOOD.trials.witnesses else tuple(one.tool for one in trials.witnesses)
        self.witnesses = tools(*(definition(name, title=name, inputSchema={"type": "object"}) for name in names))

    def here(self, text: str) -> str:
        """The corpus's addresses, at the port where this is."""
        return _OURS.sub(rf"https://\1:{self.port}", text)

    async def __call__(self, request: Received, writer: asyncio.StreamWriter) -> None:
        path = request.target.partition("?")[0]
        writer.write(self._mcp(request) if path == "/mcp" else self._elsewhere(path))
        await writer.drain()

    # --- pages and metadata -----------------------------------------------------------------------------------------

    def _elsewhere(self, path: str) -> bytes:
        sign_in, server = self.probe.sign_in, self.probe.sign_in.server
        if path == "/.well-known/oauth-protected-resource/mcp" and sign_in.resource is not None:
            return self._json(
                {
                    "resource": sign_in.resource.resource,
                    "authorization_servers": list(sign_in.resource.authorization_servers),
                    "scopes_supported": list(sign_in.resource.scopes),
                    "bearer_methods_supported": list(sign_in.bearer_methods),
                }
            )
        if path == "/.well-known/oauth-authorization-server" and server is not None:
            return self._json(_metadata(server) | {"grant_types_supported": list(sign_in.grants)})
        if path == "/token" and sign_in.bad_refresh is not None:
            body = {"error": sign_in.bad_refresh_error} if sign_in.bad_refresh_error else {}
            return self._answered(sign_in.bad_refresh, json.dumps(body).encode())
        if path == "/authorize" and sign_in.strange_redirect is not None:
            return self._answered(sign_in.strange_redirect, b"Who are you?")
        for page in self.probe.pages.values():
            at, _, hop = path.partition("-after-")
            if urlsplit(page.url).path == at:
                return self._page(page, at, int(hop or 0))
        return response(b"", status="404 Not Found", headers=_TEXT)

    def _page(self, page: Page, at: str, hop: int) -> bytes:
        if hop < page.redirects:
            return response(b"", status="302 Found", headers=f"location: {at}-after-{hop + 1}\r\n".encode())
        return response(page.words.encode(), status=_status(page.status or 500), headers=_TEXT)

    # --- MCP --------------------------------------------------------------------------------------------------------

    def _mcp(self, request: Received) -> bytes:
        if request.method == "OPTIONS":
            return self._answered(self.probe.preflight, b"")
        if request.header(b"origin") is not None:
            return self._answered(self.probe.strange_origin, b"")
        if request.method == "GET":
            return self._answered(self.probe.stream, b"")
        if self.crawl.account_refused or (
            self.probe.is_guarded and request.header(b"authorization") != f"Bearer {TOKEN}".encode()
        ):
            return self._answered(self.probe.opening, b"")
        if request.method != "POST":
            return response(b"", status="202 Accepted", headers=_TEXT)
        message = json.loads(request.body)
        unknown = self.lists.unknown_session
        if unknown is not None and request.header(SESSION) not in (None, b"s1"):
            return self._answered(unknown, b"")
        if "id" not in message:
            return response(b"", status="202 Accepted", headers=_TEXT)
        result = self._result(message["method"], message.get("params", {}))
        if result is FORBIDDEN:
            return response(b"", status="403 Forbidden", headers=_TEXT)
        if result is NO_ANSWER:
            return response(b"", status="500 Internal Server Error", headers=_TEXT)
        said = {"result": result} if result is not None else {"error": {"code": -32601, "message": "no such method"}}
        headers = "".join(f"{name}: {value}\r\n" for name, value in self.lists.answered.headers.items())
        lines = f"content-type: application/json\r\nmcp-session-id: s1\r\n{headers}".encode()
        body = self.here(json.dumps({"jsonrpc": "2.0", "id": message["id"], **said})).encode()
        return response(body, headers=lines)

    def _result(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if method == "initialize":
            self.opened += 1
            # Both faces have the same capabilities, so that the second visitor asks for as much.
            both = (self.lists, self.lists.again or self.lists)
            offered = [name for name in ("prompts", "resources") if any(getattr(one, name) for one in both)]
            capabilities: dict[str, Any] = {"tools": {}} | {name: {} for name in offered}
            return {"protocolVersion": "2025-11-25", "capabilities": capabilities, **self._face.server}
        if method == "tools/list":
            return {"tools": [tool.definition for tool in (*self._face.tools, *self.witnesses)]}
        if method == "prompts/list":
            return {"prompts": list(self._face.prompts)}
        if method == "resources/list":
            return {"resources": list(self._face.resources)}
        if method == "resources/read":
            return self._page_of_app(params["uri"])
        if method == "tools/call":
            tools = {one.name: one for one in (*self.lists.tools, *self.witnesses)}
            return self._called(tools[params["name"]], params.get("arguments", {}))
        return None

    @property
    def _face(self) -> Lists:
        """What this visitor is shown."""
        return self.lists.again if self.opened > 1 and self.lists.again is not None else self.lists

    def _page_of_app(self, uri: str) -> Mapping[str, Any] | None:
        page = next((one for one in self._face.apps if one.uri == uri and not one.problem), None)
        if page is None:
            return None
        return {"contents": [{"uri": uri, "mimeType": page.mime, "text": page.html, "_meta": {"ui": page.ui}}]}

    def _called(self, tool: SeenTool, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        kinds = {json.dumps(given, sort_keys=True): kind for kind, given in (*invalid(tool), ("valid", valid(tool)))}
        kind = kinds.get(json.dumps(arguments, sort_keys=True), "valid")
        trials = self.crawl.trials or Trials(())
        fits = [one for one in trials.calls if one.kind == kind and one.tool == tool.name]
        said = fits[-1] if fits else _as_it_should(tool, kind)
        for witness in trials.witnesses if tool in self.witnesses else ():
            told = next(self.told)
            said = replace(said, text=(witness.before, witness.again, witness.after)[min(told, 2)])
        if not said.answered:
            return FORBIDDEN if said.forbidden else NO_ANSWER
        text = said.text + " and on" * max(0, (said.size - len(said.text)) // 7)
        content: list[Mapping[str, Any]] = [{"type": "text", "text": text or ("" if kind == "valid" else "No.")}]
        content += [{"type": "resource", "resource": {"uri": "x:y", "mimeType": one, "blob": ""}} for one in said.media]
        structured = {} if said.structured is None else {"structuredContent": said.structured}
        return {"content": content, "isError": said.failed, **structured}

    def _json(self, value: object) -> bytes:
        return response(self.here(json.dumps(value)).encode())

    def _answered(self, exchange: Exchange, body: bytes) -> bytes:
        headers = "".join(f"{name}: {self.here(value)}\r\n" for name, value in exchange.headers.items())
        if exchange.moved_to:
            headers += f"location: {exchange.moved_to}\r\n"
        status = exchange.status or (302 if exchange.moved_to else 500)
        return response(body, status=_status(status), headers=headers.encode())


def _as_it_should(tool: SeenTool, kind: str) -> Trial:
    shape: dict[str, Any] | None = {} if isinstance(tool.definition.get("outputSchema"), dict) else None
    if kind == "valid":
        return Trial(tool=tool.name, kind="valid", answered=True, text="One note: on wolves.", structured=shape)
    return Trial(tool=tool.name, kind="missing", answered=True, failed=True, text=f"{kind}: notebook cannot be used.")


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}"


def _metadata(server: AuthorizationServer) -> dict[str, Any]:
    found: dict[str, Any] = {
        "issuer": server.issuer,
        "authorization_endpoint": server.authorization_endpoint.text,
        "token_endpoint": server.token_endpoint.text,
        "scopes_supported": list(server.scopes),
        "code_challenge_methods_supported": ["S256"],
        "response_types_supported": ["code"],
        "token_endpoint_auth_methods_supported": list(server.client_auths),
        "client_id_metadata_document_supported": server.takes_client_documents,
        "authorization_response_iss_parameter_supported": server.promises_iss,
    }
    return found


@asynccontextmanager
async def playing(wanted: Crawl, tls: SSLContext) -> AsyncIterator[Played]:
    played = Played(wanted)
    upstream = Upstream(played, tls=tls, name=HOST)
    await upstream.start()
    played.port = upstream.port
    try:
        yield played
    finally:
        await upstream.stop()


async def _here(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


async def visited(wanted: Crawl, tls: SSLContext, ca: Path, policy: AddressPolicy) -> Report:
    """The report of a real visit to a server that is as the crawl says."""
    async with playing(wanted, tls) as played:
        clock = SystemClock()
        dialer = Dialer(policy, clock=clock, ca_file=ca, resolve=_here)
        out = outbound_by(dialer, clock)
        url = parse_url(f"https://{HOST}:{played.port}/mcp")
        listing = wanted.listing
        if listing is not None:
            listing = replace(
                listing,
                url=url.text,
                privacy_policy=played.here(listing.privacy_policy),
                docs=played.here(listing.docs),
                support=played.here(listing.support),
            )
        records = replace(wanted.records, seen=None) if played.witnesses else wanted.records
        asked = Asked(listing=listing, calls_tools=wanted.trials is not None, records=records)
        visit = Visit(
            url=url, out=out, certificates=CertificateClient(dialer), clock=clock, parse=parse_url,
            say=lambda _text: None, account=TestAccount(Secret(TOKEN), origin=url.origin),
        )  # fmt: skip
        try:
            return judge(await crawl(visit, asked))
        finally:
            await out.close()
