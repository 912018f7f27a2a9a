"""Keys for tests of the log, made here: what the vault does for the hub."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from valetkey.audit.note import Checkpoint, VerifierKey, write_note
from valetkey.audit.watch import FIRST, Step, mark_of, next_key

FIRST_WATCH_KEY = bytes(range(32))


class TestSigner:
    """Signs as the vault does, with a key of its own; and keeps a watch, if it is begun."""

    __test__ = False

    def __init__(self, name: str = "valetkey/hub_test") -> None:
        self._private = Ed25519PrivateKey.generate()
        self.verifier_key = VerifierKey(name, self._private.public_key().public_bytes_raw())
        self.watch = ""
        self._step, self._key = FIRST, FIRST_WATCH_KEY

    async def sign(self, text: bytes) -> bytes:
        return self._private.sign(text)

    def note(self, size: int, root: bytes) -> str:
        """A note as whoever has this key could write it."""
        checkpoint = Checkpoint(self.verifier_key.name, size, root)
        return write_note(checkpoint, self.verifier_key, self._private.sign(checkpoint.text().encode()))

    async def step(self, note: bytes, *, after: tuple[str, int]) -> Step | None:
        return Step(self.watch, self._step, mark_of(self._key, note)) if self.watch else None

    async def move_on(self, step: Step) -> None:
        self._step, self._key = self._step + 1, next_key(self._key)
