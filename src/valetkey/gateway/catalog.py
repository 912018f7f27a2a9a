"""Prompts, resources and templates of all a person's accounts, as last seen: for `/mcp`, where they stand side by side.

Asked for concurrently, and never waited for long; kept in memory as long as each service says they hold, and dropped
when it says that they changed. What an account had when it was last seen goes on counting for looking names up.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from valetkey.audit.model import Outcome
from valetkey.directory import naming
from valetkey.directory.model import PINNED
from valetkey.directory.snapshots import LISTS
from valetkey.gateway import addresses
from valetkey.gateway.accounts import Accounts
from valetkey.gateway.capabilities import Offers
from valetkey.gateway.carry import Carrier
from valetkey.gateway.model import Account, Door
from valetkey.gateway.recording import Record, Records, outcome_of
from valetkey.identity.model import Principal
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotConnected, OutboundFailed, Refused, TooMany, ValetkeyError, VaultFailed
from valetkey.net.limits import ASK, MIB
from valetkey.net.model import BadAnswer
from valetkey.protocol.errors import METHOD_NOT_FOUND, Rejected
from valetkey.protocol.jsonrpc import members, read_error
from valetkey.protocol.onward import page_onward
from valetkey.protocol.translate import REQUESTS, items
from valetkey.store.notify import EVERYTHING, Notifications

TOPIC: Final = LISTS
"""Announced with the connection's id when a service says that its lists changed, what was held of them is accepted, or
the connection is gone."""

MAX_PAGES: Final = 50
MAX_ITEMS: Final = 2000
MAX_BYTES: Final = 4 * MIB
_MOST_SECONDS: Final = 3600.0
_KEPT: Final = 2000

_Key = tuple[str, datetime | None, str]


class Seen(msgspec.Struct, frozen=True, gc=False):
    """One account's list (raw items), until when it holds (monotonic seconds), and what is wrong with it, in a word."""

    account: Account
    items: tuple[bytes, ...] = ()
    until: float = 0.0
    problem: str = ""


