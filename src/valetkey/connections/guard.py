"""What an organization's owner says of accounts: on whose domains they are (ORG-08), and how far they reach (ORG-06).

Nothing is asked for that may not be granted. What is granted all the same, or for another's account, goes back at once.
What was connected is looked at again at each use: rules, roles and domains change, and may have while nobody looked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from valetkey.connections.model import Connection
from valetkey.directory.access.model import ScopeLimit
from valetkey.directory.model import Connector
from valetkey.identity.model import Person, Role
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, Forbidden
from valetkey.oauth.discovery import is_same_issuer
from valetkey.oauth.model import AuthorizationServer, Holder
from valetkey.oauth.scopes import beyond

IDENTITY: Final = ("openid", "email")
"""The scopes by which a service says whose account it is (OpenID Connect Core 5.4)."""

VerifiedDomains = Callable[[str], Awaitable[frozenset[str]]]
"""The domains of an organization that are its own."""

RoleOf = Callable[[str], Awaitable[Role]]
"""What role a person has in their organization now."""

WHOSE: Final = "Your organization takes accounts of its own domains only, and nobody has looked whose this one is."
TOO_MUCH: Final = "It was granted more than your organization lets your role have there."


class ScopeNotGranted(Forbidden):
    """A role's accounts may not be granted that."""

    code = "connector_scope_not_granted"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why what was granted is given back: a sentence for its person, and the event of the trail."""

    event: str
    reason: str
    detail: str


class Guard:
    """Asked before somebody is sent to a service, when they come back, and whenever their account is used."""

    def __init__(self, verified_domains: VerifiedDomains, role_of: RoleOf, *, clock: Clock) -> None:
        self._verified_domains = verified_domains
        self._role_of = role_of
        self._clock = clock

    async def outgrown(self, connection: Connection, connector: Connector) -> str:
        """Why an account that is connected is not used any more, as a sentence for its person; empty while it is."""
        rules = connector.rules
        if connection.method != "oauth":  # a key of one's own says nobody's name
            return WHOSE if rules.only_domains and connection.method == "header" else ""
        if rules.only_domains:
            domains = await self._verified_domains(connector.organization_id)
            if connection.account_domain not in domains:
                return WHOSE
        if rules.scopes:
            limit = rules.scope_limit(connector.slug, (await self._role_of(connection.person_id)).value)
            if limit.is_limited and beyond(connection.granted_scope, limit.scopes):
                return TOO_MUCH
        return ""

    def demand_named(self, connector: Connector) -> None:
        """Raises `Conflict` for a key that members enter, which says nobody's name."""
        if connector.rules.only_domains and connector.auth_kind == "header" and not connector.acts_as_organization:
            raise Conflict(
                "Your organization takes accounts on its own domains only, and a key does not say whose it is.",
                hint="An owner can enter one key for everybody.",
            )

    def identity(self, connector: Connector, server: AuthorizationServer | None) -> tuple[str, ...]:
        """What is asked for besides, to be told whose account it is. Raises `Conflict` where that cannot be told."""
        if not connector.rules.only_domains or server is None:
            return ()
        if server.scopes and "openid" not in server.scopes:
            raise Conflict(
                "Your organization takes accounts on its own domains only, and this service does not say whose it is.",
                hint="An owner can change that rule.",
            )
        return IDENTITY

    def limit(self, connector: Connector, person: Person, *, needed: tuple[str, ...] = ()) -> ScopeLimit:
        """How far an account of this person may reach. Raises `ScopeNotGranted` for what a call `needed`."""
        limit = connector.rules.scope_limit(connector.slug, person.role.value)
        if refused := limit.beyond(needed):
            raise ScopeNotGranted(
                f"Your organization does not let your role have {' '.join(refused)} there.",
                hint="An owner can change that.",
            )
        return limit

    def demand_identity(self, connector: Connector, scopes: set[str]) -> None:
        """Raises `BadInput` when somebody leaves out by what they would be known."""
        if connector.rules.only_domains and not scopes.issuperset(IDENTITY):
            raise BadInput("Your organization has to be told whose account it is: openid and email.", field="scopes")

    async def refusal(
        self, connector: Connector, person: Person, server: AuthorizationServer, *, client_id: str, granted: str,
        holder: Holder | None,
    ) -> Refusal | None:  # fmt: skip
        """Why this grant is not kept; `None` when it is."""
        limit = self.limit(connector, person)
        if limit.is_limited and (wider := beyond(granted, limit.scopes)):
            words = " ".join(wider)[:300]
            return Refusal(
                "connection.scope_refused", f"The service gave what your role may not have there: {words}.", words
            )
        if not connector.rules.only_domains:
            return None
        domain = self.domain(connector, server, client_id=client_id, holder=holder)
        if domain in await self._verified_domains(connector.organization_id):
            return None
        whose = (
            f"an account at {domain}" if domain else "an account of which it does not say that its address is verified"
        )
        return Refusal(
            "connection.domain_refused",
            f"Your organization takes accounts on its own domains only, and this was {whose}.",
            domain,
        )

    def domain(
        self, connector: Connector, server: AuthorizationServer, *, client_id: str, holder: Holder | None
    ) -> str:
        """The domain of the verified address of an ID token that is this server's, for us, and not too old.

        Empty also where nobody asks whose account it is: what is not needed is not kept.
        """
        if not connector.rules.only_domains:
            return ""
        if holder is None or not holder.is_verified or not is_same_issuer(holder.issuer, server.issuer):
            return ""
        if client_id not in holder.audience or holder.expires_at <= self._clock.time():
            return ""
        name, _, domain = holder.email.rpartition("@")
        return domain.lower() if name and "@" not in name else ""


def within(scopes: tuple[str, ...], limit: ScopeLimit) -> tuple[str, ...]:
    """Those that may be asked for."""
    refused = set(limit.beyond(scopes))
    return tuple(one for one in scopes if one not in refused)
