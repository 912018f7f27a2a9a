"""Provisioning, put together: the tokens that directories show, and what they say."""

from __future__ import annotations

from dataclasses import dataclass

from valetkey.identity.model import TrailWriter
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.identity.provisioning.directory import ProvisionedDirectory
from valetkey.identity.provisioning.tokens import ProvisioningTokens
from valetkey.kernel.clock import Clock
from valetkey.store.database import Database
from valetkey.store.notify import Notifications


@dataclass(frozen=True, slots=True)
class Provisioning:
    """What the doors ask."""

    tokens: ProvisioningTokens
    directory: ProvisionedDirectory


def open_provisioning(
    database: Database,
    notifications: Notifications,
    *,
    people: People,
    organizations: Organizations,
    clock: Clock,
    trail: TrailWriter,
) -> Provisioning:
    tokens = ProvisioningTokens(database, organizations=organizations, clock=clock, trail=trail)
    return Provisioning(tokens, ProvisionedDirectory(database, notifications, people=people, clock=clock, trail=trail))
