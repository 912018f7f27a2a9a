"""What the hub does about its listings by itself, once a day: nobody has to remember, and nobody is forgotten.

    1. who did not agree to the terms in force by their date is taken out (S-29)
    2. control of a domain that was proved a year ago is looked for again (DIR-03)
    3. listings are looked at anew; what is found to block holds them, and passing a later look ends that (DIR-10)
    4. who waits beyond the target is told where they stand, and who is waited for is told so (DIR-11)
    5. who answers for what is listed is asked every half year (DIR-16)
    6. test accounts of submissions that are gone are destroyed (DIR-08)

All of it can be done again. What is said to publishers stands in the history of the submission.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from valetkey.audit.log_repository import StoreFailed
from valetkey.directory.listings import Listing
from valetkey.kernel.errors import Conflict, NotFound, ValetkeyError
from valetkey.store.leases import Leases
from valetkey.submissions import look_repository, repository
from valetkey.submissions.contacts import OVERDUE
from valetkey.submissions.ground import TARGET, Ground
from valetkey.submissions.looks import Looks
from valetkey.submissions.model import TEST_ACCOUNT, Act, Look, State, Submission
from valetkey.submissions.proofs import Proofs
from valetkey.submissions.published import CONTACT_HOLDS, DELISTED_AFTER, UNVERIFIED_AFTER, Published

_CONFIRM: Final = "Confirm the security contact"
_MONTH: Final = DELISTED_AFTER - UNVERIFIED_AFTER
PROOF_HOLDS: Final = timedelta(days=365)
Scope = str
"""What is looked at by itself: nothing, what this hub's desk published, or what comes with the hub besides."""
_LEASE: Final = "submissions.upkeep"
_HELD: Final = 23 * 3600.0  # seconds: once a day over all replicas and starts
_FIRST_LOOK: Final = 300.0
_LOOK_EVERY: Final = 600.0
_AT_ONCE: Final = 4
_LONGEST: Final = 180.0  # seconds for one listing, whatever it does
_MOST: Final = 500
"""Listings of one run; those that were looked at longest ago first."""
_BY: Final = "system"


