"""The keys of the call log: one per person and day, so that retention and erasure destroy keys instead of rows.

Unlike a credential's key these are handed out, as a `DayKey` that seals and opens payloads of that person's day and
nothing else. `audit` gets sealed payloads only.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput
from valetkey.kernel.randomness import Pieces
from valetkey.store.notify import EVERYTHING, Notifications
from valetkey.vault import repository
from valetkey.vault.broker import SHREDDED
from valetkey.vault.envelope import NONCE_SIZE, TAG_SIZE, key_name, new_key, wipe
from valetkey.vault.keyring import Keyring
from valetkey.vault.model import NothingSealed, Superseded, Tampered, with_lengths
from valetkey.vault.repository import DataKeyRow

_MAGIC = b"LG1\x01"
_BODY_AT = len(_MAGIC) + NONCE_SIZE
_SUBJECT = "log:"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KEPT = 10_000
_nonce = Pieces(NONCE_SIZE)
_KEPT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class DayKey:
    """One person's key of one day. Random nonces: good for 2³² payloads, more than a person makes in a day."""

    person_id: str
    day: str
    _cipher: AESGCM
    _context: bytes
    _until: float

    def seal(self, plaintext: bytes, *, about: str) -> bytes:
        """`plaintext` sealed; `about` says what it is (a call's id and which half) and must be given to open it."""
        nonce = _nonce()
        return _MAGIC + nonce + self._cipher.encrypt(nonce, plaintext, self._context + about.encode())

    def open(self, sealed: bytes, *, about: str) -> bytes:
        """The payload; raises `Tampered` when it, or what it is about, is not what was sealed."""
        if len(sealed) < _BODY_AT + TAG_SIZE or not sealed.startswith(_MAGIC):
            raise Tampered("A payload of the log is not of a known version.")
        try:
            return self._cipher.decrypt(
                sealed[len(_MAGIC) : _BODY_AT], sealed[_BODY_AT:], self._context + about.encode()
            )
        except InvalidTag as error:
            raise Tampered("A payload of the log, or what it belongs to, was changed.") from error


class FindsDayKeys(ABC):
    """Finds, makes and destroys day keys, and keeps those in use ready. `day` is an ISO date, in UTC."""

    def __init__(self, *, clock: Clock, notifications: Notifications) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], DayKey] = OrderedDict()
        self._drops = 0
        notifications.subscribe(SHREDDED, self._something_ended)

    def key_now(self, person_id: str, day: str) -> DayKey | None:
        """The key if it is warm; for the hot path."""
        kept = self._kept.get((person_id, day))
        return kept if kept is not None and self._clock.monotonic() < kept._until else None

    @abstractmethod
    async def key(self, person_id: str, tenant: str, day: str) -> DayKey:
        """The key of `person_id` for `day`, made if there is none: for writing."""

    @abstractmethod
    async def existing(self, person_id: str, tenant: str, day: str) -> DayKey:
        """The key, for reading; raises `NothingSealed` when it never was or was destroyed."""

    @abstractmethod
    async def destroy(self, person_id: str) -> int:
        """Erasure: no payload of this person opens any more. How many keys were destroyed."""

    @abstractmethod
    async def destroy_before(
        self, day: str, *, but: Mapping[str, str], spare: Sequence[tuple[str, str]]
    ) -> Mapping[str, int]:
        """Retention: no payload of any day before `day` opens any more, or before the one that `but` says of its
        tenant; but for those of a tenant's person that `spare` names. How many keys were destroyed, by tenant.
        """

    def _made_ready(self, key: bytearray, person_id: str, tenant: str, day: str, drops: int) -> DayKey:
        """Wipes `key`."""
        context = _context(tenant, person_id, day)
        try:
            ready = DayKey(person_id, day, AESGCM(key), context, self._clock.monotonic() + _KEPT_SECONDS)
        finally:
            wipe(key)
        if drops == self._drops:  # a key destroyed while it was read is not kept
            self._kept[person_id, day] = ready
            self._kept.move_to_end((person_id, day))
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return ready

    def _something_ended(self, key: str) -> None:
        if key == EVERYTHING or key.startswith(_SUBJECT):  # rare, and cheap to read again: no index by person
            self._drops += 1
            self._kept.clear()


