"""Who here listens for changes: `subscriptions/listen` of modern clients, the standing stream of legacy ones.

What a client gets is what it asked for, under the names it knows, each thing once however often it changed while the
client was busy. Nothing is kept for a client that is not there: it lists anew when it comes back (SEP-2575).
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import msgspec

from valetkey.gateway import addresses
from valetkey.gateway.accounts import Accounts
from valetkey.gateway.answers import failure
from valetkey.gateway.capabilities import Offers
from valetkey.gateway.model import Account, Client, Door, Notify, Reply, Said
from valetkey.gateway.watches import LIST_CHANGES, TASK, UPDATED, Change, Wants, Watches
from valetkey.identity.model import Principal
from valetkey.policy.ceilings import TOPIC as CEILINGS
from valetkey.policy.permissions import HIDDEN
from valetkey.protocol import uris
from valetkey.protocol.errors import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, Rejected
from valetkey.protocol.jsonrpc import error_message, members, notification_message
from valetkey.protocol.messages import Params, object_of
from valetkey.store.notify import EVERYTHING, Notifications

TOPIC: Final = "subscribed"
"""Announced with `<session> + <uri>` or `<session> - <uri>`: which replica has the session's stream, nobody knows."""

SUBSCRIPTION_KEY: Final = "io.modelcontextprotocol/subscriptionId"
MAX_LISTENERS: Final = 1000
MAX_PER_PERSON: Final = 16
MAX_URIS: Final = 200
MAX_URI: Final = 2000
_SESSIONS: Final = 10_000
_SWITCHES: Final = {switch: method for method, switch in LIST_CHANGES.items()}


class _Asked(msgspec.Struct, gc=False):
    """The filter of `subscriptions/listen`."""

    tools: bool = msgspec.field(default=False, name="toolsListChanged")
    prompts: bool = msgspec.field(default=False, name="promptsListChanged")
    resources: bool = msgspec.field(default=False, name="resourcesListChanged")
    uris: tuple[str, ...] = msgspec.field(default=(), name="resourceSubscriptions")
    tasks: tuple[str, ...] = msgspec.field(default=(), name="taskIds")

    @property
    def lists(self) -> frozenset[str]:
        flags = zip(_SWITCHES, (self.tools, self.prompts, self.resources), strict=True)
        return frozenset(switch for switch, on in flags if on)


class _Listener:
    """One stream of a client. `stamp` is raw `_meta` for each of its frames, or empty."""

    def __init__(self, who: Principal, door: Door, asked: _Asked, stamp: bytes) -> None:
        self.who = who
        self.door = door
        self.asked = asked
        self.stamp = stamp
        self.accounts: dict[str, Account] = {}
        self.waiting: dict[tuple[str, str], bytes] = {}
        self.awake = asyncio.Event()
        self.is_stale = False

    def hear(self, change: Change) -> None:
        """Keeps what is to be said; the same thing twice is said once."""
        account = self.accounts.get(change.connection_id)
        if account is not None and (method := change.method) in LIST_CHANGES:
            if LIST_CHANGES[method] in self.asked.lists:
                self.say(method, "", b"")
        elif account is not None:
            self._say_outward(account, change)

    def say(self, method: str, about: str, params: bytes) -> None:
        self.waiting[method, about] = params
        self.awake.set()

    def say_tools_changed(self) -> None:
        if self.asked.tools:
            self.say("notifications/tools/list_changed", "", b"")

    def _say_outward(self, account: Account, change: Change) -> None:
        member = "uri" if change.method == UPDATED else "taskId"
        about, params = change.about, change.params
        if not self.door.connector:
            about = addresses.outward(account)(about) if member == "uri" else addresses.task_outward(account, about)
            params = uris.in_item(params, member, lambda _theirs: about)
        # An update may be about a part of what was subscribed to.
        if (change.method == TASK and about in self.asked.tasks) or (
            change.method == UPDATED and any(about.startswith(uri) for uri in self.asked.uris)
        ):
            self.say(change.method, about, params)


