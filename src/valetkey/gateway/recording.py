"""Opening and closing the one record of a call. A call that cannot be recorded is not made (I4).

How much it holds is the person's choice within their organization's bounds; that there is one is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Final, Protocol, Self

from valetkey.audit.calls import CallLog, OpenCall
from valetkey.audit.kept_results import PART
from valetkey.audit.model import CallIntent, KeptOf, Outcome
from valetkey.audit.redact import redact, redact_text
from valetkey.gateway.model import Account, Door, Ticket
from valetkey.identity.model import Principal
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import (
    NotConnected,
    NotRecorded,
    OutboundFailed,
    Refused,
    RootKeyUnavailable,
    TooMany,
    ValetkeyError,
    VaultFailed,
    printable,
)
from valetkey.kernel.ids import new_id
from valetkey.net.model import BadAnswer, Moved, TimedOut, TooLarge, Unreachable
from valetkey.privacy.levels import Level
from valetkey.upstream.model import HttpFailed, Unauthorized
from valetkey.vault.day_keys import DayKey

ECHOED: Final = "The service said the credential back; it was taken out."
AS_ORGANIZATION: Final = "identity: org."
"""Stands in the record of a call that went with a key which an owner entered for everybody (CUS-04)."""
ORDERS: Final = "The answer reads like orders to a model, or hides something."
_DETAIL: Final = 300
_TOOL: Final = 255
_CLIENT: Final = 200


class FindsDayKeys(Protocol):
    """What we need of `vault.day_keys`: the person's key of the day, under which payloads are sealed."""

    def key_now(self, person_id: str, day: str) -> DayKey | None: ...

    async def key(self, person_id: str, tenant: str, day: str) -> DayKey: ...


class Watches(Protocol):
    """What we need of `gateway.unusual`."""

    def ended(self, intent: CallIntent, outcome: Outcome, response: bytes, size: int, *, echoed: bool) -> bool: ...


class FindsLevels(Protocol):
    """What we need of `privacy.levels`: how much of a person's calls to a connector is kept."""

    def level_now(self, organization_id: str, person_id: str, connector: str) -> Level | None: ...

    async def level(self, organization_id: str, person_id: str, connector: str) -> Level: ...


