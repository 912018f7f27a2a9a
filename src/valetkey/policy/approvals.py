"""Approvals: a person's yes to one call, asked for out of band, bound to the bytes, short-lived and used once.

    pending ──▶ approved ──▶ consumed ──▶ uncertain (it left, and no answer came)
       └─▶ denied   └─▶ expired

The hub never makes a call because it was approved: the client asks again, and is recognized by what it asks for. Here
nobody is believed who is not the person in their own browser: `approve` and `deny` are called by pages only.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import Conflict, NotFound, Refused, printable
from valetkey.kernel.failpoints import reached
from valetkey.kernel.ids import new_id
from valetkey.policy import approval_repository as repository
from valetkey.policy.approval_model import Approval, State, Use
from valetkey.policy.binding import Asked
from valetkey.policy.points import Point
from valetkey.policy.tool_class import ToolClass
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

TOPIC: Final = "approvals"
"""Announced with the person's id when something waits for them, or does not any more."""
PENDING: Final = timedelta(minutes=10)
APPROVED: Final = timedelta(minutes=5)
APPROVED_VERTICAL: Final = timedelta(minutes=2)
MOST_PENDING: Final = 5
MOST_AN_HOUR: Final = 20
_KEPT: Final = timedelta(days=30)
_MOST_USES: Final = 30
_WARNED: Final = 1000


class DayKey(Protocol):
    @property
    def day(self) -> str: ...
    def seal(self, plaintext: bytes, *, about: str) -> bytes: ...
    def open(self, sealed: bytes, *, about: str) -> bytes: ...


class FindsDayKeys(Protocol):
    """What we need of `vault.day_keys`: arguments lie in the database under the person's key of the day."""

    async def key(self, person_id: str, tenant: str, day: str) -> DayKey: ...

    async def existing(self, person_id: str, tenant: str, day: str) -> DayKey: ...


class TrailWriter(Protocol):
    async def write(
        self, event: str, *, actor: str, organization_id: str = "", person_id: str = "", object: str = "",
        detail: dict[str, object] = ...,
    ) -> None: ...  # fmt: skip


OnAsked = Callable[[Approval], Awaitable[None]]
"""Told of what waits since a moment ago. It must not wait for anything itself."""


class Denied(Refused):
    """The person said no to this very call, a moment ago."""

    code = "person_denied"


