"""Running the linter here: on a submission with its test account, or on any address that somebody wants to try.

A run is kept with its report; while it is under way, and only then, the vault lets the test account's token out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

import msgspec

from valetkey.directory.listings import Class, Listings, ReviewedTool
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, TooMany, ValetkeyError, printable
from valetkey.kernel.ids import new_id
from valetkey.kernel.secret import Credential
from valetkey.net.model import Url
from valetkey.net.outbound import Outbound
from valetkey.policy.classes.classify import classify
from valetkey.policy.classes.surroundings import surroundings
from valetkey.policy.tool_class import ToolClass
from valetkey.review.crawl import Asked, crawl
from valetkey.review.judge import judge
from valetkey.review.model import Crawl, Report, SeenTool
from valetkey.review.records import OtherListing, Records
from valetkey.review.visit import Account, Visit
from valetkey.store.database import Database
from valetkey.submissions import picture_repository, repository
from valetkey.submissions.drafts import account_of
from valetkey.submissions.fields import as_claims, hash_of
from valetkey.submissions.health import Healths
from valetkey.submissions.likeness import likeness
from valetkey.submissions.model import Run, Submission
from valetkey.submissions.terms import TEXTS
from valetkey.vault.model import BEARER, Binding, HeaderTemplate

_IS_A: Final[Mapping[ToolClass, Class]] = {
    ToolClass.READ: "read",
    ToolClass.LOW_WRITE: "low write",
    ToolClass.MEDIUM: "medium",
    ToolClass.HIGH: "high",
    ToolClass.VERTICAL: "vertical",
}
NOT_COMPARED: Final[Mapping[str, int]] = {}
LONGEST: Final = timedelta(minutes=8)
_AT_ONCE: Final = 4
_KEPT: Final = timedelta(days=7)
_MOST_BYTES: Final = 2_000_000
_MOST_TOLD: Final = 20
"""Icons whose likeness is told during one review: each takes up to half a second, and is told once."""


class GivesTickets(Protocol):
    """The vault, as far as a review needs it."""

    async def ticket(
        self, parts: Sequence[tuple[HeaderTemplate, Binding]], *, origin: str, call_id: str, ttl: float = ...
    ) -> Credential: ...


class _Sealed:
    """A test account that stays in the vault: a ticket for each request, for as long as the run is under way."""

    def __init__(self, vault: GivesTickets, binding: Binding, run: Run) -> None:
        self._vault, self._binding, self._run = vault, binding, run

    async def ticket(self) -> Credential:
        return await self._vault.ticket(
            [(BEARER, self._binding)], origin=self._binding.origin, call_id=self._run.id, ttl=60.0
        )


class Reviews:
    """Begins reviews and tells how far they are."""

    def __init__(
        self,
        database: Database,
        *,
        out: Outbound,
        vault: GivesTickets,
        listings: Listings,
        parse: Callable[[str], Url],
        healths: Healths,
        clock: Clock,
    ) -> None:
        self._healths = healths
        self._database = database
        self._out = out
        self._vault = vault
        self._listings = listings
        self._parse = parse
        self._clock = clock
        self._running: dict[str, asyncio.Task[None]] = {}
        self._said: dict[str, str] = {}

    async def stop(self) -> None:
        for task in list(self._running.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def of_submission(self, one: Submission, *, person_id: str) -> Run:
        """Begins a review of it as it stands now. Raises `Conflict` while one is under way, `TooMany`, `BadInput`."""
        async with self._database.read() as tx:
            agreed = await repository.agreed_to(tx, one.id)
            last = await repository.last_run(tx, one.id)
        if last is not None and last.finished_at is None and last.until > self._clock.now():
            raise Conflict("It is being reviewed already.")
        versions = {
            version
            for version in {found.version for found in agreed}
            if {found.text for found in agreed if found.version == version} >= TEXTS.keys()
        }
        url = read_address(self._parse, one.fields.url)
        run = self._new_run(one.organization_id, person_id, url, submission=one)
        health = await self._healths.of(one.slug, is_live=one.is_listed)
        icons = await self._icons({one.fields.icon, *(listing.icon for listing in self._listings)} - {""})
        account = _Sealed(self._vault, account_of(one, url), run) if one.has_test_account else None
        notes = ("The submission's test account was used, and read-only tools were called.",) if account else ()
        asked = Asked(
            listing=as_claims(one),
            calls_tools=account is not None,
            allowances=notes,
            on_private_network=url.scheme == "http",
            records=Records(
                others=others(self._listings, one.slug, icons),
                accepted=frozenset(versions),
                failures=health.failures,
                icon=icons.get(one.fields.icon, 0),
            ),
        )
        return await self._begin(run, url, asked, account)

    async def _icons(self, wanted: Set[str]) -> Mapping[str, int]:
        """How these icons look, by hash. It was told when they were handed in, or is now, of those older than that."""
        async with self._database.read() as tx:
            told = await picture_repository.likenesses_of(tx, wanted)
        for name in [name for name, bits in told.items() if bits is None][:_MOST_TOLD]:
            async with self._database.read() as tx:
                found = await picture_repository.find_picture(tx, name)
            if found is None:
                continue  # taken away meanwhile
            told[name] = bits = await asyncio.to_thread(likeness, found)
            async with self._database.write() as tx:
                await picture_repository.put_likeness(tx, name, bits)
        return {name: bits for name, bits in told.items() if bits is not None}

    async def of_url(self, text: str, *, organization_id: str, person_id: str) -> Run:
        """Begins a review of any address, as somebody unknown. Raises `BadInput`, `TooMany`."""
        url = read_address(self._parse, text)
        async with self._database.write() as tx:
            await repository.purge_runs(tx, organization_id, before=self._clock.now() - _KEPT)
        run = self._new_run(organization_id, person_id, url)
        asked = Asked(on_private_network=url.scheme == "http", records=Records(others=others(self._listings, "")))
        return await self._begin(run, url, asked, None)

    async def status(self, run_id: str) -> Run | None:
        """A run as it is now; `progress` says what is looked at."""
        async with self._database.read() as tx:
            run = await repository.find_run(tx, run_id)
        return self.as_of_now(run) if run is not None else None

    def as_of_now(self, run: Run) -> Run:
        """With what is looked at, and with an end if whoever ran it is gone."""
        if run.finished_at is None and run.until <= self._clock.now():
            return replace(run, finished_at=run.until, error="The hub stopped while it was under way.")
        return replace(run, progress=self._said.get(run.id, ""))

    async def settled(self, run_id: str) -> None:
        """Returns when a run that was begun here has ended."""
        if (task := self._running.get(run_id)) is not None:
            await asyncio.wait([task])

    def _new_run(self, organization_id: str, person_id: str, url: Url, submission: Submission | None = None) -> Run:
        if len(self._running) >= _AT_ONCE:
            raise TooMany("Several reviews are under way.", retry_after=60.0, hint="Try again in a minute.")
        now = self._clock.now()
        return Run(
            id=new_id("rev"),
            organization_id=organization_id,
            person_id=person_id,
            submission_id=submission.id if submission else "",
            url=url.text,
            fields_hash=hash_of(submission.fields) if submission else "",
            began_at=now,
            until=now + LONGEST,
        )

    async def _begin(self, run: Run, url: Url, asked: Asked, account: Account | None) -> Run:
        async with self._database.write() as tx:
            await repository.insert_run(tx, run)
        self._running[run.id] = asyncio.create_task(self._run(run, url, asked, account))
        return run

    async def _run(self, run: Run, url: Url, asked: Asked, account: Account | None) -> None:
        error, report = "The hub stopped while it was under way.", b""
        try:
            async with asyncio.timeout(LONGEST.total_seconds()):
                seen = await crawl(self._visit(run, url, account), asked)
                connector = asked.listing.name if asked.listing is not None else ""
                # Beside the loop: reading a large connector takes seconds, and calls do not wait for it.
                report = await asyncio.to_thread(_judged, seen, (connector, url.host))
            error = "" if len(report) <= _MOST_BYTES else "Its report is too long to be kept."
        except (ValetkeyError, TimeoutError) as failed:
            error = failed.message if isinstance(failed, ValetkeyError) else "It took too long."
        finally:
            done = replace(
                run,
                finished_at=self._clock.now(),
                error=printable(error, limit=390),
                report=b"" if error else report,
            )
            async with self._database.write() as tx:
                await repository.finish_run(tx, done)
            self._running.pop(run.id, None)
            self._said.pop(run.id, None)

    def _visit(self, run: Run, url: Url, account: Account | None) -> Visit:
        def say(text: str) -> None:
            self._said[run.id] = text

        return Visit(
            url=url,
            out=self._out,
            certificates=self._out.certificates,
            clock=self._clock,
            parse=self._parse,
            say=say,
            account=account,
        )


def others(listings: Listings, own: str, icons: Mapping[str, int] = NOT_COMPARED) -> tuple[OtherListing, ...]:
    """Everybody else's place in the directory (L-108, L-205); `icons` say how pictures look."""
    return tuple(
        OtherListing(
            one.name,
            one.host,
            tools=tuple(tool.name for tool in one.tools),
            about=one.about,
            definitions=frozenset(tool.fingerprint for tool in one.tools),
            icon=icons.get(one.icon, 0),
        )
        for one in listings
        if one.slug != own
    )


