"""Keys of ours that sign who we are to an authorization server: made here, sealed here, and used here alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from valetkey.kernel.secret import Secret

ALGORITHM = "ES256"
_COORDINATE = 32  # bytes of a P-256 coordinate, and of each half of a signature (RFC 7518 3.4)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key pair: the private half on its way to be sealed, the public one as a JSON Web Key (RFC 7517)."""

    private: Secret
    public: dict[str, str]

    @property
    def kid(self) -> str:
        return self.public["kid"]


def new_signing_key() -> NewKey:
    """A P-256 key. Its `kid` is its thumbprint (RFC 7638), so that two keys never share one."""
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    point = {"crv": "P-256", "kty": "EC", "x": _base64url(numbers.x), "y": _base64url(numbers.y)}
    thumbprint = hashlib.sha256(json.dumps(point, sort_keys=True, separators=(",", ":")).encode()).digest()
    kid = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return NewKey(Secret(private), {**point, "kid": kid, "alg": ALGORITHM, "use": "sig"})


def sign_with(private: Secret, message: bytes) -> bytes:
    """The ES256 signature of `message` (64 bytes). Wipes `private`."""
    try:
        # Revealed to be read by the library, which keeps its own copy for as long as this call takes.
        key = serialization.load_der_private_key(private.reveal(), password=None)
    finally:
        private.wipe()
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # `new_signing_key` makes no other
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")


def mark_with(key: Secret, message: bytes) -> bytes:
    """HMAC-SHA256 of `message`. Wipes `key`."""
    try:
        # Revealed to the function that it is the key of, here and nowhere else.
        return hmac.digest(key.reveal(), message, "sha256")
    finally:
        key.wipe()


def _base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(_COORDINATE, "big")).rstrip(b"=").decode()
