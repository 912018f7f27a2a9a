"""Checkpoints as text: what C2SP says, to the byte, and nothing else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.audit.signing import TestSigner
from valetkey.audit.note import read_note, read_verifier_key
from valetkey.audit.watch import read_start, start
from valetkey.kernel.errors import BadInput

# From the signed-note specification (C2SP, "Example").
PEOPLE = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SIGNED = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""


def test_the_specifications_own_key_is_read_and_its_name_is_right() -> None:
    key = read_verifier_key(PEOPLE)

    assert (key.name, key.id.hex(), str(key)) == ("PeterNeumann", "c74f20a3", PEOPLE)


def test_the_specifications_own_signature_is_of_its_key() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = read_verifier_key(PEOPLE)
    text, _, line = SIGNED.partition("\n\n")
    signature = base64.b64decode(line.split(" ")[2])

    assert signature[:4] == key.id
    Ed25519PublicKey.from_public_bytes(key.public).verify(signature[4:], f"{text}\n".encode())


def test_a_note_reads_back_as_it_was_written_and_its_key_has_signed_it() -> None:
    signer = TestSigner()

    note = read_note(signer.note(7, bytes(32)))

    assert (note.checkpoint.origin, note.checkpoint.size, note.checkpoint.root) == ("valetkey/hub_test", 7, bytes(32))
    assert signer.verifier_key.has_signed(note)
    assert not TestSigner().verifier_key.has_signed(note)


def test_a_witness_may_sign_too() -> None:
    signer, witness = TestSigner(), TestSigner("witness.example")
    text = signer.note(7, bytes(32))
    signed = witness._private.sign(read_note(text).checkpoint.text().encode())
    line = base64.b64encode(witness.verifier_key.id + signed).decode()

    both = read_note(f"{text}\u2014 witness.example {line}\n")

    assert signer.verifier_key.has_signed(both)
    assert witness.verifier_key.has_signed(both)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("\n7\n", "\n8\n"), ("\n7\n", "\n07\n"), ("\n7\n", "\n-7\n"), ("\n7\n", "\n+7\n"), ("\n7\n", "\n7 \n"),
        ("AAAA", "AAAB"), ("\n\n", "\n"), ("\n\n", "\n\n\n"), ("\u2014 ", "- "), ("hub_test", "hub_tesr"),
        ("hub_test ", "hub_test  "), ("=\n", "=\r\n"),
    ],
)  # fmt: skip
def test_a_note_that_was_changed_anywhere_is_refused_or_not_signed(was: str, becomes: str) -> None:
    signer = TestSigner()
    text = signer.note(7, bytes(32))
    assert was in text

    def is_taken(changed: str) -> bool:
        try:
            return signer.verifier_key.has_signed(read_note(changed))
        except BadInput:
            return False

    assert not is_taken(text.replace(was, becomes, 1))


@given(st.text())
def test_whatever_is_no_note_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadInput):
        read_note(text)


@given(st.one_of(st.text(), st.text(alphabet="+/=Aabc0123456789")))
def test_whatever_is_no_key_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadInput):
        read_verifier_key(text)
    with pytest.raises(BadInput):
        read_start(text)


def test_a_watch_key_reads_back() -> None:
    assert read_start(start("watch_1", bytes(range(32)))) == ("watch_1", bytes(range(32)))
