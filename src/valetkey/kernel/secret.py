"""Secrets in memory: written, not read.

A `Secret` never shows itself: not in `repr`, `str`, f-strings, comparison errors or pickles. `reveal()` is the only way
to its bytes, so `grep -rn "reveal()"` is the list of places where one can leak.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import NoReturn, Protocol

from valetkey.kernel.errors import BadInput


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadInput("The secret has half a character in it.") from None  # the error would show it


class Secret:
    """A secret value, held as bytes that can be wiped.

    Takes `str` or `bytes`; keeps its own `bytearray`. The caller's copy is the caller's to forget. Raises `BadInput`
    for a `str` that is no text.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str | bytes | bytearray | memoryview) -> None:
        self._value = bytearray(_encoded(value) if isinstance(value, str) else value)

    def reveal(self) -> bytes:
        """A copy of the bytes. Each call site says in a comment why it must."""
        return bytes(self._value)

    def wipe(self) -> None:
        """Overwrite the value with nothing; the secret is empty afterwards."""
        for index in range(len(self._value)):
            self._value[index] = 0
        self._value.clear()

    def digest(self) -> str:
        """SHA-256 in hex: how a bearer secret of ours is stored and looked up. Only for high-entropy values."""
        return hashlib.sha256(self._value).hexdigest()

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a secret as a dict key would spread copies

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


class Credential(Protocol):
    """What `net` needs of a ticket: the one origin it may go to, and the bytes, at the last moment.

    `write_into` writes `size` bytes of complete HTTP/1.1 header lines (`name: value\\r\\n`, one or more) into the
    buffer it is given, works once, and raises `VaultFailed` when it was used before or has expired. `masked` is what
    came back without the credential, should the service have said it back; the very same object when it did not.
    `longest` is how many bytes it takes at most wherever `masked` finds it, so that much can be searched in parts.
    """

    @property
    def origin(self) -> str: ...

    @property
    def size(self) -> int: ...

    def write_into(self, buffer: memoryview) -> None: ...

    def masked(self, data: bytes) -> bytes: ...

    @property
    def longest(self) -> int: ...
