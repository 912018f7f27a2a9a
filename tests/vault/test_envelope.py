"""One sealed value, byte by byte: what is written, what is refused, and what is left behind when it does not open."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from valetkey.vault.envelope import check_name, key_name, new_key, open_into, seal, take_apart, wipe
from valetkey.vault.model import Tampered, WrongKey

KEY = bytes(range(32))
NAME = hashlib.sha256(b"cv1-commit" + KEY).digest()[:16]


def test_what_is_written_is_as_long_as_its_parts() -> None:
    sealed = seal(KEY, b"value", b"about")

    assert len(sealed) == 4 + 16 + 12 + len(b"value") + 16
    assert (sealed[:4], sealed[4:20]) == (b"CV1\x01", NAME)
    assert AESGCM(KEY).decrypt(sealed[20:32], sealed[32:], b"about") == b"value"


def test_taken_apart_each_part_has_its_place() -> None:
    parts = take_apart(b"CV1\x01" + b"n" * 16 + b"o" * 12 + b"body" + b"t" * 16)

    assert (parts.key_name, parts.nonce, parts.body) == (b"n" * 16, b"o" * 12, b"body" + b"t" * 16)
    assert parts.length == 4


def test_nothing_can_be_sealed_too() -> None:
    """The shortest there is."""
    parts = take_apart(seal(KEY, b"", b"about"))

    assert parts.length == 0
    open_into(AESGCM(KEY), parts, b"about", bytearray())


@pytest.mark.parametrize("missing", [1, 15, 16, 17, 28, 44, 47, 48])
def test_what_is_shorter_than_that_is_none(missing: int) -> None:
    with pytest.raises(Tampered):
        take_apart(seal(KEY, b"", b"about")[:-missing])


@pytest.mark.parametrize("magic", [b"CV1\x02", b"CV2\x01", b"DK1\x01", b"    "])
def test_what_begins_otherwise_is_none(magic: bytes) -> None:
    with pytest.raises(Tampered):
        take_apart(magic + seal(KEY, b"value", b"about")[4:])


def test_it_says_under_which_key_it_is() -> None:
    sealed = take_apart(seal(KEY, b"value", b"about"))

    check_name(sealed, KEY)
    with pytest.raises(WrongKey):
        check_name(sealed, bytes(32))


@pytest.mark.parametrize(("key", "about"), [(bytes(32), b"about"), (KEY, b"another")])
def test_what_does_not_open_leaves_zeros_where_it_was_to_go(key: bytes, about: bytes) -> None:
    buffer = bytearray(b"left from before")
    sealed = take_apart(seal(KEY, bytes(len(buffer)), b"about"))

    with pytest.raises(Tampered):
        open_into(AESGCM(key), sealed, about, buffer)

    assert buffer == bytes(len(buffer))


def test_a_key_is_new_each_time_and_is_wiped() -> None:
    key, other = new_key(), new_key()
    assert len(key) == 32
    assert key != other
    assert key_name(key) != key_name(other)

    wipe(key)

    assert key == bytes(32)
