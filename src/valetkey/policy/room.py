"""The room put together: `app` and the tests open it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from valetkey.directory.listings import NO_LISTINGS, Listings
from valetkey.kernel.clock import Clock
from valetkey.policy.accepting import Acceptances, Accounts, MembersAccept
from valetkey.policy.accepting import Snapshots as HeldSnapshots
from valetkey.policy.approvals import Approvals, FindsDayKeys, OnAsked, TrailWriter
from valetkey.policy.ceilings import Ceilings
from valetkey.policy.choices import Choices
from valetkey.policy.classed import Classed, Snapshots
from valetkey.policy.each_time import EachTime
from valetkey.policy.gate import Gate
from valetkey.policy.granted import ConnectorOf, Grants
from valetkey.policy.groups import Groups, InNoGroup
from valetkey.policy.permissions import Permissions
from valetkey.policy.standing import Standings
from valetkey.policy.taint import Taints
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

_IN_NO_GROUP = InNoGroup()


@dataclass(frozen=True, slots=True)
class Policy:
    """What people and organizations said, the gate that holds everybody to it, and what the vault asks."""

    database: Database
    clock: Clock
    trail: TrailWriter
    permissions: Permissions
    ceilings: Ceilings
    approvals: Approvals
    standing: Standings
    taints: Taints
    gate: Gate
    choices: Choices
    each_time: EachTime

    def grants(self, snapshots: Snapshots, connector_of: ConnectorOf) -> Grants:
        """What the vault asks."""
        return Grants(self.database, self.permissions, snapshots, connector_of, self.each_time, self.gate.classed)

    def acceptances(
        self, snapshots: HeldSnapshots, accounts: Accounts, *, members_accept: MembersAccept
    ) -> Acceptances:
        """What is accepted of what services changed."""
        return Acceptances(
            self.database, snapshots, self.permissions, accounts, members_accept=members_accept, clock=self.clock,
            trail=self.trail,
        )  # fmt: skip

    async def forget(self, connection_id: str) -> None:
        """The connection has ended: what waits, and what was approved and not used, is void."""
        await self.approvals.forget(connection_id)
        await self.standing.forget(connection_id)

    async def sweep(self) -> int:
        """Lets go of what was asked and approved long enough ago, whoever asks for something meanwhile; how much."""
        return await self.approvals.sweep() + await self.standing.sweep()


def open_policy(
    database: Database, notifications: Notifications, *, clock: Clock, keys: FindsDayKeys, trail: TrailWriter,
    snapshots: Snapshots, listings: Listings = NO_LISTINGS, groups: Groups = _IN_NO_GROUP, passkeys_work: bool = True,
    on_asked: Sequence[OnAsked] = (),
) -> Policy:  # fmt: skip
    permissions = Permissions(database, notifications, clock=clock)
    ceilings = Ceilings(database, notifications, clock=clock, trail=trail)
    approvals = Approvals(database, notifications, clock=clock, keys=keys, trail=trail, on_asked=on_asked)
    standing = Standings(database, ceilings, clock=clock, keys=keys, trail=trail)
    taints = Taints(database, notifications, clock=clock)
    each_time = EachTime(listings)
    gate = Gate(
        permissions, ceilings, approvals, standing, taints, Classed(listings, snapshots), groups=groups,
        each_time=each_time,
        passkeys_work=passkeys_work,
    )  # fmt: skip
    choices = Choices(gate, permissions, trail)
    return Policy(database, clock, trail, permissions, ceilings, approvals, standing, taints, gate, choices, each_time)
