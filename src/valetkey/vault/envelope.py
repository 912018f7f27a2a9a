"""One sealed value: AES-256-GCM under a key that is used for nothing else and named in the header.

    magic and version (4) | name of the key (16) | nonce (12) | ciphertext | tag (16)

The name is a commitment to the key. It is compared before anything is decrypted, so a ciphertext opens under exactly
one key (no partitioning oracle), and the right one of several is found without trying.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from valetkey.vault.model import Tampered, WrongKey

MAGIC = b"CV1\x01"
KEY_SIZE = 32
NAME_SIZE = 16
NONCE_SIZE = 12
TAG_SIZE = 16
_BODY_AT = len(MAGIC) + NAME_SIZE + NONCE_SIZE


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed value taken apart; `body` is ciphertext and tag."""

    key_name: bytes
    nonce: bytes
    body: bytes

    @property
    def length(self) -> int:
        """Of the plaintext, in bytes."""
        return len(self.body) - TAG_SIZE


def new_key() -> bytearray:
    """A data key, in memory that can be wiped."""
    return bytearray(os.urandom(KEY_SIZE))


def wipe(buffer: bytearray | memoryview) -> None:
    buffer[:] = bytes(len(buffer))


def key_name(key: bytes | bytearray) -> bytes:
    """The commitment to `key` (security.md 2.1)."""
    return hashlib.sha256(b"cv1-commit" + key).digest()[:NAME_SIZE]


def seal(key: bytes | bytearray, plaintext: bytes | bytearray, associated_data: bytes) -> bytes:
    """`plaintext` under `key`, which must not have sealed anything before."""
    nonce = os.urandom(NONCE_SIZE)
    return MAGIC + key_name(key) + nonce + AESGCM(key).encrypt(nonce, plaintext, associated_data)


def take_apart(sealed: bytes) -> Sealed:
    """The parts of a sealed value; raises `Tampered` for anything that is not one. Nothing is ever "returned as is"."""
    if len(sealed) < _BODY_AT + TAG_SIZE or not sealed.startswith(MAGIC):
        raise Tampered("What is stored is not a sealed value of a known version.")
    names_at = len(MAGIC)
    return Sealed(
        key_name=sealed[names_at : names_at + NAME_SIZE],
        nonce=sealed[names_at + NAME_SIZE : _BODY_AT],
        body=sealed[_BODY_AT:],
    )


def check_name(sealed: Sealed, key: bytes | bytearray) -> None:
    """Raises `WrongKey` unless `sealed` says that it was sealed under `key`."""
    if not hmac.compare_digest(sealed.key_name, key_name(key)):
        raise WrongKey("The value was sealed under another key.")


def open_into(cipher: AESGCM, sealed: Sealed, associated_data: bytes, buffer: bytearray | memoryview) -> None:
    """Decrypts into `buffer`, which is as long as the plaintext; on failure raises `Tampered` and leaves zeros."""
    try:
        cipher.decrypt_into(sealed.nonce, sealed.body, associated_data, buffer)
    except InvalidTag as error:
        wipe(buffer)
        raise Tampered("The value, or what it belongs to, was changed.") from error
