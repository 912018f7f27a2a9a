"""What is unusual about a service, seen as its calls and lists pass by (S-08). It notices; it holds nothing up.

What is remembered to compare with is this process's own, bounded, and lost at a stop: a spike is noticed again.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec
import structlog

from valetkey.audit.alerts import AlertKind, Noticed
from valetkey.audit.model import CallIntent, Outcome
from valetkey.directory.lookalikes import skeleton
from valetkey.directory.model import Drift, Snapshot
from valetkey.gateway.model import Account
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import printable
from valetkey.review.orders import orders_in, orders_in_result

PERIOD: Final = 600.0
"""Seconds over which a connection's errors are counted together."""
MANY: Final = 10
"""Errors in a period that are a spike, if they are most of the calls."""
LARGE: Final = 64 * 1024
TIMES: Final = 10
"""A result of more than `LARGE` bytes that is so many times what the tool gave on average."""
MANY_USES: Final = 200
"""Uses of a credential in a period that are told, if they are `TIMES` what was usual (VLT-12)."""
KNOWN_DAYS: Final = 7
"""Days of use from which on there are usual hours."""
_KNOWN: Final = 5
"""Results of a tool from which on there is an average."""
_MOST: Final = 10_000
_HOST: Final = re.compile(rb"https?:\\?/\\?/([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)", re.IGNORECASE)
_MOST_HOSTS: Final = 5

_FAULTS: Final = frozenset(
    {Outcome.HTTP_ERROR, Outcome.TIMEOUT, Outcome.UNREACHABLE, Outcome.PROTOCOL_ERROR, Outcome.TOO_LARGE}
)
"""Of the service, and not of a call: what a tool says is wrong with its arguments is none (DIR-12)."""

_DRIFTS: Final = {
    "new": "The tool {tool} is new. It is held until somebody looked at it.",
    "changed": "The tool {tool} was changed by its service. It is held until somebody looked at the difference.",
    "renamed": "The tool {tool} looks like one that had another name before. It is held until somebody looked at it.",
    "server": "The service says something else about itself. That is held until somebody looked at it.",
    "protocol": "The service speaks another revision of MCP than when it was accepted. Nothing is held back by it.",
    "certificate": "Somebody else issued its certificate than when it was accepted. Nothing is held back by it.",
}

_INFORMATION: Final = {"protocol": AlertKind.PROTOCOL, "certificate": AlertKind.CERTIFICATE}

Value = TypeVar("Value")


class Notices(Protocol):
    """What we need of `audit.alerts`."""

    def notice(self, noticed: Noticed) -> None: ...


class _Errors(msgspec.Struct, gc=False):
    until: float
    calls: int = 0
    faults: int = 0
    told: bool = False


class _Uses(msgspec.Struct, gc=False):
    until: float
    uses: int = 0
    told: bool = False
    periods: int = 0
    average: float = 0.0
    hours: frozenset[int] = frozenset()
    days: int = 0
    last_day: int = 0

    def begin(self, now: float, at: datetime) -> None:
        """A new period: what was in the one before becomes usual."""
        if self.uses:
            self.periods += 1
            self.average += (self.uses - self.average) / min(self.periods, 50)
        self.until, self.uses, self.told = now + PERIOD, 0, False
        if at.toordinal() != self.last_day:
            self.days, self.last_day = self.days + 1, at.toordinal()

    def is_strange(self, hour: int) -> bool:
        """Whether there are usual hours, and neither this one nor one beside it is among them."""
        return self.days > KNOWN_DAYS and not self.hours & {(hour + beside) % 24 for beside in (-1, 0, 1)}


class _Sizes(msgspec.Struct, gc=False):
    results: int = 0
    average: float = 0.0


class _Bounded(OrderedDict[str, Value], Generic[Value]):
    """What was touched last, up to `_MOST`."""

    def keep(self, key: str, value: Value) -> Value:
        self[key] = value
        if len(self) > _MOST:
            self.popitem(last=False)
        return value


