"""Handles: small values that travel through a client's hands and come back, sealed and bound (security.md 6.4).

A handle opens nothing in the vault. It is sealed under the key of its person and day, which every replica finds, so it
outlives a restart; erasing the person ends it. Nobody else's key opens it, nor this one for anything else than what it
was made for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import VaultFailed
from valetkey.vault.day_keys import FindsDayKeys
from valetkey.vault.model import NothingSealed, Tampered, with_lengths

_MAGIC: Final = b"VH1"
_DAY: Final = 10
_ID: Final = 16
_HEAD: Final = 8 + _ID


class HandleExpired(VaultFailed):
    """The handle was made here, for this, and its time is over."""

    code = "handle_expired"


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in a handle. `id` is its own, for whoever lets each be used once; `until` is a POSIX time."""

    id: bytes
    value: bytes
    until: int


class Handles:
    """Makes and opens handles."""

    def __init__(self, keys: FindsDayKeys, *, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    async def seal(self, value: bytes, *, person_id: str, tenant: str, bound_to: Sequence[str], seconds: float) -> str:
        """`value` as visible ASCII, good for `seconds`; all of `bound_to` must be said again to open it."""
        now = self._clock.now()
        day = now.date().isoformat()
        key = await self._keys.key(person_id, tenant, day)
        until = int((now + timedelta(seconds=seconds)).timestamp())
        sealed = key.seal(until.to_bytes(8, "big") + os.urandom(_ID) + value, about=_about((tenant, *bound_to)))
        return base64.urlsafe_b64encode(_MAGIC + day.encode() + sealed).decode().rstrip("=")

    async def open(self, handle: str, *, person_id: str, tenant: str, bound_to: Sequence[str]) -> Opened:
        """What was sealed. Raises `Tampered` for another handle, binding or person, `HandleExpired` when it is late."""
        try:
            raw = base64.b64decode(handle + "=" * (-len(handle) % 4), altchars=b"-_", validate=True)
            day = raw[len(_MAGIC) : len(_MAGIC) + _DAY].decode("ascii")
        except (binascii.Error, ValueError) as error:
            raise Tampered("This handle was not made here.") from error
        if not raw.startswith(_MAGIC) or base64.urlsafe_b64encode(raw).decode().rstrip("=") != handle:
            raise Tampered("This handle was not made here.")
        try:
            key = await self._keys.existing(person_id, tenant, day)
        except NothingSealed as error:
            raise Tampered("This handle was not made here.") from error
        plain = key.open(raw[len(_MAGIC) + _DAY :], about=_about((tenant, *bound_to)))
        until = int.from_bytes(plain[:8], "big")
        if until <= self._clock.now().timestamp():
            raise HandleExpired("The handle's time is over.")
        return Opened(plain[8:_HEAD], plain[_HEAD:], until)


def _about(bound_to: Sequence[str]) -> str:
    """Payloads of the log are sealed under the same key: their `about` ends in a word that no digest does."""
    return "handle:" + hashlib.sha256(with_lengths(*bound_to)).hexdigest()
