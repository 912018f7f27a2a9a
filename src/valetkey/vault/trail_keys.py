"""The keys of the trail: one that signs checkpoints, and one that evolves, so that who comes later cannot go back.

Both are sealed like a credential. The watch key's first value is shown once, to whoever asked for it, and kept off this
host; with every checkpoint the hub moves on to the next value and destroys the one before. Whoever takes the host over
finds the present value only, and cannot make the marks of the past anew (forward security).
"""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from valetkey.audit.note import VerifierKey
from valetkey.audit.watch import FIRST, Step, mark_of, next_key, start
from valetkey.kernel.errors import VaultFailed
from valetkey.kernel.ids import new_id
from valetkey.kernel.secret import Secret
from valetkey.vault.broker import Vault
from valetkey.vault.envelope import new_key, wipe
from valetkey.vault.model import Binding, NothingSealed, Overtaken, Use

_SUBJECT = "trail"
_STEP = struct.Struct(">Q")
_ORIGIN = "https://trail.invalid"  # a ticket is never made of these; the binding wants an origin


@dataclass(frozen=True, slots=True)
class _Watch:
    """The evolving key as it stands: whose first value began it, how many steps were taken, the present value."""

    id: str
    step: int
    key: bytes


class TrailKeys:
    """Implements `audit.checkpoints.Signer` and `Watch`. Open it before use."""

    verifier_key: VerifierKey

    def __init__(self, vault: Vault, deployment_id: str) -> None:
        self._vault = vault
        self._deployment = deployment_id
        self._name = f"valetkey/{deployment_id}"

    async def open(self) -> str:
        """Makes the signing key if there is none that opens; then the reason, else empty."""
        why = ""
        try:
            await self._read_verifier_key()
        except VaultFailed as failed:
            # A hub restored from a backup has no usable key. It goes on with a new one, and the trail says so.
            why = failed.code
            key = Ed25519PrivateKey.generate()
            with suppress(Overtaken):  # another replica was quicker
                await self._vault.seal(Secret(key.private_bytes_raw()), bound_to=self._binding("checkpoint_key"))
            await self._read_verifier_key()
        return why

    async def sign(self, text: bytes) -> bytes:
        """Ed25519 over `text`. Raises `VaultFailed`."""
        return (await self._signing_key()).sign(text)

    # --- the watch key ----------------------------------------------------------------------------------------------

    async def begin_watch(self) -> Secret:
        """A new watch key, in place of the one before; its first value, which is nowhere else from here on."""
        key = new_key()
        watch = _Watch(new_id("watch"), FIRST, bytes(key))
        first = start(watch.id, bytes(key))
        wipe(key)
        await self._keep(watch)
        return Secret(first)

    async def step(self, note: bytes, *, after: tuple[str, int]) -> Step | None:
        """The mark on `note` by the present value, past the step `after` (watch, number) that is in use already.

        `None` when nobody began a watch.
        """
        watch = await self._watch()
        if watch is None:
            return None
        while watch.id == after[0] and watch.step <= after[1]:  # cut off between the mark and moving on
            watch = _Watch(watch.id, watch.step + 1, next_key(watch.key))
        return Step(watch.id, watch.step, mark_of(watch.key, note))

    async def move_on(self, step: Step) -> None:
        """Destroys the value that made `step`, and all before it."""
        watch = await self._watch()
        if watch is None or watch.id != step.watch:
            return  # begun anew in the meantime
        while watch.step <= step.number:
            watch = _Watch(watch.id, watch.step + 1, next_key(watch.key))
        with suppress(Overtaken):
            await self._keep(watch)

    async def _watch(self) -> _Watch | None:
        try:
            sealed = await self._vault.reveal_for_exchange(bound_to=self._binding("watch_key"), use=Use.WATCH_TRAIL)
        except NothingSealed:
            return None
        # Our own key, to make the mark of one checkpoint or the next key.
        value = sealed.reveal()
        sealed.wipe()
        (step,) = _STEP.unpack_from(value)
        return _Watch(value[_STEP.size + 32 :].decode(), step, value[_STEP.size : _STEP.size + 32])

    async def _keep(self, watch: _Watch) -> None:
        value = _STEP.pack(watch.step) + watch.key + watch.id.encode()
        await self._vault.seal(Secret(value), bound_to=self._binding("watch_key"))

    # --- the signing key --------------------------------------------------------------------------------------------

    async def _read_verifier_key(self) -> None:
        public = (await self._signing_key()).public_key().public_bytes_raw()
        self.verifier_key = VerifierKey(self._name, public)

    async def _signing_key(self) -> Ed25519PrivateKey:
        binding = self._binding("checkpoint_key")
        sealed = await self._vault.reveal_for_exchange(bound_to=binding, use=Use.SIGN_CHECKPOINT)
        try:
            # Our own key, to sign one checkpoint with.
            return Ed25519PrivateKey.from_private_bytes(sealed.reveal())
        finally:
            sealed.wipe()

    def _binding(self, purpose: str) -> Binding:
        return Binding(tenant=self._deployment, person="", subject=_SUBJECT, purpose=purpose, origin=_ORIGIN)
