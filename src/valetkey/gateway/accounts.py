"""Which account and which tool a call is about.

Looked up in the person's own connections only; remembered for a moment, and dropped when they change (design.md 5).
That a connection is remembered here opens nothing: the credential is asked for anew at each call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from valetkey.connections.model import Connection
from valetkey.directory import naming
from valetkey.directory.listed import Listed
from valetkey.directory.listings import Listing
from valetkey.directory.model import Connector, Profile, Snapshot, Tool, ToolAccess
from valetkey.gateway.model import Account, Connections, Door, Meant
from valetkey.identity.model import Principal
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, NotFound
from valetkey.net.model import Url
from valetkey.store.notify import EVERYTHING, Notifications
from valetkey.upstream.model import Target

_SECONDS: Final = 10.0
_PEOPLE: Final = 10_000


class Connectors(Protocol):
    """What we need of `directory.connectors`."""

    async def get(self, slug: str, person: Principal) -> Connector: ...

    async def by_id(self, connector_id: str) -> Connector: ...

    def listing_of(self, connector: Connector) -> Listing | None: ...


class Snapshots(Protocol):
    """What we need of `directory.snapshots`."""

    @property
    def listed(self) -> Listed: ...

    def get_now(self, connection_id: str) -> Snapshot | None: ...

    async def get(self, connection_id: str) -> Snapshot | None: ...

    async def put(
        self, connection_id: str, tools_raw: Sequence[bytes], server: bytes, fresh_seconds: float
    ) -> Snapshot: ...


class Profiles(Protocol):
    """What we need of `directory.profiles`."""

    def get_now(self, person_id: str, name: str) -> Profile | None: ...

    async def get(self, person_id: str, name: str) -> Profile: ...


class Hides(Protocol):
    """What we need of `policy.gate`."""

    async def hidden(
        self, who: Principal, connection_id: str, connector: Connector, tools: Iterable[Tool]
    ) -> frozenset[str]: ...


class ReadsUrls(Protocol):
    """`net.url.parse_url`, with the switches for connectors' endpoints already set."""

    def __call__(self, text: str) -> Url: ...


class _Known(msgspec.Struct, gc=False):
    """One person's accounts, and what they are called on `/mcp`. `names` is made when it is first needed."""

    until: float
    accounts: tuple[Account, ...]
    doors: dict[tuple[str, str], Account]
    names: Mapping[str, tuple[Account, str]] | None = None


class _Index(msgspec.Struct, gc=False):
    """A snapshot's tools by name."""

    snapshot: Snapshot
    tools: dict[str, Tool]


