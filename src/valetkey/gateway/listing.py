"""`tools/list`: one connector's tools live, or all of a person's side by side, never waiting long for a slow one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from valetkey.audit.model import Outcome
from valetkey.directory.lookalikes import skeleton
from valetkey.directory.model import Snapshot, Tool
from valetkey.gateway import addresses, apps
from valetkey.gateway.accounts import Accounts
from valetkey.gateway.catalog import TOPIC as LISTS
from valetkey.gateway.model import Account, Client, Door
from valetkey.gateway.recording import Record, Records, outcome_of
from valetkey.gateway.tickets import CallTickets, Tickets
from valetkey.gateway.unusual import Unusual
from valetkey.gateway.visible import is_visible
from valetkey.identity.model import Principal
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotConnected, NotFound, OutboundFailed, TooMany, ValetkeyError, VaultFailed
from valetkey.protocol import headers, translate, uris
from valetkey.protocol.messages import tools_result
from valetkey.store.notify import EVERYTHING, Notifications
from valetkey.upstream.client import Upstreams
from valetkey.upstream.model import Forbidden403, Listing, Unauthorized

PATIENCE: Final = 2.0
"""Seconds that the list of everything waits for one connector."""
_MOST_CHANGED: Final = 100_000
_NOT_OLD: Final = timedelta(0)
MOST_TTL_MS: Final = 60_000
PARTIAL: Final = "valetkey/partial"
"""Key in `_meta`: which accounts' tools are missing or old, why, and where the person can change that."""

CHECKED: Final = "checked_by_person"
"""Stands in the record of a request that was made to see whether the connection works."""

Trouble = tuple[str, str, str, str]
"""Connector, label, what is wrong in a word, and the page that helps."""


def marks(troubles: Sequence[Trouble]) -> Mapping[str, Any]:
    """What goes into `_meta` of a list that is not whole."""
    names = ("connector", "label", "reason", "url")
    return {PARTIAL: [dict(zip(names, trouble, strict=True)) for trouble in troubles]} if troubles else {}


@dataclass(frozen=True, slots=True)
class Seen:
    """One account's tools as they are to be shown. `problem` says in a word why they are old or missing."""

    account: Account
    snapshot: Snapshot | None
    problem: str = ""


