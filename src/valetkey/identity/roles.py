"""What each role may do in its organization, as one table.

Administering is not access to content: no role opens another person's connections or files (I10: ownership is code, not
policy). What calls sent and got an auditor reads, who manages nothing: each reading is written down, and shown to whose
call it was (`privacy.reading`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from valetkey.identity.model import Role


class Act(StrEnum):
    """Something done to the organization; one alone reaches a member's content."""

    SEE_PEOPLE = "see_people"
    MANAGE_PEOPLE = "manage_people"
    MANAGE_OWNERS = "manage_owners"
    MANAGE_ORGANIZATION = "manage_organization"
    MANAGE_CONNECTORS = "manage_connectors"
    SET_CEILINGS = "set_ceilings"
    SEE_USAGE = "see_usage"
    SEE_CALLS = "see_calls"
    """That members' calls were made: when, by which assistant, which tool, and how they ended."""
    READ_CONTENTS = "read_contents"
    """What they sent and got, one call at a time."""
    READ_TRAIL = "read_trail"
    SEE_KEYS = "see_keys"
    MANAGE_KEYS = "manage_keys"


_OWNER = frozenset(Act) - {Act.READ_CONTENTS}
_ADMIN = _OWNER - {Act.MANAGE_OWNERS, Act.MANAGE_ORGANIZATION, Act.MANAGE_KEYS, Act.SEE_CALLS}
_AUDITOR = frozenset({Act.SEE_PEOPLE, Act.SEE_USAGE, Act.READ_TRAIL, Act.SEE_KEYS, Act.SEE_CALLS, Act.READ_CONTENTS})

_MAY: Mapping[Role, frozenset[Act]] = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _ADMIN,
    Role.AUDITOR: _AUDITOR,
    Role.MEMBER: frozenset(),
}


def may(role: Role, act: Act) -> bool:
    """Whether `role` allows `act` in the organization it is held in."""
    return act in _MAY[role]
