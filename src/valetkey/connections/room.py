"""The room's objects, put together: what the doors and the call path are given of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from valetkey.audit.trail import Trail
from valetkey.connections.accounts import Connections, ConnectorBook
from valetkey.connections.callback import Callback
from valetkey.connections.client_identity import ClientIdentities
from valetkey.connections.client_keys import ClientKeys
from valetkey.connections.connect import Connecting, MayConnect
from valetkey.connections.credentials import Credentials
from valetkey.connections.desk import Desk
from valetkey.connections.detect import Detecting
from valetkey.connections.disconnect import Disconnecting
from valetkey.connections.discover import Discovery, Lister
from valetkey.connections.echoes import Echoes
from valetkey.connections.guard import Guard, RoleOf, VerifiedDomains
from valetkey.connections.held import Held
from valetkey.connections.labels import Labels
from valetkey.connections.model import Connection
from valetkey.connections.quarantine import Quarantine
from valetkey.connections.reconsent import Editing
from valetkey.connections.refresh import Refreshing
from valetkey.connections.revoke_all import RevokingAll
from valetkey.connections.servers import Servers
from valetkey.connections.step_up import StepUp
from valetkey.connections.token_endpoint import TokenEndpoint
from valetkey.connections.trace import Trace
from valetkey.connections.unsigned import Unsigned
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import RootKeyUnavailable
from valetkey.net.client import WebClient
from valetkey.oauth.model import ParseUrl
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.store.notify import Notifications
from valetkey.vault.verbs import Spool, Vault

Told = Callable[[Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What others use."""

    connections: Connections
    connecting: Connecting
    detecting: Detecting
    labels: Labels
    credentials: Credentials
    disconnecting: Disconnecting
    identities: ClientIdentities
    servers: Servers
    refreshing: Refreshing
    revoking: RevokingAll
    quarantine: Quarantine
    editing: Editing
    held: Held
    trace: Trace
    echoes: Echoes

    async def start(self) -> None:
        """Writes down what a crash left in the spool, and finishes disconnects that it cut off."""
        with suppress(RootKeyUnavailable):  # then each waits in the spool for its connection's next refresh
            await self.refreshing.recover()
        await self.disconnecting.resume()

    async def stop(self) -> None:
        """Lets refreshes and disconnects under way come to their end: a token half written is a token lost."""
        await self.refreshing.stop()
        await self.disconnecting.stop()
        await self.echoes.stop()


def open_room(
    database: Database,
    *,
    vault: Vault,
    spool: Spool,
    web: WebClient,
    desk: Desk,
    upstreams: Lister,
    connectors: ConnectorBook,
    leases: Leases,
    notifications: Notifications,
    trail: Trail,
    clock: Clock,
    parse: ParseUrl,
    public_url: str,
    may_connect: MayConnect,
    verified_domains: VerifiedDomains,
    role_of: RoleOf,
    document_url: str = "",
    documents_reachable: bool = True,
    on_connected: Sequence[Told] = (),
    on_ended: Sequence[Told] = (),
    keyring_backups_kept: timedelta = timedelta(days=7),
    discovery_seconds: float = 10.0,
) -> Room:
    """The room for one process. `parse` is `net.url.parse_url` with what the operator allows.

    `document_url` and `documents_reachable` as in `ClientIdentities`. `on_connected` and `on_ended` are told of each
    connection; what `on_ended` raises keeps it *disconnecting* until the next start.
    """
    trace = Trace(database, clock=clock)
    step_up = StepUp(database, clock=clock, trace=trace)
    servers = Servers(database, web=web, parse=parse, clock=clock)
    identities = ClientIdentities(
        database,
        vault=vault,
        desk=desk,
        leases=leases,
        parse=parse,
        clock=clock,
        public_url=public_url,
        document_url=document_url,
        documents_reachable=documents_reachable,
    )
    tokens = TokenEndpoint(vault=vault, desk=desk, servers=servers, identities=identities, parse=parse)
    refreshing = Refreshing(
        database,
        vault=vault,
        leases=leases,
        notifications=notifications,
        clock=clock,
        connectors=connectors,
        tokens=tokens,
        trail=trail,
        trace=trace,
        spool=spool,
    )

    async def empty_spool(connection: Connection) -> None:
        await spool.clear(connection.id)

    disconnecting = Disconnecting(
        database,
        vault=vault,
        leases=leases,
        notifications=notifications,
        clock=clock,
        connectors=connectors,
        tokens=tokens,
        refreshing=refreshing,
        trail=trail,
        trace=trace,
        on_ended=[empty_spool, step_up.forget, *on_ended],
        keyring_backups_kept=keyring_backups_kept,
    )
    connections = Connections(
        database,
        notifications,
        clock=clock,
        connectors=connectors,
        trail=trail,
        disconnecting=disconnecting,
        on_connected=on_connected,
        on_removed=[disconnecting.forget],
    )
    discovery = Discovery(servers, upstreams=upstreams, looks=web, parse=parse, seconds=discovery_seconds)
    guard = Guard(verified_domains, role_of, clock=clock)
    callback = Callback(
        vault=vault,
        clock=clock,
        connectors=connectors,
        connections=connections,
        identities=identities,
        tokens=tokens,
        refreshing=refreshing,
        step_up=step_up,
        guard=guard,
        trace=trace,
        parse=parse,
    )
    unsigned = Unsigned(
        vault=vault,
        clock=clock,
        notifications=notifications,
        connections=connections,
        discovery=discovery,
        trace=trace,
    )
    connecting = Connecting(
        database,
        vault=vault,
        clock=clock,
        connectors=connectors,
        connections=connections,
        discovery=discovery,
        identities=identities,
        callback=callback,
        unsigned=unsigned,
        step_up=step_up,
        guard=guard,
        trace=trace,
        parse=parse,
        may_connect=may_connect,
    )
    credentials = Credentials(
        database,
        vault=vault,
        clock=clock,
        notifications=notifications,
        connectors=connectors,
        connections=connections,
        refreshing=refreshing,
        step_up=step_up,
        guard=guard,
    )
    echoes = Echoes(trail, clock=clock)
    vault.echoes.append(echoes.heard)
    revoking = RevokingAll(database, disconnecting, clock=clock)
    held = Held(database, vault=vault, revoking=revoking, notifications=notifications, trail=trail)
    return Room(
        connections=connections,
        connecting=connecting,
        detecting=Detecting(discovery, identities=identities),
        labels=Labels(ClientKeys(database, vault=vault, clock=clock), clock=clock, public_url=public_url),
        credentials=credentials,
        disconnecting=disconnecting,
        identities=identities,
        servers=servers,
        refreshing=refreshing,
        revoking=revoking,
        quarantine=Quarantine(
            database, vault=vault, notifications=notifications, clock=clock, trail=trail, connectors=connectors
        ),
        editing=Editing(
            database, connectors=connectors, revoking=revoking, held=held, notifications=notifications, trail=trail
        ),
        held=held,
        trace=trace,
        echoes=echoes,
    )
