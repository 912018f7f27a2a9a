"""A tenant's key, which wraps data keys; one wrapping is opened and made anew under the next key (rotation).

A wrapped data key begins with the digest of what it is bound to, and the digest is associated data of the wrapping.
So a data key opens only for the very binding it was made for, and can still be rewrapped by somebody who does not know
that binding (rotation walks the table; it has no connection at hand).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from valetkey.kernel.randomness import Pieces
from valetkey.vault.envelope import KEY_SIZE, NONCE_SIZE, TAG_SIZE, key_name, wipe
from valetkey.vault.model import Tampered, WrongKey, with_lengths
from valetkey.vault.repository import DataKeyRow, Hanging

_MAGIC: Final = b"DK1\x01"
_DIGEST_SIZE: Final = 32
_DIGEST_LENGTH: Final = _DIGEST_SIZE.to_bytes(4, "big")
_NONCE_AT: Final = len(_MAGIC) + _DIGEST_SIZE
_BODY_AT: Final = _NONCE_AT + NONCE_SIZE
_KEPT: Final = 4096
_nonce: Final = Pieces(NONCE_SIZE)


@dataclass(frozen=True, slots=True)
class TenantKey:
    """A tenant's key, ready to wrap. The key itself stays inside the cipher object."""

    tenant: str
    version: int
    cipher: AESGCM

    def wrap(self, key: bytearray, *, subject: str, purpose: str, generation: int, bound_to: bytes) -> bytes:
        """A data key wrapped for one place (`subject`, `purpose`, `generation`) and everything in `bound_to`."""
        digest = hashlib.sha256(bound_to).digest()
        return self._wrap(key, _place(subject, purpose, generation, digest), digest)

    def unwrap(self, row: DataKeyRow, *, purpose: str, bound_to: bytes) -> bytearray:
        """The data key of `row`, for the caller to wipe. `purpose` is the row's own, without what marks it staged."""
        digest = hashlib.sha256(bound_to).digest()
        if not hmac.compare_digest(_digest_of(row.wrapped), digest):
            raise Tampered("The value belongs to something else than it is asked for.")
        key = bytearray(KEY_SIZE)
        self._unwrap_into(key, row, _place(row.subject, purpose, row.generation, digest))
        return key

    def rewrap(self, row: DataKeyRow | Hanging, *, purpose: str, under: TenantKey, room: bytearray) -> bytes:
        """The data key of `row` wrapped `under` another key of the same tenant, bound to what it was bound to.

        `room` holds it meanwhile: one for a hundred thousand keys, which the caller wipes after the last.
        """
        digest = _digest_of(row.wrapped)
        place = _place(row.subject, purpose, row.generation, digest)
        self._unwrap_into(room, row, place)
        return under._wrap(room, place, digest)

    def _wrap(self, key: bytearray, place: bytes, digest: bytes) -> bytes:
        nonce = _nonce()
        return _MAGIC + digest + nonce + self.cipher.encrypt(nonce, key, _by(self.tenant, self.version) + place)

    def _unwrap_into(self, key: bytearray, row: DataKeyRow | Hanging, place: bytes) -> None:
        wrapped = row.wrapped
        try:
            self.cipher.decrypt_into(
                wrapped[_NONCE_AT:_BODY_AT], wrapped[_BODY_AT:], _by(self.tenant, self.version) + place, key
            )
        except InvalidTag as error:
            raise Tampered("A wrapped data key, or what it belongs to, was changed.") from error
        if not hmac.compare_digest(key_name(key), row.commitment):
            wipe(key)
            raise WrongKey("A data key is not the one its row names.")


@lru_cache(_KEPT)
def _by(tenant: str, version: int) -> bytes:
    """What every wrapping by this tenant key is bound to; `_place` follows it."""
    return with_lengths("dek", tenant, version)


def _place(subject: str, purpose: str, generation: int, digest: bytes) -> bytes:
    """`with_lengths(subject, purpose, generation, digest)`, put together from what stays the same."""
    name = subject.encode()
    return b"".join((len(name).to_bytes(4, "big"), name, _kind(purpose, generation), _DIGEST_LENGTH, digest))


@lru_cache(_KEPT)
def _kind(purpose: str, generation: int) -> bytes:
    return with_lengths(purpose, generation)


def _digest_of(wrapped: bytes) -> bytes:
    if len(wrapped) != _BODY_AT + KEY_SIZE + TAG_SIZE or not wrapped.startswith(_MAGIC):
        raise Tampered("A wrapped data key is not of a known version.")
    return wrapped[len(_MAGIC) : _NONCE_AT]
