"""A service and its authorization server, played in memory at the seams of `net` and `upstream`."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode, urlsplit

from valetkey.kernel.secret import Credential
from valetkey.net.certificate import Shown
from valetkey.net.client import WebClient
from valetkey.net.limits import Limits
from valetkey.net.model import Fetched, Unreachable, Url
from valetkey.upstream.model import Listing, Target, TicketFor, Unauthorized

MCP_URL = "https://mcp.example.com/mcp"
ISSUER = "https://auth.example.net"
READS = b',"annotations":{"readOnlyHint":true}}'
TOOLS = (
    b'{"name":"search_notes","title":"Search notes","description":"Finds notes by words."' + READS,
    b'{"name":"read_note","title":"Read a note","description":"The text of one note."' + READS,
    b'{"name":"write_note","description":"Writes a note.","annotations":{"destructiveHint":false}}',
    b'{"name":"delete_note","description":"Deletes a note for ever."}',
)


@dataclass
class Service(WebClient):
    """Both hosts. What it does next is set by its fields; what was done to it lies in `revoked` and `exchanged`."""

    is_open: bool = False
    is_down: bool = False
    is_silent: bool = False
    """Whether it says nothing of how one signs in."""
    challenge_scope: str = ""
    resource_scopes: tuple[str, ...] = ("notes:read", "notes:write")
    server_scopes: tuple[str, ...] = ("notes:read", "notes:write", "admin:everything", "offline_access")
    granted: str = ""
    tools: tuple[bytes, ...] = TOOLS
    revoked: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    exchanged: int = 0
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    # --- upstream.list_tools --------------------------------------------------------------------------------------

    async def list_tools(self, target: Target, *, ticket: Credential | None, further_tickets: TicketFor) -> Listing:
        if self.is_down:
            raise Unreachable("mcp.example.com cannot be reached.")
        if self.is_open:
            return Listing(tools=self.tools, server=b"{}", fresh_seconds=300.0)
        scope = f', scope="{self.challenge_scope}"' if self.challenge_scope else ""
        if self.is_silent:
            raise Unauthorized("HTTP 401", challenge="")
        place = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
        raise Unauthorized("HTTP 401", challenge=f'Bearer resource_metadata="{place}"{scope}')

    async def close(self, connection_id: str) -> None:
        pass

    # --- net.WebClient --------------------------------------------------------------------------------------------

    async def get(self, url: Url, **_: object) -> Fetched:
        self.asked.append(url.text)
        if self.is_down:
            raise Unreachable(f"{url.host} cannot be reached.")
        if self.is_silent:
            return Fetched(404, {}, b"", url)
        if url.path == "/.well-known/oauth-protected-resource/mcp":
            document: dict[str, object] = {"resource": MCP_URL, "authorization_servers": [ISSUER]}
            if self.resource_scopes:
                document["scopes_supported"] = self.resource_scopes
            return _json(url, document)
        if url.text == f"{ISSUER}/.well-known/oauth-authorization-server":
            return _json(
                url,
                {
                    "issuer": ISSUER,
                    "authorization_endpoint": f"{ISSUER}/authorize",
                    "token_endpoint": f"{ISSUER}/token",
                    "registration_endpoint": f"{ISSUER}/register",
                    "revocation_endpoint": f"{ISSUER}/revoke",
                    "scopes_supported": self.server_scopes,
                    "response_types_supported": ["code"],
                    "code_challenge_methods_supported": ["S256"],
                    "token_endpoint_auth_methods_supported": ["none"],
                    "authorization_response_iss_parameter_supported": True,
                },
            )
        return Fetched(404, {}, b"", url)

    async def look(self, url: Url, *, limits: Limits | None = None) -> Shown | None:
        return Shown("TLSv1.3", "Notes Company", "A Trusted Authority", datetime(2027, 3, 1, tzinfo=UTC))

    async def post(self, url: Url, *, body: bytes, content_type: str, **_: object) -> Fetched:
        asked = json.loads(body)
        return _json(url, {**asked, "client_id": "hub-1", "token_endpoint_auth_method": "none"}, status=201)

    async def post_form(
        self, url: Url, fields: object, *, headers: object = (), limits: Limits | None = None
    ) -> Fetched:
        if self.is_down:
            raise Unreachable(f"{url.host} cannot be reached.")
        given = {name: _text(value) for name, value in dict(fields).items()}  # type: ignore[call-overload]
        if url.path == "/revoke":
            self.revoked.append(given["token"])
            return Fetched(200, {}, b"", url)
        asked = self._codes.pop(given["code"])
        digest = hashlib.sha256(given["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        self.exchanged += 1
        scope = self.granted or asked.get("scope", "")
        return _json(
            url,
            {
                "access_token": f"access-{self.exchanged}",
                "refresh_token": f"refresh-{self.exchanged}",
                "token_type": "Bearer",
                "expires_in": 3600,
                "scope": scope,
            },
        )

    # --- the person at the service's own pages ----------------------------------------------------------------------

    def approve(self, address: str) -> str:
        """The person says yes on the authorization page at `address`. Where that sends them, as a path of ours."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self._codes) + self.exchanged}"
        self._codes[code] = asked
        return f"{urlsplit(asked['redirect_uri']).path}?" + urlencode(
            {"code": code, "state": asked["state"], "iss": ISSUER}
        )


def _text(value: object) -> str:
    reveal = getattr(value, "reveal", None)
    return reveal().decode() if reveal else str(value)


def _json(url: Url, document: object, *, status: int = 200) -> Fetched:
    return Fetched(status, {"content-type": "application/json"}, json.dumps(document).encode(), url)