class Listings:
    """Lists tools. One listing per connection is under way at a time, however many ask for it."""

    def __init__(
        self,
        accounts: Accounts,
        upstreams: Upstreams,
        tickets: Tickets,
        records: Records,
        unusual: Unusual,
        *,
        notifications: Notifications,
        clock: Clock,
        public_url: str,
        patience: float = PATIENCE,
    ) -> None:
        self._accounts = accounts
        self._snapshots = accounts.snapshots
        self._upstreams = upstreams
        self._tickets = tickets
        self._records = records
        self._unusual = unusual
        self._clock = clock
        self._patience = patience
        self._public_url = public_url
        self._under_way: dict[str, asyncio.Task[Snapshot]] = {}
        self._changed: set[str] = set()
        notifications.subscribe(LISTS, self._note_change)

    async def one(self, who: Principal, door: Door, account: Account, client: Client) -> bytes:
        """The result of `tools/list` for one account: its tools as they are, under their own names."""
        seen = await self._look(who, door, account)
        hidden = await self._accounts.hidden(account, who)
        shown = [
            translate.tool(apps.definition(account, tool), version=client.version)
            for tool in (seen.snapshot.tools if seen.snapshot is not None else ())
            if tool.name not in hidden and is_callable(tool, client)
        ]
        return tools_result(shown, version=client.version, ttl_ms=self._ttl_ms([seen]), meta=self._marks([seen]))

    async def all(self, who: Principal, door: Door, client: Client, seen: Sequence[Seen]) -> bytes:
        """The result of `tools/list` for a door to several, whose accounts were `seen` by `look`."""
        names = await self._accounts.shown(door, who)
        shown = []
        for name, (account, tool_name) in names.items():
            tools = await self._accounts.tools(account)
            if (tool := tools.get(tool_name)) is not None and is_callable(tool, client):
                raw = translate.tool(apps.definition(account, tool), version=client.version, name=name)
                shown.append(uris.in_tool(raw, addresses.outward(account)))
        return self.instead(client, seen, shown)

    def instead(self, client: Client, seen: Sequence[Seen], tools: Sequence[bytes]) -> bytes:
        """The result of `tools/list` for a door to several, with these tools in the place of all of them."""
        return tools_result(tools, version=client.version, ttl_ms=self._ttl_ms(seen), meta=self._marks(seen))

    async def look(self, who: Principal, door: Door, *, at_most_old: timedelta = _NOT_OLD) -> Sequence[Seen]:
        """The tools of each account behind a door, asked for where they are older; what is late is as last seen."""
        accounts = await self._accounts.behind(door, who)
        return await asyncio.gather(*(self._look_briefly(who, door, account, at_most_old) for account in accounts))

    async def refresh(self, who: Principal, door: Door, account: Account) -> Snapshot:
        """The account's tools, asked for now. Raises `NotConnected`, `OutboundFailed` and the like."""
        connection_id = account.connection.id
        task = self._under_way.get(connection_id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._live(who, door, account))
            self._under_way[connection_id] = task
            task.add_done_callback(lambda done: self._ended(connection_id, done))
        # Shielded: who stops waiting does not take the list away from the others, or from the next time.
        return await asyncio.shield(task)

    async def probe(self, who: Principal, door: Door, account: Account) -> None:
        """Asks for the tools and keeps nothing of them: whether it works. Raises what `refresh` raises."""
        record = await self._records.open(who, door, account, method="tools/list", tool="", request=b"")
        with record:
            try:
                listing = await self._list(who, account, record)
            except ValetkeyError as error:
                record.end(outcome_of(error), rule=CHECKED, detail=error.message)
                raise
            record.end(Outcome.OK, rule=CHECKED, response_bytes=sum(map(len, listing.tools)))

    async def stop(self) -> None:
        """Gives up on listings under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- one account --------------------------------------------------------------------------------------------------

    async def _look(self, who: Principal, door: Door, account: Account, at_most_old: timedelta = _NOT_OLD) -> Seen:
        old = await self._snapshots.get(account.connection.id)
        now = self._clock.now()
        has_changed = account.connection.id in self._changed
        if old is not None and not has_changed and (old.fresh_until > now or old.fetched_at + at_most_old > now):
            return Seen(account, old)
        try:
            return Seen(account, await self.refresh(who, door, account))
        except NotConnected:
            return Seen(account, old, "not_connected")
        except (OutboundFailed, VaultFailed, TooMany) as error:
            return Seen(account, old, error.code)
        except NotFound:
            return Seen(account, None, "not_connected")  # disconnected while it was listed

    async def _look_briefly(self, who: Principal, door: Door, account: Account, at_most_old: timedelta) -> Seen:
        try:
            return await asyncio.wait_for(self._look(who, door, account, at_most_old), self._patience)
        except TimeoutError:
            return Seen(account, await self._snapshots.get(account.connection.id), "slow")

    def _note_change(self, connection_id: str) -> None:
        """The service said that its tools are others now (CON-38): the next list is asked for anew."""
        if connection_id != EVERYTHING and len(self._changed) < _MOST_CHANGED:
            self._changed.add(connection_id)

    async def _live(self, who: Principal, door: Door, account: Account) -> Snapshot:
        self._changed.discard(account.connection.id)
        record = await self._records.open(who, door, account, method="tools/list", tool="", request=b"")
        with record:
            try:
                listing = await self._list(who, account, record)
            except ValetkeyError as error:
                record.end(outcome_of(error), detail=error.message)
                raise
            record.end(Outcome.OK, response_bytes=sum(map(len, listing.tools)))
        seen = await self._snapshots.put(account.connection.id, listing.tools, listing.server, listing.fresh_seconds)
        self._unusual.listed(account, seen, await self._elsewhere(who, account) if seen.held else {})
        return seen

    async def _elsewhere(self, who: Principal, account: Account) -> Mapping[str, str]:
        """Whose tool has which name at the person's other connectors, names as a reader sees them (S-08)."""
        others = [one for one in await self._accounts.all_of(who) if one.connector.id != account.connector.id]
        return {skeleton(name): one.connector.name for one in others for name in await self._accounts.tools(one)}

    async def _list(self, who: Principal, account: Account, record: Record) -> Listing:
        tickets = self._tickets.of(account, who.person_id, record)
        try:
            return await self._list_with(account, tickets)
        except Forbidden403 as error:
            raise await tickets.forbidden(error) from error

    async def _list_with(self, account: Account, tickets: CallTickets) -> Listing:
        ticket = tickets.now() or await tickets()
        try:
            return await self._upstreams.list_tools(account.target, ticket=ticket, further_tickets=tickets)
        except Unauthorized as error:
            ticket = await tickets.renewed(ticket, error)
        try:
            return await self._upstreams.list_tools(account.target, ticket=ticket, further_tickets=tickets)
        except Unauthorized as error:
            raise await tickets.given_up() from error

    def _ended(self, connection_id: str, task: asyncio.Task[Snapshot]) -> None:
        self._under_way.pop(connection_id, None)
        if not task.cancelled():
            task.exception()  # looked at, even when everybody who waited has gone

    # --- what is said about it ----------------------------------------------------------------------------------------

    def _ttl_ms(self, seen: Sequence[Seen]) -> int:
        """How long the list may be kept: as long as the shortest-lived part, and not at all when a part is missing."""
        if any(each.problem or each.snapshot is None for each in seen):
            return 0
        now = self._clock.now()
        left = [(each.snapshot.fresh_until - now).total_seconds() for each in seen if each.snapshot is not None]
        return max(0, min(MOST_TTL_MS, int(min(left, default=0) * 1000)))

    def _marks(self, seen: Sequence[Seen]) -> Mapping[str, Any]:
        return marks(
            [
                (
                    each.account.connector.slug,
                    each.account.connection.label,
                    each.problem,
                    self._public_url + each.account.page,
                )
                for each in seen
                if each.problem
            ]
        )


def is_callable(tool: Tool, client: Client) -> bool:
    """Whether a client may be shown the tool: one with invalid header annotations must be dropped (SEP-2243), and one
    whose name hides something could be taken for another.
    """
    return is_visible(tool.name) and (not client.is_modern or headers.declared_params(tool.raw) is not None)
