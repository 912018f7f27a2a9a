"""Passwords: Argon2id, a floor under their strength, and a limit on guessing.

An unknown login costs the guesser as much time as a known one, and is answered in the same words.
"""

from __future__ import annotations

import asyncio
import unicodedata
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from valetkey.identity import repository as people_repository
from valetkey.identity.model import Person, TrailWriter
from valetkey.identity.network import network_of
from valetkey.identity.people import normal_login
from valetkey.identity.signin import repository
from valetkey.identity.signin.common_passwords import is_common
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, NotFound, NotSignedIn, TooMany
from valetkey.kernel.ids import new_id
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database

SHORTEST = 12
_LONGEST = 256
_WINDOW = timedelta(minutes=15)
_PER_ACCOUNT = 10
_PER_NETWORK = 50

# security.md 5.2: Argon2id with 64 MiB, three passes, four lanes.
_ARGON2 = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
_AT_ONCE = 2


class Passwords:
    """Sets and checks passwords. `hasher` is there for tests that check thousands."""

    def __init__(
        self, database: Database, *, clock: Clock, trail: TrailWriter, hasher: PasswordHasher = _ARGON2
    ) -> None:
        self._database = database
        self._clock = clock
        self._trail = trail
        self._hasher = hasher
        # 64 MiB each: a crowd of guesses must queue, not fill the memory.
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._dummy = ""

    async def set(self, person_id: str, password: Secret, *, by: str = "") -> None:
        """Sets the person's password. Raises `BadInput` with what is wrong with it."""
        async with self._database.read() as tx:
            person = await people_repository.find_person(tx, person_id)
        if person is None:
            raise NotFound("There is no such person.")
        hashed = await self._hash(_strong_enough(password, login=person.login))
        async with self._database.write() as tx:
            await repository.set_password(tx, person_id, hashed, self._clock.now())
        await self._write("password.set", person, by or f"person:{person_id}")

    async def remove(self, person_id: str, *, by: str = "") -> None:
        """Removes the password, if there is one. The page asks for a passkey first."""
        async with self._database.write() as tx:
            person = await people_repository.find_person(tx, person_id)
            removed = await repository.remove_password(tx, person_id)
        if removed and person is not None:
            await self._write("password.removed", person, by or f"person:{person_id}")

    async def has(self, person_id: str) -> bool:
        async with self._database.read() as tx:
            return await repository.find_password(tx, person_id) is not None

    async def check(self, login: str, password: Secret, network: str) -> Person:
        """The person whose login and password these are. `network` is the address the attempt comes from.

        Raises `NotSignedIn`, in the same words for an unknown login and a wrong password, or `TooMany`.
        """
        nobodys = await self._dummy_hash()
        attempt = await self._begin_attempt(login, network)  # 1. counted before it is tried
        person, stored = await self._find(login)  # 2. whose?
        fits = await self._verify(stored or nobodys, password)  # 3. as slow for nobody as for somebody
        if person is None or stored is None or not fits or person.state != "active":
            await self._refuse(person)
            raise NotSignedIn("The login or the password is wrong.")
        await self._end_attempt(attempt)  # 4. it was no failure
        if self._hasher.check_needs_rehash(stored):
            hashed = await self._hash(_normal(password))
            async with self._database.write() as tx:
                await repository.set_password(tx, person.id, hashed, self._clock.now())
        return person

    async def _refuse(self, person: Person | None) -> None:
        """For nobody too: that it is written down takes time, which must tell nothing (ORG-12, failed attempts)."""
        await self._trail.write(
            "signin.refused", actor="unauthenticated", organization_id=person.organization_id if person else "",
            person_id=person.id if person else "", detail={"method": "password"},
        )  # fmt: skip

    async def _begin_attempt(self, login: str, network: str) -> dict[str, str]:
        """Writes the attempt down as a failure, then counts.

        In this order, guesses made at the same moment see each other, and no more than the limit are ever tried.
        """
        now = self._clock.now()
        account, where = _account(login), f"network:{network_of(network)}"
        attempt = {new_id("try"): account, new_id("try"): where}
        async with self._database.write() as tx:
            await repository.add_failures(tx, attempt, now)
        async with self._database.read() as tx:
            wait = max(
                self._wait(await repository.count_failures(tx, account, now - _WINDOW), _PER_ACCOUNT, now),
                self._wait(await repository.count_failures(tx, where, now - _WINDOW), _PER_NETWORK, now),
            )
        if wait > 0:
            # Attempts that were not tried do not count, or knocking would keep the door shut for ever.
            async with self._database.write() as tx:
                await repository.forget_attempts(tx, list(attempt))
            raise TooMany(
                "Too many attempts to sign in.", retry_after=wait, hint="Wait a quarter of an hour, or use a passkey."
            )
        return attempt

    @staticmethod
    def _wait(counted: tuple[int, datetime | None], limit: int, now: datetime) -> float:
        count, oldest = counted
        if count <= limit or oldest is None:
            return 0.0
        return max(1.0, (oldest + _WINDOW - now).total_seconds())

    async def _end_attempt(self, attempt: dict[str, str]) -> None:
        async with self._database.write() as tx:
            await repository.forget_attempts(tx, list(attempt))
            await repository.forget_failures(tx, next(iter(attempt.values())))

    async def _find(self, login: str) -> tuple[Person | None, str | None]:
        try:
            normal = normal_login(login)
        except BadInput:
            return None, None
        async with self._database.read() as tx:
            person = await people_repository.find_login(tx, normal)
            return person, await repository.find_password(tx, person.id) if person else None

    async def _verify(self, stored: str, password: Secret) -> bool:
        try:
            async with self._turns:
                return await asyncio.to_thread(self._hasher.verify, stored, _normal(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _hash(self, password: bytes) -> str:
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def _dummy_hash(self) -> str:
        if not self._dummy:
            self._dummy = await self._hash(b"nobody's password")
        return self._dummy

    async def _write(self, event: str, person: Person, actor: str) -> None:
        await self._trail.write(event, actor=actor, organization_id=person.organization_id, person_id=person.id)


def _account(login: str) -> str:
    try:
        return f"account:{normal_login(login)}"
    except BadInput:
        return "account:"


def _normal(password: Secret) -> bytes:
    # Revealed to be hashed: Argon2 takes bytes. NFKC, so that two keyboards' ways of writing ü are one password.
    revealed = password.reveal()[: 4 * _LONGEST + 1]
    return unicodedata.normalize("NFKC", revealed.decode("utf-8", "replace")).encode()


def _strong_enough(password: Secret, *, login: str) -> bytes:
    normal = _normal(password)
    text = normal.decode()
    if len(text) < SHORTEST:
        raise BadInput(
            f"The password is shorter than {SHORTEST} characters.", field="password", hint="Four random words are good."
        )
    if len(text) > _LONGEST:
        raise BadInput(f"The password is longer than {_LONGEST} characters.", field="password")
    if is_common(text, login=login):
        raise BadInput(
            "The password is one of the first that a guesser tries: a common word, a row of keys, or the login.",
            field="password",
            hint="Four random words are good.",
        )
    return normal
