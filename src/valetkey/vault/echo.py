"""Recognizing a credential in what its service says back, without keeping the credential (security.md 4.5, T18).

Of a value in use there are kept, for each way in which it could be written, a few bytes from its middle and a keyed
digest of the whole. What comes back is searched for the bytes, which costs next to nothing; only where they stand is
the digest compared. So nothing is decrypted again, and who has this has no value: not even the vault is needed.
"""

from __future__ import annotations

import hmac
import os
import re
from binascii import Error as BinasciiError
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Final

from valetkey.kernel.errors import OutboundFailed
from valetkey.vault.envelope import wipe

SHORTEST: Final = 12
"""Values shorter than this are not looked for: too little of them could be kept, and too much would look like them."""
_MOST_KEPT: Final = 6  # bytes in clear, and never more than a quarter of the value
_MOST_LOOKS: Final = 10_000  # digests compared in vain for one message, some ten milliseconds
_REMOVED: Final = b"[removed]"

_STEP: Final = 12
"""Bytes that are encoded at once: what Python leaves in memory of such an expression is no longer than this."""

_Bytes = bytearray | memoryview
_Write = Callable[[memoryview], bytearray]
_UNRESERVED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"  # RFC 3986 2.3
_PERCENT: Final = tuple(bytes([byte]) if byte in _UNRESERVED else b"%%%02X" % byte for byte in range(256))
_PERCENT_LOWER: Final = tuple(one if len(one) == 1 else one.lower() for one in _PERCENT)
_JSON: Final = tuple(b"\\" + bytes([byte]) if byte in b'"\\' else bytes([byte]) for byte in range(256))
_FOR_URLS: Final = {ord("+"): ord("-"), ord("/"): ord("_")}
_SCHEME: Final = re.compile(rb"([A-Za-z]{1,16}) +")  # RFC 9110 11.4, before the credentials
# JSON may write any character by its number, and a slash behind a backslash (RFC 8259 7).
_NUMBER: Final = len(rb"\u0041")
_BY_NUMBER: Final = re.compile(rb"\\u00([2-7][0-9A-Fa-f])")
_ESCAPE: Final = re.compile(rb"\\(?:u00([2-7][0-9A-Fa-f])|(/)|.)", re.DOTALL)


@dataclass(frozen=True, slots=True, repr=False)
class Form:
    """One way to write the value: `needle` stands `at` bytes into the `length` bytes of which there is the digest."""

    needle: bytes
    at: int
    length: int
    digest: bytes
    instead: bytes


class TooAlike(OutboundFailed):
    """The answer looks so much like the credential, in so many places, that nobody can say whether it holds it."""

    code = "too_alike"


