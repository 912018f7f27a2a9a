"""The values of provisioning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from valetkey.identity.model import Person, Role


@dataclass(frozen=True, slots=True)
class ProvisioningToken:
    """What an organization's directory shows to speak for it; never the token itself."""

    id: str
    organization_id: str
    name: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A member, with what the directory says of them besides; nothing for one that it has not spoken of."""

    person: Person
    said: Mapping[str, Any]
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the directory. `role` is what its members have here, if the organization says so."""

    id: str
    organization_id: str
    name: str
    external_id: str
    role: Role | None
    members: tuple[str, ...]
    created_at: datetime
    changed_at: datetime
