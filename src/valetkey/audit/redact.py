"""Takes what looks like a secret out of a payload before it is sealed for the log.

Works on bytes, JSON or not. A replacement never spans a quote or a backslash that is part of JSON's own syntax, so JSON
stays JSON. Two cheap questions come first, since most payloads hold no secret and a pattern costs 15 µs per kilobyte:
is there a run of 20 letters and digits at all, and is there a word that names a secret?

This is the second line: the credential of a connection is not in arguments or results to begin with. It catches what
people and services put there, and cannot know every shape.
"""

from __future__ import annotations

import re

MASK = b"[redacted]"

_KEYS = (
    rb"access_?token|refresh_?token|id_?token|auth_?token|session_?token|bearer_?token|client_?secret|api_?key|x-api-key"
    rb"|x-auth-token|secret_?(?:access_?)?key|private_?key|password|passwd|passphrase|authorization|proxy-authorization"
    rb"|cookie|set-cookie|secret"
)

# Shapes that somebody chose so that secrets can be recognized, each holding a run of at least 20 characters.
_SHAPES = re.compile(
    rb"\bvk[art]_[A-Za-z0-9_-]{20,}"  # ours
    rb"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}"
    rb"|\bxox[abeoprs]-[A-Za-z0-9-]{15,}|\bxapp-[A-Za-z0-9-]{15,}"
    rb"|\bsk-[A-Za-z0-9_-]{17,}|\b[spr]k_(?:live|test)_[A-Za-z0-9]{16,}"
    rb"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}"
    rb"|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{30,}|\b(?:ntn|secret)_[A-Za-z0-9]{30,}|\blin_api_[A-Za-z0-9]{20,}"
    rb"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # a JWT
    rb"|-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s:,-]|\\{1,2}[nrt])*"
    rb"(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----)?"
    rb"|(?P<kept>\b(?:[Bb]earer|BEARER|[Bb]asic) +)[A-Za-z0-9._~+/=-]{20,}"
)
_RUN = b"a" * 20
_ANY_RUN = bytes(97 if (chr(code).isalnum() and code < 128) or chr(code) in "_-" else 32 for code in range(256))

# A value by its name: in JSON, in JSON within a JSON string (as tool results have it), in a query or form, in headers.
_NAMED = (
    re.compile(rb'(?P<kept>"(?:' + _KEYS + rb')"\s*:\s*")(?:[^"\\]|\\.)+', re.IGNORECASE),
    re.compile(rb'(?P<kept>\\"(?:' + _KEYS + rb')\\"\s*:\s*\\")(?:[^"\\]|\\\\(?:\\.|[^\\"]))+', re.IGNORECASE),
    re.compile(rb"(?P<kept>(?:^|[?&\s\"'])(?:" + _KEYS + rb")=)[^&\s\"'\\]+", re.IGNORECASE),
    re.compile(rb"(?P<kept>\b(?:authorization|cookie|api-key): *)[^\r\n\"\\]+", re.IGNORECASE),
)
# A word, and what else must be there before the patterns are worth their time: "key" and "token" are in many payloads.
_WORDS: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (b"token", (b"_token", b"-token", b"stoken", b"htoken", b"dtoken", b"ntoken", b"rtoken")),
    (b"key", (b"api_key", b"apikey", b"api-key", b"private_key", b"privatekey")),
    (b"pass", (b"passw", b"passphrase")),
    (b"secret", (b"secret",)),
    (b"authorization", (b"authorization",)),
    (b"cookie", (b"cookie",)),
)


def redact(payload: bytes) -> bytes:
    """`payload` with every secret that can be recognized replaced by `[redacted]`."""
    if _RUN in payload.translate(_ANY_RUN):
        payload = _SHAPES.sub(_mask, payload)
    lowered = payload.lower()
    for word, names in _WORDS:
        if word in lowered and any(name in lowered for name in names):
            for pattern in _NAMED:
                payload = pattern.sub(_mask, payload)
            break
    return payload


def redact_text(text: str) -> str:
    """As `redact`, for a text."""
    return redact(text.encode(errors="replace")).decode()


def _mask(found: re.Match[bytes]) -> bytes:
    """Keeps the name before the value."""
    return (found["kept"] or b"") + MASK
