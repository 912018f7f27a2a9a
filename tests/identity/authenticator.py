"""A passkey in software: answers both WebAuthn ceremonies as a phone would, and lies where it is told to."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One credential. `counts` is how the counter grows; 0 for one that has none, as synced passkeys."""

    origin: str
    rp_id: str = ""
    counts: int = 1
    verifies_user: bool = True
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    sign_count: int = 0
    user_handle: bytes = b""
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options_json: str, **lies: Any) -> str:
        """What the browser sends after `navigator.credentials.create`."""
        options = json.loads(options_json)
        self.rp_id = self.rp_id or options["rp"]["id"]
        self.user_handle = _unb64(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        public_key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = b"\0" * 16 + struct.pack(">H", len(self.credential_id)) + self.credential_id
        data = self._authenticator_data(_ATTESTED) + attested + cbor2.dumps(public_key)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        response = {
            "clientDataJSON": _b64(self._client_data("webauthn.create", options["challenge"], lies)),
            "attestationObject": _b64(attestation),
        }
        return self._credential(response)

    def get(self, options_json: str, **lies: Any) -> str:
        """What the browser sends after `navigator.credentials.get`."""
        options = json.loads(options_json)
        self.rp_id = self.rp_id or options["rpId"]
        self.sign_count += self.counts
        client_data = self._client_data("webauthn.get", options["challenge"], lies)
        data = self._authenticator_data(0)
        signed = data + hashlib.sha256(client_data).digest()
        signature = self.key.sign(signed, ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": _b64(client_data),
            "authenticatorData": _b64(data),
            "signature": _b64(signature),
            "userHandle": _b64(lies.get("user_handle", self.user_handle)),
        }
        return self._credential(response)

    def _client_data(self, kind: str, challenge: str, lies: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps({**said, **{name: value for name, value in lies.items() if name in said}}).encode()

    def _authenticator_data(self, flags: int) -> bytes:
        flags |= _PRESENT | (_VERIFIED if self.verifies_user else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + struct.pack(">I", self.sign_count)

    def _credential(self, response: dict[str, str]) -> str:
        return json.dumps(
            {
                "id": _b64(self.credential_id),
                "rawId": _b64(self.credential_id),
                "type": "public-key",
                "response": response,
                "clientExtensionResults": {},
            }
        )
