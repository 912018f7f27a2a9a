"""Whether a connection works, looked into because its person pressed a button, and for no other reason (VLT-07, S-22).

    1 written down   the trail says who asked, before anything is opened
    2 probe          the service is asked for its tools, as a call of the person's that has a record; a credential that
                     has expired, or is refused, is renewed on the way as it would be for any call
    3 read           what that says: a service or server that is down says nothing about the credential

What a server said is repeated as far as the trace does: bounded, and without anything that looks like a token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from valetkey.audit.redact import redact_text
from valetkey.connections.accounts import Connections
from valetkey.connections.model import Connection, State, TemporarilyUnavailable, TraceStep
from valetkey.connections.trace import Trace, scrubbed
from valetkey.kernel.errors import NotConnected, OutboundFailed, RootKeyUnavailable, ValetkeyError, VaultFailed
from valetkey.net.model import AddressRefused, TimedOut, Unreachable
from valetkey.vault.release import NotReleased

_LONGEST = 200
_CREDENTIAL_IS_OVER = ("not_connected", "reconnect", "no_key")


class Status(StrEnum):
    """Whether what is held works."""

    VALID = "valid"
    INVALID = "invalid"  # only the person can mend it
    UNKNOWN = "unknown"  # nobody could be asked, or what they said is about something else


class Renewal(StrEnum):
    """What came of renewing the credential."""

    NOT_NEEDED = "not_needed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the server answered, and gave nothing
    CONNECT_ERROR = "connect_error"  # it did not answer
    NO_REFRESH_TOKEN = "no_refresh_token"  # noqa: S105  # a word, not a token


class Step(StrEnum):
    """Where the probe ended."""

    DONE = ""
    CREDENTIAL = "credential"
    CONNECT = "connect"
    TOOLS_LIST = "tools/list"


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found. The statuses are those of HTTP, `None` where nobody answered; what was said is untrusted text."""

    status: Status
    has_refresh_token: bool
    failed_at: Step
    probe_status: int | None
    probe_said: str
    renewal: Renewal
    renewal_status: int | None
    renewal_said: str


Probe = Callable[[Connection], Awaitable[ValetkeyError | None]]
"""Asks a connection's service for its tools, on record, in the name of its person; what went wrong, if anything did."""


class Checking:
    """Looks. `probe` is the gateway's: here is nothing that could speak to a service."""

    def __init__(self, *, connections: Connections, trace: Trace, probe: Probe) -> None:
        self._connections = connections
        self._trace = trace
        self._probe = probe

    async def check(self, person_id: str, connection_id: str, *, by: str) -> Checked:
        """Raises `NotFound` for one that is none of theirs, and what recording raises: then nothing was done."""
        connection = await self._connections.get(person_id, connection_id)
        await self._connections.tell("connection.checked", connection, actor=by)  # 1.
        known = {step.id for step in await self._trace.list(person_id, connection_id)}
        problem = await self._probe(connection) if connection.state is State.CONNECTED else _ended(connection)  # 2.
        after = await self._trace.list(person_id, connection_id)
        now = await self._connections.get(person_id, connection_id)
        return read(connection, now, problem, [step for step in after if step.id not in known])  # 3.


def read(before: Connection, now: Connection, problem: ValetkeyError | None, steps: Sequence[TraceStep]) -> Checked:
    """What a probe that ended so says of a connection that was `before`; `steps` were written meanwhile."""
    renewal = [step for step in steps if step.stage == "refresh" and step.request]
    last = renewal[-1] if renewal else None
    return Checked(
        status=_status(problem),
        has_refresh_token=now.has_refresh_token,
        failed_at=_failed_at(problem),
        probe_status=getattr(problem, "status", None) if isinstance(problem, OutboundFailed) else None,
        probe_said=scrubbed(redact_text(problem.message))[:_LONGEST] if problem is not None else "",
        renewal=_renewal(before, problem, last),
        renewal_status=last.status if last is not None else None,
        renewal_said=last.reason[:_LONGEST] if last is not None else "",
    )


def _status(problem: ValetkeyError | None) -> Status:
    if problem is None:
        return Status.VALID
    if isinstance(problem, NotConnected) and problem.reason in _CREDENTIAL_IS_OVER:
        return Status.INVALID
    return Status.UNKNOWN


def _failed_at(problem: ValetkeyError | None) -> Step:
    match problem:
        case None:
            return Step.DONE
        case NotConnected() | VaultFailed() | RootKeyUnavailable() | NotReleased():
            return Step.CREDENTIAL
        case TemporarilyUnavailable():
            return Step.CREDENTIAL
        case Unreachable() | TimedOut() | AddressRefused():
            return Step.CONNECT
    return Step.TOOLS_LIST


def _renewal(before: Connection, problem: ValetkeyError | None, last: TraceStep | None) -> Renewal:
    if last is not None:
        if last.status is None:
            return Renewal.CONNECT_ERROR
        return Renewal.SUCCEEDED if last.status == 200 and last.reason.startswith("tokens came") else Renewal.FAILED
    if before.has_refresh_token or _status(problem) is not Status.INVALID:
        return Renewal.NOT_NEEDED
    return Renewal.NO_REFRESH_TOKEN


def _ended(connection: Connection) -> NotConnected:
    reason = "reconnect" if connection.state is State.RECONNECT else "not_connected"
    words = connection.state_reason or "Nothing is held for this account."
    return NotConnected(words, path=f"/connections/{connection.id}", reason=reason)
