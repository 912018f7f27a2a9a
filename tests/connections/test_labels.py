"""A label is the hub's signed word for today, made of what the directory says and of nothing a stranger wrote."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from tests.connections.conftest import PUBLIC_URL, Hub
from valetkey.identity.model import BrowserSession


def bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check(statement: str, keys: dict[str, Any]) -> dict[str, Any]:
    """As somebody elsewhere checks it, with the public key alone. Raises `InvalidSignature`."""
    head, claims, signature = statement.split(".")
    (key,) = keys["keys"]
    x, y = (int.from_bytes(bytes_of(key[name])) for name in ("x", "y"))
    raw = bytes_of(signature)
    der = utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    public.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(SHA256()))
    assert json.loads(bytes_of(head)) == {"alg": "ES256", "kid": key["kid"], "typ": "label+jwt"}
    found: dict[str, Any] = json.loads(bytes_of(claims))
    return found


async def test_a_name_that_claims_to_be_verified_is_signed_as_custom(hub: Hub, ada: BrowserSession) -> None:
    """DIR-02: with the date, the policy's version, and the endpoint it is about."""
    connector = await hub.connectors.add_custom(ada.person, name="Verified ✓", url="https://mcp.example.com/mcp")

    label = await hub.room.labels.of(connector, policy="1")
    keys = await hub.room.identities.key_set(label.keys.rpartition("/")[2].removesuffix(".jwks"))

    assert label.keys.startswith(f"{PUBLIC_URL}/oauth/client/")
    assert check(label.statement, keys) == {
        "iss": PUBLIC_URL,
        "sub": connector.slug,
        "name": "Verified ✓",
        "endpoint": "https://mcp.example.com/mcp",
        "label": "custom",
        "words": "Custom – unverified",
        "policy": "1",
        "iat": int(hub.clock.now().timestamp()),
        "exp": int(hub.clock.now().timestamp()) + 3600,
    }


async def test_a_label_that_was_written_otherwise_does_not_verify(hub: Hub, ada: BrowserSession) -> None:
    connector = await hub.connectors.add_custom(ada.person, name="Notes", url="https://mcp.example.com/mcp")
    label = await hub.room.labels.of(connector, policy="1")
    keys = await hub.room.identities.key_set(label.keys.rpartition("/")[2].removesuffix(".jwks"))
    head, claims, signature = label.statement.split(".")
    forged = json.dumps(json.loads(bytes_of(claims)) | {"label": "verified"}).encode()

    with pytest.raises(InvalidSignature):
        check(f"{head}.{base64.urlsafe_b64encode(forged).decode().rstrip('=')}.{signature}", keys)
