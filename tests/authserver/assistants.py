"""A hub with nothing but its authorization server, a browser, and assistants as they are in the field."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.conftest import FakeClock
from tests.identity.rooms import PUBLIC_URL, Rooms
from valetkey.authserver.model import ConsentView
from valetkey.authserver.server import AuthServer
from valetkey.identity.model import BrowserSession, Client, Person
from valetkey.kernel.errors import Forbidden, TooMany, ValetkeyError
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()

CLAUDE_CODE: dict[str, Any] = {
    # Loopback redirects without a port, while it listens on an ephemeral one.
    "client_id": "https://claude.ai/oauth/claude-code-client-metadata",
    "client_name": "Claude Code",
    "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}
VS_CODE: dict[str, Any] = {
    "client_id": "https://vscode.dev/oauth/client-metadata.json",
    "client_name": "Visual Studio Code",
    "client_uri": "https://vscode.dev/product",
    "redirect_uris": ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
    "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "application_type": "native",
}
CURSOR: dict[str, Any] = {
    # Three at once, one of them private-use; refusing any one of them breaks it.
    "client_name": "Cursor",
    "redirect_uris": [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}
CLAUDE_AI: dict[str, Any] = {
    "client_name": "Claude",
    "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "scope": "mcp",
}
WEB: dict[str, Any] = {
    "client_id": "https://assistant.example/oauth/client.json",
    "client_name": "Web Assistant",
    "redirect_uris": ["https://assistant.example/callback"],
}


class Browser:
    """One person's browser: it follows nothing by itself, and knows the consent page only as values."""

    def __init__(self, hub: Hub, cookie: Secret | None) -> None:
        cookies = {"sid": cookie.reveal().decode()} if cookie else {}
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=hub.app, client=("192.0.2.1", 1234)),
            base_url=PUBLIC_URL,
            cookies=cookies,
        )

    async def open(self, parameters: Mapping[str, str] | list[tuple[str, str]] | str) -> httpx2.Response:
        query = parameters if isinstance(parameters, str) else urlencode(parameters)
        return await self.http.get(f"/oauth/authorize?{query}")

    async def decide(self, view: Mapping[str, Any], decision: str, /, **changes: str) -> httpx2.Response:
        """Sends the form of a consent page; `changes` are fields that somebody meddled with."""
        fields = {**dict(view["fields"]), "csrf": view["csrf"], "decision": decision, **changes}
        return await self.http.post("/oauth/authorize", data={name: value for name, value in fields.items() if value})


@dataclass
class Assistant:
    """An OAuth client: what it asks with, and how it authenticates."""

    hub: Hub
    client_id: str
    redirect_uri: str
    secret: str = ""
    how: str = "none"
    extra: dict[str, str] = field(default_factory=dict)

    def asks(self, **changes: str) -> dict[str, str]:
        """An authorization request. A change to the empty string leaves the parameter out."""
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": "xyz",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "resource": f"{PUBLIC_URL}/mcp",
            "scope": "mcp",
            **self.extra,
            **changes,
        }
        return {name: value for name, value in asked.items() if value}

    async def send(self, path: str, form: Mapping[str, str], **kwargs: Any) -> httpx2.Response:
        form = dict(form)
        if self.how == "client_secret_basic":
            kwargs["auth"] = (self.client_id, self.secret)
        else:
            form.setdefault("client_id", self.client_id)
        if self.how == "client_secret_post":
            form["client_secret"] = self.secret
        return await self.hub.stranger.http.post(path, data={k: v for k, v in form.items() if v}, **kwargs)

    async def redeem(self, code: str, /, **changes: str) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": VERIFIER,
            **changes,
        }
        return await self.send("/oauth/token", form)

    async def refresh(self, token: str, /, **changes: str) -> httpx2.Response:
        return await self.send("/oauth/token", {"grant_type": "refresh_token", "refresh_token": token, **changes})

    async def code(self, **changes: str) -> str:
        """A code that Ada agreed to."""
        response = await self.hub.ada_agrees(self.asks(**changes))
        assert "code" in sent_back(response), response.text
        return sent_back(response)["code"]

    async def tokens(self, **changes: str) -> dict[str, Any]:
        """Tokens that Ada agreed to."""
        return answered(await self.redeem(await self.code(**changes)))