class Subscriptions:
    """Serves listeners."""

    def __init__(self, accounts: Accounts, offers: Offers, watches: Watches, notifications: Notifications) -> None:
        self._accounts = accounts
        self._offers = offers
        self._watches = watches
        self._notifications = notifications
        self._listeners: dict[_Listener, bytes] = {}
        self._subscribed: OrderedDict[str, dict[str, None]] = OrderedDict()
        notifications.subscribe(TOPIC, self._resubscribed)
        notifications.subscribe("connections", self._person_changed)
        notifications.subscribe(HIDDEN, self._hidden_changed)
        notifications.subscribe(CEILINGS, self._ceilings_changed)

    async def listen(self, who: Principal, door: Door, request_id: bytes, params: Params, notify: Notify) -> Said:
        """`subscriptions/listen`: the stream goes on until the client hangs up."""
        try:
            asked = msgspec.json.decode(params.members["notifications"], type=_Asked)
        except (KeyError, msgspec.MsgspecError) as error:
            raise Rejected("params.notifications must be a filter.", rpc_code=INVALID_PARAMS) from error
        if len(asked.uris) + len(asked.tasks) > MAX_URIS or any(len(uri) > MAX_URI for uri in asked.uris):
            raise Rejected("This is more than can be listened for.", rpc_code=INVALID_PARAMS)
        if self._is_full(who):
            return failure(INTERNAL_ERROR, "Too many streams are open already.")
        stamp = object_of([(SUBSCRIPTION_KEY, request_id)])
        listener = _Listener(who, door, asked, stamp)
        self._listeners[listener] = b""
        try:
            honored = await self._attach(listener)
            await notify(_frame("notifications/subscriptions/acknowledged", b'{"notifications":%b}' % honored, stamp))
            await self._speak(listener, notify)
        finally:
            self._detach(listener)
        return Said(result=b'{"resultType":"complete","_meta":%b}' % stamp)

    async def stand(self, who: Principal, door: Door, client: Client, notify: Notify) -> Reply:
        """The standing stream of a legacy session: all lists, and what the session subscribed to."""
        if self._is_full(who):
            return Reply(503, error_message(b"null", INTERNAL_ERROR, "Too many streams are open already."))
        session = client.session
        asked = _Asked(tools=True, prompts=True, resources=True, uris=self._uris(session))
        listener = _Listener(who, door, asked, b"")
        self._listeners[listener] = session
        try:
            await notify(b"")
            await self._attach(listener)
            await self._speak(listener, notify)
        finally:
            self._detach(listener)
        return Reply(200)

    async def change(self, who: Principal, door: Door, session: bytes, method: str, params: Params) -> Said:
        """`resources/subscribe` and `resources/unsubscribe`: for the session's standing stream, wherever that is."""
        try:
            uri = msgspec.json.decode(params.members["uri"], type=str)
        except (KeyError, msgspec.MsgspecError) as error:
            raise Rejected("params.uri must be a string.", rpc_code=INVALID_PARAMS, field="params.uri") from error
        accounts = await self._behind(door, who)
        if not any([await self._offers.has(account, method) for account in accounts]):
            return failure(METHOD_NOT_FOUND, "Method not found")
        # As JSON it has to fit into a notification between replicas, whatever it is made of.
        if (
            len(uri) > MAX_URI
            or len(json.dumps(uri)) > 2 * MAX_URI
            or (method == "resources/subscribe" and len(self._uris(session)) >= MAX_URIS)
        ):
            raise Rejected("This is more than can be listened for.", rpc_code=INVALID_PARAMS)
        if session:
            sign = "+" if method == "resources/subscribe" else "-"
            await self._notifications.publish(TOPIC, f"{session.decode('latin-1')} {sign} {uri}")
        return Said(result=b"{}")

    # --- one listener -------------------------------------------------------------------------------------------------

    async def _speak(self, listener: _Listener, notify: Notify) -> None:
        while True:
            await listener.awake.wait()
            listener.awake.clear()
            if listener.is_stale:
                listener.is_stale = False
                await self._attach(listener)
            waiting, listener.waiting = listener.waiting, {}
            for (method, _about), params in waiting.items():
                await notify(_frame(method, params, listener.stamp))

    async def _attach(self, listener: _Listener) -> bytes:
        """Listens at the services of the accounts that are there now; what of the client's wish can be had, raw."""
        asked, honored = listener.asked, Wants()
        accounts = {each.connection.id: each for each in await self._behind(listener.door, listener.who)}
        for gone in listener.accounts.keys() - accounts.keys():
            self._watches.want(listener.who, listener.accounts[gone], Wants(), listener.hear)
        listener.accounts = accounts
        for account in accounts.values():
            mine = [account] if listener.door.connector else list(accounts.values())
            wants = await self._possible(listener, account, mine)
            self._watches.want(listener.who, account, wants, listener.hear)
            theirs = Wants(wants.lists, frozenset(asked.uris) if wants.uris else frozenset(), wants.tasks)
            honored |= theirs
        if asked.tools:  # what stands side by side, and what is blocked, changes here and not at a service
            honored |= Wants(frozenset({"toolsListChanged"}))
        shown = Wants(honored.lists, honored.uris, frozenset(asked.tasks) if honored.tasks else frozenset())
        return shown.filter()

    async def _possible(self, listener: _Listener, account: Account, accounts: Iterable[Account]) -> Wants:
        """What this account's service can tell of what the client wants to hear, by the service's own names."""
        asked, door = listener.asked, listener.door
        lists = [switch for switch in asked.lists if await self._offers.tells(account, _SWITCHES[switch])]
        theirs: list[str] = []
        tasks: list[str] = []
        if asked.uris and await self._offers.tells(account, UPDATED):
            found = [(account, uri) if door.connector else addresses.inward(accounts, uri) for uri in asked.uris]
            theirs = [each[1] for each in found if each is not None and each[0] is account]
        if asked.tasks and await self._offers.tells(account, TASK):
            known = [
                (account, task) if door.connector else addresses.task_inward(accounts, task) for task in asked.tasks
            ]
            tasks = [each[1] for each in known if each is not None and each[0] is account]
        return Wants(frozenset(lists), frozenset(theirs), frozenset(tasks))

    def _detach(self, listener: _Listener) -> None:
        self._listeners.pop(listener, None)
        for account in listener.accounts.values():
            self._watches.want(listener.who, account, Wants(), listener.hear)

    async def _behind(self, door: Door, who: Principal) -> tuple[Account, ...]:
        if not door.connector:
            return await self._accounts.behind(door, who)
        account = await self._accounts.at(door, who)
        return (account,) if account is not None else ()

    def _is_full(self, who: Principal) -> bool:
        theirs = sum(listener.who.person_id == who.person_id for listener in self._listeners)
        return len(self._listeners) >= MAX_LISTENERS or theirs >= MAX_PER_PERSON

    # --- what changes here --------------------------------------------------------------------------------------------

    def _uris(self, session: bytes) -> tuple[str, ...]:
        return tuple(self._subscribed.get(session.decode("latin-1"), ()))

    def _resubscribed(self, key: str) -> None:
        session, _, rest = key.partition(" ")
        sign, _, uri = rest.partition(" ")
        if key == EVERYTHING or not uri:
            return
        held = self._subscribed.setdefault(session, {})
        self._subscribed.move_to_end(session)
        if sign == "+" and len(held) < MAX_URIS:
            held[uri] = None
        else:
            held.pop(uri, None)
        while len(self._subscribed) > _SESSIONS:
            self._subscribed.popitem(last=False)
        for listener, theirs in self._listeners.items():
            if theirs and theirs.decode("latin-1") == session:
                listener.asked.uris = tuple(held)
                listener.is_stale = True
                listener.awake.set()

    def _person_changed(self, person_id: str) -> None:
        """A person connected or disconnected something: what stands side by side is another list now."""
        for listener in self._listeners:
            if person_id in (EVERYTHING, listener.who.person_id):
                listener.is_stale = True
                listener.awake.set()
                if not listener.door.connector:
                    listener.say_tools_changed()

    def _hidden_changed(self, connection_id: str) -> None:
        """A person blocked a tool of theirs, or stopped that."""
        for listener in self._listeners:
            if connection_id == EVERYTHING or connection_id in listener.accounts:
                listener.say_tools_changed()

    def _ceilings_changed(self, organization_id: str) -> None:
        for listener in self._listeners:
            if organization_id in (EVERYTHING, listener.who.organization_id):
                listener.say_tools_changed()


def _frame(method: str, params: bytes, stamp: bytes) -> bytes:
    """A notification, with the subscription's id in its `_meta` if it has one."""
    if not stamp:
        return notification_message(method, params)
    found = members(params) if params else {}
    meta = members(bytes(found["_meta"])) if bytes(found.get("_meta", b""))[:1] == b"{" else {}
    meta.update(members(stamp))
    found["_meta"] = msgspec.Raw(object_of(meta.items()))
    return notification_message(method, object_of(found.items()))
