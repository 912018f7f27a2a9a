"""Parcels: secrets that a process carries between the vault's verbs and cannot open (security.md 0.1).

With the vault in a process of its own, a worker still decides *that* a token is renewed, revoked or kept, and in which
order. What it holds meanwhile is a parcel: sealed under a key of this start of the vault, for some minutes, with a
label that says what is in it and where it comes from. The vault goes by the label, never by what the carrier says.
"""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from valetkey.kernel.clock import Clock
from valetkey.kernel.secret import Secret
from valetkey.vault.envelope import NONCE_SIZE, TAG_SIZE, new_key, wipe
from valetkey.vault.model import Binding, Tampered, TicketSpent, Use

_MAGIC: Final = b"\x00VP1"  # begins with what no token, key or verifier does
_LENGTH: Final = struct.Struct(">H")
_SECONDS: Final = 300.0
FRESH: Final = "fresh"
"""The use of what a service has just given: to be sealed as what it is, or given back."""


class Label(msgspec.Struct, array_like=True, frozen=True):
    """What a parcel is. `use` is a `Use` for what was revealed, or `FRESH`."""

    use: str
    belongs: Binding
    until: float


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Label).decode


class Parcels:
    """Makes and opens parcels; those of another start open no more."""

    def __init__(self, clock: Clock) -> None:
        key = new_key()
        self._cipher = AESGCM(key)
        wipe(key)
        self._clock = clock

    def revealed(self, secret: Secret, *, bound_to: Binding, use: Use) -> Secret:
        """What `reveal_for_exchange` gives, for `use` alone. Wipes `secret`."""
        return self._wrap(secret, Label(use.value, bound_to, self._until()))

    def fresh(self, secret: Secret, *, purpose: str, like: Binding) -> Secret:
        """What a service answered to a request with something that belongs where `like` says. Wipes `secret`."""
        return self._wrap(secret, Label(FRESH, replace(like, purpose=purpose), self._until()))

    def open(self, parcel: Secret) -> tuple[Label, Secret] | None:
        """What is in it, for the caller to wipe; `None` for what is no parcel. Raises `Tampered`, `TicketSpent`."""
        content = parcel.reveal()  # of a parcel it is ciphertext; else the caller has it in the open already
        if not content.startswith(_MAGIC):
            return None
        head_at = len(_MAGIC) + _LENGTH.size
        if len(content) < head_at:
            raise Tampered("This was not sealed here.")
        (length,) = _LENGTH.unpack_from(content, len(_MAGIC))
        head = content[head_at : head_at + length]
        nonce_at = head_at + length
        body = content[nonce_at + NONCE_SIZE :]
        opened = bytearray(max(0, len(body) - TAG_SIZE))
        try:
            self._cipher.decrypt_into(content[nonce_at : nonce_at + NONCE_SIZE], body, head, opened)
            label = _decode(head)  # not read before it is known to be ours
            if self._clock.monotonic() >= label.until:
                raise TicketSpent("This was sealed too long ago.")
            return label, Secret(opened)
        except (InvalidTag, ValueError) as error:
            raise Tampered("This was not sealed here, or since another start of the vault.") from error
        finally:
            wipe(opened)

    def _until(self) -> float:
        return self._clock.monotonic() + _SECONDS

    def _wrap(self, secret: Secret, label: Label) -> Secret:
        head = _encode(label)
        nonce = os.urandom(NONCE_SIZE)
        try:
            # Revealed to be encrypted; the copy lives for this one expression.
            sealed = self._cipher.encrypt(nonce, secret.reveal(), head)
        finally:
            secret.wipe()
        return Secret(b"".join((_MAGIC, _LENGTH.pack(len(head)), head, nonce, sealed)))