class Hub:
    """Starlette, the real authorization server, and pages reduced to JSON."""

    def __init__(self, database: Database, clock: FakeClock, *, pinned: Mapping[str, Client] = {}) -> None:
        self.rooms = Rooms(database, clock, pinned=pinned)
        self.clock = clock
        self.cimd_works = True
        server = AuthServer(
            public_url=PUBLIC_URL,
            clients=self.rooms.clients,
            consents=self.rooms.consents,
            families=self.rooms.families,
            clock=clock,
            cimd_works=lambda: self.cimd_works,
            signed_in=self._signed_in,
            check_csrf=self._check_csrf,
            to_sign_in=lambda _request, _session: RedirectResponse("/signin", 303),
            render_consent=self._render_consent,
            render_problem=self._render_problem,
        )
        self.app = Starlette(routes=server.routes())
        self.stranger = Browser(self, None)

    async def open(self) -> None:
        self.ada: Person = await self.rooms.person("ada")
        self.browser = Browser(self, await self.rooms.sessions.begin(self.ada, "passkey", "Firefox"))

    async def register(self, metadata: Mapping[str, Any], **kwargs: Any) -> httpx2.Response:
        return await self.stranger.http.post("/oauth/register", json=dict(metadata), **kwargs)

    async def registered(self, metadata: Mapping[str, Any]) -> Assistant:
        """An assistant that registered itself."""
        response = await self.register(metadata)
        assert response.status_code == 201, response.text
        said = response.json()
        return Assistant(
            self,
            said["client_id"],
            said["redirect_uris"][0],
            said.get("client_secret", ""),
            said["token_endpoint_auth_method"],
        )

    def documented(self, document: Mapping[str, Any], redirect_uri: str = "") -> Assistant:
        """An assistant whose document lies at its client id."""
        self.rooms.web.has(document["client_id"], document)
        return Assistant(self, document["client_id"], redirect_uri or document["redirect_uris"][0])

    async def ada_agrees(self, parameters: Mapping[str, str]) -> httpx2.Response:
        """Ada opens the request and allows it; the redirect that follows."""
        page = await self.browser.open(parameters)
        if page.status_code != 200:
            return page
        return await self.browser.decide(page.json(), "allow")

    async def works_at(self, access_token: str, resource: str) -> bool:
        try:
            await self.rooms.tokens.authenticate(access_token.encode(), audience=resource)
        except ValetkeyError:
            return False
        return True

    async def _signed_in(self, request: Request) -> BrowserSession | None:
        cookie = request.cookies.get("sid", "")
        return await self.rooms.sessions.find(Secret(cookie)) if cookie else None

    @staticmethod
    def _check_csrf(_request: Request, session: BrowserSession, token: str) -> None:
        if token != session.csrf:
            raise Forbidden("This form was no longer current.")

    @staticmethod
    async def _render_consent(_request: Request, session: BrowserSession, view: ConsentView) -> Response:
        shown = {name: getattr(view, name) for name in ConsentView.__dataclass_fields__}
        return JSONResponse({**shown, "csrf": session.csrf})

    @staticmethod
    def _render_problem(_request: Request, error: ValetkeyError) -> Response:
        status = 429 if isinstance(error, TooMany) else 400
        return JSONResponse({"problem": error.message, "hint": error.hint, "code": error.code}, status_code=status)


def sent_back(response: httpx2.Response) -> dict[str, str]:
    """What the redirect carries to the client."""
    assert response.status_code in (302, 303), response.text
    return dict(parse_qsl(urlsplit(response.headers["location"]).query))


def answered(response: httpx2.Response, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.text
    found: dict[str, Any] = json.loads(response.text)
    return found


def is_page(response: httpx2.Response) -> bool:
    """Shown to the person, and sent nowhere."""
    return response.status_code == 400 and "location" not in response.headers and "problem" in response.json()
