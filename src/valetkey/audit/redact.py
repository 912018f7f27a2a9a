"""Takes what looks like a secret out of a payload before it is sealed for the log.

Works on bytes, JSON or not. A replacement never spans a quote or a backslash that is part of JSON's own syntax, so JSON
stays JSON. Two cheap questions come first, since most payloads hold no secret and a pattern costs 15 µs per kilobyte:
is there a run of 20 letters and digits at all, and is there a word that names a secret?

This is the second line: the credential of a connection is not in arguments or results to begin with. It catches what
people and services put there, and cannot know every shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

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


def _paired(quote: bytes, text: bytes) -> tuple[re.Pattern[bytes], ...]:
    """Values whose name stands in another field (DATA-09): `{"name": "password", "value": …}`, in either order and with
    little between, and `[["x-api-key", …], …]`. `quote` is how a text begins and ends; `text`, one character of it.
    """
    word = rb"(?:name|key|header|field)"
    label = quote + word + quote + rb"\s*:\s*" + quote + rb"(?:" + _KEYS + rb")" + quote
    value = quote + rb"(?:value|val)" + quote + rb"\s*:\s*" + quote
    other = quote + rb"[^\"\\]{0,40}" + quote + rb"\s*:\s*(?:" + quote + rb"[^\"\\]{0,100}" + quote + rb"|[\w.-]{1,20})"
    between = rb"\s*,\s*(?:" + other + rb"\s*,\s*){0,3}"
    of_two = rb"[\[,]\s*\[\s*" + quote + rb"(?:" + _KEYS + rb")" + quote + rb"\s*,\s*" + quote
    return (
        re.compile(rb"(?P<kept>" + label + between + value + rb")" + text + rb"+", re.IGNORECASE),
        # The name comes after: what is longer than this is not looked at for it.
        re.compile(
            rb"(?P<kept>" + value + rb")" + text + rb"{1,2000}(?=" + quote + between + label + rb")", re.IGNORECASE
        ),
        re.compile(rb"(?P<kept>" + of_two + rb")" + text + rb"+", re.IGNORECASE),
    )


_PAIRED: Final = (
    *_paired(rb'"', rb'(?:[^"\\]|\\.)'),
    *_paired(rb'\\"', rb'(?:[^"\\]|\\\\(?:\\.|[^\\"]))'),
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

# Numbers of payment cards (DATA-09): in one piece or in groups, after a line break in JSON too; the check digit decides
_CARD = re.compile(
    rb"(?:(?<![\w.])|(?<=\\[nrt]))(?<!\d[ -])(?P<kept>)"
    rb"(?:\d{13,19}|\d{4}(?P<gap>[ -])\d{4}(?P=gap)\d{4}(?P=gap)\d{1,7}|\d{4}[ -]\d{6}[ -]\d{4,5})"
    rb"(?!\w|[ -]\d|\.\d)"
)
_ISSUED = re.compile(
    rb"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7]|35|6[245])\d{14}|3[47]\d{13}|3[068]\d{12}|6011\d{12}"
)
_DIGITS = bytes(48 if chr(code).isdecimal() and code < 128 else 32 for code in range(256))
_LONG = (b"0" * 13, b"0000 0000 0000", b"0000 000000 0000")
_TWICE = b"0246813579"  # doubled, and the digits of that added up
_BEFORE, _AFTER = re.compile(rb"[:,\[]\s*-?\Z"), (b",", b"}", b"]", b" ", b"\n", b"\r")
_ALONE = re.compile(rb"\s*-?\d+\s*")

_AT_ONCE: Final = 16 * 1024
"""Bytes that are looked through in one turn: of the slowest payload that was found one takes a microsecond (T28)."""
_AHEAD: Final = 4 * 1024
"""Bytes behind them that are seen as well: what a secret is known by is not longer, however long the rest of it is."""
_ESCAPE: Final = 8  # bytes of the longest escape that a pattern takes as one; half of it, it takes none
_IN_TEXT = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)


class _Found(NamedTuple):
    """Where a secret stands: its name `begin`s before what goes, from `start` to `end`."""

    start: int
    end: int
    begin: int


def redact(payload: bytes) -> bytes:
    """`payload` with every secret that can be recognized replaced by `[redacted]`."""
    if len(payload) <= _AT_ONCE and not _worth(payload):
        return payload
    return b"".join(redacted(payload))


def redacted(payload: bytes) -> Iterator[bytes]:
    """As `redact`, piece by piece: each is a turn's work, and others can have theirs in between.

    A secret of more than 16 KiB is taken out with whatever stands up to the next quote. Not recognized is one whose
    name is more than 4 KiB of white space away, and a JWT whose first part is longer than that.
    """
    at = 0
    while at < len(payload):
        seen = min(at + _AT_ONCE + _AHEAD, len(payload))
        cut = seen if seen == len(payload) else at + _AT_ONCE
        pieces, done = [], at
        for start, end, begin in _found(payload, at, seen):
            if begin >= cut:
                break
            goes_on = seen - _ESCAPE < end and seen < len(payload)  # maybe: it is looked at again as a whole
            if goes_on and begin > at:
                cut = begin
                break
            pieces += [payload[done:start], _mask(payload, start, end)]
            done = end
            if goes_on:
                for done in _to_the_quote(payload, end):  # noqa: B007 - only where it ends matters
                    yield b""
            cut = max(cut, done)
        yield b"".join([*pieces, payload[done:cut]])
        at = cut


def _to_the_quote(payload: bytes, at: int) -> Iterator[int]:
    """How far a text goes on that has no end in sight: a step each turn, the last of them to its end."""
    is_over = False
    while not is_over:
        seen = min(at + _AT_ONCE, len(payload))
        match = _IN_TEXT.match(payload, at, seen)
        end = match.end() if match else at
        is_over = end < seen - 1 or seen == len(payload)  # all but half an escape
        at = end
        yield at


def redact_text(text: str) -> str:
    """As `redact`, for a text."""
    return redact(text.encode(errors="replace")).decode()


def _found(payload: bytes, at: int, to: int) -> list[_Found]:
    """What is recognized between `at` and `to`, in order, none within another; of two that touch, one is made."""
    found: list[_Found] = []
    matches = (match for pattern in _worth(payload[at:to]) for match in pattern.finditer(payload, at, to))
    for one in sorted(_one(match) for match in matches if match.re is not _CARD or _is_card(match[0])):
        if found and one.begin < found[-1].end:
            before = found.pop()
            one = _Found(before.start, max(one.end, before.end), min(one.begin, before.begin))
        found.append(one)
    return found


def _worth(part: bytes) -> list[re.Pattern[bytes]]:
    """The patterns that are worth their time."""
    patterns: list[re.Pattern[bytes]] = [_SHAPES] if _RUN in part.translate(_ANY_RUN) else []
    digits = part.translate(_DIGITS)
    if any(long in digits for long in _LONG):
        patterns.append(_CARD)
    lowered = part.lower()
    for word, names in _WORDS:
        if word in lowered and any(name in lowered for name in names):
            return [*patterns, *_NAMED, *_PAIRED]
    return patterns


def _one(match: re.Match[bytes]) -> _Found:
    """A name before the value is kept."""
    return _Found(match.end("kept") if match["kept"] else match.start(), match.end(), match.start())


def _is_card(number: bytes) -> bool:
    """Of an issuer's range and length, and its check digit fits (ISO/IEC 7812-1)."""
    digits = number.replace(b" ", b"").replace(b"-", b"")
    if _ISSUED.fullmatch(digits) is None:
        return False
    doubled = digits[-2::-2].translate(bytes.maketrans(b"0123456789", _TWICE))
    return sum(digits[-1::-2] + doubled) % 10 == 48 * len(digits) % 10


def _mask(payload: bytes, start: int, end: int) -> bytes:
    """A number that stands as one in JSON, or is a whole document, stays a number."""
    if not payload[start:end].isdigit():
        return MASK
    before, after = _BEFORE.search(payload, max(0, start - 8), start), payload[end : end + 1] in _AFTER
    is_alone = len(payload) < 40 and _ALONE.fullmatch(payload)
    return b"0" if is_alone or (before and after) else MASK
