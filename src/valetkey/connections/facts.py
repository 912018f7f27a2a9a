"""What was found out about a service before anyone is sent there: as it is shown, and as it is kept until they return.

The person acknowledges exactly these facts: `ConnectFacts.hash` covers what they saw and what we will act on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import idna

from valetkey.connections.discover import Found
from valetkey.connections.guard import ScopeNotGranted, within
from valetkey.connections.model import ConnectFacts, Connection, State
from valetkey.directory.access.model import NO_LIMIT, ScopeLimit
from valetkey.directory.model import Connector
from valetkey.net.certificate import Shown
from valetkey.net.model import Url
from valetkey.net.url import is_address
from valetkey.oauth.discovery import as_document, read_as_document
from valetkey.oauth.document import split_scope
from valetkey.oauth.model import AuthorizationServer, ParseUrl, ScopeOrigin
from valetkey.oauth.scopes import ScopeChoice, beyond, choose, together

# Second-level names under which strangers register side by side; only to say "another domain", never to allow anything.
_SHARED_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "gob", "ne", "net", "nom", "or", "org"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One attempt's facts. `server` is `None` for a service that nobody needs to sign in to."""

    shown: ConnectFacts
    server: AuthorizationServer | None
    accepted_beyond: tuple[str, ...]
    """Scopes that the service gave unasked last time, and that the person is told of this time."""
    connector_version: int
    asked_scope: str = ""
    client_id: str = ""

    def document(self) -> dict[str, Any]:
        """The plan as JSON."""
        return {
            "shown": asdict(self.shown),
            "server": as_document(self.server) if self.server else None,
            "accepted_beyond": list(self.accepted_beyond),
            "connector_version": self.connector_version,
            "asked_scope": self.asked_scope,
            "client_id": self.client_id,
        }


def read_plan(document: Mapping[str, Any], *, parse: ParseUrl) -> Plan:
    """The plan that `Plan.document` wrote; the server's metadata is checked again."""
    shown = dict(document["shown"])
    for name in ("scopes", "tools", "warnings", "granted_before", "challenged"):
        shown[name] = tuple(shown[name])
    shown["scope_origin"] = ScopeOrigin(shown["scope_origin"])
    facts = ConnectFacts(**shown)
    server = None
    if document["server"] is not None:
        server = read_as_document(
            document["server"],
            issuer=document["server"]["issuer"],
            parse=parse,
            allow_http=parse(facts.connector_url).scheme == "http",
        )
    return Plan(
        shown=facts,
        server=server,
        accepted_beyond=tuple(document["accepted_beyond"]),
        connector_version=document["connector_version"],
        asked_scope=document["asked_scope"],
        client_id=document["client_id"],
    )


def make_plan(
    connector: Connector,
    connection: Connection,
    found: Found,
    *,
    url: Url,
    parse: ParseUrl,
    client_source: str,
    callback: str,
    challenged: tuple[str, ...] = (),
    identity: tuple[str, ...] = (),
    limit: ScopeLimit = NO_LIMIT,
    disclosed: str = "",
) -> Plan:
    """The facts, with a warning for each thing a careful person would want to be told."""
    server = found.server
    choice = ScopeChoice((), ScopeOrigin.NONE)
    granted: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    if connection.state is State.RECONNECT and connection.requested_scope:
        extra = beyond(connection.granted_scope, connection.requested_scope.split())
    if server is not None:
        choice = choose(
            pin=str(connector.auth.get("scope", "")),
            challenge=found.challenge.scope,
            connector=found.resource_scopes,
            authorization_server=server.scopes,
            fallback=not connector.auth.get("no_scope_fallback", False),
        )
        if connection.issuer == server.issuer:  # another server's scopes may mean something else
            granted = tuple(scope for scope in split_scope(connection.granted_scope) if scope not in extra)
        choice = together(choice, granted=granted, challenged=challenged)
        choice = _narrowed(choice, limit, identity)
    issuer_host = parse(server.issuer).host if server else ""
    shown = ConnectFacts(
        connector_url=connector.url,
        connector_host=_authority(url),
        issuer=server.issuer if server else "",
        issuer_host=_authority(parse(server.issuer)) if server else "",
        token_host=_authority(server.token_endpoint) if server else "",
        scopes=choice.scopes,
        scope_origin=choice.origin,
        client_source=client_source,
        tools=found.tools,
        warnings=tuple(_warnings(url, connection, found, choice, issuer_host, extra)),
        hash="",
        method="oauth" if server else "none",
        resource="" if connector.auth.get("omit_resource") else found.resource,
        disclosed=disclosed,
        callback=callback,
        **_certified(found.shown),
        granted_before=tuple(scope for scope in choice.scopes if scope in granted),
        challenged=tuple(scope for scope in choice.scopes if scope in challenged),
    )
    plan = Plan(shown=shown, server=server, accepted_beyond=extra, connector_version=connector.version)
    return replace(plan, shown=replace(shown, hash=_hash(plan.document())))


