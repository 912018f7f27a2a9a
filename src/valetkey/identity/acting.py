"""Whose rows somebody's request reaches, said to the store: the second wall behind every WHERE (T52)."""

from __future__ import annotations

from valetkey.identity.model import Principal
from valetkey.identity.roles import Act, may
from valetkey.store.acting import HUB, Acting, Reach


def acting_as(principal: Principal) -> Acting:
    """Their own; those of their organization where a role sees its people, though never for an assistant."""
    if principal.kind == "operator":
        return HUB
    wide = principal.kind != "mcp" and may(principal.role, Act.SEE_PEOPLE)
    reach = Reach.ORGANIZATION if wide else Reach.PERSON
    return Acting(reach, principal.person_id, principal.organization_id)