@dataclass(frozen=True, slots=True, repr=False)
class Echo:
    """All ways to write one value, under a key of their own."""

    key: bytes
    forms: tuple[Form, ...]

    @property
    def longest(self) -> int:
        """Bytes that the value takes at most where `masked` finds it: all of its longest form by number."""
        return _NUMBER * max((form.length for form in self.forms), default=0)

    def masked(self, data: bytes) -> bytes:
        """`data` without the value; the very same object if the value is not in it. Raises `TooAlike`.

        `data` is JSON, or lines of it: what is put in place of the value keeps it JSON, and Base64 and hex decodable.
        """
        if spans := self._spans(data):
            return _without(data, spans)
        as_read = data
        if b"\\u00" in data:
            as_read = _BY_NUMBER.sub(_character, as_read)
        if b"\\/" in data:
            as_read = as_read.replace(b"\\/", b"/")
        if as_read is data or not self._spans(as_read):
            return data
        # That was quick and may have misread a backslash; this is exact.
        as_read = _ESCAPE.sub(_needless, data)
        spans = self._spans(as_read)
        return _without(as_read, spans) if spans else data

    def _spans(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Where the value stands, and what to put there."""
        spans: list[tuple[int, int, bytes]] = []
        looks = 0
        percent = b"%" in data  # mostly not, and looking is far cheaper than looking for what begins so
        for form in self.forms:
            found = data.find(form.needle) if percent or form.needle[:1] != b"%" else -1
            while found >= 0:
                start, end = found - form.at, found - form.at + form.length
                if start >= 0 and hmac.compare_digest(_digest(self.key, data[start:end]), form.digest):
                    spans.append((start, end, form.instead))
                    found = data.find(form.needle, end)
                    continue
                looks += 1
                if looks > _MOST_LOOKS:
                    raise TooAlike("The answer looks so much like the credential that it is not passed on.")
                found = data.find(form.needle, found + 1)
        return spans


def echo_of(value: bytearray) -> Echo:
    """How to recognize `value`, a header's value or a token. Leaves no copy of it behind."""
    key = os.urandom(16)
    forms: dict[bytes, Form] = {}
    for part in _parts(value):
        try:
            for form in _forms(key, part):
                forms.setdefault(form.digest, form)
        finally:
            wipe(part)
    return Echo(key, tuple(forms.values()))


def _parts(value: bytearray) -> Iterator[bytearray]:
    """What there is to be recognized: the value, without the scheme before it. Whoever takes one wipes it."""
    scheme = _SCHEME.match(value)
    at = scheme.end() if scheme else 0
    if len(value) - at < SHORTEST:
        at = 0
    part = _copied(value, at, len(value))
    if scheme and at and scheme[1].lower() == b"basic":
        yield from _of_basic(part)
    if len(part) >= SHORTEST:
        yield part


def _copied(value: bytearray, begin: int, end: int) -> bytearray:
    """A part of it, for the caller to wipe. Here and below buffers are made as long as they will be, and filled through

    a view, which cannot make them longer: what grows leaves behind what it held before.
    """
    part = bytearray(end - begin)
    memoryview(part)[:] = memoryview(value)[begin:end]
    return part


def _of_basic(part: bytearray) -> Iterator[bytearray]:
    """What stands in Base64 behind `Basic` (RFC 7617): user, colon and password, and the password alone."""
    said, at = bytearray(len(part) // 4 * 3), 0
    try:
        for group in range(0, len(part), _STEP * 4 // 3):
            piece = a2b_base64(memoryview(part)[group : group + _STEP * 4 // 3], strict_mode=True)
            memoryview(said)[at : at + len(piece)] = piece
            at += len(piece)
    except BinasciiError:  # not what it says it is
        wipe(said)
        return
    for begin in (0, said.find(b":") + 1):
        if at - begin >= SHORTEST:
            yield _copied(said, begin, at)
    wipe(said)


def _forms(key: bytes, value: bytearray) -> Iterator[Form]:
    kept = min(_MOST_KEPT, len(value) // 4)
    begin = (len(value) - kept) // 2
    window = (begin, begin + kept)
    yield _form(key, value, *window, _REMOVED)
    for write, fill in _WAYS:
        yield _written(key, value, *window, write, fill)
    if value.translate(None, _UNRESERVED):
        yield _written(key, value, *window, partial(_by_table, table=_PERCENT), b"")
        yield _written(key, value, *window, partial(_by_table, table=_PERCENT_LOWER), b"")
    if b'"' in value or b"\\" in value:
        yield _written(key, value, *window, partial(_by_table, table=_JSON), b"")
    for shift in range(3):
        yield from _base64(key, value, *window, shift)


def _form(key: bytes, written: _Bytes, begin: int, end: int, instead: bytes) -> Form:
    return Form(bytes(written[begin:end]), begin, len(written), _digest(key, written), instead)


def _written(key: bytes, value: bytearray, begin: int, end: int, write: _Write, fill: bytes) -> Form:
    """The form that `write` makes; masked by `fill` in its length, or by a word."""
    view = memoryview(value)
    whole, before, kept = write(view), write(view[:begin]), write(view[begin:end])
    try:
        return _form(key, whole, len(before), len(before) + len(kept), fill * len(whole) or _REMOVED)
    finally:
        for buffer in (whole, before, kept):
            wipe(buffer)


def _in_hex(view: memoryview, *, before: str = "", upper: bool = False) -> bytearray:
    """Each byte as two digits, with `before` before them."""
    each = len(before) + 2
    out = bytearray(each * len(view))
    for at in range(0, len(view), _STEP):
        piece = view[at : at + _STEP]
        text = before + piece.hex(before) if before else piece.hex()
        memoryview(out)[each * at : each * (at + len(piece))] = (text.upper() if upper else text).encode()
    return out


def _by_table(view: memoryview, *, table: tuple[bytes, ...]) -> bytearray:
    out, at = bytearray(sum(len(table[byte]) for byte in view)), 0
    for byte in view:
        memoryview(out)[at : at + len(table[byte])] = table[byte]
        at += len(table[byte])
    return out


_WAYS: Final = (
    (_in_hex, b"0"),
    (partial(_in_hex, upper=True), b"0"),
    (partial(_in_hex, before="%"), b""),
    (partial(_in_hex, before="%", upper=True), b""),
)


def _base64(key: bytes, value: bytearray, begin: int, end: int, shift: int) -> Iterator[Form]:
    """The value within a longer text in Base64, behind a number of bytes that leaves `shift` when divided by three.

    Only those characters that the value alone decides; the neighbors have a say in the first and last.
    """
    first, last = _characters(shift, len(value))
    from_, to = _characters(shift + begin, end - begin)
    groups = -(-(shift + len(value)) // 3)
    aligned, out = bytearray(3 * groups), bytearray(4 * groups)
    try:
        memoryview(aligned)[shift : shift + len(value)] = value
        for at in range(0, len(aligned), _STEP):
            piece = b2a_base64(memoryview(aligned)[at : at + _STEP], newline=False)
            memoryview(out)[at // 3 * 4 : at // 3 * 4 + len(piece)] = piece
        core = memoryview(out)[first:last]
        yield _form(key, core, from_ - first, to - first, b"A" * len(core))
        if b"+" in out or b"/" in out:  # RFC 4648 5
            for at, character in enumerate(out):
                out[at] = _FOR_URLS.get(character, character)
            yield _form(key, core, from_ - first, to - first, b"A" * len(core))
    finally:
        wipe(aligned)
        wipe(out)


def _characters(at: int, length: int) -> tuple[int, int]:
    """Which characters of Base64 `length` bytes decide that stand `at` bytes into what is encoded."""
    return -(-8 * at // 6), 8 * (at + length) // 6


def _digest(key: bytes, written: bytes | _Bytes) -> bytes:
    return blake2b(written, key=key, digest_size=16).digest()


def _character(match: re.Match[bytes]) -> bytes:
    """What stands there by number, as JSON writes it most shortly."""
    return _JSON[int(match[1], 16)]


def _needless(match: re.Match[bytes]) -> bytes:
    """The same, for every escape; those that are needed stay."""
    if match[2]:
        return b"/"
    return _character(match) if match[1] else match[0]


def _without(data: bytes, spans: list[tuple[int, int, bytes]]) -> bytes:
    """`data` with something else where the value stood."""
    out, done = [], 0
    for start, end, instead in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= done:
            out += [data[done:start], instead]
        done = max(done, end)
    return b"".join([*out, data[done:]])
