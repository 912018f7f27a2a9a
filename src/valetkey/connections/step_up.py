"""Step-up: a service refused a call because too little was granted, and the person may grant more (CON-17).

    1. only a 403 with `error="insufficient_scope"` is one; any other 403 is the end of that call (CON-07)
    2. the scopes it named are remembered for the connection, and the assistant gets the link to its page
    3. reconnecting asks for what was granted, what was named, and what discovery finds: nothing is lost on the way
    4. when the person has agreed twice to the same scopes and is refused all the same, there is no third link

A pin is final (CON-18): what it leaves out is not asked for, and the assistant is told so.
MCP authorization, "scope challenge handling"; SEP-2350 for the union.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from valetkey.connections import step_up_repository as repository
from valetkey.connections.model import Connection
from valetkey.connections.step_up_repository import ChallengeRow
from valetkey.connections.trace import Trace
from valetkey.directory.model import Connector
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import printable
from valetkey.oauth.challenge import bearer, parse_www_authenticate
from valetkey.oauth.document import split_scope
from valetkey.store.database import Database
from valetkey.upstream.model import Forbidden403

MOST_CONSENTS = 2
"""How often a person is asked for the same scopes before we say that it does not help."""

_AFRESH = timedelta(days=1)  # an administrator over there may have changed something since
_MOST_SCOPES = 50


class MoreNeeded(Forbidden403):
    """The account may not do this with what was granted. `path` is the page where more can be; empty: it cannot be."""

    code = "more_needed"

    def __init__(self, message: str, *, challenge: str, path: str) -> None:
        super().__init__(message, challenge=challenge)
        self.path = path


@dataclass(frozen=True, slots=True)
class Wanted:
    """The scopes that refused calls named, and whether asking for them again has any point."""

    scopes: tuple[str, ...]
    is_worth_asking: bool


class StepUp:
    """Remembers what refused calls needed."""

    def __init__(self, database: Database, *, clock: Clock, trace: Trace) -> None:
        self._database = database
        self._clock = clock
        self._trace = trace

    async def refused(self, connection: Connection, connector: Connector, challenge: str) -> MoreNeeded | None:
        """What a 403 with this `WWW-Authenticate` value means to the person; `None` if it is no step-up."""
        asked = bearer(parse_www_authenticate(challenge))
        if connection.method != "oauth" or asked.error != "insufficient_scope":  # 1.
            return None
        named = split_scope(asked.scope)[:_MOST_SCOPES]
        words = f" ({printable(' '.join(named))})" if named else ""
        pin = split_scope(str(connector.auth.get("scope", "")))
        if pin and (outside := [scope for scope in named if scope not in pin]):
            return MoreNeeded(
                f"{connector.name} refused this call: it needs {printable(' '.join(outside))}, which is not among the "
                "scopes that were fixed for this connector in this hub. Who added it can change that.",
                challenge=challenge,
                path="",
            )
        wanted = await self._remember(connection, named)  # 2.
        if not wanted.is_worth_asking:  # 4.
            return MoreNeeded(
                f"{connector.name} refused this call again{words}, although the person agreed to that {MOST_CONSENTS} "
                "times: reconnecting does not help. Whoever administers the account there can say why.",
                challenge=challenge,
                path="",
            )
        return MoreNeeded(
            f"{connector.name} refused this call: it needs more permissions than were granted{words}.",
            challenge=challenge,
            path=f"/connections/{connection.id}",
        )

    async def wanted(self, connection_id: str) -> Wanted | None:
        """What refused calls of this connection needed; `None` when none was refused so."""
        async with self._database.read() as tx:
            known = await repository.find_challenge(tx, connection_id)
        return None if known is None else _wanted(known)

    async def agreed(self, connection_id: str) -> None:
        """The person has connected anew, and was asked for what was wanted."""
        async with self._database.write() as tx:
            await repository.count_consent(tx, connection_id)

    async def forget(self, connection: Connection) -> None:
        """For a connection that was ended: the next consent begins with nothing of this one."""
        async with self._database.write() as tx:
            await repository.delete_challenge(tx, connection.id)

    async def _remember(self, connection: Connection, named: tuple[str, ...]) -> Wanted:
        now = self._clock.now()
        async with self._database.read() as tx:
            known = await repository.find_challenge(tx, connection.id)
        before = split_scope(known.scope) if known is not None else ()
        if known is not None and set(named) <= set(before) and now - known.at < _AFRESH:
            return _wanted(known)  # the same again: nothing to write, however often the assistant tries
        together = tuple(dict.fromkeys((*before, *named)))
        new = ChallengeRow(connection.id, " ".join(together if len(together) <= _MOST_SCOPES else named), 0, now)
        async with self._database.write() as tx:
            await repository.put_challenge(tx, new)
        steps = self._trace.of(person_id=connection.person_id, connection_id=connection.id)
        await steps.note("call", "", status=403, reason=f"insufficient_scope: {new.scope or '(none named)'}")
        return _wanted(new)


def _wanted(known: ChallengeRow) -> Wanted:
    return Wanted(split_scope(known.scope), known.consents < MOST_CONSENTS)