class Record:
    """The open record of one call. Say how it ended with `end`; leaving the context without that is a failure."""

    __slots__ = (
        "_as_organization", "_key", "_level", "_open", "_rule", "_tickets", "_unusual", "approval", "continues", "id",
        "orders", "origin", "tool_class",
    )  # fmt: skip

    def __init__(self, open_call: OpenCall, key: DayKey, level: Level, unusual: Watches) -> None:
        self._open = open_call
        self._key = key
        self._level = level
        self._unusual = unusual
        self.tool_class = ""
        """What the tool counts as in this call; empty until that is decided."""
        self.id = open_call.intent.id
        self.origin = ""
        """Where a credential went with this call; empty while it went nowhere."""
        self.orders = False
        """Whether the answer reads like orders to a model (S-08); known from `end` on."""
        self._tickets: list[Ticket] = []
        self._rule = self.approval = ""
        self._as_organization = False
        self.continues = ""
        """The id of the record of the request to whose question this one brings the answer."""

    def went(self, ticket: Ticket, *, to: str, as_organization: bool = False) -> None:
        """A credential is on its way with this call."""
        self.origin = to
        self._as_organization = as_organization
        self._tickets.append(ticket)

    @property
    def echoed(self) -> bool:
        """Whether the service said a credential of this call back (T18)."""
        return any(ticket.echoed for ticket in self._tickets)

    def end(
        self, outcome: Outcome, *, rule: str = "", detail: str = "", response: bytes = b"", response_bytes: int = 0
    ) -> None:
        """Closes the record. `response` is sealed here, without what looks like a secret (DATA-09).

        `response_bytes` is for what is too large to keep. Without a `rule` it is the one by which the call was let
        through.
        """
        if self.approval:
            detail = f"{self.approval}{': ' if detail else ''}{detail}"
        if self.continues:
            detail = f"continues {self.continues}{': ' if detail else ''}{detail}"
        if self.echoed:
            detail = f"{ECHOED}{' ' if detail else ''}{detail}"
        size = response_bytes or len(response)
        self.orders = self._unusual.ended(self._open.intent, outcome, response, size, echoed=self.echoed)
        if self.orders:
            detail = f"{ORDERS}{' ' if detail else ''}{detail}"
        keeps = response and self._level is Level.FULL
        sealed = self._key.seal(redact(response), about=f"{self.id}:response") if keeps else None
        if self._as_organization:
            detail = f"{AS_ORGANIZATION}{' ' if detail else ''}{detail}"
        if self._level is Level.NONE:  # who, when, where and how it ended: the rest is not kept anywhere
            self._open.finish(outcome, rule=rule or self._rule, detail=" ".join(self._marks()), origin=self.origin)
            return
        self._open.finish(
            outcome,
            rule=rule or self._rule,
            detail=printable(redact_text(detail), limit=_DETAIL - 1) if detail else "",
            origin=self.origin,
            response=sealed,
            response_bytes=size,
            tool_class=self.tool_class,
        )

    @property
    def keeps_contents(self) -> bool:
        """Whether what was sent and came back is kept of this call."""
        return self._level is Level.FULL

    def sealed_whole(self, clean: bytes) -> tuple[KeptOf, Iterator[bytes]]:
        """A whole result, already without what looks like a secret, in sealed parts, each made when it is drawn."""
        intent = self._open.intent
        kept = KeptOf(self.id, intent.person_id, intent.organization_id, intent.day, -(-len(clean) // PART))
        parts = (clean[number * PART : (number + 1) * PART] for number in range(kept.parts))
        return kept, (self._key.seal(part, about=kept.about(number)) for number, part in enumerate(parts))

    def _marks(self) -> Iterator[str]:
        """What is said of a call however little of it is kept."""
        if self._as_organization:
            yield AS_ORGANIZATION
        if self.echoed:
            yield ECHOED

    def passed(self, rule: str, approval: str) -> None:
        """By which rule the call may be made, and with which approval if it was one."""
        self._rule, self.approval = rule, approval

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._open.is_finished:
            self._open.__exit__(kind, error, traceback)


def outcome_of(error: ValetkeyError) -> Outcome:
    """How a call ended that ended in this error."""
    match error:
        case NotConnected() | Unauthorized():
            return Outcome.NOT_CONNECTED
        case Refused() | TooMany():
            return Outcome.REFUSED
        case HttpFailed() | Moved():
            return Outcome.HTTP_ERROR
        case TimedOut():
            return Outcome.TIMEOUT
        case TooLarge():
            return Outcome.TOO_LARGE
        case BadAnswer():
            return Outcome.PROTOCOL_ERROR
        case OutboundFailed():
            return Outcome.UNREACHABLE
    return Outcome.FAILED


def is_uncertain(error: OutboundFailed) -> bool:
    """Whether the call may have had an effect, although no answer came."""
    return isinstance(error, TimedOut | TooLarge | BadAnswer) or (isinstance(error, Unreachable) and error.sent)


class Records:
    """Opens records in the call log."""

    def __init__(
        self, log: CallLog, keys: FindsDayKeys, levels: FindsLevels, unusual: Watches, *, clock: Clock
    ) -> None:
        self._log = log
        self._unusual = unusual
        self._keys = keys
        self._levels = levels
        self._clock = clock

    def open_now(
        self,
        who: Principal,
        door: Door,
        account: Account | None,
        *,
        method: str,
        tool: str,
        request: bytes,
        own_tool: str = "",
    ) -> Record | None:
        """As `open`, when the person's key of the day is at hand and the log has room; `None` means *use `open`*."""
        if self._log.is_full:
            return None
        now = self._clock.now()
        key = self._keys.key_now(who.person_id, now.date().isoformat())
        level = self._levels.level_now(who.organization_id, who.person_id, _connector(door, account))
        if key is None or level is None:
            return None
        return self._begin(who, door, account, method, tool, own_tool, request, now, key, level)

    async def open(
        self,
        who: Principal,
        door: Door,
        account: Account | None,
        *,
        method: str,
        tool: str,
        request: bytes,
        own_tool: str = "",
    ) -> Record:
        """Writes down what is about to be done, before anything is. `request` is sealed here, without what looks like a
        secret; `own_tool` is the tool as its service calls it, which the vault holds against what is switched on.

        Raises `NotRecorded` when it cannot be written, or not be sealed: nothing is kept in clear instead.
        """
        await self._log.room()
        now = self._clock.now()
        try:
            key = await self._keys.key(who.person_id, who.organization_id, now.date().isoformat())
        except (VaultFailed, RootKeyUnavailable) as error:
            raise NotRecorded("The call's record could not be sealed.") from error
        level = await self._levels.level(who.organization_id, who.person_id, _connector(door, account))
        return self._begin(who, door, account, method, tool, own_tool, request, now, key, level)

    async def settle(self) -> None:
        """Returns when every record opened so far is on the disk. Raises `NotRecorded`."""
        await self._log.settle()

    def _begin(
        self,
        who: Principal,
        door: Door,
        account: Account | None,
        method: str,
        tool: str,
        own_tool: str,
        request: bytes,
        now: datetime,
        key: DayKey,
        level: Level,
    ) -> Record:
        call_id = new_id("call")
        is_told = level is not Level.NONE
        keeps = request and level is Level.FULL
        intent = CallIntent(
            id=call_id,
            started_at=now,
            organization_id=who.organization_id,
            person_id=who.person_id,
            client=(who.client_name or who.client_id)[:_CLIENT],
            connector=_connector(door, account),
            connection_id=account.connection.id if account is not None else "",
            label=account.connection.label if account is not None else door.label,
            method=method,
            tool=(tool if len(tool) <= _TOOL else printable(tool, limit=_TOOL - 1)) if is_told else "",
            day=key.day,
            request_bytes=len(request) if is_told else 0,
            request=key.seal(redact(request), about=f"{call_id}:request") if keeps else None,
            own_tool=own_tool,
        )
        return Record(self._log.begin(intent), key, level, self._unusual)


def _connector(door: Door, account: Account | None) -> str:
    return account.connector.slug if account is not None else door.connector
