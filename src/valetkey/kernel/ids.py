"""Identifiers: random, prefixed, sortable by time; and the random tokens that are secrets.

An identifier is not a secret and proves nothing; a token is one and is stored only as a hash.
"""

from __future__ import annotations

import secrets
import time

from valetkey.kernel.secret import Secret

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base32, as in ULID


def _base32(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def new_id(prefix: str) -> str:
    """`prefix_` and 26 characters: 48 bits of milliseconds, then 80 random bits (the ULID layout)."""
    return f"{prefix}_{_base32(time.time_ns() // 1_000_000, 10)}{_base32(secrets.randbits(80), 16)}"


def new_token(prefix: str) -> Secret:
    """A bearer secret of ours: `prefix_` and 256 random bits in URL-safe base64."""
    return Secret(f"{prefix}_{secrets.token_urlsafe(32)}")


def random_suffix(length: int) -> str:
    """`length` random characters of `[0-9a-z]`, without look-alikes; for slugs."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
