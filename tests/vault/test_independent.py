"""T54: what is sealed opens by its description alone (docs/vault.md), with the standard library and AES-GCM.

Nothing of ours is imported to open it: if this file has to change, so has the format, and older stores are unreadable.
"""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.vault.conftest import House
from valetkey.kernel.secret import Secret
from valetkey.vault.model import Binding


def parts(*values: str | bytes | int) -> bytes:
    """Each with its length before it, four bytes, the high one first; numbers in decimal."""
    encoded = [one if isinstance(one, bytes) else str(one).encode() for one in values]
    return b"".join(struct.pack(">I", len(one)) + one for one in encoded)


def decrypt(root: bytes, main: sqlite3.Connection, keyring: sqlite3.Connection, where: dict[str, Any]) -> bytes:
    """root key → tenant key → data key → value."""
    subject, purpose = where["subject"], where["purpose"]
    one = "select generation, ciphertext from secret where subject = ? and purpose = ?"
    generation, sealed = main.execute(one, (subject, purpose)).fetchone()
    bound_to = parts(
        "sec", where["tenant"], where["person"], subject, purpose, generation, where["origin"], where["issuer"],
        where["connector"], where["version"],
    )  # fmt: skip
    one = "select tenant_key_version, wrapped, commitment from data_key where subject = ? and purpose = ?"
    version, wrapped_key, commitment = keyring.execute(one, (subject, purpose)).fetchone()
    one = "select wrapped from tenant_key where tenant = ? and version = ?"
    (wrapped_tenant,) = keyring.execute(one, (where["tenant"], version)).fetchone()
    # magic 4, id of the root key 8, nonce 12
    context = b"root" + parts("kek", where["tenant"], version)
    at = len(wrapped_tenant) - 32 - 16 - 12
    tenant_key = AESGCM(root).decrypt(wrapped_tenant[at : at + 12], wrapped_tenant[at + 12 :], context)
    # magic 4, digest of what the value is bound to 32, nonce 12
    digest = hashlib.sha256(bound_to).digest()
    assert (wrapped_key[:4], wrapped_key[4:36]) == (b"DK1\x01", digest)
    context = parts("dek", where["tenant"], version, subject, purpose, generation, digest)
    data_key = AESGCM(tenant_key).decrypt(wrapped_key[36:48], wrapped_key[48:], context)
    # magic 4, name of the key 16, nonce 12
    name = hashlib.sha256(b"cv1-commit" + data_key).digest()[:16]
    assert (sealed[:4], sealed[4:20], commitment) == (b"CV1\x01", name, name)
    return AESGCM(data_key).decrypt(sealed[20:32], sealed[32:], bound_to)


async def test_a_hundred_records_open_by_their_description(small_house: House, tmp_path: Path) -> None:
    vault = small_house.vault()
    places = [
        {"tenant": f"org_{at % 3}", "person": f"per_{at}", "subject": f"con_{at}", "origin": f"https://s{at}.example",
         "issuer": "https://i.example", "connector": "c", "version": at,
         "purpose": ("access_token", "header:x-k")[at % 2]}
        for at in range(100)
    ]  # fmt: skip
    for at, where in enumerate(places):
        named = {name: value for name, value in where.items() if name != "version"}
        for value in ("older", f"value {at} ä"):
            await vault.seal(Secret(value), bound_to=Binding(connector_version=at, **named))  # type: ignore[arg-type]  # of both kinds
    root = small_house.root.path.read_bytes()
    main = sqlite3.connect(str(small_house.main.url.database))
    keyring = sqlite3.connect(str(small_house.keyring.url.database))

    opened = [decrypt(root, main, keyring, where) for where in places]

    main.close()
    keyring.close()
    assert opened == [f"value {at} ä".encode() for at in range(100)]
