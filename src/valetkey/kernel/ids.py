"""Identifiers: random, prefixed, sortable by time; and the random tokens that are secrets.

An identifier is not a secret and proves nothing; a token is one and is stored only as a hash.
"""

from __future__ import annotations

import os
import secrets
import time

from valetkey.kernel.secret import Secret

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base32, as in ULID


# Two digits at a time: an id is made for each call, and a loop over single digits was a tenth of its cost.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(120, -10, -10)


def new_id(prefix: str) -> str:
    """`prefix_` and 26 characters: 48 bits of milliseconds, then 80 random bits (the ULID layout)."""
    number = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    return f"{prefix}_{''.join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])}"


def new_token(prefix: str) -> Secret:
    """A bearer secret of ours: `prefix_` and 256 random bits in URL-safe base64."""
    return Secret(f"{prefix}_{secrets.token_urlsafe(32)}")


def random_suffix(length: int) -> str:
    """`length` random characters of `[0-9a-z]`, without look-alikes; for slugs."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