class Accounts:
    """Finds accounts and tools. `parse_url` reads a connector's endpoint, which was checked when it was added."""

    def __init__(
        self,
        connections: Connections,
        connectors: Connectors,
        snapshots: Snapshots,
        profiles: Profiles,
        policy: Hides,
        notifications: Notifications,
        *,
        clock: Clock,
        parse_url: ReadsUrls,
    ) -> None:
        self._connections = connections
        self._connectors = connectors
        self.snapshots = snapshots
        self._profiles = profiles
        self._policy = policy
        self._clock = clock
        self._parse_url = parse_url
        self._people: OrderedDict[str, _Known] = OrderedDict()
        self._indexes: OrderedDict[str, _Index] = OrderedDict()
        self._urls: dict[str, Url] = {}
        self._owners: dict[str, str] = {}
        self._drops = 0
        notifications.subscribe("connections", self._drop_person)
        notifications.subscribe("connectors", self._drop_everyone)
        notifications.subscribe("snapshots", self._drop_names)

    # --- accounts -----------------------------------------------------------------------------------------------------

    async def all_of(self, who: Principal) -> tuple[Account, ...]:
        """The person's accounts at connectors that still exist, oldest first."""
        return (self._known_now(who.person_id) or await self._known(who)).accounts

    async def behind(self, door: Door, who: Principal) -> tuple[Account, ...]:
        """The accounts of a door to several, oldest first: all of the person's, or those in their profile.

        Raises `NotFound` when they have no such profile.
        """
        accounts = await self.all_of(who)
        if not door.profile:
            return accounts
        profile = await self._profiles.get(who.person_id, door.profile)
        return tuple(account for account in accounts if profile.covers(account.connection.id))

    async def access(self, door: Door, who: Principal) -> ToolAccess:
        """How the tools of a door to several are offered. Raises `NotFound` as `behind` does."""
        return (await self._profiles.get(who.person_id, door.profile)).access if door.profile else ToolAccess.AUTO

    async def shown(self, door: Door, who: Principal) -> Mapping[str, tuple[Account, str]]:
        """The tools of a door to several, in order, as `names` gives them: a profile's keep the names of `/mcp`, and
        who blocks a tool does not see it. It keeps its name, so that who calls it is told that it is blocked.

        Raises `NotFound` as `behind` does.
        """
        known = self._known_now(who.person_id) or await self._known(who)
        names = await self._names(known)
        hidden = {
            (account.connection.id, name) for account in known.accounts for name in await self.hidden(account, who)
        }
        if hidden:
            names = {name: one for name, one in names.items() if (one[0].connection.id, one[1]) not in hidden}
        if not door.profile:
            return names
        profile = await self._profiles.get(who.person_id, door.profile)
        return {
            name: (account, tool) for name, (account, tool) in names.items() if profile.has(account.connection.id, tool)
        }

    async def hidden(self, account: Account, who: Principal) -> frozenset[str]:
        """Those of the account's tools, by their own names, that are not listed."""
        tools = (await self.tools(account)).values()
        if not account.is_open:  # what it says of itself reaches no model either
            return frozenset(tool.name for tool in tools)
        return await self._policy.hidden(who, account.connection.id, account.connector, tools)

    async def at(self, door: Door, who: Principal) -> Account | None:
        """The person's account behind a door to one connector; `None` when they have none.

        Raises `NotFound` when there is no such connector for them, be it another organization's or nobody's.
        """
        known = self._known_now(who.person_id) or await self._known(who)
        account = known.doors.get((door.connector, door.label))
        if account is None:
            await self._connectors.get(door.connector, who)
        return account

    # --- tools --------------------------------------------------------------------------------------------------------

    def meant_now(self, door: Door, who: Principal, name: str) -> Meant | None:
        """As `meant`, from memory; `None` means *ask `meant`*."""
        known = self._known_now(who.person_id)
        if known is None:
            return None
        if door.connector:
            account = known.doors.get((door.connector, door.label))
        else:
            account, name = (known.names or {}).get(name, (None, ""))
            if account is not None and door.profile:
                profile = self._profiles.get_now(who.person_id, door.profile)
                if profile is None or not profile.has(account.connection.id, name):
                    return None
        if account is None or (snapshot := self.snapshots.get_now(account.connection.id)) is None:
            return None
        tool = self._indexed(snapshot).get(name)
        return Meant(account, name, tool, was_listed=True) if tool is not None else None

    async def meant(self, door: Door, who: Principal, name: str) -> Meant | None:
        """What a call of `name` at `door` is about; `None` when no account of theirs can be meant.

        Raises `NotFound` as `at` does.
        """
        if door.connector:
            account = await self.at(door, who)
            return await self._with_tool(account, name) if account is not None else None
        known = self._known_now(who.person_id) or await self._known(who)
        if (found := (await self._names(known)).get(name)) is None:
            return await self._by_beginning(await self.behind(door, who), name)
        if door.profile:
            profile = await self._profiles.get(who.person_id, door.profile)
            if not profile.has(found[0].connection.id, found[1]):
                return None
        return await self._with_tool(*found)

    async def names(self, accounts: Sequence[Account]) -> Mapping[str, tuple[Account, str]]:
        """What the tools of these accounts are called on `/mcp`, in order: name → account and the tool's own name."""
        by_id = {account.connection.id: account for account in accounts}
        listed = [
            naming.Account(
                connection_id=account.connection.id,
                connector=account.connector.slug,
                label=account.connection.label,
                is_default=account.connection.is_default,
                tools=await self._names_at(account),
            )
            for account in accounts
        ]
        return {name: (by_id[owner], tool) for name, (owner, tool) in naming.exposed_names(listed).items()}

    async def tools(self, account: Account) -> Mapping[str, Tool]:
        """The account's tools by name, as last seen; empty when they never were."""
        connection_id = account.connection.id
        snapshot = self.snapshots.get_now(connection_id) or await self.snapshots.get(connection_id)
        return self._indexed(snapshot) if snapshot is not None else {}

    async def _names_at(self, account: Account) -> tuple[str, ...]:
        """The names an account's tools take, those that are held too: who calls one is told why it does not run."""
        connection_id = account.connection.id
        snapshot = self.snapshots.get_now(connection_id) or await self.snapshots.get(connection_id)
        if snapshot is None:
            return ()
        return (*self._indexed(snapshot), *(one.tool for one in snapshot.held if one.new is not None))

    async def _names(self, known: _Known) -> Mapping[str, tuple[Account, str]]:
        if known.names is None:
            known.names = await self.names(known.accounts)
        return known.names

    async def _with_tool(self, account: Account, name: str) -> Meant:
        connection_id = account.connection.id
        snapshot = self.snapshots.get_now(connection_id) or await self.snapshots.get(connection_id)
        if snapshot is None:
            return Meant(account, name, None, was_listed=False)
        tool = self._indexed(snapshot).get(name)
        held = snapshot.held_tool(name) if tool is None else None
        return Meant(account, name, tool, was_listed=True, held=held.kind if held is not None else "")

    async def _by_beginning(self, accounts: Sequence[Account], name: str) -> Meant | None:
        """The account whose tools were never seen (or forgotten) and whose names begin like this one.

        Nothing is called by this: it is how a client that still has the old list hears *connect first*.
        """
        for account in accounts:
            slug, label = account.connector.slug, account.connection.label
            prefix = f"{slug}_" if account.connection.is_default else f"{slug}_{label}_"
            if name.startswith(prefix) and not await self.tools(account):
                return Meant(account, name.removeprefix(prefix), None, was_listed=False)
        return None

    def _indexed(self, snapshot: Snapshot) -> dict[str, Tool]:
        index = self._indexes.get(snapshot.connection_id)
        if index is None or index.snapshot is not snapshot:
            index = _Index(snapshot, {tool.name: tool for tool in snapshot.tools})
            self._indexes[snapshot.connection_id] = index
            if len(self._indexes) > _PEOPLE:
                self._indexes.popitem(last=False)
        return index.tools

    # --- memory -------------------------------------------------------------------------------------------------------

    def _known_now(self, person_id: str) -> _Known | None:
        known = self._people.get(person_id)
        return known if known is not None and known.until > self._clock.monotonic() else None

    async def _known(self, who: Principal) -> _Known:
        drops = self._drops
        accounts = []
        for connection in sorted(await self._connections.list(who.person_id), key=lambda each: each.id):
            account = await self._account(connection, who)
            if account is not None:
                accounts.append(account)
        doors: dict[tuple[str, str], Account] = {}
        for account in accounts:
            doors[account.connector.slug, account.connection.label] = account
            if account.connection.is_default:
                doors[account.connector.slug, ""] = account
        known = _Known(self._clock.monotonic() + _SECONDS, tuple(accounts), doors)
        if drops == self._drops:
            self._people[who.person_id] = known
            self._owners.update((account.connection.id, who.person_id) for account in accounts)
            if len(self._people) > _PEOPLE:
                self._people.popitem(last=False)
        return known

    async def _account(self, connection: Connection, who: Principal) -> Account | None:
        try:
            connector = await self._connectors.by_id(connection.connector_id)
            url = self._urls.get(connector.url) or self._parse_url(connector.url)
        except (NotFound, BadInput):
            return None
        if connection.person_id != who.person_id:  # the one mistake that must not be made here
            return None
        if len(self._urls) < _PEOPLE:
            self._urls[connector.url] = url  # one object per URL: `net` recognizes it without comparing
        return Account(
            connection, connector, Target(url, connection.id, connector.slug), f"/connections/{connection.id}"
        )

    def _drop_person(self, person_id: str) -> None:
        self._drops += 1
        if person_id == EVERYTHING:
            self._people.clear()
            self._owners.clear()
        else:
            self._people.pop(person_id, None)

    def _drop_everyone(self, _connector: str) -> None:
        self._drop_person(EVERYTHING)

    def _drop_names(self, connection_id: str) -> None:
        """A list of tools changed: what they are called is worked out anew for whom it concerns."""
        if connection_id == EVERYTHING:
            self._drop_person(EVERYTHING)
        elif (known := self._people.get(self._owners.get(connection_id, ""))) is not None:
            known.names = None
