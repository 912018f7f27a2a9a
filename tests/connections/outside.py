"""The outside world in a box: MCP services and authorization servers on real sockets, with a knob for each behavior."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

TOOLS: list[dict[str, Any]] = [
    {"name": "list_notes", "description": "Lists.", "inputSchema": {}, "annotations": {"readOnlyHint": True}},
    {"name": "delete_note", "description": "Deletes.", "inputSchema": {}},
]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        pairs = parse_qsl(self.body.decode(), keep_blank_values=True)
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    @property
    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class Answer:
    """What is answered: `body` is JSON unless it is bytes already."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        kind = "text/plain" if isinstance(self.body, bytes) else "application/json"
        lines = {"content-type": kind, "content-length": str(len(body)), **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"HTTP/1.1 {self.status} Whatever\r\n{head}\r\n".encode("latin-1") + body


Handler = Callable[[Asked], Awaitable[Answer]]


class Place:
    """An origin of its own. `answers` stand in for the handler at a path; `gate`, while clear, holds answers back."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Answer] = {}
        self.origin = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.origin = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hangs up on everybody and listens no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [f"{one.method} {one.path}" for one in self.asked]

    def posts(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.method == "POST" and one.path == path]

    async def handle(self, asked: Asked) -> Answer:
        return Answer(404, b"nothing here")

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.append(asked)
                answer = self.answers.get(asked.path) or await self.handle(asked)
                await self.gate.wait()
                writer.write(answer.encoded())
                await writer.drain()
                if asked.headers.get("connection") == "close":
                    break
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    path, _, query = target.partition("?")
    return Asked(method, path, query, headers, body)


@dataclass
class Grant:
    """What one person granted: a family of tokens."""

    client_id: str
    scope: str
    resource: str
    is_live: bool = True


@dataclass
class Known:
    """A client the server knows."""

    auth: str
    redirect_uris: list[str]
    secret: str = ""


class AuthServer(Place):
    """An authorization server that rotates refresh tokens and ends the family when one is used twice."""

    def __init__(self, path: str = "") -> None:
        super().__init__()
        self.path = path
        self.clients: dict[str, Known] = {}
        self.codes: dict[str, tuple[dict[str, str], Grant]] = {}
        self.access: dict[str, Grant] = {}
        self.refreshes: dict[str, Grant] = {}
        self.used_refreshes: dict[str, Grant] = {}
        self.revoked: list[tuple[str, str]] = []
        self.takes_documents = False
        self.documents: dict[str, list[str]] = {}
        self.keys: dict[str, dict[str, Any]] = {}  # of clients that sign who they are, by their ids
        self.statements: dict[str, dict[str, Any]] = {}  # what they signed, by its jti
        self.algorithms = ["RS256", "ES256"]
        self.offers_registration = True
        self.offers_revocation = True
        self.promises_iss = True
        self.iss: str | None = ""  # "": the right one; None: left out
        self.rotates = True
        self.gives_refresh_token = True
        self.says_scope = True
        self.grants: Callable[[str], str] = lambda scope: scope
        self.refresh_scope: str | None = None
        self.expires_in: Any = 3600
        self.scopes: list[str] | None = ["notes:read", "notes:write", "offline_access"]
        self.auths: list[str] | None = ["client_secret_basic", "client_secret_post", "none"]
        self.metadata: dict[str, Any] = {}
        self.failures: list[Answer] = []

    @property
    def issuer(self) -> str:
        return f"{self.origin}{self.path}"

    def document(self) -> dict[str, Any]:
        """The metadata, with what a test changes; `None` takes a member away."""
        whole: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "registration_endpoint": f"{self.issuer}/register" if self.offers_registration else None,
            "revocation_endpoint": f"{self.issuer}/revoke" if self.offers_revocation else None,
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": self.auths,
            "token_endpoint_auth_signing_alg_values_supported": self.algorithms,
            "scopes_supported": self.scopes,
            "client_id_metadata_document_supported": self.takes_documents,
            "authorization_response_iss_parameter_supported": self.promises_iss,
            **self.metadata,
        }
        return {name: value for name, value in whole.items() if value is not None}

    def consent(self, url: str, *, declined: bool = False) -> list[tuple[str, str]]:
        """What a person who follows `url` and agrees comes back to the hub with."""
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        wanted = dict(pairs)
        assert len(wanted) == len(pairs)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == self.document()["authorization_endpoint"]
        redirects = self.documents.get(wanted["client_id"]) or self.clients[wanted["client_id"]].redirect_uris
        assert wanted["redirect_uri"] in redirects
        assert wanted["code_challenge_method"] == "S256"
        assert wanted["response_type"] == "code"
        back = [("state", wanted["state"])]
        if self.iss is not None:
            back.append(("iss", self.iss or self.issuer))
        if declined:
            return [*back, ("error", "access_denied"), ("error_description", "not today")]
        code = f"code-{secrets.token_hex(8)}"
        grant = Grant(wanted["client_id"], self.grants(wanted.get("scope", "")), wanted["resource"])
        self.codes[code] = (wanted, grant)
        return [*back, ("code", code)]

    async def handle(self, asked: Asked) -> Answer:
        places = (
            f"/.well-known/oauth-authorization-server{self.path}",
            f"/.well-known/openid-configuration{self.path}",
            f"{self.path}/.well-known/openid-configuration",
        )
        if asked.path in places:
            return Answer(body=self.document())
        if asked.path == f"{self.path}/register" and self.offers_registration:
            return self._register(asked)
        if asked.path == f"{self.path}/token":
            return self.failures.pop(0) if self.failures else self._token(asked)
        if asked.path == f"{self.path}/revoke" and self.offers_revocation:
            return self._revoke(asked)
        return Answer(404, b"nothing here")

    def _register(self, asked: Asked) -> Answer:
        wish = json.loads(asked.body)
        client_id, secret = f"client-{secrets.token_hex(4)}", f"CANARY-secret:{secrets.token_hex(8)}/+="
        auth = wish["token_endpoint_auth_method"]
        self.clients[client_id] = Known(auth, wish["redirect_uris"], "" if auth == "none" else secret)
        if auth == "private_key_jwt":
            self.clients[client_id].secret = ""
            [self.keys[client_id]] = wish["jwks"]["keys"]
            return Answer(201, {**wish, "client_id": client_id})
        given = {"client_secret": secret, "client_secret_expires_at": 0} if auth != "none" else {}
        return Answer(201, {**wish, "client_id": client_id, **given})

    def _client(self, asked: Asked, form: dict[str, str]) -> str | None:
        """The client that authenticated by the method it is registered for, and by no other."""
        header = asked.headers.get("authorization", "")
        if header.startswith("Basic "):
            pair = base64.b64decode(header.removeprefix("Basic ")).decode().split(":")
            client_id, secret, auth = unquote_plus(pair[0]), unquote_plus(pair[1]), "client_secret_basic"
        elif "client_assertion" in form:
            return self._signed(form)
        elif "client_secret" in form:
            client_id, secret, auth = form["client_id"], form["client_secret"], "client_secret_post"
        else:
            client_id, secret, auth = form.get("client_id", ""), "", "none"
        if client_id in self.documents:
            return client_id if auth == "none" and client_id not in self.keys and "none" in (self.auths or ()) else None
        known = self.clients.get(client_id)
        return client_id if known is not None and (known.auth, known.secret) == (auth, secret) else None

    def _signed(self, form: dict[str, str]) -> str | None:
        """The client whose key signed the statement: for this server, this minute, and once (RFC 7523 3)."""
        key = self.keys.get(form["client_id"])
        if key is None or form["client_assertion_type"] != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            return None
        statement = jwt.decode(form["client_assertion"], ECKey.import_key(key), algorithms=["ES256"])
        claims = statement.claims
        if statement.header["kid"] != key["kid"] or claims["jti"] in self.statements:
            return None
        if (claims["iss"], claims["sub"], claims["aud"]) != (*[form["client_id"]] * 2, self.issuer):
            return None
        self.statements[claims["jti"]] = claims
        return form["client_id"]

    def _token(self, asked: Asked) -> Answer:
        form = asked.form
        client_id = self._client(asked, form)
        if client_id is None:
            return Answer(401, {"error": "invalid_client"})
        if form["grant_type"] == "authorization_code":
            wanted, grant = self.codes.pop(form["code"], ({}, Grant("", "", "")))
            challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
            right = (wanted.get("client_id"), wanted.get("redirect_uri"), wanted.get("code_challenge"))
            if right != (client_id, form["redirect_uri"], challenge.decode()):
                return Answer(400, {"error": "invalid_grant"})
            return self._tokens(grant, grant.scope)
        if form["grant_type"] == "refresh_token":
            return self._refreshed(form["refresh_token"], client_id)
        return Answer(400, {"error": "unsupported_grant_type"})

    def _refreshed(self, token: str, client_id: str) -> Answer:
        if token in self.used_refreshes:
            self.used_refreshes[token].is_live = False  # used twice: somebody has a copy
        grant = self.refreshes.get(token)
        if grant is None or not grant.is_live or grant.client_id != client_id:
            return Answer(400, {"error": "invalid_grant", "error_description": f"{token} is not known"})
        if self.rotates:
            self.used_refreshes[token] = self.refreshes.pop(token)
        return self._tokens(grant, self.refresh_scope or grant.scope, rotated=self.rotates)

    def _tokens(self, grant: Grant, scope: str, *, rotated: bool = True) -> Answer:
        access, refresh = f"CANARY-at-{secrets.token_hex(8)}", f"CANARY-rt-{secrets.token_hex(8)}"
        self.access[access] = grant
        body: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "expires_in": self.expires_in}
        if self.gives_refresh_token and rotated:
            self.refreshes[refresh] = grant
            body["refresh_token"] = refresh
        if self.says_scope:
            body["scope"] = scope
        return Answer(body={name: value for name, value in body.items() if value is not None})

    def _revoke(self, asked: Asked) -> Answer:
        form = asked.form
        if self._client(asked, form) is None:
            return Answer(401, {"error": "invalid_client"})
        token = form["token"]
        self.revoked.append((form["token_type_hint"], token))
        for held in (self.access, self.refreshes, self.used_refreshes):
            if token in held:
                held[token].is_live = False
        return Answer(200)

    def lets_in(self, token: str) -> bool:
        return token in self.access and self.access[token].is_live


class Service(Place):
    """An MCP server (2026-07-28) that wants a token of `server`; open to everybody when there is none."""

    def __init__(self, server: AuthServer | None) -> None:
        super().__init__()
        self.server = server
        self.challenge: str | None = None  # None: points to the metadata; else the header as it is
        self.scope = ""
        self.resource: dict[str, Any] = {"scopes_supported": ["notes:read", "notes:write"]}
        self.keys: dict[str, str] = {}
        self.refused = 0  # how many of the next requests get a 401, whatever their token

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    def prm(self) -> dict[str, Any]:
        servers = [self.server.issuer] if self.server else []
        whole: dict[str, Any] = {"resource": self.url, "authorization_servers": servers, **self.resource}
        return {name: value for name, value in whole.items() if value is not None}

    async def handle(self, asked: Asked) -> Answer:
        if asked.path == "/.well-known/oauth-protected-resource/mcp" and self.server is not None:
            return Answer(body=self.prm())
        if asked.path != "/mcp":
            return Answer(404, b"nothing here")
        if not self._lets_in(asked):
            return Answer(401, b"who are you?", {"www-authenticate": self._challenge()})
        message = json.loads(asked.body)
        results: dict[str, Any] = {
            "server/discover": {
                "resultType": "complete",
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}},
                "ttlMs": 0,
                "cacheScope": "private",
            },
            "tools/list": {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": TOOLS},
        }
        return Answer(body={"jsonrpc": "2.0", "id": message["id"], "result": results[message["method"]]})

    def _lets_in(self, asked: Asked) -> bool:
        if self.refused:
            self.refused -= 1
            return False
        if self.keys:
            return all(asked.headers.get(name) == value for name, value in self.keys.items())
        return self.server is None or self.server.lets_in(asked.bearer)

    def _challenge(self) -> str:
        if self.challenge is not None:
            return self.challenge
        pointer = f'resource_metadata="{self.origin}/.well-known/oauth-protected-resource/mcp"'
        return f"Bearer {pointer}" + (f', scope="{self.scope}"' if self.scope else "")
