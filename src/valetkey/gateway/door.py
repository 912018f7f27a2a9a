"""The gateway as one thing: its parts put together, and what the hub does with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from starlette.routing import Route

from valetkey.audit.calls import CallLog
from valetkey.audit.kept_results import KeptResults
from valetkey.connections.model import Connection
from valetkey.gateway.accounts import Accounts, Connectors, Profiles, ReadsUrls, Snapshots
from valetkey.gateway.asked import Asked
from valetkey.gateway.authenticate import Authenticates, Gate
from valetkey.gateway.call import Calls
from valetkey.gateway.caller import Network
from valetkey.gateway.capabilities import Offers
from valetkey.gateway.carry import Carrier
from valetkey.gateway.catalog import TOPIC as LISTS
from valetkey.gateway.catalog import Catalog
from valetkey.gateway.continuation import Continuations
from valetkey.gateway.endpoint import Endpoint
from valetkey.gateway.exchange import Exchange
from valetkey.gateway.front import House
from valetkey.gateway.large import Large
from valetkey.gateway.levels import Levels
from valetkey.gateway.listing import PATIENCE, Listings
from valetkey.gateway.lists import Lists
from valetkey.gateway.methods import Methods
from valetkey.gateway.model import Connections, Credentials, Door
from valetkey.gateway.passing import Passing
from valetkey.gateway.questions import Questions
from valetkey.gateway.recording import FindsLevels, Records
from valetkey.gateway.relaying import Relays
from valetkey.gateway.search import SEARCH_ABOVE, ToolSearch
from valetkey.gateway.single import Ran, run_once
from valetkey.gateway.spent import Spent
from valetkey.gateway.subscriptions import Subscriptions
from valetkey.gateway.tickets import Tickets
from valetkey.gateway.unusual import Notices, Unusual
from valetkey.gateway.watches import Watches
from valetkey.gateway.welcome import Welcome
from valetkey.identity.model import Principal, Role
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotFound, NotRecorded, ValetkeyError
from valetkey.policy.gate import Gate as PolicyGate
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.upstream.client import Upstreams
from valetkey.vault.day_keys import FindsDayKeys
from valetkey.vault.handles import Handles


def _in_their_browser(connection: Connection) -> Principal:
    """The person of a connection, at one of our pages."""
    return Principal(
        kind="session",
        person_id=connection.person_id,
        organization_id=connection.organization_id,
        role=Role.MEMBER,
        client_id="",
        client_name="Valetkey pages",
        audience="",
        scopes=frozenset(),
        credential_id="",
    )


class Gateway:
    """The MCP door. `hosts` are the `Host` values that reach us; `public_url` is the one people and assistants use."""

    def __init__(
        self,
        *,
        tokens: Authenticates,
        connections: Connections,
        connectors: Connectors,
        snapshots: Snapshots,
        profiles: Profiles,
        policy: PolicyGate,
        credentials: Credentials,
        day_keys: FindsDayKeys,
        call_log: CallLog,
        alerts: Notices,
        levels: FindsLevels,
        upstreams: Upstreams,
        notifications: Notifications,
        clock: Clock,
        parse_url: ReadsUrls,
        public_url: str,
        hosts: Iterable[str],
        database: Database,
        patience: float = PATIENCE,
        search_above: int = SEARCH_ABOVE,
        trusted_proxies: Sequence[Network] = (),
    ) -> None:
        hosts = tuple(hosts)
        accounts = Accounts(
            connections, connectors, snapshots, profiles, policy, notifications, clock=clock, parse_url=parse_url
        )
        self.unusual = unusual = Unusual(alerts, clock=clock)
        records = Records(call_log, day_keys, levels, unusual, clock=clock)
        tickets = Tickets(credentials, connections)
        self._upstreams = upstreams
        self._notifications = notifications
        self.listings = Listings(
            accounts,
            upstreams,
            tickets,
            records,
            unusual,
            notifications=notifications,
            clock=clock,
            public_url=public_url,
            patience=patience,
        )
        self._accounts = accounts
        self.continuations = Continuations(
            upstreams,
            Handles(day_keys, clock=clock),
            Spent(database, clock=clock),
            Questions(hosts=hosts, parse_url=parse_url, listing_of=connectors.listing_of),
            Asked(notifications),
            clock=clock,
        )
        self._calls = calls = Calls(
            accounts,
            self.listings,
            Passing(policy, records, self.continuations, public_url=public_url),
            tickets,
            upstreams,
            records,
            self.continuations,
            Large(KeptResults(database), public_url=public_url),
            clock=clock,
            public_url=public_url,
        )
        self.gate = Gate(tokens, public_url=public_url, hosts=hosts)
        offers = Offers(accounts)
        carrier = Carrier(policy, tickets, upstreams, self.continuations, public_url=public_url)
        self._catalog = Catalog(accounts, offers, carrier, records, notifications, clock=clock, patience=patience)
        self.watches = Watches(carrier, records, notifications, upstreams)
        self.subscriptions = Subscriptions(accounts, offers, self.watches, notifications)
        methods = Methods(
            ToolSearch(calls, self.listings, accounts, records, clock=clock, above=search_above),
            self.listings,
            Lists(self._catalog, clock=clock, public_url=public_url),
            Relays(accounts, offers, self._catalog, carrier, records, public_url=public_url),
            accounts,
            Welcome(accounts, offers, public_url=public_url),
            Levels(notifications),
            self.subscriptions,
            public_url=public_url,
        )
        self.exchange = Exchange(methods, self.continuations.asked)
        self.endpoint = Endpoint(self.gate, self.exchange)
        self.house = House(self.gate, self.exchange, trusted=trusted_proxies)

    def routes(self) -> list[Route]:
        """The endpoints as ASGI, whatever the front."""
        return self.endpoint.routes()

    def front(self) -> type[asyncio.Protocol]:
        """What uvicorn's `http=` takes to serve the endpoints without ASGI; everything else goes on as before."""
        return self.house.protocol()

    async def run(self, who: Principal, *, connector: str, label: str, tool: str, arguments: bytes) -> Ran:
        """One call for a program that is no MCP client. Raises `NotFound`, `NotRecorded`."""
        return await run_once(self._calls, who, connector=connector, label=label, tool=tool, arguments=arguments)

    async def connection_began(self, connection: Connection) -> None:
        """A person connected an account: list its tools, so that they can switch some on.

        It is their request, with their credential, and recorded. Raises what listing raises.
        """
        who = _in_their_browser(connection)
        for account in await self._accounts.all_of(who):
            if account.connection.id == connection.id:
                door = Door("", account.connector.slug, connection.label)
                await self.listings.refresh(who, door, account)

    async def probe(self, connection: Connection) -> ValetkeyError | None:
        """Its person wants to know whether it works (VLT-07): what went wrong. Raises `NotRecorded`."""
        who = _in_their_browser(connection)
        accounts = [one for one in await self._accounts.all_of(who) if one.connection.id == connection.id]
        try:
            for account in accounts:
                await self.listings.probe(who, Door("", account.connector.slug, connection.label), account)
        except NotRecorded:
            raise
        except ValetkeyError as problem:
            return problem
        return None if accounts else NotFound("Its connector is not there any more.")

    async def cut(self, connection_id: str) -> None:
        """No call goes there any more: gives up, in this process, what waits there and what was listed."""
        self.continuations.parked.release(connection_id)
        await self._upstreams.close(connection_id)
        self._notifications.hear(LISTS, connection_id)

    async def connection_ended(self, connection_id: str) -> None:
        """A connection was disconnected: forget the session that was held with its service, and what it listed."""
        self.continuations.parked.release(connection_id)
        await self._upstreams.close(connection_id)
        await self._notifications.publish(LISTS, connection_id)

    async def stop(self) -> None:
        """Ends what is still under way, before the rooms below are closed."""
        await self.endpoint.stop()
        await self.listings.stop()
        await self.unusual.stop()
        await self.continuations.stop()
        await self._catalog.stop()
        await self.watches.stop()
        await self._upstreams.stop()
