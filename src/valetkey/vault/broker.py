"""The vault's verbs: seal, hand out a ticket, reveal to a token endpoint, shred."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, VaultFailed
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database
from valetkey.store.notify import EVERYTHING, Notifications
from valetkey.vault import repository
from valetkey.vault.envelope import check_name, take_apart, wipe
from valetkey.vault.keyring import Keyring
from valetkey.vault.model import USES, Binding, HeaderTemplate, Mark, Superseded, Tampered, Use
from valetkey.vault.release import NothingLeaves, NothingWhileSealed, Release, sealed
from valetkey.vault.root_keys import RootKey
from valetkey.vault.sealing import NewValue, Sealing, check_value, mark_of, own_purpose, pair
from valetkey.vault.signing import mark_with, new_signing_key, sign_with
from valetkey.vault.tickets import LONGEST, EchoHeard, Opened, Shelf, Ticket

if TYPE_CHECKING:
    from valetkey.vault.verbs import Condition, Otherwise

SHREDDED = "vault.shredded"
"""Topic: tickets of this subject are cancelled, on every replica."""
REPLACED = "vault.replaced"
"""Topic: this subject was sealed anew; tickets that are out stay good."""
SEALED = "vault.sealed"
"""Topic: somebody sealed the whole vault."""
ROTATED = "vault.rotated"
"""Topic: keys of this tenant were made or destroyed."""

_NOW = "now"
_KEPT_SUBJECTS = 10_000
_KEPT_SECONDS = 30.0  # a value made ready is read again after this, should a notification have been lost
_TRIES = 3


class Vault:
    """Seals values into two stores and lets them out bound to what they were sealed for.

    `main` holds ciphertexts, `keyring` wrapped keys; `subject` of a binding is usually a connection's id, `tenant` an
    organization's. Everything that goes wrong is a `VaultFailed`, and then nothing was returned.
    """

    def __init__(
        self,
        main: Database,
        keyring: Database,
        root: RootKey,
        clock: Clock,
        notifications: Notifications,
        *,
        former: Sequence[RootKey] = (),
    ) -> None:
        self._main = main
        self.keyring = Keyring(keyring, root, clock=clock, former=former)
        self._clock = clock
        self._notifications = notifications
        self._sealing = Sealing(main, self.keyring, clock=clock)
        self._shelf = Shelf(most=_KEPT_SUBJECTS)
        self._release: Release = NothingLeaves()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.echoes: list[EchoHeard] = []
        """Who hears that a service said a credential back (T18)."""
        notifications.subscribe("connections", self._something_changed)
        notifications.subscribe(REPLACED, self._something_changed)
        notifications.subscribe(SHREDDED, self._something_ended)
        notifications.subscribe(ROTATED, self._something_rotated)
        notifications.subscribe(SEALED, self._shut)

    def release_by(self, rule: Release) -> None:
        """By which rule tickets are given from now on; before this there are none."""
        if not self.is_sealed:
            self._release = rule

    @property
    def is_sealed(self) -> bool:
        return isinstance(self._release, NothingWhileSealed)

    async def seal_shut(self) -> None:
        """No ticket is given, and none that is out writes anything, nor is a token renewed or a sign-in finished,
        until the hub is started anew. Here at once, on other replicas within a second.

        What ends access goes on: revoking at the services, and destroying keys.
        """
        await self._notifications.publish(SEALED, _NOW)

    def _shut(self, key: str) -> None:
        if key == _NOW:  # not when a connection to the database came back: then every topic is told EVERYTHING
            self._release = NothingWhileSealed()
            self._shelf.close_everything()

    async def condition(self) -> Condition:
        """How the vault is. Raises what the databases raise, when one does not answer."""
        await asyncio.gather(self._main.ping(), self.keyring.database.ping())
        return "sealed" if self.is_sealed else "ok"

    async def start(self, deployment_id: str) -> None:
        """Proves the root key and finishes what a crash cut off. Raises `StartRefused`."""
        async with self._main.read() as tx:
            secrets_exist = await repository.has_secrets(tx)
        await self.keyring.check(deployment_id, secrets_exist=secrets_exist)
        await self._sealing.sweep()

    # --- sealing ----------------------------------------------------------------------------------------------------

    async def seal(self, secret: Secret, *, bound_to: Binding) -> int:
        """Seals `secret`; the value that was there for (subject, purpose) is destroyed. The new generation, from 1."""
        return (await self.seal_many([(secret, bound_to)]))[0]

    async def seal_many(self, items: Sequence[tuple[Secret, Binding]], *, since: Mark | None = None) -> list[int]:
        """Seals several values as one: all are there or none. Their generations, in order.

        `since` is for whoever sealed nothing for a while because they waited for somebody (a refresh): if its subject
        was shredded or sealed anew after the mark was taken, raises `Overtaken` and writes nothing. A mark does not
        widen what may be done; leaving it out means "I begin something new".
        """
        for secret, binding in items:
            check_value(secret, binding)
        if len({(binding.subject, binding.purpose) for _, binding in items}) != len(items):
            raise BadInput("Two values were given for one purpose.", field="purpose")
        subjects = sorted({binding.subject for _, binding in items} | ({since.subject} if since else set()))
        async with self._alone(subjects):
            new = await self._sealed(items, since)
        for subject in subjects:
            self._shelf.drop(subject)
            await self._notifications.publish(REPLACED, subject)
        return [one.row.generation for one in new]

    async def _sealed(self, items: Sequence[tuple[Secret, Binding]], since: Mark | None) -> list[NewValue]:
        for _ in range(_TRIES - 1):
            new = await self._sealing.prepare(items)
            with suppress(Superseded):
                await self._sealing.write(new, since)
                return new
        new = await self._sealing.prepare(items)
        await self._sealing.write(new, since)
        return new

    async def mark(self, subject: str) -> Mark:
        """What is sealed for `subject` now, for `seal_many(…, since=mark)` later."""
        async with self._main.read() as tx:
            return mark_of(subject, await repository.find_secrets(tx, subject))

    async def subjects(self, purpose: str) -> list[str]:
        """Whose value for `purpose` is sealed: for whoever looks for what nobody owns up to after a crash."""
        async with self._main.read() as tx:
            return await repository.find_subjects(tx, purpose)

    # --- opening ----------------------------------------------------------------------------------------------------

    def ticket_now(
        self,
        parts: Sequence[tuple[HeaderTemplate, Binding]],
        *,
        origin: str,
        call_id: str,
        ttl: float = LONGEST,
        otherwise: Otherwise | None = None,
    ) -> Ticket | None:
        """A ticket from what is warm, or `None`: then `ticket` reads the database. For the hot path; see `ticket`.

        `otherwise` is for a vault that can only promise one (`split.tickets_beside`).
        """
        now = self._clock.monotonic()
        ready = []
        for template, binding in parts:
            opened = self._shelf.find(binding.subject, binding.purpose)
            if opened is None or opened.until <= now:
                return None
            if (opened.binding is not binding and opened.binding != binding) or binding.origin != origin:
                return None
            if not self._release.holds_now(call_id, binding):
                return None
            ready.append((template, opened))
        if not ready or not 0 < ttl <= LONGEST:
            return None
        return Ticket(
            tuple(ready), origin=origin, call_id=call_id, until=now + ttl, clock=self._clock, heard=self._heard
        )

    async def ticket(
        self,
        parts: Sequence[tuple[HeaderTemplate, Binding]],
        *,
        origin: str,
        call_id: str,
        ttl: float = LONGEST,
    ) -> Ticket:
        """A ticket for one request to `origin` within `ttl` (at most 60) seconds: a header line for each of `parts`.

        `call_id` names the call's record, which the rule of release is held against: raises `NotReleased`. Raises
        `NothingSealed`, `RolledBack`, `WrongKey` or `Tampered`; the last also when `origin` or anything else in a
        binding is not what the value was sealed with.
        """
        if made := self.ticket_now(parts, origin=origin, call_id=call_id, ttl=ttl):
            return made
        if not parts or not 0 < ttl <= LONGEST:
            raise BadInput("A ticket has at least one header and lives at most a minute.", field="ttl")
        ready = []
        for template, binding in parts:
            if binding.origin != origin:
                raise Tampered("The value was sealed for another origin.")
            await self._release.demand(call_id, binding)
            ready.append((template, await self._open(binding)))
        until = self._clock.monotonic() + ttl
        return Ticket(tuple(ready), origin=origin, call_id=call_id, until=until, clock=self._clock, heard=self._heard)

    def _heard(self, binding: Binding, call_id: str) -> None:
        for hear in self.echoes:
            hear(binding, call_id)

    async def reveal_for_exchange(self, *, bound_to: Binding, use: Use) -> Secret:
        """The value itself, for one request to an authorization server; the caller wipes it after.

        Only what `USES` lists for `use` comes out: tokens for calls, and headers, leave by ticket alone. Raises
        `BadInput` for any other purpose, and what `ticket` raises.
        """
        if self.is_sealed and use in (Use.EXCHANGE_CODE, Use.REFRESH):
            raise sealed()
        if bound_to.purpose not in USES[use]:
            raise BadInput(f"A {bound_to.purpose.partition(':')[0]} is not revealed to {use}.", field="purpose")
        opened = await self._open(bound_to)
        buffer = bytearray(opened.sealed.length)
        try:
            opened.write_into(buffer)
            return Secret(buffer)
        finally:
            wipe(buffer)

    def opened(self, subject: str, purpose: str) -> Opened | None:
        """The value made ready, if it is."""
        return self._shelf.find(subject, purpose)

    async def make_signing_key(self, *, bound_to: Binding) -> dict[str, str]:
        """A new key pair; the public half. The private one is sealed for `bound_to`, with `key:<kid>` for its subject,
        and is never anywhere else.
        """
        new = new_signing_key()
        await self.seal(new.private, bound_to=replace(bound_to, subject=f"key:{new.kid}"))
        new.private.wipe()
        return new.public

    async def sign(self, message: bytes, *, bound_to: Binding) -> bytes:
        """The signature of `message` with a key that `make_signing_key` made. Raises `VaultFailed`."""
        return sign_with(await self.reveal_for_exchange(bound_to=bound_to, use=Use.SIGN), message)

    async def mark_message(self, message: bytes, *, bound_to: Binding) -> bytes:
        """The mark (HMAC) of `message` with a key that was sealed as `mark_key`. Raises `VaultFailed`."""
        return mark_with(await self.reveal_for_exchange(bound_to=bound_to, use=Use.MARK), message)

    async def _open(self, binding: Binding) -> Opened:
        """Makes a value ready, proving by one decryption that it is what `binding` says."""
        seen_drops = self._shelf.drops
        gate = self._shelf.gate(binding.subject)  # taken before reading: a shred from here on closes it
        for attempt in range(_TRIES):
            async with self._main.read() as tx:
                row = (await repository.find_secrets(tx, binding.subject)).get(binding.purpose)
            async with self.keyring.database.read() as tx:
                found = await repository.find_data_keys(tx, binding.subject)
            keys = [key for key in found if own_purpose(key) == binding.purpose]
            try:
                opened_row, key = pair(row, keys)
                if opened_row.tenant != binding.tenant or key.tenant != binding.tenant:
                    raise Tampered("The value belongs to another organization.")
                bound_to = binding.associated_data(opened_row.generation)
                data_key = await self.keyring.unwrap(key, purpose=binding.purpose, bound_to=bound_to)
                break
            except VaultFailed:
                # Meanwhile somebody may have sealed anew, or rewrapped and destroyed the tenant's older key; a real
                # disagreement is still there next time.
                if attempt == _TRIES - 1:
                    raise
        sealed = take_apart(opened_row.ciphertext)
        try:
            check_name(sealed, data_key)
            cipher = AESGCM(data_key)
        finally:
            wipe(data_key)
        until = self._clock.monotonic() + _KEPT_SECONDS
        opened = Opened(binding, opened_row.generation, cipher, sealed, gate=gate, until=until)
        opened.prove(self._shelf.find(binding.subject, binding.purpose))
        self._shelf.put(opened, seen_drops=seen_drops)
        return opened

    # --- ending -----------------------------------------------------------------------------------------------------

    async def cancel(self, subject: str) -> None:
        """Tickets of `subject` that are out write nothing any more: here at once, on other replicas within a second."""
        self._shelf.close(subject)
        await self._notifications.publish(SHREDDED, subject)

    async def shred(self, subject: str) -> int:
        """Destroys everything sealed for `subject`: keys first, then ciphertexts. How many keys were destroyed."""
        self._shelf.close(subject)  # 1. no ticket
        async with self._alone([subject]):
            destroyed = await self._sealing.shred(subject)  # 2. no key, no ciphertext
        self._shelf.close(subject)  # 3. nothing that was being read meanwhile
        await self._notifications.publish(SHREDDED, subject)
        return destroyed

    # --- within -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _alone(self, subjects: Sequence[str]) -> AsyncIterator[None]:
        """One at a time for each subject in this process; `subjects` are sorted, so nobody waits in a circle."""
        async with AsyncExitStack() as held:
            for subject in subjects:
                lock = self._locks.get(subject)
                if lock is None:
                    lock = self._locks[subject] = asyncio.Lock()
                await held.enter_async_context(lock)
            yield

    def _something_changed(self, key: str) -> None:
        if key == EVERYTHING:
            self._shelf.drop_everything()
        else:  # a connection's id, or a person's: they never look alike
            self._shelf.drop(key)
            self._shelf.drop_person(key)

    def _something_rotated(self, key: str) -> None:
        if key == EVERYTHING:
            self.keyring.forget_everything()
        else:
            self.keyring.forget(key)

    def _something_ended(self, key: str) -> None:
        if key == EVERYTHING:
            self._shelf.close_everything()
        else:
            self._shelf.close(key)