class Approvals:
    """Asks for approvals, takes them, and uses them up."""

    def __init__(
        self, database: Database, notifications: Notifications, *, clock: Clock, keys: FindsDayKeys, trail: TrailWriter,
        on_asked: Sequence[OnAsked] = (),
    ) -> None:  # fmt: skip
        self._database = database
        self._notifications = notifications
        self._clock = clock
        self._keys = keys
        self._trail = trail
        self._on_asked = on_asked
        self._warned: OrderedDict[str, float] = OrderedDict()

    # --- what the gateway does ----------------------------------------------------------------------------------------

    async def take(self, asked: Asked, call_id: str) -> Approval | None:
        """Uses up the person's yes to exactly this call, for the call with this record; `None` when there is none.

        Committed when this returns: whatever happens after, it is not used again (I8).
        """
        now = self._clock.now()
        digest = asked.digest
        async with self._database.write() as tx:
            taken = await repository.consume(tx, asked.person_id, digest, asked.policy_version, now)
            if taken is not None:
                use = Use(call_id, taken.id, asked.connection_id, asked.tool, digest, now)
                await repository.add_use(tx, use)
        reached(Point.CALL_APPROVED)
        if taken is not None:
            await self._notifications.publish(TOPIC, asked.person_id)
        return taken

    async def go_on(self, asked: Asked, before: str, call_id: str) -> str:
        """A service asked something in the middle of an approved call: the call with the answer is the same act.

        The id of the approval that the call `before` used up, or nothing. That a client brings each state of ours
        once is the gateway's care.
        """
        now = self._clock.now()
        async with self._database.write() as tx:
            use = await repository.find_use(tx, before)
            if use is None or use.request_digest != asked.digest:
                return ""
            go_on = Use(call_id, use.approval_id, use.connection_id, use.tool, use.request_digest, now)
            await repository.add_use(tx, go_on)
        return use.approval_id

    async def ask(self, asked: Asked) -> Approval:
        """The approval that waits for the person's answer to this call. Raises `Denied`, or `Refused` at a limit."""
        now = self._clock.now()
        digest = asked.digest
        key = await self._keys.key(asked.person_id, asked.organization_id, now.date().isoformat())
        async with self._database.write() as tx:
            await repository.expire(tx, asked.person_id, now)
            known = await repository.find_newest(tx, asked.person_id, digest, now)
            if known is not None and known.state is State.PENDING and known.policy_version == asked.policy_version:
                await repository.count_again(tx, known.id)
                return known
            if known is not None and known.state is State.DENIED:
                raise Denied(_denied(known), rule="person_denied")
            if known is not None:  # approved, or waiting, under rules that have changed since
                await repository.drop_one(tx, known.id)
            waiting, lately = await repository.count(tx, asked.connection_id, since=now - timedelta(hours=1), now=now)
            if waiting < MOST_PENDING and lately < MOST_AN_HOUR:
                new = self._new(asked, digest, key)
                if not await repository.add(tx, new):  # somebody else was first, a moment ago
                    known = await repository.find_newest(tx, asked.person_id, digest, now)
                    new = known or new
                    await repository.count_again(tx, new.id)
                await repository.purge(tx, asked.person_id, now - _KEPT)
        reached(Point.APPROVE_ASKED)
        if waiting >= MOST_PENDING:
            raise Refused(
                f"{waiting} calls on this connection wait for the person's answer already.", rule="too_many_pending",
                hint="They are listed on the page /approvals.", path="/approvals",
            )  # fmt: skip
        if lately >= MOST_AN_HOUR:
            await self._warn(asked, lately)
            raise Refused(
                f"The person was asked {lately} times in an hour about this connection, and is not asked more often.",
                rule="too_many_asked", path="/approvals",
            )  # fmt: skip
        await self._notifications.publish(TOPIC, asked.person_id)
        for tell in self._on_asked:
            await tell(new)
        return new

    async def used_for(self, call_id: str) -> Use | None:
        """The approval that was used up for this call. The vault asks before a credential leaves."""
        async with self._database.read() as tx:
            return await repository.find_use(tx, call_id)

    async def nobody_knows(self, approval_id: str, person_id: str) -> None:
        """The call left, and what it came to is not known: the person is told, and nothing is tried again."""
        async with self._database.write() as tx:
            await repository.mark_uncertain(tx, approval_id)
        await self._notifications.publish(TOPIC, person_id)

    async def forget(self, connection_id: str) -> None:
        """The connection has ended: nothing that waits for it, or was said, holds any more."""
        async with self._database.write() as tx:
            await repository.drop(tx, connection_id)

    async def sweep(self) -> int:
        """Lets go of everybody's that were asked for long enough ago; how many."""
        async with self._database.write() as tx:
            return await repository.purge_all(tx, self._clock.now() - _KEPT)

    # --- what the person does -----------------------------------------------------------------------------------------

    async def get(self, person_id: str, approval_id: str) -> Approval:
        """One of the person's own. Raises `NotFound`."""
        async with self._database.read() as tx:
            found = await repository.find(tx, person_id, approval_id)
        if found is None:
            raise NotFound("There is no such approval.")
        return found

    async def list(self, person_id: str, *, limit: int = 50) -> Sequence[Approval]:
        """The person's own, newest first."""
        async with self._database.read() as tx:
            return await repository.list_of(tx, person_id, limit=limit)

    async def page(self, person_id: str, *, before: str = "", limit: int) -> Sequence[Approval]:
        """As `list`; `before` is the id of the last one seen."""
        async with self._database.read() as tx:
            return await repository.page_of(tx, person_id, before=before, limit=limit)

    async def waiting(self, person_id: str) -> int:
        """How many wait for the person."""
        async with self._database.read() as tx:
            return await repository.count_pending(tx, person_id, self._clock.now())

    async def call_of(self, approval: Approval) -> bytes:
        """The exact `{name, arguments}` it is about. Raises `VaultFailed` when that was erased."""
        key = await self._keys.existing(approval.person_id, approval.organization_id, approval.day)
        return key.open(approval.call, about=_about(approval.id))

    async def like(self, approval: Approval) -> Approval | None:
        """The last call of this tool and account that the person said yes to before this one (security.md 6.5)."""
        async with self._database.read() as tx:
            return await repository.find_like(tx, approval)

    async def approve(self, approval: Approval, *, session_id: str, proof: bytes = b"") -> Approval:
        """The person's yes. Who that is and how they proved it, the page has seen to. Raises `Conflict` if it is late.

        `proof` is the passkey's assertion over the call's hash, and is kept with it.
        """
        now = self._clock.now()
        lasts = APPROVED_VERTICAL if approval.counts_as == ToolClass.VERTICAL else APPROVED
        # A read that was asked for several times while it waited is one question (PERM-14); a write never is.
        uses = min(approval.times, _MOST_USES) if approval.counts_as == ToolClass.READ else 1
        values = {
            "state": State.CONSUMED if approval.for_tool else State.APPROVED,
            "uses_left": 0 if approval.for_tool else uses,
            "expires_at": now + lasts,
            "decided_in": session_id,
            "proof": proof or None,
        }
        return await self._decide(approval, "approval.given", values)

    async def deny(self, approval: Approval, *, session_id: str, words: str = "") -> Approval:
        """The person's no, with their words for the assistant. It stands for as long as the question would have."""
        values = {"state": State.DENIED, "decided_in": session_id, "words": printable(words, limit=200)}
        return await self._decide(approval, "approval.denied", values)

    async def _decide(self, approval: Approval, event: str, values: Mapping[str, object]) -> Approval:
        async with self._database.write() as tx:
            decided = await repository.decide(tx, approval.person_id, approval.id, self._clock.now(), values)
        if decided is None:
            raise Conflict("This was decided already, or its time is over.", hint="The assistant can ask again.")
        reached(Point.APPROVE_GIVEN)
        await self._trail.write(
            event,
            actor=f"person:{approval.person_id}",
            organization_id=approval.organization_id,
            person_id=approval.person_id,
            object=approval.id,
            detail={
                "tool": printable(approval.tool, limit=100), "connection": approval.connection_id,
                "class": approval.counts_as, "call_hash": approval.call_hash().hex(),
                "how": "passkey" if values.get("proof") else "click",
            },
        )  # fmt: skip
        reached(Point.APPROVE_TOLD)
        await self._notifications.publish(TOPIC, approval.person_id)
        return decided

    def _new(self, asked: Asked, digest: str, key: DayKey) -> Approval:
        now = self._clock.now()
        decision = asked.decision
        approval_id = new_id("approval")
        return Approval(
            id=approval_id, person_id=asked.person_id, organization_id=asked.organization_id,
            client_id=asked.client_id, client_name=asked.client_name[:200], connection_id=asked.connection_id,
            connector=asked.connector, connector_version=asked.connector_version, origin=asked.origin,
            label=asked.label, tool=asked.tool, fingerprint=asked.fingerprint,
            tool_class=decision.classified.tool_class if decision.classified else "",
            counts_as=asked.counts_as, because=decision.classified.because[:300] if decision.classified else "",
            rule=decision.rule, reason=decision.reason[:300], how=decision.how,
            may_remember=decision.may_remember, may_stand=decision.may_stand, for_tool=decision.for_tool,
            request_digest=digest, nonce=secrets.token_bytes(16), policy_version=asked.policy_version, day=key.day,
            call=key.seal(asked.call, about=_about(approval_id)), state=State.PENDING, times=1, uses_left=0,
            created_at=now, expires_at=now + PENDING,
        )  # fmt: skip

    async def _warn(self, asked: Asked, lately: int) -> None:
        """Once an hour, in the trail: somebody tries to tire the person out."""
        now = self._clock.monotonic()
        if self._warned.get(asked.connection_id, 0.0) > now:
            return
        self._warned[asked.connection_id] = now + 3600
        while len(self._warned) > _WARNED:
            self._warned.popitem(last=False)
        await self._trail.write(
            "approval.too_many",
            actor=f"client:{asked.client_id}",
            organization_id=asked.organization_id,
            person_id=asked.person_id,
            object=asked.connection_id,
            detail={"asked_in_an_hour": lately, "tool": printable(asked.tool, limit=100)},
        )


def _about(approval_id: str) -> str:
    return f"approval:{approval_id}"


def _denied(approval: Approval) -> str:
    said = f" They said: “{approval.words}”" if approval.words else ""
    return f"The person said no to this call.{said} Do not ask again unless they want it."
