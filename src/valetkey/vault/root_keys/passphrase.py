"""The root key from a passphrase, for a hub that a person starts: nothing on the disk opens anything.

The passphrase is asked for on the terminal, or read from a file descriptor. It is never an argument (any user of the
host sees those) nor in the environment (every child process inherits it, and crash reports hold it).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from valetkey.kernel.errors import BadInput, StartRefused
from valetkey.kernel.secret import Secret
from valetkey.vault.envelope import KEY_SIZE, wipe
from valetkey.vault.root_keys.held import HeldKeys

# RFC 9106 4: between its two recommendations (2 GiB, 64 MiB), since a small server has not got the first. 0.7 s here.
_MEMORY_KIB, _PASSES, _LANES = 256 * 1024, 4, 4
_SHORTEST = 16
_LONGEST = 1024

Ask = Callable[[str], Secret]
"""Asks the person who starts the hub, on their terminal. Raises `StartRefused` when there is none."""


class PassphraseKey(HeldKeys):
    """One key, stretched from a passphrase with Argon2id. The deployment's id is the salt: it only has to be unique."""

    scheme = "passphrase"
    place = "a passphrase"
    created = False

    def __init__(self, passphrase: Secret, *, deployment_id: str) -> None:
        super().__init__()
        # The key is made of it; the copy lives for this one expression.
        key = bytearray(_stretched(passphrase.reveal(), deployment_id))
        self.hold(key, version=1)
        wipe(key)

    async def rotate(self) -> int:
        raise BadInput(
            "A passphrase cannot be made here.", hint="Give a new one: valetkey key rotate root --to passphrase:prompt"
        )


def open_passphrase(where: str, *, deployment_id: str, ask: Ask) -> PassphraseKey:
    """The key from `prompt` or `fd:NUMBER`. Raises `StartRefused`."""
    if where == "prompt":
        passphrase = ask("Passphrase of the vault")
    elif where.startswith("fd:") and where[3:].isdigit():
        passphrase = _read(int(where[3:]))
    else:
        raise StartRefused(
            "The passphrase itself does not belong into a setting, the command line or the environment.",
            hint="Give --root-key passphrase:prompt, or passphrase:fd:3 and hand it over on file descriptor 3.",
        )
    try:
        if len(passphrase) < _SHORTEST:
            raise StartRefused(
                f"The passphrase has fewer than {_SHORTEST} characters.", hint="Five or six random words do well."
            )
        return PassphraseKey(passphrase, deployment_id=deployment_id)
    finally:
        passphrase.wipe()


def _read(descriptor: int) -> Secret:
    text = bytearray()
    try:
        while len(text) <= _LONGEST and (part := os.read(descriptor, _LONGEST)):
            text += part
        os.close(descriptor)
    except OSError as error:
        raise StartRefused(
            f"File descriptor {descriptor}, which should give the passphrase, cannot be read.",
            hint=f"Open it when you start the hub: valetkey serve … {descriptor}< <(pass show valetkey)",
        ) from error
    if len(text) > _LONGEST:
        raise StartRefused(f"The passphrase is longer than {_LONGEST} bytes.", hint="Is it the right file?")
    try:
        return Secret(text.removesuffix(b"\n").removesuffix(b"\r"))
    finally:
        wipe(text)


def _stretched(passphrase: bytes, deployment_id: str) -> bytes:
    salt = hashlib.sha256(b"valetkey-passphrase-salt" + deployment_id.encode()).digest()
    made = Argon2id(salt=salt, length=KEY_SIZE, iterations=_PASSES, lanes=_LANES, memory_cost=_MEMORY_KIB)
    return made.derive(passphrase)
