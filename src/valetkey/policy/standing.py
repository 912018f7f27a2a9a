"""Standing approvals: a person's yes to a number of calls until a date, for work that runs while they are away.

Given with the approval of one call, in the person's own browser and with the same strength; for that tool as it was
defined then, that account and that assistant. Never for class V, never where an organization wants a person asked.
It ends with the first sign that the tool is another, and is not given back when the tool is as before.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from valetkey.directory.model import Drift
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import Conflict, Forbidden, NotFound, TooMany, VaultFailed, printable
from valetkey.kernel.ids import new_id
from valetkey.policy import approval_repository
from valetkey.policy import standing_repository as repository
from valetkey.policy.approval_model import Approval, Use
from valetkey.policy.approvals import FindsDayKeys, TrailWriter
from valetkey.policy.binding import Asked
from valetkey.policy.ceilings import Ceilings
from valetkey.policy.model import ANY, How, Limits
from valetkey.policy.standing_model import PREFIX, Ended, StandingApproval
from valetkey.policy.terms import Terms, covers
from valetkey.policy.tool_class import ToolClass
from valetkey.store.database import Database

MOST: Final = 100
"""Standing approvals of one person."""
_KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Scope:
    """The call that was shown when it was given, and the arguments that may differ from it."""

    shown: bytes
    free: frozenset[str]


class Standings:
    """Gives them, uses them, ends them."""

    def __init__(
        self, database: Database, ceilings: Ceilings, *, clock: Clock, keys: FindsDayKeys, trail: TrailWriter
    ) -> None:
        self._database = database
        self._ceilings = ceilings
        self._clock = clock
        self._keys = keys
        self._trail = trail

    # --- what the person does -----------------------------------------------------------------------------------------

    async def demand(self, approval: Approval, terms: Terms) -> None:
        """Raises `Forbidden`, `Conflict`, `BadInput` or `TooMany` when it may not stand."""
        terms.check(approval.counts_as)
        if not approval.may_stand or approval.for_tool or approval.counts_as == ToolClass.VERTICAL:
            raise Forbidden("This tool is confirmed each time.")
        if (await self._ceilings.of(approval.organization_id)).version != approval.policy_version:
            raise Conflict("Your organization has changed its rules since you were asked.", hint="Let it ask again.")
        async with self._database.read() as tx:
            if await repository.count_live(tx, approval.person_id, self._clock.now()) >= MOST:
                raise TooMany(f"{MOST} of your approvals stand already. Revoke what is not needed.")

    async def give(
        self, approval: Approval, call: bytes, terms: Terms, *, session_id: str, proof: bytes = b""
    ) -> StandingApproval:
        """The person's yes to further calls; the approval of this one is another. Raises as `demand`.

        `proof` is the passkey's assertion over the call's hash with these terms, where the call itself takes one.
        """
        await self.demand(approval, terms)
        if approval.how == How.PASSKEY and not proof:
            raise Forbidden("This is confirmed with a passkey, and with nothing less.")
        now = self._clock.now()
        key = await self._keys.key(approval.person_id, approval.organization_id, now.date().isoformat())
        limits = await self._ceilings.of(approval.organization_id)
        standing_id = new_id(PREFIX)
        scope = json.dumps({"shown": base64.b64encode(call).decode(), "free": sorted(terms.free)}).encode()
        new = StandingApproval(
            id=standing_id, person_id=approval.person_id, organization_id=approval.organization_id,
            client_id=approval.client_id, client_name=approval.client_name, connection_id=approval.connection_id,
            connector=approval.connector, connector_version=approval.connector_version, origin=approval.origin,
            label=approval.label, tool=approval.tool, fingerprint=approval.fingerprint, counts_as=approval.counts_as,
            rules=rules_for(limits, approval.connector, approval.tool),
            scope=key.seal(scope, about=_about(standing_id)), day=key.day, calls=terms.calls, uses_left=terms.calls,
            created_at=now, expires_at=now + terms.lasts, approval_id=approval.id, given_in=session_id,
            proof=proof or None,
        )  # fmt: skip
        await self._write("standing.given", new, f"person:{new.person_id}", calls=terms.calls, days=terms.days)
        async with self._database.write() as tx:
            await repository.add(tx, new)
            await repository.purge(tx, new.person_id, now - _KEPT)
        return new

    async def list(self, person_id: str, *, limit: int = 200) -> Sequence[StandingApproval]:
        """The person's own, newest first, with those that ended lately."""
        async with self._database.read() as tx:
            return await repository.list_of(tx, person_id, limit=limit)

    async def page(self, person_id: str, *, before: str = "", limit: int) -> Sequence[StandingApproval]:
        """The newest first, from before the one with the id `before` on."""
        async with self._database.read() as tx:
            return await repository.page_of(tx, person_id, before=before, limit=limit)

    async def scope_of(self, standing: StandingApproval) -> Scope:
        """Which arguments it is for. Raises `VaultFailed` when that was erased: then it is for none."""
        key = await self._keys.existing(standing.person_id, standing.organization_id, standing.day)
        found = json.loads(key.open(standing.scope, about=_about(standing.id)))
        return Scope(base64.b64decode(found["shown"]), frozenset(found["free"]))

    async def revoke(self, person_id: str, standing_id: str, *, actor: str) -> StandingApproval:
        """Ends it: no call that has not left yet is made by it. Raises `NotFound`."""
        async with self._database.write() as tx:
            ended = await repository.end_one(tx, person_id, standing_id, self._clock.now())
        if ended is None:
            raise NotFound("There is no such standing approval.")
        await self._write("standing.ended", ended, actor, because=Ended.REVOKED)
        return ended

    async def put_out(self, person_id: str, client_id: str) -> None:
        """The person put the assistant out: when they let it in again, it has to ask again."""
        async with self._database.read() as tx:
            found = await repository.live_of_client(tx, person_id, client_id)
        await self._end(found, Ended.PUT_OUT)

    # --- what the gate does -------------------------------------------------------------------------------------------

    async def take(
        self, asked: Asked, call_id: str, limits: Limits, *, since: datetime | None = None
    ) -> StandingApproval | None:
        """Uses one up, once, for the call with this record; `None` when none is for this call.

        `since` is when the person last said that they want to be asked: what was given before is void. Committed and in
        the trail when this returns (I4, I8).
        """
        if not asked.decision.may_stand or asked.decision.for_tool:
            return None
        now, taken = self._clock.now(), None
        async with self._database.read() as tx:
            found = await repository.live_for(
                tx, asked.person_id, asked.client_id, asked.connection_id, asked.tool, now
            )
        rules = rules_for(limits, asked.connector, asked.tool)
        fitting = [one for one in found if _fits(one, asked, rules) and (since is None or one.created_at > since)]
        for one in fitting:
            if await self._covers(one, asked):
                taken = await self._use(one, asked, call_id, now)
            if taken is not None:
                await self._write(
                    "standing.used", taken, f"client:{asked.client_id}", call=call_id, left=taken.uses_left
                )
                return taken
        return None

    async def nobody_knows(self, call_id: str) -> None:
        """The call left, and what it came to is not known: exactly that one is asked for again, not repeated."""
        async with self._database.write() as tx:
            await repository.mark_uncertain(tx, call_id)

    async def drifted(self, connection_id: str, held: Sequence[Drift]) -> None:
        """The service changed these tools, or what it says of itself: what was said about them is void for good."""
        tools = {drift.tool for drift in held} | {drift.old.name for drift in held if drift.old is not None}
        async with self._database.read() as tx:
            found = await repository.find_live(tx, connection_id, None if "" in tools else sorted(tools))
        await self._end(found, Ended.CHANGED)

    async def sweep(self) -> int:
        """Lets go of everybody's that ended long enough ago; how many."""
        async with self._database.write() as tx:
            return await repository.purge_all(tx, self._clock.now() - _KEPT)

    async def forget(self, connection_id: str) -> None:
        """The connection has ended."""
        async with self._database.read() as tx:
            found = await repository.find_live(tx, connection_id, None)
        await self._end(found, Ended.DISCONNECTED)

    async def _end(self, found: Sequence[StandingApproval], because: Ended) -> None:
        if not found:
            return
        async with self._database.write() as tx:
            await repository.end(tx, [one.id for one in found], because, self._clock.now())
        for one in found:
            await self._write("standing.ended", one, "system", because=because)

    async def _covers(self, standing: StandingApproval, asked: Asked) -> bool:
        try:
            scope = await self.scope_of(standing)
        except VaultFailed:
            return False
        return covers(scope.shown, scope.free, asked.call)

    async def _use(
        self, standing: StandingApproval, asked: Asked, call_id: str, now: datetime
    ) -> StandingApproval | None:
        digest = asked.digest
        async with self._database.write() as tx:
            if standing.counts_as != ToolClass.READ and await repository.is_uncertain(tx, digest):
                return None
            taken = await repository.use(tx, standing.id, now)
            if taken is not None:
                use = Use(call_id, taken.id, asked.connection_id, asked.tool, digest, now)
                await approval_repository.add_use(tx, use)
        return taken

    async def _write(self, event: str, standing: StandingApproval, actor: str, **more: object) -> None:
        await self._trail.write(
            event,
            actor=actor,
            organization_id=standing.organization_id,
            person_id=standing.person_id,
            object=standing.id,
            detail={
                "tool": printable(standing.tool, limit=100), "connection": standing.connection_id,
                "class": standing.counts_as, **more,
            },
        )  # fmt: skip


def rules_for(limits: Limits, connector: str, tool: str) -> str:
    """What the organization says that can concern this tool: with any other, the person is asked anew."""
    said = sorted(one.id for one in limits.ceilings if one.connector in (ANY, connector) and one.tool in (ANY, tool))
    return sha256("\n".join(said).encode()).hexdigest()


def _fits(standing: StandingApproval, asked: Asked, rules: str) -> bool:
    """All that an approval of one call is bound to, but for the arguments (security.md 6.2)."""
    return (
        standing.organization_id == asked.organization_id
        and standing.fingerprint == asked.fingerprint
        and standing.origin == asked.origin
        and (standing.connector, standing.connector_version) == (asked.connector, asked.connector_version)
        and standing.label == asked.label
        and standing.counts_as == asked.counts_as != ToolClass.VERTICAL
        and standing.rules == rules
    )


def _about(standing_id: str) -> str:
    return f"standing:{standing_id}"
