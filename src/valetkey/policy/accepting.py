"""Accepting what a service changed: by a person for their account, by an owner for all there (CUS-11, security.md 6.7).

An owner accepts what they were shown on an account of their own: nobody is shown what another's account lists. It is
remembered and counts for every account at that connector, those where it is held now and those whose service changes
the same later. Exactly that definition: one that differs in a letter is held for its person as ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from valetkey.directory.model import Drift
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import Conflict, Forbidden, NotFound, printable
from valetkey.policy import accepting_repository as repository
from valetkey.policy.approvals import TrailWriter
from valetkey.policy.held import lapse
from valetkey.policy.permissions import Permissions
from valetkey.store.database import Database

_IN_TRAIL: Final = 20

MembersAccept = Callable[[str], Awaitable[bool]]
"""Whether members of an organization accept for themselves, or wait for an owner (ORG-21)."""


class Account(Protocol):
    """What we need of a person's connection."""

    @property
    def id(self) -> str: ...
    @property
    def connector_id(self) -> str: ...
    @property
    def organization_id(self) -> str: ...
    @property
    def person_id(self) -> str: ...


class Accounts(Protocol):
    """What we need of `connections`."""

    async def one(self, connection_id: str) -> Account | None: ...
    async def at(self, connector_id: str) -> Sequence[Account]: ...


class Snapshots(Protocol):
    """What we need of `directory.snapshots`."""

    async def held(self, connection_id: str) -> Sequence[Drift]: ...
    async def accept(self, connection_id: str, looked_at: Mapping[str, str]) -> Sequence[Drift]: ...


class Acceptances:
    """Accepts, and lets what was said about the definition before lapse. Each acceptance is in the trail."""

    def __init__(
        self, database: Database, snapshots: Snapshots, permissions: Permissions, accounts: Accounts, *,
        members_accept: MembersAccept, clock: Clock, trail: TrailWriter,
    ) -> None:  # fmt: skip
        self._database = database
        self._snapshots = snapshots
        self._permissions = permissions
        self._accounts = accounts
        self._members_accept = members_accept
        self._clock = clock
        self._trail = trail

    async def accept(self, account: Account, looked_at: Mapping[str, str], *, actor: str) -> Sequence[Drift]:
        """For this account, by its person: each exactly as it was looked at. Raises `NotFound` and `Conflict` as
        `Snapshots` does, and `Forbidden` where their organization wants an owner to look.
        """
        if not await self._members_accept(account.organization_id):
            raise Forbidden(
                "Your organization has an owner or admin accept what services add or change, for everybody.",
                hint="Ask one of them to look at it on an account of their own.",
            )
        return await self._accept(account, looked_at, actor=actor)

    async def _accept(self, account: Account, looked_at: Mapping[str, str], *, actor: str) -> Sequence[Drift]:
        accepted = await self._snapshots.accept(account.id, looked_at)
        await lapse(self._permissions, account.id, accepted)
        await self._trail.write(
            "tools.accepted", actor=actor, organization_id=account.organization_id, person_id=account.person_id,
            object=account.id, detail={"tools": names_of([one.tool for one in accepted])},
        )  # fmt: skip
        return accepted

    async def accept_for_all(self, account: Account, looked_at: Mapping[str, str], *, actor: str) -> int:
        """For every account at this one's connector; at how many others it was held. Who may, the caller has made
        sure of. Raises as `accept`.
        """
        accepted = await self._accept(account, looked_at, actor=actor)
        await self._trail.write(
            "tools.accepted_for_all", actor=actor, organization_id=account.organization_id,
            object=account.connector_id, detail={"tools": names_of([one.tool for one in accepted])},
        )  # fmt: skip
        said = {(one.tool, one.seen): actor for one in accepted}
        async with self._database.write() as tx:
            await repository.remember(tx, account.connector_id, said, self._clock.now())
        others = [one for one in await self._accounts.at(account.connector_id) if one.id != account.id]
        return sum([await self._follow(one, await self._snapshots.held(one.id), said) for one in others])

    async def drifted(self, connection_id: str, held: Sequence[Drift]) -> None:
        """The service of this account changed these: what an owner has accepted already is held no longer."""
        account = await self._accounts.one(connection_id)
        if account is None:
            return
        async with self._database.read() as tx:
            said = await repository.remembered(tx, account.connector_id, [one.seen for one in held])
        await self._follow(account, held, said)

    async def _follow(self, account: Account, held: Sequence[Drift], said: Mapping[tuple[str, str], str]) -> bool:
        """Accepts what of `held` an owner said yes to, in their name; whether there was any."""
        known = {one.tool: one.seen for one in held if (one.tool, one.seen) in said}
        if not known:
            return False
        try:
            await self._accept(account, known, actor=said[next(iter(known.items()))])
        except (Conflict, NotFound):
            return False  # its person was faster, or the service: then it is held as it is now
        return True


def names_of(tools: Sequence[str]) -> list[str]:
    """For the trail, whose events are small."""
    more = len(tools) - _IN_TRAIL
    return [
        *(printable(tool or "(the service itself)", limit=60) for tool in tools[:_IN_TRAIL]),
        *([f"and {more} more"] if more > 0 else []),
    ]
