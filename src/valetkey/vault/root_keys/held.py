"""Root keys that are in our memory: the newest wraps, the older ones unwrap until nothing hangs on them.

What is wrapped begins with the id of the key it was wrapped under, so that the right one is named and never tried for.
"""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from valetkey.vault.envelope import NONCE_SIZE, TAG_SIZE
from valetkey.vault.model import Tampered, WrongKey
from valetkey.vault.root_keys import ID_SIZE

_MAGIC = b"RK1\x01"
_NONCE_AT = len(_MAGIC) + ID_SIZE
_BODY_AT = _NONCE_AT + NONCE_SIZE


class HeldKeys:
    """One or several root keys by version. The keys themselves stay inside the cipher objects."""

    def __init__(self) -> None:
        self._versions: dict[int, bytes] = {}
        self._ciphers: dict[bytes, AESGCM] = {}

    def hold(self, key: bytearray, *, version: int) -> None:
        """Takes `key` in, as `version` (from 1); the caller wipes it."""
        identity = hashlib.sha256(b"valetkey-root-id" + key).digest()[:ID_SIZE]
        self._ciphers[identity] = AESGCM(key)
        self._versions[version] = identity

    @property
    def version(self) -> int:
        return max(self._versions)

    @property
    def versions(self) -> dict[int, str]:
        return {version: identity.hex() for version, identity in sorted(self._versions.items())}

    @property
    def key_id(self) -> str:
        return self._versions[self.version].hex()

    async def wrap(self, plaintext: bytes | bytearray, *, context: bytes) -> bytes:
        identity = self._versions[self.version]
        nonce = os.urandom(NONCE_SIZE)
        return _MAGIC + identity + nonce + self._ciphers[identity].encrypt(nonce, plaintext, b"root" + context)

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytearray:
        if not wrapped.startswith(_MAGIC):
            raise WrongKey("The key was wrapped by another provider.")
        if len(wrapped) < _BODY_AT + TAG_SIZE:
            raise Tampered("A wrapped key is cut short.")
        cipher = self._ciphers.get(wrapped[len(_MAGIC) : _NONCE_AT])
        if cipher is None:
            raise WrongKey("The key was wrapped under another root key.")
        plaintext = bytearray(len(wrapped) - _BODY_AT - TAG_SIZE)
        try:
            cipher.decrypt_into(wrapped[_NONCE_AT:_BODY_AT], wrapped[_BODY_AT:], b"root" + context, plaintext)
        except InvalidTag as error:
            raise Tampered("A wrapped key, or what it belongs to, was changed.") from error
        return plaintext
