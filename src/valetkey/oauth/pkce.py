"""Proof Key for Code Exchange (RFC 7636), S256 only."""

from __future__ import annotations

import base64

from valetkey.kernel.ids import new_token
from valetkey.kernel.secret import Secret

METHOD = "S256"


def new_verifier() -> Secret:
    """256 random bits in the characters section 4.1 allows."""
    return new_token("v")


def challenge(verifier: Secret) -> str:
    """BASE64URL(SHA256(verifier)), without padding (section 4.2)."""
    return base64.urlsafe_b64encode(bytes.fromhex(verifier.digest())).rstrip(b"=").decode()