class Unusual:
    """Watches. `ended` is on the path of each call: it compares two numbers and looks for a few words."""

    def __init__(self, alerts: Notices, *, clock: Clock) -> None:
        self._alerts = alerts
        self._clock = clock
        self._errors: _Bounded[_Errors] = _Bounded()
        self._uses: _Bounded[_Uses] = _Bounded()
        self._sizes: _Bounded[_Sizes] = _Bounded()
        self._read: _Bounded[str] = _Bounded()
        self._reading: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Gives up reading lists."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    async def settle(self) -> None:
        """Returns when the lists seen so far have been read."""
        await asyncio.gather(*self._reading)

    # --- calls --------------------------------------------------------------------------------------------------------

    def ended(self, intent: CallIntent, outcome: Outcome, response: bytes, size: int, *, echoed: bool) -> bool:
        """One call of a service ended so, with `size` bytes; whether its answer reads like orders to a model.

        `echoed` when the service said the credential back (decision 0010).
        """
        if not intent.connection_id:
            return False
        if outcome in _FAULTS or outcome is Outcome.OK or outcome is Outcome.TOOL_ERROR:
            self._count_errors(intent, outcome)
            self._count_uses(intent)
        if echoed:
            said = "The service said the credential back. It was taken out; nobody got it."
            self._notice(intent, AlertKind.ECHO, "", said)
        if size:
            self._compare_size(intent, size)
        if not response or not (says := orders_in_result(response)):
            return False
        self._notice(intent, AlertKind.ORDERS, f"result of {_what(intent)}", f"A result of {_what(intent)}: {says}.")
        return True

    def _count_errors(self, intent: CallIntent, outcome: Outcome) -> None:
        now = self._clock.monotonic()
        errors = self._errors.get(intent.connection_id)
        if errors is None or errors.until <= now:
            errors = self._errors.keep(intent.connection_id, _Errors(now + PERIOD))
        errors.calls += 1
        if outcome not in _FAULTS:
            return
        errors.faults += 1
        if errors.faults >= MANY and errors.faults * 2 > errors.calls and not errors.told:
            errors.told = True
            words = f"{errors.faults} of {errors.calls} calls failed at the service within ten minutes."
            self._notice(intent, AlertKind.ERRORS, "", words)

    def _count_uses(self, intent: CallIntent) -> None:
        """Somebody who has got hold of an assistant's token takes what they can, or comes when nobody is there."""
        now = self._clock.monotonic()
        uses = self._uses.get(intent.connection_id) or self._uses.keep(intent.connection_id, _Uses(now))
        if uses.until <= now:
            at = self._clock.now()
            uses.begin(now, at)
            if uses.is_strange(at.hour):
                words = f"The credential was used at {at.hour}:00 UTC, about which hour it never was before."
                self._notice(intent, AlertKind.HOUR, f"{at.hour}:00", words)
            uses.hours |= {at.hour}
        uses.uses += 1
        if uses.uses >= MANY_USES and uses.uses > TIMES * uses.average and not uses.told:
            uses.told = True
            usual = f"{uses.average:.0f} were usual" if uses.periods else "there is nothing yet to compare it with"
            words = f"The credential was used {uses.uses} times within ten minutes; {usual}."
            self._notice(intent, AlertKind.USES, "", words)

    def _compare_size(self, intent: CallIntent, size: int) -> None:
        key = f"{intent.connection_id} {intent.method} {intent.own_tool}"
        sizes = self._sizes.get(key) or self._sizes.keep(key, _Sizes())
        if sizes.results >= _KNOWN and size > LARGE and size > TIMES * sizes.average:
            words = f"{_what(intent)} gave {size:,} bytes; {int(sizes.average):,} were usual."
            self._notice(intent, AlertKind.SIZE, _what(intent), words)
        sizes.results += 1
        sizes.average += (size - sizes.average) / min(sizes.results, 50)

    def _notice(self, intent: CallIntent, kind: AlertKind, subject: str, words: str) -> None:
        noticed = Noticed(
            intent.organization_id, intent.person_id, intent.connection_id, intent.connector, kind, subject, words,
            intent.id,
        )  # fmt: skip
        self._alerts.notice(noticed)

    # --- lists --------------------------------------------------------------------------------------------------------

    def listed(self, account: Account, snapshot: Snapshot, elsewhere: Mapping[str, str]) -> None:
        """These are an account's tools, seen now, and what of them is held. `elsewhere` says whose tool at the person's
        other connectors has which name, as `skeleton` makes it.
        """
        self._look_at_scopes(account)
        if not snapshot.held and all(self._was_read(account, tool.fingerprint) for tool in snapshot.tools):
            return
        task = asyncio.get_running_loop().create_task(self._read_list(account, snapshot, elsewhere))
        self._reading.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._reading.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            structlog.get_logger(__name__).error("a list was not read for alerts", error=repr(error))

    def _look_at_scopes(self, account: Account) -> None:
        connection = account.connection
        asked = set(connection.requested_scope.split())
        for scope in connection.granted_scope.split() if asked else ():
            if scope not in asked:
                words = f"The service granted {printable(scope, limit=100)}, which was not asked for."
                self._of_account(account, AlertKind.SCOPE, scope, words)

    async def _read_list(self, account: Account, snapshot: Snapshot, elsewhere: Mapping[str, str]) -> None:
        known = _hosts(tool.raw for tool in snapshot.tools) | _hosts([account.connector.url.encode()])
        for drift in snapshot.held:
            self._drifted(account, drift, known)
            if drift.kind in ("new", "renamed") and (whose := elsewhere.get(skeleton(drift.tool))):
                name = printable(drift.tool, limit=80)
                words = f"The tool {name}, which is new here, has the name of one of {printable(whose, limit=60)}."
                self._of_account(account, AlertKind.NAME, name, words)
        held = [drift.new for drift in snapshot.held if drift.new is not None]
        for tool in [*snapshot.tools, *held]:
            if self._was_read(account, tool.fingerprint):
                continue
            self._read.keep(f"{account.connection.id} {tool.fingerprint}", "")
            if says := orders_in(_object(tool.raw)):
                name = printable(tool.name, limit=80)
                self._of_account(account, AlertKind.ORDERS, f"tool {name}", f"The description of {name}: {says}.")
            await asyncio.sleep(0)  # calls go before
        if says := orders_in({"instructions": _object(snapshot.server).get("instructions")}):
            self._of_account(account, AlertKind.ORDERS, "instructions", f"What the service says of itself: {says}.")

    def _was_read(self, account: Account, fingerprint: str) -> bool:
        return f"{account.connection.id} {fingerprint}" in self._read

    def _drifted(self, account: Account, drift: Drift, known: set[str]) -> None:
        name = printable(drift.tool, limit=80)
        subject = f"{name} {drift.seen[:12]}".strip()
        kind = _INFORMATION.get(drift.kind, AlertKind.DRIFT)
        self._of_account(account, kind, subject, _DRIFTS[drift.kind].format(tool=name))
        said = drift.new.raw if drift.new is not None else b" ".join(one.new.encode() for one in drift.differences)
        for host in sorted(_hosts([said]) - known)[:_MOST_HOSTS]:
            where = f"The tool {name}" if name else "The service"
            words = f"{where} names the address {host} now, which nothing accepted here did."
            self._of_account(account, AlertKind.HOST, host, words)

    def _of_account(self, account: Account, kind: AlertKind, subject: str, words: str) -> None:
        one = account.connection
        self._alerts.notice(
            Noticed(one.organization_id, one.person_id, one.id, account.connector.slug, kind, subject, words)
        )


def _what(intent: CallIntent) -> str:
    return printable(intent.own_tool or intent.method, limit=80)


def _hosts(texts: Iterable[bytes]) -> set[str]:
    return {found.decode().lower() for text in texts for found in _HOST.findall(text)}


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
