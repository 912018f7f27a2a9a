"""What the vault's process may be asked by a worker, verb by verb, with what each must hold before it is done.

A worker is trusted to know what it wants, and with nothing else. What is sealed for a token's purpose came from a
service, as the label of its parcel says; what is revealed is a parcel. (Tickets: `releasing`.)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog

from valetkey.audit.watch import Step
from valetkey.connections import spooled
from valetkey.connections.methods import oauth
from valetkey.connections.repository import Seen
from valetkey.connections.spooled import Spooled
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput
from valetkey.kernel.secret import Secret
from valetkey.oauth.model import TokenSet
from valetkey.vault.broker import Vault
from valetkey.vault.day_keys import DayKeys
from valetkey.vault.envelope import wipe
from valetkey.vault.model import Binding, EveryTenant, Mark, NothingSealed, OneTenant, Use
from valetkey.vault.parcels import FRESH, Parcels
from valetkey.vault.root_keys import RootKey
from valetkey.vault.rotation import KeyStatus, Rewrapped, Rotation
from valetkey.vault.spool import Slot, Spool, Waiting
from valetkey.vault.trail_keys import TrailKeys
from valetkey.vault.verbs import Condition

OriginOf = Callable[[str], Awaitable[str]]
OpenRootKey = Callable[[str, Secret], Awaitable[RootKey]]
_REVEALED: Final = (Use.EXCHANGE_CODE, Use.REFRESH, Use.REVOKE, Use.CLIENT_AUTHENTICATION)
_TYPED: Final = ("client_secret", "pkce_verifier", "mark_key")
"""What may be sealed out of a worker's hands: what a person typed, and what a worker made. Headers, besides."""


class Keeping:
    """Sealing and revealing."""

    def __init__(self, vault: Vault, parcels: Parcels, origin_of: OriginOf) -> None:
        self._vault = vault
        self._parcels = parcels
        self._origin_of = origin_of

    async def seal_many(self, items: list[tuple[Secret, Binding]], since: Mark | None) -> list[int]:
        opened = []
        try:
            for secret, binding in items:
                opened.append((await self._may_be_sealed(secret, binding), binding))
            return await self._vault.seal_many(opened, since=since)
        finally:
            for secret, _ in opened:
                secret.wipe()

    async def reveal(self, bound_to: Binding, use: Use) -> Secret:
        """A parcel, for the desk. Our own keys are used here and leave in no way."""
        if use not in _REVEALED:
            raise BadInput(f"Nothing is revealed to a worker for {use}.", field="use")
        secret = await self._vault.reveal_for_exchange(bound_to=bound_to, use=use)
        return self._parcels.revealed(secret, bound_to=bound_to, use=use)

    async def mark(self, subject: str) -> Mark:
        return await self._vault.mark(subject)

    async def subjects(self, purpose: str) -> list[str]:
        return await self._vault.subjects(purpose)

    async def make_signing_key(self, bound_to: Binding) -> dict[str, str]:
        return await self._vault.make_signing_key(bound_to=bound_to)

    async def sign(self, message: bytes, bound_to: Binding) -> bytes:
        return await self._vault.sign(message, bound_to=bound_to)

    async def mark_message(self, message: bytes, bound_to: Binding) -> bytes:
        return await self._vault.mark_message(message, bound_to=bound_to)

    async def cancel(self, subject: str) -> None:
        await self._vault.cancel(subject)

    async def shred(self, subject: str) -> int:
        return await self._vault.shred(subject)

    async def seal_shut(self) -> None:
        await self._vault.seal_shut()

    async def condition(self) -> Condition:
        return await self._vault.condition()

    async def _may_be_sealed(self, secret: Secret, binding: Binding) -> Secret:
        found = self._parcels.open(secret)
        if found is None:
            if binding.purpose not in _TYPED and not binding.purpose.startswith("header:"):
                raise BadInput("A credential in the open is not sealed as this.", field="purpose")
            return secret
        label, opened = found
        belongs = label.belongs
        is_same = label.use == FRESH and belongs.purpose == binding.purpose and belongs.issuer == binding.issuer
        if is_same and binding.purpose in ("access_token", "refresh_token"):
            # As it was for whom the request was made: a token moves to no other person, organization or connector,
            # and an access token is for where the connector is, as its own entry says.
            origin = belongs.origin
            if binding.purpose == "access_token":
                origin = await self._origin_of(binding.connector)
            is_same = (binding.tenant, binding.person, binding.connector, binding.origin) == (
                belongs.tenant, belongs.person, belongs.connector, origin,
            )  # fmt: skip
        if not is_same:
            opened.wipe()
            raise BadInput("What a service gave is not sealed as something else.", field="purpose")
        return opened


SeenOf = Callable[[str], Awaitable[Seen | None]]
MarkOf = Callable[[str], Awaitable[Mark]]


@dataclass(slots=True)
class _Room:
    """Room for one answer, and how connection and vault looked when it was made."""

    slot: Slot
    mark: Mark
    seen: Seen | None
    is_full: bool = False


