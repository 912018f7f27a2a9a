"""Where the root key comes from, one file per provider; `opening` knows them all.

A provider wraps and unwraps a tenant's key and says its name; nobody gets the root key itself. No provider has a
default key, and any doubt about a key refuses the start. Two providers send over the network (`aws_kms`, `transit`):
to the one machine the operator named, with nothing of a person's in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol

from valetkey.vault.model import Tampered, WrongKey

ID_SIZE = 8
_MAGIC = b"RX1\x01"
_BODY_AT = len(_MAGIC) + ID_SIZE


class RootKey(Protocol):
    """What the keyring needs of a provider. Asynchronous, since some providers are another machine.

    Every key has an id of 16 hex digits that tells nothing about it, and everything wrapped begins with four bytes of
    format and that id (`named`): the right key is named and never tried for.
    """

    @property
    def scheme(self) -> str:
        """What `--root-key` begins with."""
        ...

    @property
    def place(self) -> str:
        """Where the key is, for people: a path, a name, an address. No secret."""
        ...

    @property
    def created(self) -> bool:
        """Whether this start made the key: then the operator is told to keep it safe."""
        ...

    @property
    def key_id(self) -> str:
        """Of the key that wraps."""
        ...

    @property
    def versions(self) -> Mapping[int, str]:
        """The keys at hand and their ids, oldest first; the older ones only unwrap."""
        ...

    async def rotate(self) -> int:
        """Makes a new key, which wraps from now on; its version. The older stay. Raises `BadInput` if it cannot."""
        ...

    async def wrap(self, plaintext: bytes | bytearray, *, context: bytes) -> bytes:
        """`plaintext` sealed for `context`, which must be given again to unwrap. Raises `RootKeyUnavailable`."""
        ...

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytearray:
        """The plaintext, for the caller to wipe; raises `WrongKey` for another key's, `Tampered` if changed.

        `RootKeyUnavailable` says that the provider did not answer, or said no: nothing is wrong with what is wrapped.
        """
        ...


def named(wrapped: bytes) -> str:
    """The id of the key that something was wrapped under; raises `Tampered` for what is too short to have one."""
    if len(wrapped) <= _BODY_AT:
        raise Tampered("A wrapped key is not of a known version.")
    return wrapped[len(_MAGIC) : _BODY_AT].hex()


def id_of(*parts: str) -> str:
    """The id of a key that is elsewhere, made of its name there."""
    digest = hashlib.sha256(b"valetkey-root-name")
    for part in parts:
        digest.update(len(part.encode()).to_bytes(4, "big") + part.encode())
    return digest.digest()[:ID_SIZE].hex()


def sealed_elsewhere(key_id: str, ciphertext: bytes) -> bytes:
    """What a provider's ciphertext is kept as."""
    return _MAGIC + bytes.fromhex(key_id) + ciphertext


def ciphertext_of(wrapped: bytes, key_ids: Mapping[int, str]) -> tuple[int, bytes]:
    """The version of the provider's key, and the provider's ciphertext. Raises `WrongKey` or `Tampered`."""
    if not wrapped.startswith(_MAGIC):
        raise WrongKey("The key was wrapped by another provider.")
    name = named(wrapped)
    for version, key_id in key_ids.items():
        if key_id == name:
            return version, wrapped[_BODY_AT:]
    raise WrongKey("The key was wrapped under another root key.")
