"""A passkey in software: answers both WebAuthn ceremonies as a phone would, when its person presses "yes".

The two CBOR values it needs have a fixed shape, so they are written out here (WebAuthn 6.5.1, RFC 9053 7.1).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

_USER_VERIFIED, _WITH_KEY = 0x05, 0x45  # the flags: present and verified; and with the new public key


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(slots=True)
class Authenticator:
    """One credential for one hub, whose `origin` a browser would tell it."""

    origin: str
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    user: bytes = b""
    count: int = 0
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """As `navigator.credentials.create`."""
        self.user = _bytes(options["user"]["id"])
        point = self._key.public_key().public_numbers()
        x, y = point.x.to_bytes(32, "big"), point.y.to_bytes(32, "big")
        key = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y
        credential = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + key
        data = self._data(options["rp"]["id"], _WITH_KEY) + credential
        attestation = b"\xa3cfmtdnonegattStmt\xa0hauthData\x58" + bytes([len(data)]) + data
        said = self._said("webauthn.create", options["challenge"])
        return self._credential({"clientDataJSON": _text(said), "attestationObject": _text(attestation)})

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """As `navigator.credentials.get`."""
        self.count += 1
        said, data = self._said("webauthn.get", options["challenge"]), self._data(options["rpId"], _USER_VERIFIED)
        signature = self._key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(SHA256()))
        return self._credential(
            {
                "clientDataJSON": _text(said), "authenticatorData": _text(data), "signature": _text(signature),
                "userHandle": _text(self.user),
            }
        )  # fmt: skip

    def _said(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _data(self, rp_id: str, flags: int) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        name = _text(self.id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}
