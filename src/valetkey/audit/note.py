"""Checkpoints as text: C2SP tlog-checkpoint inside a C2SP signed-note, as certificate and checksum logs write theirs.

    <origin>                        which log
    <size>                          how many leaves
    <root, in base64>
                                    an empty line, and then a line for each signature:
    — <key name> <4 bytes that name the key and the Ed25519 signature, in base64>

Verifies with public keys; whoever signs is handed in (`checkpoints.Signer`).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from valetkey.audit.merkle import HASH_SIZE
from valetkey.kernel.errors import BadInput

_ED25519 = b"\x01"
_ID_SIZE = 4
_LONGEST = 64 * 1024
_KEY_NAME = re.compile(r"[^\s+]{1,200}")  # no space, no plus: they part what it stands in
_DASH = "\u2014 "


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed: the log `origin` had `size` leaves, and `root` over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Name and public key of who signs checkpoints."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Names name and key in a signature line."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_SIZE]

    def __str__(self) -> str:
        """The key as one hands it on: `name+id+key`."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    def has_signed(self, note: Note) -> bool:
        """Whether one of the note's signatures is this key's, over exactly this text."""
        public = Ed25519PublicKey.from_public_bytes(self.public)
        for name, signature in note.signatures:
            if name != self.name or signature[:_ID_SIZE] != self.id:
                continue
            try:
                public.verify(signature[_ID_SIZE:], note.checkpoint.text().encode())
            except InvalidSignature:
                return False
            return True
        return False


@dataclass(frozen=True, slots=True)
class Note:
    """A checkpoint and its signatures, each with the name of its key; nothing is verified yet."""

    checkpoint: Checkpoint
    signatures: tuple[tuple[str, bytes], ...]


def read_verifier_key(text: str) -> VerifierKey:
    """`name+id+key`, as `str(VerifierKey)` gives it. Raises `BadInput`."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if _KEY_NAME.fullmatch(name) and len(key) == 1 + HASH_SIZE and key[:1] == _ED25519:
        read = VerifierKey(name, key[1:])
        if read.id.hex() == key_id:
            return read
    raise BadInput(
        "The verifier key is not one.", field="key", hint="It reads name+id+key, as `valetkey trail status` prints it."
    )


def read_note(text: str) -> Note:
    """The note; verifies nothing. Raises `BadInput` for what is not a signed checkpoint, to the byte."""
    body, gap, signed = text.partition("\n\n")
    lines = body.split("\n")
    try:
        origin, size, root = lines
        checkpoint = Checkpoint(origin, int(size), base64.b64decode(root, validate=True))
        signatures = tuple(map(_read_signature, signed.removesuffix("\n").split("\n")))
    except (ValueError, binascii.Error):
        checkpoint, signatures = Checkpoint("", 0, b""), ()
    is_whole = gap and signed.endswith("\n") and len(text) <= _LONGEST
    if (
        not is_whole
        or not signatures
        or not checkpoint.origin
        or checkpoint.size < 0
        or len(checkpoint.root) != HASH_SIZE
    ):
        raise BadInput("This is not a signed checkpoint.", field="checkpoint")
    if f"{body}\n" != checkpoint.text():  # else two texts would be one checkpoint
        raise BadInput("This checkpoint is not written canonically.", field="checkpoint")
    return Note(checkpoint, signatures)


def write_note(checkpoint: Checkpoint, key: VerifierKey, signature: bytes) -> str:
    """The signed note. `signature` is the key's over `checkpoint.text()`."""
    return f"{checkpoint.text()}\n{_DASH}{key.name} {base64.b64encode(key.id + signature).decode()}\n"


def _read_signature(line: str) -> tuple[str, bytes]:
    """Raises `ValueError`."""
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    signature = base64.b64decode(encoded, validate=True)
    if not line.startswith(_DASH) or not _KEY_NAME.fullmatch(name) or len(signature) <= _ID_SIZE:
        raise ValueError("not a signature line")
    return name, signature
