"""A recovery kit: a key pair whose private half is three sheets of words, of which any two suffice (SLIP-39).

The private half exists only while the kit is printed, on the operator's terminal, and again while two sheets are typed
in. The public half lies in the keyring; sealing to it is HPKE (RFC 9180).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics

from valetkey.kernel.errors import BadInput
from valetkey.vault.model import WrongKey, with_lengths
from valetkey.vault.repository import TenantKeyRow
from valetkey.vault.root_repository import KitRow

NEEDED, SHEETS = 2, 3
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True, repr=False)
class Kit:
    """A new kit. `sheets` are 33 words each; whoever has two of them and the stores has every credential."""

    public_key: bytes
    sheets: tuple[str, str, str]


def make_kit() -> Kit:
    """A new kit, for the process that prints it; nothing of it is kept."""
    private = X25519PrivateKey.generate()
    words = generate_mnemonics(1, [(NEEDED, SHEETS)], private.private_bytes_raw(), iteration_exponent=0)[0]
    return Kit(private.public_key().public_bytes_raw(), (words[0], words[1], words[2]))


def check_public_key(public_key: bytes) -> None:
    """Raises `BadInput` for what cannot be sealed to."""
    try:
        # Tried, for some 32 bytes are points that agree on nothing (RFC 7748, 6.1), and no key could be sealed to them.
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(public_key))
    except ValueError as error:
        raise BadInput("This is no public key of a kit.", field="public_key") from error


def seal_to(kit: KitRow, key: bytes | bytearray, *, tenant: str, version: int) -> bytes:
    """A tenant key, sealed to the kit: the kit's number (4 bytes, big-endian), and HPKE's output."""
    public = X25519PublicKey.from_public_bytes(kit.public_key)
    return struct.pack(">I", kit.number) + _SUITE.encrypt(bytes(key), public, info=_about(tenant, version))


def is_sealed_to(row: TenantKeyRow, kit: KitRow) -> bool:
    """Whether the kit opens this tenant key."""
    return (row.recovery or b"").startswith(struct.pack(">I", kit.number))


class Opener:
    """The private half of a kit, from two of its sheets. Raises `BadInput` when they are not."""

    def __init__(self, sheets: Sequence[str], kit: KitRow) -> None:
        if len(sheets) != NEEDED:
            raise BadInput(f"A recovery takes {NEEDED} sheets.", field="sheets")
        try:
            words = combine_mnemonics([" ".join(sheet.lower().split()) for sheet in sheets])
            self._private = X25519PrivateKey.from_private_bytes(words)
        except (MnemonicError, ValueError) as error:
            raise BadInput(
                "These sheets do not belong together, or a word is not as printed.",
                field="sheets",
                hint="Two different sheets of one kit, 33 words each.",
            ) from error
        if self._private.public_key().public_bytes_raw() != kit.public_key:
            raise BadInput("These sheets are not of the newest recovery kit.", hint=f"It is number {kit.number}.")
        self._kit = kit

    def open(self, row: TenantKeyRow) -> bytearray:
        """The tenant key, for the caller to wipe. Raises `BadInput`, or `WrongKey` when it was changed."""
        if not is_sealed_to(row, self._kit):
            raise BadInput(
                f"The key of {row.tenant} is not sealed to kit {self._kit.number}.",
                hint="Restore the keyring from a backup of after the kit was made.",
            )
        try:
            return bytearray(
                _SUITE.decrypt((row.recovery or b"")[4:], self._private, info=_about(row.tenant, row.version))
            )
        except InvalidTag as error:
            raise WrongKey(f"What the kit should open for {row.tenant} was changed.") from error


def _about(tenant: str, version: int) -> bytes:
    return with_lengths("recovery", tenant, version)
