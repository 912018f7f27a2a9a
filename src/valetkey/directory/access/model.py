"""The values of access: hosts that connectors may reach, and the groups that a connector is for."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Reach:
    """Hosts. A pattern is a host, or `*.` and a domain, for every host below that domain but not for itself.

    What is denied is denied whatever else is allowed; limited to nothing is nowhere, which is not the same as no limit
    (ORG-10). Ports and paths are not distinguished: who serves a host serves all of it.
    """

    is_limited: bool = False
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()

    def permits(self, host: str) -> bool:
        """`host` as `net.url` gives it: lower case, ASCII."""
        fitting = _patterns(host.rstrip("."))
        if not self.denied.isdisjoint(fitting):
            return False
        return not self.is_limited or not self.allowed.isdisjoint(fitting)


@dataclass(frozen=True, slots=True)
class Hosts:
    """What an organization says of hosts, and who said it last; nobody, of what nothing was said of."""

    reach: Reach
    set_by: str = ""
    set_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """For whom a connector is: everybody of the organization, or the members of any of `groups` (ids of theirs).

    A group that is gone has no members, so a connector that was for it alone is for nobody.
    """

    is_everybody: bool = True
    groups: frozenset[str] = frozenset()

    def has(self, groups: Set[str]) -> bool:
        """Whether somebody in these groups is among them."""
        return self.is_everybody or not self.groups.isdisjoint(groups)


ANYWHERE = Reach()
EVERYBODY = Audience()


def _patterns(host: str) -> list[str]:
    """Every pattern that fits a host."""
    labels = host.split(".")
    return [host, *("*." + ".".join(labels[n:]) for n in range(1, len(labels)))]