class DayKeys(FindsDayKeys):
    """The keys as they lie in the keyring."""

    def __init__(self, keyring: Keyring, *, clock: Clock, notifications: Notifications) -> None:
        super().__init__(clock=clock, notifications=notifications)
        self._keyring = keyring
        self._notifications = notifications

    async def key(self, person_id: str, tenant: str, day: str) -> DayKey:
        if kept := self.key_now(person_id, day):
            return kept
        if not _DAY.fullmatch(day):
            raise BadInput("A day is written YYYY-MM-DD.", field="day")
        drops = self._drops
        with suppress(Superseded, NothingSealed):  # the tenant's key was rotated, or the older destroyed, meanwhile
            row = await self._find(person_id, day) or await self._make(person_id, tenant, day)
            return await self._ready(row, person_id, tenant, day, drops)
        row = await self._find(person_id, day) or await self._make(person_id, tenant, day)
        return await self._ready(row, person_id, tenant, day, drops)

    async def raw(self, person_id: str, tenant: str, day: str, *, may_make: bool) -> bytearray:
        """The key itself, for a process that cannot ask the keyring; the caller wipes it. Raises as the two below."""
        await (self.key if may_make else self.existing)(person_id, tenant, day)  # with what they do about rotation
        row = await self._find(person_id, day)
        if row is None:
            raise NothingSealed("The contents of that day were erased.")
        return await self._keyring.unwrap(row, purpose=day, bound_to=_context(tenant, person_id, day))

    async def existing(self, person_id: str, tenant: str, day: str) -> DayKey:
        if kept := self.key_now(person_id, day):
            return kept
        with suppress(NothingSealed):  # rewrapped, and the tenant's older key destroyed, while it was read
            return await self._existing(person_id, tenant, day)
        return await self._existing(person_id, tenant, day)

    async def _existing(self, person_id: str, tenant: str, day: str) -> DayKey:
        drops = self._drops
        row = await self._find(person_id, day)
        if row is None:
            raise NothingSealed("The contents of that day were erased.")
        return await self._ready(row, person_id, tenant, day, drops)

    async def destroy(self, person_id: str) -> int:
        async with self._keyring.database.write() as tx:
            destroyed = await repository.delete_data_keys(tx, _SUBJECT + person_id)
        await self._tell(_SUBJECT + person_id)
        return destroyed

    async def destroy_before(
        self, day: str, *, but: Mapping[str, str], spare: Sequence[tuple[str, str]]
    ) -> Mapping[str, int]:
        spared = [(tenant, _SUBJECT + person_id) for tenant, person_id in spare]
        async with self._keyring.database.write() as tx:
            destroyed = await repository.delete_data_keys_before(tx, _SUBJECT, day, but=but, spare=spared)
        await self._tell(_SUBJECT)
        return destroyed

    async def _find(self, person_id: str, day: str) -> DataKeyRow | None:
        async with self._keyring.database.read() as tx:
            return await repository.find_data_key(tx, _SUBJECT + person_id, day)

    async def _make(self, person_id: str, tenant: str, day: str) -> DataKeyRow:
        subject = _SUBJECT + person_id
        tenant_key = await self._keyring.newest(tenant)
        key = new_key()
        try:
            wrapped = tenant_key.wrap(
                key, subject=subject, purpose=day, generation=1, bound_to=_context(tenant, person_id, day)
            )
            name = key_name(key)
        finally:
            wipe(key)
        made = DataKeyRow(subject, day, 1, tenant, tenant_key.version, wrapped, name, self._clock.now())
        async with self._keyring.database.write() as tx:
            if not await repository.is_newest_tenant_key(tx, tenant, tenant_key.version):
                self._keyring.forget(tenant)
                raise Superseded("The key of the organization was rotated in the meantime.")
            await repository.add_data_key_once(tx, made)
            row = await repository.find_data_key(tx, subject, day)  # another process may have been quicker
        assert row is not None
        return row

    async def _ready(self, row: DataKeyRow, person_id: str, tenant: str, day: str, drops: int) -> DayKey:
        key = await self._keyring.unwrap(row, purpose=day, bound_to=_context(tenant, person_id, day))
        return self._made_ready(key, person_id, tenant, day, drops)

    async def _tell(self, subject: str) -> None:
        self._something_ended(subject)
        await self._keyring.database.truncate_log()
        await self._notifications.publish(SHREDDED, subject)


def _context(tenant: str, person_id: str, day: str) -> bytes:
    return with_lengths("log", tenant, person_id, day)
