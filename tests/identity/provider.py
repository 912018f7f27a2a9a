"""An identity provider that behaves (OpenID Connect, code flow), with a knob for each way in which one may not.

It stands at the edge: what it answers is what `net` would have fetched; it checks PKCE, codes and the client's secret.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

from tests.conftest import FakeClock
from valetkey.kernel.secret import Secret
from valetkey.net.limits import METADATA, Limits
from valetkey.net.model import Fetched, Unreachable, Url

KEYS = [ECKey.generate_key("P-256", {"kid": f"key-{number}"}, private=True) for number in range(2)]
RSA = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)


@dataclass
class Account:
    """Somebody at the provider."""

    subject: str
    email: str
    verified: object = True
    name: str = "Ada Lovelace"


@dataclass
class IdentityProvider:
    """One issuer with one client. `claims` and `header` overwrite what its tokens say."""

    clock: FakeClock
    issuer: str = "https://id.example.com"
    client_id: str = "valetkey"
    client_secret: str = "s3cret-at-the-provider"
    key: Key = field(default_factory=lambda: KEYS[0])
    alg: str = "ES256"
    published: list[Key] = field(default_factory=lambda: [KEYS[0]])
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    auth_time: float | None = 0.0
    """Seconds since the person proved who they are; `None`: it does not say."""
    asked: list[str] = field(default_factory=list)
    codes: dict[str, tuple[dict[str, str], Account]] = field(default_factory=dict)
    raw_token: str = ""
    """Said instead of a token of its own."""

    @property
    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }

    def approve(self, address: str, account: Account) -> str:
        """The person signs in at `address`; the query they come back with."""
        given = dict(parse_qsl(urlsplit(address).query))
        assert address.startswith(f"{self.issuer}/authorize?")
        assert (given["response_type"], given["code_challenge_method"]) == ("code", "S256")
        assert given["client_id"] == self.client_id
        assert given["scope"].split() == ["openid", "email", "profile"]
        code = f"code-{len(self.codes)}-{given['state'][-6:]}"
        self.codes[code] = (given, account)
        return urlencode({"code": code, "state": given["state"], "iss": self.issuer})

    # --- as `net` fetches it ----------------------------------------------------------------------------------------

    async def get(self, url: Url, *, headers: Mapping[str, str] = {}, limits: Limits = METADATA) -> Fetched:
        self.asked.append(url.text)
        if url.text == f"{self.issuer}/.well-known/openid-configuration":
            return _answer(url, self.document)
        if url.text == f"{self.issuer}/keys":
            return _answer(url, {"keys": [key.as_dict(private=False) for key in self.published]})
        raise Unreachable(f"{url.host} does not answer.")

    async def post_form(
        self, url: Url, fields: Mapping[str, str | Secret], *, headers: Mapping[str, str | Secret] = {},
        limits: Limits = METADATA,
    ) -> Fetched:  # fmt: skip
        self.asked.append(url.text)
        given = {name: _text(value) for name, value in fields.items()}
        basic = base64.b64decode(_text(headers.get("authorization", "")).removeprefix("Basic ")).decode()
        if basic != f"{self.client_id}:{self.client_secret}":
            return _answer(url, {"error": "invalid_client"}, status=401)
        began, account = self.codes.pop(given.get("code", ""), ({}, None))
        hashed = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        if (
            account is None
            or began["code_challenge"] != base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
            or began["redirect_uri"] != given["redirect_uri"]
        ):
            return _answer(url, {"error": "invalid_grant"}, status=400)
        token = self.raw_token or self.token(account, began["nonce"])
        return _answer(url, {"access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": token})

    def token(self, account: Account, nonce: str) -> str:
        now = int(self.clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer, "sub": account.subject, "aud": self.client_id, "iat": now, "exp": now + 300,
            "nonce": nonce, "email": account.email, "email_verified": account.verified, "name": account.name,
        }  # fmt: skip
        if self.auth_time is not None:
            claims["auth_time"] = now - int(self.auth_time)
        if account.verified is None:
            del claims["email_verified"]
        claims |= self.claims
        header = {"alg": self.alg, "kid": self.key.kid, **self.header}
        return jwt.encode(
            {name: value for name, value in header.items() if value is not None},
            {name: value for name, value in claims.items() if value is not None},
            self.key,
            algorithms=[self.alg],
        )


def _text(value: str | Secret) -> str:
    return value.reveal().decode() if isinstance(value, Secret) else value


def _answer(url: Url, document: object, *, status: int = 200) -> Fetched:
    return Fetched(status, {"content-type": "application/json"}, json.dumps(document).encode(), url)
