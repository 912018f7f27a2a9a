"""The marks of the watch key on checkpoints: a chain of HMACs whose key moves on and cannot be turned back.

    key 1          shown once, when the watch begins, and kept off the host
    key n+1        HMAC-SHA-256(key n, "valetkey trail: next" ‖ 0x01), after which key n is destroyed
    mark n         HMAC-SHA-256(HMAC-SHA-256(key n, "valetkey trail: mark" ‖ 0x01), note)

(Both derivations are one block of HKDF-Expand, RFC 5869.) Who has key 1 can check every mark, and that none is missing.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from hashlib import sha256

from valetkey.kernel.errors import BadInput

FIRST = 1
_SIZE = 32
_FIRST_VALUE = re.compile(r"vkw_([a-z0-9_]{1,40})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Step:
    """The mark on one checkpoint: which watch, which step of it, and the mark."""

    watch: str
    number: int
    mark: bytes


def next_key(key: bytes) -> bytes:
    return hmac.digest(key, b"valetkey trail: next\x01", sha256)


def mark_of(key: bytes, note: bytes) -> bytes:
    return hmac.digest(hmac.digest(key, b"valetkey trail: mark\x01", sha256), note, sha256)


def start(watch: str, key: bytes) -> str:
    """The first value, as its keeper gets it."""
    return f"vkw_{watch}.{base64.urlsafe_b64encode(key).rstrip(b'=').decode()}"


def read_start(text: str) -> tuple[str, bytes]:
    """Watch and first key, of what `start` wrote. Raises `BadInput`, without repeating it."""
    found = _FIRST_VALUE.fullmatch(text.strip())
    try:
        key = base64.urlsafe_b64decode(found[2] + "=") if found else b""
    except binascii.Error:
        key = b""
    if found is None or len(key) != _SIZE:
        raise BadInput("The watch key is not one.", field="watch-key", hint="It begins with vkw_.")
    return found[1], key


def first_bad_step(first: tuple[str, bytes], steps: list[tuple[Step, bytes]]) -> tuple[int, str]:
    """The first step of `steps` (each with its note, in order) that is wrong, and why; (0, "") when all are right."""
    watch, key = first
    expected = FIRST
    for step, note in steps:
        if step.watch != watch:
            continue
        if step.number != expected:
            return expected, "is missing"
        if not hmac.compare_digest(mark_of(key, note), step.mark):
            return expected, "does not bear the mark of the watch key"
        key = next_key(key)
        expected += 1
    return (0, "") if expected > FIRST else (FIRST, "is missing")