def _judged(seen: Crawl, called: tuple[str, ...]) -> bytes:
    """The report as JSON."""
    return msgspec.json.encode(replace(judge(seen), reviewed=classed(seen.tools, called=called)))


def classed(tools: Sequence[SeenTool], *, called: tuple[str, ...]) -> tuple[ReviewedTool, ...]:
    """The class of each tool in exactly this definition, for the listing that comes of it (S-27): told from all that

    can be seen of it, and from what stands beside it. What stays unclear is as grave as it counts.
    """
    there = [one.tool for one in tools if one.tool is not None]
    around = surroundings(listed_as="", names=called, tools=there)
    found = []
    for tool in there:
        seen = classify(tool, verified=False, reviewed=None, organization=None, raised_by_taint=False, around=around)
        found.append(ReviewedTool(name=tool.name, is_a=_IS_A[seen.counts_as], fingerprint=tool.fingerprint))
    return tuple(found)


def report_of(run: Run) -> Report | None:
    """The report, if the run came to one."""
    return msgspec.json.decode(run.report, type=Report) if run.report else None


def read_address(parse: Callable[[str], Url], text: str) -> Url:
    """Raises `BadInput` that names the field."""
    try:
        return parse(text)
    except BadInput as error:
        raise BadInput(error.message, field="url", hint=error.hint) from error