class Catalog:
    """Looks lists up. One listing per account and method is under way at a time, however many ask for it."""

    def __init__(
        self,
        accounts: Accounts,
        offers: Offers,
        carrier: Carrier,
        records: Records,
        notifications: Notifications,
        *,
        clock: Clock,
        patience: float,
    ) -> None:
        self._accounts = accounts
        self._offers = offers
        self._carrier = carrier
        self._records = records
        self._clock = clock
        self._patience = patience
        self._kept: OrderedDict[_Key, Seen] = OrderedDict()
        self._under_way: dict[_Key, asyncio.Task[Seen]] = {}
        notifications.subscribe(TOPIC, self._changed)

    async def all(self, who: Principal, door: Door, method: str) -> list[Seen]:
        """The list of each account whose service has such a thing, in the order of the accounts."""
        accounts = [each for each in await self._accounts.behind(door, who) if await self._offers.has(each, method)]
        return list(await asyncio.gather(*(self._look_briefly(who, door, account, method) for account in accounts)))

    async def prompt(self, who: Principal, door: Door, name: str) -> tuple[Account, str] | None:
        """Whose prompt is called `name` on `/mcp`, and what it is called there."""
        accounts = await self._accounts.behind(door, who)
        known = [seen for account in accounts if (seen := self._kept.get(_key(account, "prompts/list"))) is not None]
        return prompt_names(known).get(name) or prompt_names(await self.all(who, door, "prompts/list")).get(name)

    async def public(self, who: Principal, door: Door, uri: str) -> tuple[Account, str] | None:
        """Whose resource has this web address: the first account that lists it."""
        for seen in await self.all(who, door, "resources/list"):
            if any(_text(item, "uri") == uri for item in seen.items):
                return seen.account, uri
        return None

    async def resource(self, who: Principal, door: Door, uri: str) -> tuple[Account, str] | None:
        """Whose resource, or template, has this URI on `/mcp`, and what it is called there."""
        found = addresses.inward(await self._accounts.behind(door, who), uri)
        return found if found is not None or not addresses.is_public(uri) else await self.public(who, door, uri)

    async def stop(self) -> None:
        """Gives up on listings under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- one account --------------------------------------------------------------------------------------------------

    async def _look_briefly(self, who: Principal, door: Door, account: Account, method: str) -> Seen:
        key = _key(account, method)
        old = self._kept.get(key) or Seen(account)
        if old.until > self._clock.monotonic():
            return old
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._live(who, door, account, method))
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        try:
            # Shielded: who stops waiting does not take the list away from the others, or from the next time.
            return await asyncio.wait_for(asyncio.shield(task), self._patience)
        except TimeoutError:
            return Seen(account, old.items, problem="slow")
        except NotConnected:
            return Seen(account, old.items, problem="not_connected")
        except (OutboundFailed, VaultFailed, TooMany, Refused) as error:
            return Seen(account, old.items, problem=error.code)

    async def _live(self, who: Principal, door: Door, account: Account, method: str) -> Seen:
        record = await self._records.open(who, door, account, method=method, tool="", request=b"")
        with record:
            try:
                seen = await self._read(who, account, method, record)
            except ValetkeyError as error:
                record.end(outcome_of(error), detail=error.message)
                raise
            record.end(Outcome.OK, response_bytes=sum(map(len, seen.items)))
        key = _key(account, method)
        self._kept[key] = seen
        self._kept.move_to_end(key)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return seen

    async def _read(self, who: Principal, account: Account, method: str, record: Record) -> Seen:
        """The whole list, within bounds: what is beyond them is left out, and the rest is shown."""
        row = REQUESTS[method]
        listed: list[bytes] = []
        size, fresh, cursor = 0, _MOST_SECONDS, b""
        for _ in range(MAX_PAGES):
            onward = page_onward(method, cursor)
            carried = await self._carrier.carry(who, account, onward, record, _unheard, limits=ASK)
            if carried.error:
                if _code(carried.error) == METHOD_NOT_FOUND:
                    break
                raise BadAnswer("The service does not list what it says it has.")
            try:
                page = items(carried.result, row)
                found = members(carried.result)
            except Rejected as error:
                raise BadAnswer("The service's list is none.") from error
            listed += page
            size += sum(map(len, page))
            fresh = min(fresh, _seconds(found))
            cursor = bytes(found.get("nextCursor", b""))
            if cursor in (b"", b"null") or len(listed) >= MAX_ITEMS or size >= MAX_BYTES:
                break
        until = self._clock.monotonic() + fresh
        if method in PINNED:
            pins, last = self._accounts.snapshots.listed, cursor in (b"", b"null")
            listed = await pins.sift(account.connection.id, method, listed, first=True, last=last)
        return Seen(account, tuple(listed[:MAX_ITEMS]), until, "more" if cursor not in (b"", b"null") else "")

    def _ended(self, key: _Key, task: asyncio.Task[Seen]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # looked at, even when everybody who waited has gone

    def _changed(self, connection_id: str) -> None:
        for key, seen in list(self._kept.items()):
            if connection_id in (EVERYTHING, key[0]):
                self._kept[key] = msgspec.structs.replace(seen, until=0.0)


def prompt_names(seen: Sequence[Seen]) -> Mapping[str, tuple[Account, str]]:
    """What prompts are called on `/mcp`, in order, by the rules for tools: name → account and the prompt's own name."""
    by_id = {each.account.connection.id: each.account for each in seen}
    listed = [
        naming.Account(
            connection_id=each.account.connection.id,
            connector=each.account.connector.slug,
            label=each.account.connection.label,
            is_default=each.account.connection.is_default,
            tools=tuple(name for item in each.items if (name := _text(item, "name"))),
        )
        for each in seen
    ]
    return {name: (by_id[owner], theirs) for name, (owner, theirs) in naming.exposed_names(listed).items()}


def _key(account: Account, method: str) -> _Key:
    # The time: what was connected anew may be another account at the service.
    return account.connection.id, account.connection.connected_at, method


def _text(item: bytes, member: str) -> str:
    try:
        value: Any = msgspec.json.decode(members(item).get(member, b'""'))
    except (msgspec.MsgspecError, Rejected):
        return ""
    return value if isinstance(value, str) else ""


def _seconds(found: Mapping[str, msgspec.Raw]) -> float:
    try:
        return max(0.0, msgspec.json.decode(found.get("ttlMs", b"0"), type=float) / 1000)
    except msgspec.MsgspecError:
        return 0.0


def _code(error: bytes) -> int:
    try:
        return read_error(error).code
    except Rejected:
        return 0


async def _unheard(_message: bytes) -> None:
    """Progress of a list that nobody follows."""
