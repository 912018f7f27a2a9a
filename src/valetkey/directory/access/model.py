"""The values of access: hosts that connectors may reach, the groups that one is for, what members do by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Set
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


@dataclass(frozen=True, slots=True)
class ScopeRule:
    """What accounts of people in `role` may be granted at `connector`; `*` is every one (ORG-06)."""

    connector: str
    role: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class ScopeLimit:
    """Scopes that may be granted; without a limit, any."""

    is_limited: bool = False
    scopes: frozenset[str] = frozenset()

    def beyond(self, scopes: Iterable[str]) -> tuple[str, ...]:
        """Those of `scopes` that may not."""
        return tuple(one for one in scopes if one not in self.scopes) if self.is_limited else ()


@dataclass(frozen=True, slots=True, order=True)
class NamedTool:
    """A tool by its own name, as its service gives it, at `connector`; `*` is every one. Nothing else is a pattern."""

    connector: str
    tool: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What an organization lets its members do by themselves, each apart from the others (ORG-09).

    `own_connectors`: add custom connectors, each for themself; `own_clients`: with a client id that they registered;
    `local_servers`: connect the programs on the hub's host. With `is_exclusive` only connectors in `managed` (their
    slugs) can be used at all (ORG-11). With `only_domains` accounts are of the organization's verified domains
    (ORG-08). With `owners_accept` what services add or change waits for an owner or admin, and not for each member
    (ORG-21). Tools in `text_only` come without their interactive pages (ORG-16).
    """

    own_connectors: bool = False
    own_clients: bool = False
    local_servers: bool = True
    is_exclusive: bool = False
    managed: frozenset[str] = frozenset()
    only_domains: bool = False
    scopes: tuple[ScopeRule, ...] = ()
    owners_accept: bool = False
    text_only: frozenset[NamedTool] = frozenset()

    def is_text_only(self, connector: str, tool: str) -> bool:
        """Whether the tool's interactive pages are switched off."""
        return any(one.connector in ("*", connector) and one.tool in ("*", tool) for one in self.text_only)

    def text_only_at(self, connector: str) -> bool:
        """Whether any of the connector's tools is without its pages."""
        return any(one.connector in ("*", connector) for one in self.text_only)

    def scope_limit(self, connector: str, role: str) -> ScopeLimit:
        """What all rules that fit let through: each narrows."""
        fitting = [one.scopes for one in self.scopes if one.connector in ("*", connector) and one.role in ("*", role)]
        return ScopeLimit(True, frozenset.intersection(*fitting)) if fitting else ScopeLimit()


@dataclass(frozen=True, slots=True)
class Ruled:
    """Rules, and who set them last; nobody, where nothing was said."""

    rules: Rules
    set_by: str = ""
    set_at: datetime | None = None


ANYWHERE = Reach()
EVERYBODY = Audience()
NO_RULES = Rules()
NO_LIMIT = ScopeLimit()


def _patterns(host: str) -> list[str]:
    """Every pattern that fits a host."""
    labels = host.split(".")
    return [host, *("*." + ".".join(labels[n:]) for n in range(1, len(labels)))]
