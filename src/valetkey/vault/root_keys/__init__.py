"""Where the root key comes from, one file per provider.

A provider wraps and unwraps a tenant's key and says its name; nobody gets the root key itself. No provider has a
default key, and any doubt about a key refuses the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class RootKey(Protocol):
    """What the keyring needs of a provider. Asynchronous, since some providers are another machine."""

    @property
    def key_id(self) -> str:
        """Names the key without telling anything about it; 16 hex digits for a key we hold."""
        ...

    @property
    def version(self) -> int:
        """Of the key that wraps; grows with rotation."""
        ...

    @property
    def versions(self) -> Mapping[int, str]:
        """The versions at hand and the ids of their keys; the older ones only unwrap."""
        ...

    async def rotate(self) -> int:
        """Makes a new key, which wraps from now on; its version. The older stay. Raises `BadInput` if it cannot."""
        ...

    async def wrap(self, plaintext: bytes | bytearray, *, context: bytes) -> bytes:
        """`plaintext` sealed for `context`, which must be given again to unwrap."""
        ...

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytearray:
        """The plaintext, for the caller to wipe; raises `WrongKey` for another key's, `Tampered` if changed."""
        ...