def _narrowed(choice: ScopeChoice, limit: ScopeLimit, identity: tuple[str, ...]) -> ScopeChoice:
    """What the organization lets this person's account have, and by what it is told whose account it is."""
    scopes = tuple(dict.fromkeys((*within(choice.scopes, limit), *identity)))
    if not scopes and choice.scopes:
        raise ScopeNotGranted(
            "Your organization lets your role have nothing of what this service asks for.",
            hint="An owner can change that.",
        )
    origin = ScopeOrigin.BEFORE if scopes and choice.origin is ScopeOrigin.NONE else choice.origin
    return ScopeChoice(scopes, origin)


def _certified(shown: Shown | None) -> dict[str, str]:
    if shown is None:
        return {}
    return {
        "tls_version": shown.tls_version,
        "certified_for": shown.subject,
        "certified_by": shown.issuer,
        "certified_until": shown.ends_at.date().isoformat(),
    }


def _authority(url: Url) -> str:
    """Host and, where it is not the scheme's own, port: on one machine only the port tells services apart."""
    return url.origin.partition("://")[2]


def another_domain(one: str, other: str) -> bool:
    """Whether two hosts seem to belong to different owners; when in doubt, yes."""
    return _registrable(one) != _registrable(other)


def _warnings(
    url: Url, connection: Connection, found: Found, choice: ScopeChoice, issuer_host: str, extra: tuple[str, ...]
) -> list[str]:
    warnings = list(found.warnings)
    server = found.server
    if url.scheme == "http":
        warnings.append(
            f"{url.host} is reached over plain http: whoever is on the network between can read and change."
        )
    for host in dict.fromkeys((url.host, issuer_host)):
        if any(label.startswith("xn--") for label in host.split(".")):
            warnings.append(f"The name {host} is written with other letters: {idna.decode(host)}. Look twice.")
    if server is None:
        warnings.append(f"{url.host} answers without signing in: nothing tells it that it is you.")
        return warnings
    if another_domain(url.host, issuer_host):
        warnings.append(f"You sign in at {issuer_host}, which is another domain than {url.host}.")
    for host in dict.fromkeys((server.authorization_endpoint.host, server.token_endpoint.host)):
        if host != issuer_host:
            warnings.append(f"{issuer_host} has you sign in, or hands out tokens, at {host}.")
    if connection.issuer and connection.issuer != server.issuer:
        warnings.append(f"Before, you signed in at {connection.issuer}; now it is {server.issuer}.")
    if choice.origin is ScopeOrigin.AUTHORIZATION_SERVER:
        warnings.append(
            f"The service does not say which permissions it needs. These are all that {issuer_host} lists, which may "
            "be broader than needed: untick what you do not want to give."
        )
    if extra:
        warnings.append(
            f"Last time the service gave more than was asked for: {' '.join(extra)}. Going on accepts that."
        )
    return warnings


def _registrable(host: str) -> str:
    if is_address(host):
        return host
    labels = host.split(".")
    shared = len(labels) > 2 and labels[-2] in _SHARED_SECOND_LEVEL and len(labels[-1]) == 2
    return ".".join(labels[-3 if shared else -2 :])


def _hash(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