class Spooling:
    """The spool: what a worker hands in as parcels lies in the file as what they hold."""

    def __init__(self, spool: Spool, parcels: Parcels, seen: SeenOf, mark: MarkOf, clock: Clock) -> None:
        self._spool = spool
        self._parcels = parcels
        self._seen = seen
        self._mark = mark
        self._clock = clock
        self._slots: dict[Waiting, _Room] = {}

    async def spool_prepare(self, bound_to: Binding) -> Binding:
        mark, seen = await self._mark(bound_to.subject), await self._seen(bound_to.subject)
        slot = await self._spool.prepare(bound_to)
        self._slots[slot.named] = _Room(slot, mark, seen)
        return slot.binding

    async def keep_now(self, subject: str, tokens: TokenSet) -> None:
        """What a service has just given for `subject`, into the room that was made for it."""
        for named, room in self._slots.items():
            if named.subject == subject and room.seen is not None and not room.is_full:
                room.is_full = True
                packed = spooled.pack(Spooled(tokens, self._clock.now(), room.seen, room.mark, named))
                try:
                    await self._spool.keep(room.slot, packed)
                except OSError as error:  # as in one process: then the database is what is left
                    structlog.get_logger(__name__).error("the spool cannot be written", error=repr(error))
                finally:
                    wipe(packed)
                return

    async def spool_keep(self, named: Waiting, answer: bytes) -> None:
        room = self._slots.pop(named, None)
        if room is not None and room.is_full:
            return  # it was, before this worker knew of it
        if room is None:
            raise NothingSealed("There is no room for this answer: the vault was started again meanwhile.")
        held = spooled.unpack(bytearray(answer), named)
        tokens = replace(
            held.tokens,
            access_token=self._taken_out(held.tokens.access_token),
            refresh_token=self._taken_out(held.tokens.refresh_token) if held.tokens.refresh_token else None,
        )
        try:
            await self._spool.keep(room.slot, spooled.pack(replace(held, tokens=tokens)))
        finally:
            oauth.wipe(tokens)

    async def spool_read(self, one: Waiting, bound_to: Binding) -> bytes:
        packed = await self._spool.read(one, bound_to=bound_to)
        held = spooled.unpack(packed, one)
        refresh = held.tokens.refresh_token
        belongs = replace(bound_to, subject=one.subject)
        tokens = replace(
            held.tokens,
            access_token=self._parcels.fresh(held.tokens.access_token, purpose="access_token", like=belongs),
            refresh_token=self._parcels.fresh(refresh, purpose="refresh_token", like=belongs) if refresh else None,
        )
        packed[:] = bytes(len(packed))
        return bytes(spooled.pack(replace(held, tokens=tokens)))

    async def spool_clear(self, subject: str) -> None:
        for named in [named for named in self._slots if named.subject == subject]:
            del self._slots[named]
        await self._spool.clear(subject)

    async def spool_remove(self, one: Waiting) -> None:
        self._slots.pop(one, None)  # whether something is in it already, or not
        await self._spool.remove(one)

    def _taken_out(self, parcel: Secret) -> Secret:
        found = self._parcels.open(parcel)
        if found is None or found[0].use != FRESH:
            raise BadInput("Only what a service has just given is spooled.", field="answer")
        return found[1]


class KeyTurning:
    """The keys of the log, of the trail, and what an operator does with the hub's."""

    def __init__(
        self, day_keys: DayKeys, trail: TrailKeys, rotation: Rotation, adopt: Callable[[bytes], Awaitable[int]],
        open_root_key: OpenRootKey,
    ) -> None:  # fmt: skip
        self._day_keys = day_keys
        self._trail = trail
        self._rotation = rotation
        self._adopt = adopt
        self._open_root_key = open_root_key

    async def day_key(self, person_id: str, tenant: str, day: str, may_make: bool) -> Secret:
        """One person's key of one day, for the contents of their calls and for handles: it opens no credential."""
        key = await self._day_keys.raw(person_id, tenant, day, may_make=may_make)
        try:
            return Secret(key)
        finally:
            wipe(key)

    async def day_destroy(self, person_id: str) -> int:
        return await self._day_keys.destroy(person_id)

    async def day_destroy_before(self, day: str, but: dict[str, str], spare: list[tuple[str, str]]) -> dict[str, int]:
        return dict(await self._day_keys.destroy_before(day, but=but, spare=spare))

    async def trail_sign(self, text: bytes) -> bytes:
        return await self._trail.sign(text)

    async def trail_begin_watch(self) -> Secret:
        return await self._trail.begin_watch()

    async def trail_step(self, note: bytes, after: tuple[str, int]) -> Step | None:
        return await self._trail.step(note, after=after)

    async def trail_move_on(self, step: Step) -> None:
        await self._trail.move_on(step)

    async def key_status(self, tenant: str) -> KeyStatus:
        return await self._rotation.status(_tenants(tenant))

    async def rotate_root(self) -> int:
        return await self._rotation.rotate_root()

    async def move_root(self, spec: str, passphrase: Secret) -> int:
        return await self._rotation.move_root(await self._open_root_key(spec, passphrase))

    async def rotate_tenant(self, tenant: str) -> int:
        return await self._rotation.rotate_tenant(tenant)

    async def rewrap(self, tenant: str, seconds: float) -> Rewrapped:
        return await self._rotation.rewrap(_tenants(tenant), seconds=seconds, on_progress=lambda _moved: None)

    async def adopt_kit(self, public_key: bytes) -> int:
        return await self._adopt(public_key)


def _tenants(tenant: str) -> EveryTenant | OneTenant:
    return OneTenant(tenant) if tenant else EveryTenant()
