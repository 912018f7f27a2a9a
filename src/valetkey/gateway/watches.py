"""Listening at services for changes, for as long as somebody here listens for them: one stream for each connection.

However fast a service says that something changed, it is passed on a few times a second at most, each thing once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from valetkey.audit.model import Outcome
from valetkey.gateway.carry import Carrier
from valetkey.gateway.catalog import TOPIC as LISTS
from valetkey.gateway.model import Account, Door
from valetkey.gateway.recording import Records, outcome_of
from valetkey.identity.model import Principal
from valetkey.kernel.errors import ValetkeyError
from valetkey.protocol.errors import Rejected
from valetkey.protocol.jsonrpc import Notification, members
from valetkey.protocol.translate import NOTIFICATIONS
from valetkey.store.notify import Notifications
from valetkey.upstream.client import Upstreams

LIST_CHANGES: Final[Mapping[str, str]] = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
}
"""The notification → its switch in `subscriptions/listen`."""
UPDATED: Final = "notifications/resources/updated"
TASK: Final = "notifications/tasks"
_ABOUT: Final = {UPDATED: "uri", TASK: "taskId"}

GATHER: Final = 0.1
"""Seconds for which changes are gathered before they are passed on."""
MAX_WATCHES: Final = 1000
MAX_GATHERED: Final = 1000
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 300.0


class Wants(msgspec.Struct, frozen=True, gc=False):
    """What is listened for at a service: switches of lists, URIs and tasks by the service's own names."""

    lists: frozenset[str] = frozenset()
    uris: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.lists or self.uris or self.tasks)

    def __or__(self, other: Wants) -> Wants:
        return Wants(self.lists | other.lists, self.uris | other.uris, self.tasks | other.tasks)

    def filter(self) -> bytes:
        """The filter of `subscriptions/listen`, raw."""
        wanted: dict[str, object] = dict.fromkeys(sorted(self.lists), True)
        if self.uris:
            wanted["resourceSubscriptions"] = sorted(self.uris)
        if self.tasks:
            wanted["taskIds"] = sorted(self.tasks)
        return msgspec.json.encode(wanted)


class Change(msgspec.Struct, frozen=True, gc=False):
    """Something changed at a connection's service: the notification, and what it is about (a URI, a task, or nothing).

    `params` is raw, as the service sent it; empty for lists.
    """

    connection_id: str
    method: str
    about: str
    params: bytes


Hears = Callable[[Change], None]


class _Watch:
    """One connection that is listened at."""

    def __init__(self, who: Principal, account: Account) -> None:
        self.who = who
        self.account = account
        self.wanted: dict[Hears, Wants] = {}
        self.wants = Wants()
        self.task: asyncio.Task[None] | None = None


class Watches:
    """Opens and closes the streams, and hands out what comes."""

    def __init__(
        self,
        carrier: Carrier,
        records: Records,
        notifications: Notifications,
        upstreams: Upstreams,
        *,
        gather: float = GATHER,
    ) -> None:
        self._carrier = carrier
        self._records = records
        self._notifications = notifications
        self._gather = gather
        self._watches: dict[str, _Watch] = {}
        self._gathered: dict[tuple[str, str, str], bytes] = {}
        self._flushing: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        upstreams.news.append(self._news)

    def want(self, who: Principal, account: Account, wants: Wants, hears: Hears) -> None:
        """From now on `hears` gets what changes; a new wish of the same one replaces the old one, an empty ends it."""
        connection_id = account.connection.id
        watch = self._watches.get(connection_id)
        if watch is None:
            if not wants or len(self._watches) >= MAX_WATCHES:
                return
            watch = self._watches[connection_id] = _Watch(who, account)
        watch.wanted.pop(hears, None)
        if wants:
            watch.wanted[hears] = wants
        together = Wants()
        for each in watch.wanted.values():
            together |= each
        if together == watch.wants:
            return
        watch.wants = together
        self._end(watch)
        if together:
            watch.task = asyncio.get_running_loop().create_task(self._listen(watch))
        else:
            del self._watches[connection_id]

    def __len__(self) -> int:
        return len(self._watches)

    async def stop(self) -> None:
        """Closes all."""
        for watch in self._watches.values():
            self._end(watch)
        if self._flushing is not None:
            self._flushing.cancel()
            self._ending.add(self._flushing)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _end(self, watch: _Watch) -> None:
        task, watch.task = watch.task, None
        if task is not None and not task.done():
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _listen(self, watch: _Watch) -> None:
        """Listens, and again when the stream ended: at once after a long one, less and less often when it fails."""
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while True:
            began = loop.time()
            await self._listen_once(watch)
            pause = _FIRST_PAUSE if loop.time() - began > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
            over: asyncio.Future[None] = loop.create_future()
            timer = loop.call_later(pause, over.set_result, None)
            try:
                await over
            finally:
                timer.cancel()

    async def _listen_once(self, watch: _Watch) -> None:
        account, wants = watch.account, watch.wants
        door = Door("", account.connector.slug, account.connection.label)
        try:
            record = await self._records.open(
                watch.who, door, account, method="subscriptions/listen", tool="", request=wants.filter()
            )
            with record:
                try:
                    await self._carrier.listen(watch.who, account, wants.filter(), sorted(wants.uris), record)
                except ValetkeyError as error:
                    record.end(outcome_of(error), detail=error.message)
                else:
                    record.end(Outcome.OK)
        except ValetkeyError:
            return  # it could not be recorded, so it was not done

    # --- what comes ---------------------------------------------------------------------------------------------------

    def _news(self, connection_id: str, message: Notification) -> None:
        """A service said something that belongs to no request. Whatever is no change of a thing we know is dropped."""
        if message.method not in NOTIFICATIONS or len(self._gathered) >= MAX_GATHERED:
            return
        about = ""
        if (member := _ABOUT.get(message.method)) is not None:
            about = _text(message.params, member)
            if not about:
                return
        elif message.method not in LIST_CHANGES:
            return
        params = message.params if about else b""
        self._gathered[connection_id, message.method, about] = params
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        await asyncio.sleep(self._gather)
        gathered, self._gathered = self._gathered, {}
        changes = [Change(*key, params) for key, params in gathered.items()]
        for connection_id in dict.fromkeys(each.connection_id for each in changes if each.method in LIST_CHANGES):
            await self._notifications.publish(LISTS, connection_id)
        for change in changes:
            watch = self._watches.get(change.connection_id)
            for hears in list(watch.wanted) if watch is not None else ():
                hears(change)
        if self._gathered:
            self._flushing = asyncio.get_running_loop().create_task(self._flush())


def _text(params: bytes, member: str) -> str:
    try:
        return msgspec.json.decode(members(params)[member], type=str)
    except (Rejected, KeyError, msgspec.MsgspecError):
        return ""
