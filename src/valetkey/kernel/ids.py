"""Identifiers: random, prefixed, sortable by time; and the random tokens that are secrets.

An identifier is not a secret and proves nothing; a token is one and is stored only as a hash.
"""

from __future__ import annotations

import secrets
import time

from valetkey.kernel.randomness import Pieces
from valetkey.kernel.secret import Secret

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base32, as in ULID
_DIGIT_OF_BYTE = bytes(ord(_ALPHABET[byte % 32]) for byte in range(256))  # 256 is 8 times 32: each as likely
_draw = Pieces(16)
_time = (0, "")
"""The last millisecond an id was made in, and its ten digits: an id is made for each call, many in one of them."""


def new_id(prefix: str) -> str:
    """`prefix_` and 26 characters: 48 bits of milliseconds, then 80 random bits (the ULID layout)."""
    global _time  # derived, and the same for everybody: no state
    millisecond, digits = _time
    now = time.time_ns() // 1_000_000
    if now != millisecond:
        digits = "".join([_ALPHABET[now >> shift & 31] for shift in range(45, -5, -5)])
        _time = (now, digits)
    return f"{prefix}_{digits}{_draw().translate(_DIGIT_OF_BYTE).decode()}"


def new_token(prefix: str) -> Secret:
    """A bearer secret of ours: `prefix_` and 256 random bits in URL-safe base64."""
    return Secret(f"{prefix}_{secrets.token_urlsafe(32)}")


def random_suffix(length: int) -> str:
    """`length` random characters of `[0-9a-z]`, without look-alikes; for slugs."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
