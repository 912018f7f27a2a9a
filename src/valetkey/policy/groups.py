"""Who is in which groups of an organization, as far as policy asks: a connector may be for some of them only."""

from __future__ import annotations

from typing import Protocol


class Groups(Protocol):
    """What we need of `identity.provisioning.memberships`."""

    def of_now(self, person_id: str) -> frozenset[str] | None:
        """From memory; `None` says nothing but "ask `of`"."""
        ...

    async def of(self, person_id: str) -> frozenset[str]: ...


class InNoGroup:
    """Where no directory has told of any: a connector that is for some groups is for nobody then."""

    def of_now(self, _person_id: str) -> frozenset[str] | None:
        return frozenset()

    async def of(self, _person_id: str) -> frozenset[str]:
        return frozenset()
