"""The sample authorization server, in a process of its own: `python -m valetkey.demo.authorization_server --help`.

Real OAuth 2.1: metadata (RFC 8414), dynamic registration (RFC 7591), code with PKCE S256, resource indicators
(RFC 8707), `iss` (RFC 9207), rotation, revocation (RFC 7009), introspection (RFC 7662); a login and a consent page.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hmac
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from valetkey.demo import pages
from valetkey.demo.ledger import (
    AUTH_METHODS,
    AuthorizationRequest,
    Client,
    Issued,
    Ledger,
    OAuthError,
    digest,
    read_request,
)
from valetkey.demo.notes import SCOPES

PEOPLE = {"ada": "lovelace", "grace": "hopper"}
STORY_KEY, RESOURCE_SERVER_SECRET = "DEMO_STORY_KEY", "DEMO_RESOURCE_SERVER_SECRET"

_HINTS = ", ".join(f"{name} with password {password}" for name, password in PEOPLE.items())
_COOKIE = "marginalia"
_MOST_BODY = 16 * 1024

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Browser:
    """One browser's cookie: who is signed in there (empty: nobody yet), and its token against forged forms."""

    csrf: str
    person: str = ""


class AuthorizationServer:
    """`issuer` is our own URL, without a path; `resources` are the services we issue tokens for."""

    def __init__(
        self, *, issuer: str, resources: frozenset[str], ledger: Ledger, environment: Mapping[str, str]
    ) -> None:
        self._issuer = issuer
        self._resources = resources
        self._ledger = ledger
        self._story_key = environment.get(STORY_KEY, "")
        self._resource_server_secret = environment.get(RESOURCE_SERVER_SECRET, "")
        self._browsers: dict[str, _Browser] = {}
        self._pending: dict[str, AuthorizationRequest] = {}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/oauth-authorization-server", self._metadata),
                Route("/register", _oauth_errors(self._register), methods=["POST"]),
                Route("/authorize", self._authorize),
                Route("/login", self._login, methods=["POST"]),
                Route("/consent", self._consent, methods=["POST"]),
                Route("/token", _oauth_errors(self._token), methods=["POST"]),
                Route("/revoke", _oauth_errors(self._revoke), methods=["POST"]),
                Route("/introspect", _oauth_errors(self._introspect), methods=["POST"]),
                Route("/_seen", self._seen),
            ]
        )

    async def _metadata(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self._issuer,
                "authorization_endpoint": f"{self._issuer}/authorize",
                "token_endpoint": f"{self._issuer}/token",
                "registration_endpoint": f"{self._issuer}/register",
                "revocation_endpoint": f"{self._issuer}/revoke",
                "introspection_endpoint": f"{self._issuer}/introspect",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
                "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": list(SCOPES),
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def _register(self, request: Request) -> Response:
        body = await request.body()
        try:
            metadata = await request.json() if len(body) <= _MOST_BODY else None
        except ValueError:
            metadata = None
        if not isinstance(metadata, dict):
            raise OAuthError("invalid_client_metadata", "The body must be a JSON object of at most 16 KiB.")
        client, secret = self._ledger.register(metadata)
        answer: dict[str, Any] = {
            "client_id": client.id,
            "client_id_issued_at": int(self._ledger.now()),
            "client_name": client.name,
            "redirect_uris": list(client.redirect_uris),
            "token_endpoint_auth_method": client.auth_method,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "scope": " ".join(SCOPES),
        }
        if secret:
            answer |= {"client_secret": secret, "client_secret_expires_at": 0}
        return JSONResponse(answer, 201, headers=_NO_STORE)

    async def _authorize(self, request: Request) -> Response:
        fields = dict(request.query_params)
        # 1. Until client and redirect URI are known to belong together, nobody is sent anywhere (RFC 6749 4.1.2.1).
        client = self._ledger.clients.get(fields.get("client_id", ""))
        if client is None:
            return _html(pages.notice("Unknown client", "No client with this id has registered here."), 400)
        redirect_uri = fields.get("redirect_uri", "")
        if not client.may_redirect_to(redirect_uri):
            return _html(pages.notice("Wrong address", "The client has not registered this redirect address."), 400)
        # 2. From here on, what is wrong is told to the client.
        state = fields.get("state", "")
        try:
            asked = read_request(client, request.query_params.multi_items(), resources=self._resources)
        except OAuthError as error:
            wrong = {"error": error.error, "error_description": error.description}
            return self._back(redirect_uri, state, wrong)
        # 3. Who is at this browser, and do they want it?
        pending = secrets.token_urlsafe(16)
        self._pending[pending] = asked
        cookie, browser = self._browser(request)
        if browser.person:
            page = pages.consent(asked, browser.person, pending, browser.csrf)
        else:
            page = pages.login(pending, browser.csrf, _HINTS, client_name=client.name)
        return _with_cookie(_html(page), cookie)

    async def _login(self, request: Request) -> Response:
        form = await _form(request)
        cookie, browser = self._browser(request)
        asked = self._pending.get(form.get("pending", ""))
        if asked is None or not hmac.compare_digest(form.get("csrf", ""), browser.csrf):
            return _html(pages.notice("Start again", "This form is too old, or not from this browser."), 400)
        person = form.get("username", "")
        if not hmac.compare_digest(PEOPLE.get(person, secrets.token_hex()).encode(), form.get("password", "").encode()):
            page = pages.login(form["pending"], browser.csrf, _HINTS, client_name=asked.client.name, wrong=True)
            return _with_cookie(_html(page, 401), cookie)
        # A new cookie at sign-in: one that somebody else planted before must not become a signed-in one.
        self._browsers.pop(cookie, None)
        cookie, browser = secrets.token_urlsafe(32), _Browser(secrets.token_urlsafe(16), person)
        self._browsers[cookie] = browser
        return _with_cookie(_html(pages.consent(asked, person, form["pending"], browser.csrf)), cookie)

    async def _consent(self, request: Request) -> Response:
        form = await _form(request)
        _, browser = self._browser(request)
        if not browser.person or not hmac.compare_digest(form.get("csrf", ""), browser.csrf):
            return _html(pages.notice("Start again", "Sign in first."), 403)
        asked = self._pending.pop(form.get("pending", ""), None)
        if asked is None:
            return _html(pages.notice("Already answered", "This question was answered before."), 400)
        granted = [scope for scope in asked.scopes if scope in form.get("scope", "").split()]
        if form.get("decision") != "allow" or not granted:
            return self._back(asked.redirect_uri, asked.state, {"error": "access_denied"})
        return self._back(asked.redirect_uri, asked.state, {"code": self._ledger.allow(asked, browser.person, granted)})

    async def _token(self, request: Request) -> Response:
        form = await _form(request, repeatable=())
        client = self._client(request, form)
        resource = form.get("resource", "")
        if form.get("grant_type") == "authorization_code":
            issued = self._ledger.redeem(
                client,
                code=form.get("code", ""),
                redirect_uri=form.get("redirect_uri", ""),
                verifier=form.get("code_verifier", ""),
                resource=resource,
            )
        elif form.get("grant_type") == "refresh_token":
            scopes = form.get("scope", "").split()
            issued = self._ledger.refresh(client, token=form.get("refresh_token", ""), scopes=scopes, resource=resource)
        else:
            raise OAuthError("unsupported_grant_type", "authorization_code or refresh_token.")
        return JSONResponse(self._token_answer(issued), headers=_NO_STORE)

    def _token_answer(self, issued: Issued) -> dict[str, Any]:
        return {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": self._ledger.access_seconds,
            "refresh_token": issued.refresh_token,
            "scope": " ".join(issued.scopes),
        }

    async def _revoke(self, request: Request) -> Response:
        form = await _form(request, repeatable=())
        self._ledger.revoke(self._client(request, form), form.get("token", ""))
        return Response(status_code=200, headers=_NO_STORE)

    async def _introspect(self, request: Request) -> Response:
        """For our own service only, which proves itself with a secret (RFC 7662 4: else it is a guessing oracle)."""
        form = await _form(request, repeatable=())
        _, secret = _basic(request)
        if not self._resource_server_secret or not hmac.compare_digest(secret, self._resource_server_secret):
            raise OAuthError("invalid_client", "Only the protected service may ask.", status=401)
        token = self._ledger.look_up(form.get("token", ""))
        if token is None:
            return JSONResponse({"active": False}, headers=_NO_STORE)
        grant = token.grant
        return JSONResponse(
            {
                "active": True,
                "sub": grant.person,
                "client_id": grant.client_id,
                "scope": " ".join(token.scopes),
                "aud": grant.resource,
                "iss": self._issuer,
                "exp": int(token.expires_at),
            },
            headers=_NO_STORE,
        )

    async def _seen(self, request: Request) -> Response:
        """For the story only: what was issued and revoked. Without the story's key it does not exist."""
        if not self._story_key or not hmac.compare_digest(request.headers.get("story-key", ""), self._story_key):
            return _html(pages.notice("Not found", "There is nothing here."), 404)
        return JSONResponse({"issued": self._ledger.issued, "revocations": self._ledger.revocations})

    def _client(self, request: Request, form: Mapping[str, str]) -> Client:
        """The client that is asking, authenticated by the method it registered with and no other."""
        client_id, secret = _basic(request)
        method = "client_secret_basic" if client_id else "client_secret_post" if "client_secret" in form else "none"
        if method != "client_secret_basic":
            client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        client = self._ledger.clients.get(client_id)
        if client is None or client.auth_method != method:
            raise OAuthError("invalid_client", "The client is unknown, or uses another method here.", status=401)
        if method != "none" and not hmac.compare_digest(digest(secret), client.secret_digest):
            raise OAuthError("invalid_client", "The client secret is wrong.", status=401)
        return client

    def _browser(self, request: Request) -> tuple[str, _Browser]:
        cookie = request.cookies.get(_COOKIE, "")
        if cookie not in self._browsers:
            cookie = secrets.token_urlsafe(32)
            self._browsers[cookie] = _Browser(secrets.token_urlsafe(16))
        return cookie, self._browsers[cookie]

    def _back(self, redirect_uri: str, state: str, answer: Mapping[str, str]) -> Response:
        """To the client, saying who we are, on success and on failure (RFC 9207)."""
        fields = {**answer, **({"state": state} if state else {}), "iss": self._issuer}
        separator = "&" if "?" in redirect_uri else "?"
        return RedirectResponse(f"{redirect_uri}{separator}{urlencode(fields)}", 302, headers=_NO_STORE)


_NO_STORE = {"cache-control": "no-store"}


def _oauth_errors(endpoint: Endpoint) -> Endpoint:
    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except OAuthError as error:
            body = {"error": error.error, "error_description": error.description}
            return JSONResponse(body, error.status, headers=_NO_STORE)

    return answered


def _html(page: str, status: int = 200) -> Response:
    headers = {**_NO_STORE, "content-security-policy": pages.CONTENT_SECURITY_POLICY, "referrer-policy": "no-referrer"}
    return HTMLResponse(page, status, headers=headers)


def _with_cookie(response: Response, cookie: str) -> Response:
    response.set_cookie(_COOKIE, cookie, httponly=True, samesite="lax")
    return response


async def _form(request: Request, *, repeatable: tuple[str, ...] = ("scope",)) -> dict[str, str]:
    """The fields of a urlencoded body. Repeated ones are refused, but for checkboxes, which are joined by spaces."""
    body = await request.body()
    if len(body) > _MOST_BODY:
        raise OAuthError("invalid_request", "The body is too large.", status=413)
    fields: dict[str, str] = {}
    for name, value in parse_qsl(body.decode(errors="replace"), keep_blank_values=True):
        if name in fields and name not in repeatable:
            raise OAuthError("invalid_request", f"{name[:40]} is given more than once.")
        fields[name] = f"{fields[name]} {value}" if name in fields else value
    return fields


def _basic(request: Request) -> tuple[str, str]:
    """Id and secret from HTTP Basic, each urlencoded before (RFC 6749 2.3.1); empty when there is none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote(user), unquote(secret)


def main() -> None:
    arguments = argparse.ArgumentParser(description="The sample authorization server.")
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--fd", type=int, help="a listening socket to use instead of opening --port")
    arguments.add_argument("--resource", action="append", required=True, help="URL of a service to issue tokens for")
    arguments.add_argument("--access-seconds", type=int, default=300)
    given = arguments.parse_args()
    server = AuthorizationServer(
        issuer=f"http://127.0.0.1:{given.port}",
        resources=frozenset(given.resource),
        ledger=Ledger(now=time.time, access_seconds=given.access_seconds),
        environment=os.environ,
    )
    config = uvicorn.Config(server.app(), host="127.0.0.1", port=given.port, log_level="warning")
    sockets = [socket.socket(fileno=given.fd)] if given.fd else None
    asyncio.run(uvicorn.Server(config).serve(sockets=sockets))


if __name__ == "__main__":
    main()