class KnowsAccounts(Protocol):
    """The vault, as far as it says whose test accounts it has, and ends one."""

    async def subjects(self, purpose: str) -> list[str]: ...

    async def shred(self, subject: str) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is: under way until `finished_at`. `now` is what is looked at."""

    began_at: datetime
    finished_at: datetime | None = None
    done: int = 0
    total: int = 0
    held: int = 0
    unreached: int = 0
    now: str = ""
    error: str = ""


class Upkeep:
    """Runs it. `start` after the listings were read."""

    def __init__(
        self, ground: Ground, published: Published, *, looks: Looks, proofs: Proofs, vault: KnowsAccounts,
        leases: Leases, scope: Scope,
    ) -> None:  # fmt: skip
        self._ground = ground
        self._published = published
        self._looks = looks
        self._proofs = proofs
        self._vault = vault
        self._leases = leases
        self._scope = scope
        self._daily: asyncio.Task[None] | None = None
        self._asked: asyncio.Task[None] | None = None
        self._progress: Progress | None = None

    async def start(self) -> None:
        if self._scope != "off":
            self._daily = asyncio.create_task(self._every_day(), name="submissions upkeep")

    async def stop(self) -> None:
        for task in (self._daily, self._asked):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    @property
    def progress(self) -> Progress | None:
        """Of the run under way here, or the last one; nothing before the first."""
        return self._progress

    async def looks(self) -> Sequence[Look]:
        """What the last look at each listing came to."""
        async with self._ground.database.read() as tx:
            return await look_repository.looks(tx)

    async def begin(self, slug: str = "", *, everything: bool = False) -> Progress:
        """A run now, beside: of one listing, of `everything`, or of what is published.

        Raises `Conflict`, `NotFound`.
        """
        if self._asked is not None and not self._asked.done():
            raise Conflict("Listings are being looked at already.")
        wanted = await self._wanted("all" if everything or slug else "published")
        wanted = [(one, listing) for one, listing in wanted if slug in ("", listing.slug)]
        if slug and not wanted:
            raise NotFound("There is no such listing.")
        self._progress = Progress(began_at=self._ground.clock.now(), total=len(wanted))
        self._asked = asyncio.create_task(self._look_at_all(wanted))
        return self._progress

    async def settled(self) -> None:
        """Returns when a run that was begun here has ended."""
        if self._asked is not None:
            await asyncio.wait([self._asked])

    async def run(self) -> Progress:
        """All of it, as every day."""
        await self.end_overdue()  # 1.
        await self.prove_again()  # 2.
        wanted = await self._wanted(self._scope)
        self._progress = Progress(began_at=self._ground.clock.now(), total=len(wanted))
        await self._look_at_all(wanted)  # 3.
        await self.tell_idle()  # 4.
        await self.ask_contacts()  # 5.
        await self.end_accounts()  # 6.
        return self._progress

    async def end_overdue(self) -> None:
        """S-29: nobody stays listed under outdated terms."""
        terms = self._ground.terms
        if self._ground.clock.now().date() <= terms.agree_by:
            return
        for one in await self._listed():
            async with self._ground.database.read() as tx:
                agreed = await repository.agreed_to(tx, one.id)
            if terms.lacks(agreed):
                why = f"Version {terms.version} of the terms was to be agreed to by {terms.agree_by}."
                with contextlib.suppress(Conflict):  # changed meanwhile: tomorrow
                    await self._ground.move(replace(one, decided_by=_BY, reason=why), Act.DELIST, by=_BY, reason=why)

    async def prove_again(self) -> None:
        """What cannot be found any more holds the listing until it is there again."""
        now = self._ground.clock.now()
        for one in await self._listed():
            async with self._ground.database.read() as tx:
                look = await look_repository.look(tx, one.slug)
            if one.live is None or (one.proved_at is not None and now - one.proved_at < PROOF_HOLDS):
                continue
            why = await self._proofs.why_not(self._ground.parse_url(one.live.url), one.proof)
            if not why:
                async with self._ground.database.write() as tx:
                    await repository.write(tx, replace(one, proved_at=now))
            await self._put(one, look, replace(look, unproved=why))

    async def tell_idle(self) -> None:
        """DIR-11: whoever waits for the desk hears where they are; so does who is waited for."""
        async with self._ground.database.read() as tx:
            idle = await repository.in_states(tx, [State.IN_REVIEW, State.CHANGES_REQUESTED, State.APPROVED])
            newest = {one.id: await look_repository.entries(tx, one.id, most=1) for one in idle}
        now, place = self._ground.clock.now(), 0
        for one in idle:
            place += one.state is State.IN_REVIEW
            last = max([one.state_since, *(entry.at for entry in newest[one.id])])
            if now - last <= TARGET:
                continue
            days = (now - one.state_since).days
            words = (
                f"It has waited for {days} days and is number {place} in the queue. Decisions are meant to be made "
                f"within {TARGET.days} days; this one is late, and the desk sees that."
                if one.state is State.IN_REVIEW
                else f"It is {one.state.value} for {days} days now, and waits for you."
            )
            await self._ground.say(one, words, act="told", by=_BY)

    async def ask_contacts(self) -> None:
        """Who answers no more is not *verified* first, and taken out then; confirming ends both.

        Nobody is taken out who was not asked for a month: the hub may have been off, or newer than the question is.
        """
        now, is_late = self._ground.clock.now(), False
        for one in await self._listed():
            since = one.contact_at or one.state_since
            age = now - since
            if age <= CONTACT_HOLDS:
                continue
            is_late = is_late or age > UNVERIFIED_AFTER
            async with self._ground.database.read() as tx:
                asked = await look_repository.first_entry(tx, one.id, "told", begins=_CONFIRM, since=since)
                told = await look_repository.last_entry(tx, one.id, "told")
            ends_at = max(since + DELISTED_AFTER, (asked.at if asked is not None else now) + _MONTH)
            if now > ends_at:
                why = f"{OVERDUE} for {age.days} days."
                with contextlib.suppress(Conflict):  # changed meanwhile: tomorrow
                    await self._ground.move(replace(one, decided_by=_BY, reason=why), Act.DELIST, by=_BY, reason=why)
                continue
            if asked is None or told is None or now - told.at > TARGET:
                words = f"{_CONFIRM} by {ends_at.date()}: after that it is not listed."
                await self._ground.say(one, words, act="told", by=_BY)
        if is_late:
            await self._published.announce()

    async def end_accounts(self) -> None:
        """What was sealed for a submission whose row is gone, with its organization's, is destroyed."""
        for subject in await self._vault.subjects(TEST_ACCOUNT):
            async with self._ground.database.read() as tx:
                one = await repository.find(tx, subject)
            if one is None or not one.has_test_account:
                await self._vault.shred(subject)

    # --- within -------------------------------------------------------------------------------------------------------

    async def _every_day(self) -> None:
        await self._ground.clock.sleep(_FIRST_LOOK)
        while True:
            held = await self._leases.take(_LEASE, seconds=_HELD)
            if held is not None:
                try:
                    await self.run()
                except (OSError, StoreFailed, ValetkeyError) as error:
                    structlog.get_logger(__name__).warning("listings not looked at", reason=type(error).__name__)
                    await self._leases.give_back(held)
            await self._ground.clock.sleep(_LOOK_EVERY)

    async def _listed(self) -> Sequence[Submission]:
        async with self._ground.database.read() as tx:
            return await repository.listed(tx)

    async def _wanted(self, scope: Scope) -> list[tuple[Submission | None, Listing]]:
        """What is to be looked at: who was looked at longest ago comes first."""
        found: list[tuple[Submission | None, Listing]] = [
            (one, one.live) for one in await self._listed() if one.live is not None
        ]
        if scope == "all":  # an endpoint that each customer has under their own name cannot be visited
            found += [(None, listing) for listing in self._ground.listings.shipped if listing.url]
        async with self._ground.database.read() as tx:
            seen = {look.slug: look.looked_at for look in await look_repository.looks(tx)}
        found.sort(key=lambda pair: (seen.get(pair[1].slug) is not None, seen.get(pair[1].slug), pair[1].slug))
        return found[:_MOST]

    async def _look_at_all(self, wanted: Sequence[tuple[Submission | None, Listing]]) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one_by_one(one: Submission | None, listing: Listing) -> None:
            async with gate:
                self._say(now=listing.slug)
                await self._look_at(one, listing)
                self._say(done=self._told.done + 1)

        error = "It was broken off."
        try:
            async with asyncio.TaskGroup() as group:
                for one, listing in wanted:
                    group.create_task(one_by_one(one, listing))
            error = ""
        finally:
            self._say(finished_at=self._ground.clock.now(), now="", error=error)

    async def _look_at(self, one: Submission | None, listing: Listing) -> None:
        async with self._ground.database.read() as tx:
            before = await look_repository.look(tx, listing.slug)
        try:
            async with asyncio.timeout(_LONGEST):
                seen = await self._looks.at(
                    listing,
                    before,
                    submitted=one is not None,
                    say=lambda text: self._say(now=f"{listing.slug}: {text}"),
                )
        except (ValetkeyError, TimeoutError) as error:
            why = error.message if isinstance(error, ValetkeyError) else "it took too long."
            seen = replace(before, looked_at=self._ground.clock.now(), says=f"It could not be reached: {why}")
        self._say(
            held=self._told.held + bool(seen.held),
            unreached=self._told.unreached + seen.says.startswith("It could not"),
        )
        await self._put(one, before, seen)

    async def _put(self, one: Submission | None, before: Look, seen: Look) -> None:
        """Writes it down, tells the publisher what is new of it, and everybody if it is offered or not from now on."""
        async with self._ground.database.write() as tx:
            await look_repository.put_look(tx, seen)
        if bool(seen.why_held) is not bool(before.why_held):
            await self._ground.tell_of_hold(seen, by=_BY)
            await self._published.announce()
        words = _news(before, seen)
        if one is not None and words:
            await self._ground.say(one, words, act="told", by=_BY)

    @property
    def _told(self) -> Progress:
        assert self._progress is not None  # there is one since the run began
        return self._progress

    def _say(self, **more: object) -> None:
        self._progress = replace(self._told, **more) if self._progress is not None else None  # type: ignore[arg-type]  # its own fields


def _news(before: Look, seen: Look) -> str:
    if seen.why_held:
        return f"It is held: {seen.why_held}"[:1000] if seen.why_held != before.why_held else ""
    if before.why_held:
        return "It is held no longer."
    is_new = seen.tools != before.tools or seen.says.startswith("L-")
    return seen.says if seen.says != before.says and is_new else ""
