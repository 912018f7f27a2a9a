"""The vault as a worker has it when it is in a process of its own: the same verbs, asked for over the channel.

Nothing here opens a credential. A ticket is ciphertext for the dialer, a revealed secret a parcel for the vault's own
desk; the keys that come as they are open the contents of one person's log of one day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from valetkey.audit.note import VerifierKey
from valetkey.audit.watch import Step
from valetkey.beside.children import Child
from valetkey.kernel.clock import Clock
from valetkey.kernel.secret import Secret
from valetkey.split.tickets_beside import SealedTicket, TicketsBeside
from valetkey.store.notify import Notifications
from valetkey.vault.day_keys import DayKey, FindsDayKeys
from valetkey.vault.model import Binding, HeaderTemplate, Mark, OneTenant, Tenants, Use
from valetkey.vault.rotation import KeyStatus, OnProgress, Rewrapped
from valetkey.vault.spool import Slot, Waiting, waiting_in
from valetkey.vault.tickets import LONGEST, EchoHeard
from valetkey.vault.verbs import Condition, Otherwise


class VaultBeside:
    """Implements `vault.verbs.Vault`."""

    def __init__(self, vault: Child) -> None:
        self._vault = vault
        self.echoes: list[EchoHeard] = []
        self._tickets = TicketsBeside(vault, self.echoes)

    async def bring(self, name: bytes) -> bytes:
        """The ticket that was promised under this name and not handed to the dialer. Implements `dialing.Bring`."""
        return await self._tickets.brought(name)

    async def seal(self, secret: Secret, *, bound_to: Binding) -> int:
        return (await self.seal_many([(secret, bound_to)]))[0]

    async def seal_many(self, items: Sequence[tuple[Secret, Binding]], *, since: Mark | None = None) -> list[int]:
        return await self._vault.ask("seal_many", list[int], items=list(items), since=since)

    async def mark(self, subject: str) -> Mark:
        return await self._vault.ask("mark", Mark, subject=subject)

    async def subjects(self, purpose: str) -> list[str]:
        return await self._vault.ask("subjects", list[str], purpose=purpose)

    def ticket_now(
        self,
        parts: Sequence[tuple[HeaderTemplate, Binding]],
        *,
        origin: str,
        call_id: str,
        ttl: float = LONGEST,
        otherwise: Otherwise | None = None,
    ) -> SealedTicket | None:
        """A promise: the vault is asked to hand the ticket to the dialer. `None` if it never gave one like it."""
        return self._tickets.promised(parts, origin, call_id, ttl, otherwise)

    async def ticket(
        self, parts: Sequence[tuple[HeaderTemplate, Binding]], *, origin: str, call_id: str, ttl: float = LONGEST
    ) -> SealedTicket:
        return await self._tickets.asked_for(parts, origin, call_id, ttl)

    async def reveal_for_exchange(self, *, bound_to: Binding, use: Use) -> Secret:
        return await self._vault.ask("reveal", Secret, bound_to=bound_to, use=use)

    async def make_signing_key(self, *, bound_to: Binding) -> dict[str, str]:
        return await self._vault.ask("make_signing_key", dict[str, str], bound_to=bound_to)

    async def sign(self, message: bytes, *, bound_to: Binding) -> bytes:
        return await self._vault.ask("sign", bytes, message=message, bound_to=bound_to)

    async def mark_message(self, message: bytes, *, bound_to: Binding) -> bytes:
        return await self._vault.ask("mark_message", bytes, message=message, bound_to=bound_to)

    async def cancel(self, subject: str) -> None:
        await self._vault.ask("cancel", None, subject=subject)

    async def shred(self, subject: str) -> int:
        return await self._vault.ask("shred", int, subject=subject)

    async def seal_shut(self) -> None:
        await self._vault.ask("seal_shut", None)

    async def condition(self) -> Condition:
        condition: Condition = await self._vault.ask("condition", Condition)
        return condition


class SpoolBeside:
    """Implements `vault.verbs.Spool`: the names of the files are read here, what is in them is opened there."""

    def __init__(self, vault: Child, directory: Path) -> None:
        self._vault = vault
        self.directory = directory

    async def prepare(self, bound_to: Binding) -> Slot:
        return Slot(await self._vault.ask("spool_prepare", Binding, bound_to=bound_to), bytearray())

    async def keep(self, slot: Slot, answer: bytearray) -> None:
        await self._vault.ask("spool_keep", None, named=slot.named, answer=bytes(answer))

    def waiting(self, subject: str = "") -> list[Waiting]:
        return waiting_in(self.directory, subject)

    async def read(self, one: Waiting, *, bound_to: Binding) -> bytearray:
        return bytearray(await self._vault.ask("spool_read", bytes, one=one, bound_to=bound_to))

    async def clear(self, subject: str) -> None:
        await self._vault.ask("spool_clear", None, subject=subject)

    async def remove(self, one: Waiting) -> None:
        await self._vault.ask("spool_remove", None, one=one)


class DayKeysBeside(FindsDayKeys):
    """The keys of the log, which come here for as long as they are in use."""

    def __init__(self, vault: Child, *, clock: Clock, notifications: Notifications) -> None:
        super().__init__(clock=clock, notifications=notifications)
        self._vault = vault

    async def key(self, person_id: str, tenant: str, day: str) -> DayKey:
        return self.key_now(person_id, day) or await self._ask(person_id, tenant, day, may_make=True)

    async def existing(self, person_id: str, tenant: str, day: str) -> DayKey:
        return self.key_now(person_id, day) or await self._ask(person_id, tenant, day, may_make=False)

    async def destroy(self, person_id: str) -> int:
        return await self._vault.ask("day_destroy", int, person_id=person_id)

    async def destroy_before(
        self, day: str, *, but: Mapping[str, str], spare: Sequence[tuple[str, str]]
    ) -> Mapping[str, int]:
        found: dict[str, int] = await self._vault.ask(
            "day_destroy_before", dict[str, int], day=day, but=dict(but), spare=list(spare)
        )
        return found

    async def _ask(self, person_id: str, tenant: str, day: str, *, may_make: bool) -> DayKey:
        drops = self._drops
        sealed: Secret = await self._vault.ask(
            "day_key", Secret, person_id=person_id, tenant=tenant, day=day, may_make=may_make
        )
        # Revealed to be made ready: a key of the log, not of a credential.
        key = bytearray(sealed.reveal())
        sealed.wipe()
        return self._made_ready(key, person_id, tenant, day, drops)


class TrailKeysBeside:
    """Implements `split.model.TrailKeys`."""

    def __init__(self, vault: Child, verifier_key: VerifierKey) -> None:
        self._vault = vault
        self.verifier_key = verifier_key

    async def sign(self, text: bytes) -> bytes:
        return await self._vault.ask("trail_sign", bytes, text=text)

    async def begin_watch(self) -> Secret:
        return await self._vault.ask("trail_begin_watch", Secret)

    async def step(self, note: bytes, *, after: tuple[str, int]) -> Step | None:
        step: Step | None = await self._vault.ask("trail_step", Step | None, note=note, after=after)
        return step

    async def move_on(self, step: Step) -> None:
        await self._vault.ask("trail_move_on", None, step=step)


class KeysBeside:
    """Implements `vault.verbs.TurnsKeys` and `AdoptsKits`."""

    def __init__(self, vault: Child) -> None:
        self._vault = vault

    async def status(self, tenants: Tenants) -> KeyStatus:
        return await self._vault.ask("key_status", KeyStatus, tenant=_name(tenants))

    async def rotate_root(self) -> int:
        return await self._vault.ask("rotate_root", int)

    async def move_root(self, spec: str, passphrase: Secret) -> int:
        return await self._vault.ask("move_root", int, spec=spec, passphrase=passphrase)

    async def rotate_tenant(self, tenant: str) -> int:
        return await self._vault.ask("rotate_tenant", int, tenant=tenant)

    async def rewrap(self, tenants: Tenants, *, seconds: float, on_progress: OnProgress) -> Rewrapped:
        done: Rewrapped = await self._vault.ask("rewrap", Rewrapped, tenant=_name(tenants), seconds=seconds)
        on_progress(done.tenant_keys + done.data_keys)
        return done

    async def adopt(self, public_key: bytes) -> int:
        return await self._vault.ask("adopt_kit", int, public_key=public_key)


def _name(tenants: Tenants) -> str:
    return tenants.tenant if isinstance(tenants, OneTenant) else ""
