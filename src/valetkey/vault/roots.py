"""The root keys of one or several providers as one: the current wraps, all unwrap, and they are counted through.

Moving from one provider to another is a rotation like any other, since what is wrapped names its key. The numbers are
kept in the keyring, with nothing but names, so that a start can say which key is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, StartRefused
from valetkey.kernel.failpoints import reached
from valetkey.store.database import Database
from valetkey.vault import root_repository as rows
from valetkey.vault.model import WrongKey
from valetkey.vault.points import Point
from valetkey.vault.root_keys import RootKey, named
from valetkey.vault.root_repository import RootRow

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Wrapped:
    """Something under the root key of that version."""

    version: int
    content: bytes


@dataclass(frozen=True, slots=True)
class KnownRoot:
    """A root key the keyring knows of, and whether a provider at hand has it."""

    row: RootRow
    is_at_hand: bool


class Roots:
    """The current provider and those before it, until nothing hangs on theirs."""

    def __init__(self, database: Database, current: RootKey, former: Sequence[RootKey], *, clock: Clock) -> None:
        self._database = database
        self._current = current
        self._former = list(former)
        self._clock = clock
        self._numbers: dict[str, int] = {}

    @property
    def current(self) -> RootKey:
        return self._current

    async def wrap(self, plaintext: bytes | bytearray, *, context: bytes) -> Wrapped:
        """Under the newest key. Raises `RootKeyUnavailable`."""
        content = await self._current.wrap(plaintext, context=context)
        return Wrapped(await self._number_of(named(content)), content)

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytearray:
        """With whichever key it names. Raises what the providers raise."""
        name = named(wrapped)
        for provider in self._former:
            if name in provider.versions.values():
                return await provider.unwrap(wrapped, context=context)
        return await self._current.unwrap(wrapped, context=context)  # which looks for newer ones of its own, too

    async def newest(self) -> int:
        """The version that wraps now."""
        return await self._number_of(self._current.key_id)

    async def known(self) -> list[KnownRoot]:
        """Every root key there was, oldest first."""
        await self.newest()
        at_hand = {key_id for provider in (*self._former, self._current) for key_id in provider.versions.values()}
        async with self._database.read() as tx:
            return [KnownRoot(row, row.key_id in at_hand) for row in await rows.find_roots(tx)]

    async def rotate(self) -> int:
        """A new key of the same provider. Raises `BadInput` when it makes none."""
        await self._current.rotate()
        reached(Point.ROTATE_ROOT_MADE)
        number = await self.newest()
        reached(Point.ROTATE_ROOT_NUMBERED)
        return number

    async def move_to(self, provider: RootKey) -> int:
        """Another provider's key wraps from now on; the version. It was proven when it was opened.

        Raises `BadInput` for the key that wraps already, and for one that wrapped before and cannot be made anew.
        """
        if provider.key_id == self._current.key_id:
            raise BadInput("This is the root key already.", field="to")
        await self.newest()  # what the present one has is numbered before
        if await self._was_before(provider.key_id):
            await provider.rotate()  # a key that wrapped before the present one would count as older
        self._former.append(self._current)
        self._current = provider
        return await self.newest()

    async def check(self) -> None:
        """That every key something hangs on is at hand. Raises `StartRefused`, naming the one to put back."""
        known = await self.known()
        async with self._database.read() as tx:
            hanging = await rows.find_hanging(tx)
        for root in known:
            if root.row.version in hanging and not root.is_at_hand:
                raise StartRefused(
                    f"Keys of organizations hang on root key {root.row.version}"
                    f" ({root.row.scheme}: {root.row.place}, id {root.row.key_id}), which is not at hand.",
                    hint="Put it back beside the newer, or name it with --former-root-key; then `valetkey key rewrap`.",
                )
        newest = max((root.row.version for root in known), default=0)
        if await self.newest() < newest and any(root.is_at_hand for root in known if root.row.version == newest):
            await self._current.rotate()  # back to a provider we moved away from
            await self.newest()

    # --- within -----------------------------------------------------------------------------------------------------

    async def _was_before(self, key_id: str) -> bool:
        async with self._database.read() as tx:
            return any(row.key_id == key_id for row in await rows.find_roots(tx))

    async def _number_of(self, key_id: str) -> int:
        if (number := self._numbers.get(key_id)) is not None:
            return number
        for _ in range(_TRIES):
            async with self._database.write() as tx:
                self._numbers = {row.key_id: row.version for row in await rows.find_roots(tx)}
                for row in self._unnumbered():
                    await rows.add_root(tx, row)
                self._numbers = {row.key_id: row.version for row in await rows.find_roots(tx)}
            if key_id in self._numbers:
                return self._numbers[key_id]
        raise WrongKey("A root key could not be numbered: others were quicker, again and again.")

    def _unnumbered(self) -> list[RootRow]:
        """The keys at hand that have no number yet, in the order they get one."""
        made: list[RootRow] = []
        last = max(self._numbers.values(), default=0)
        for number, provider in enumerate((*self._former, self._current)):
            for version, key_id in sorted(provider.versions.items()):
                if key_id in self._numbers:
                    continue
                # The very first provider's own numbers are kept: files are named after them.
                is_first = number == 0 and not self._numbers
                last = max(last + 1, version if is_first else 0)
                made.append(RootRow(last, key_id, provider.scheme, provider.place, self._clock.now()))
        return made


async def name_of(database: Database, wrapped: bytes) -> str:
    """Which root key something was wrapped under, in words; empty when the keyring does not know it."""
    async with database.read() as tx:
        known = await rows.find_roots(tx)
    return next((f"{row.scheme}: {row.place}, id {row.key_id}" for row in known if row.key_id == named(wrapped)), "")
