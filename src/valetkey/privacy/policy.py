"""The privacy policy of whoever runs this hub: in versions, each of which stays to be read (S-04).

Until there is one nothing can be connected. The template says what the program does; it becomes a policy only when the
operator says that it is theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from valetkey.identity.model import Person
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.privacy import policy_repository as repository
from valetkey.privacy.levels import TrailWriter
from valetkey.store.database import Database

TEMPLATE_VERSION: Final = "template-2026-11"
TEMPLATE: Final = """\
# What is kept

Your login and name, what you sign in with (a password only as a hash, a passkey only as a public key), and which \
services you connected.

The credentials of connected services, each sealed under a key of its own, in a vault that no person can read – not \
you, not an admin, not whoever runs this hub.

A record of every call made in your name: when, by which assistant, which tool, and how it ended. What was sent and \
answered is sealed under a key of yours for that day.

What you, or somebody in your name, did here or tried in vain, and from which address and browser or program it was \
asked.

# What it is used for

To carry out what you, or an assistant you let in, asked for; and to show you what was done. For nothing else: no \
advertising, no profiles, no training unless you allow it yourself.

# Who receives it

A service you connected receives the calls made to it, with your own credential there, and nothing about you beyond \
that. An assistant you let in receives the answers. Each has its own privacy policy.

If you are a member of an organization, its owners see that calls were made, and its auditors can read what was in \
one, with a reason. You see who did, and why.

# When it is gone

When you disconnect a service, the key of its credential is destroyed at once, then the credential itself. Copies in \
backups cannot be opened without that key; your receipt says by when its last backup is gone.

What a call sent and got can be opened for 30 days, and its record is kept for 365, unless whoever runs this hub has \
set other times. Then its key is destroyed, and nothing brings it back.

You can take everything along that is kept about you, and have it erased, on the page Your data.
"""
LONGEST: Final = 100_000
_NONE: Final = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, which may be empty, and the paragraphs below it."""

    title: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrivacyPolicy:
    """One version. `number` counts from 1; 0 is the template that nobody has made theirs."""

    number: int
    published_at: datetime | None
    published_by: str
    is_template: bool
    text: str

    @property
    def name(self) -> str:
        """What a consent is written down with."""
        if self.number == _NONE:
            return TEMPLATE_VERSION
        return f"{self.number} ({TEMPLATE_VERSION})" if self.is_template else str(self.number)

    @property
    def sections(self) -> Sequence[Section]:
        """A line that begins with # is a heading; an empty line ends a paragraph."""
        sections: list[tuple[str, list[str]]] = [("", [])]
        for block in self.text.replace("\r\n", "\n").split("\n\n"):
            block = block.strip()
            if block.startswith("#"):
                title, _, block = block.lstrip("#").strip().partition("\n")
                sections.append((title, []))
            if block.strip():
                sections[-1][1].append(" ".join(block.split()))
        return [Section(title, tuple(paragraphs)) for title, paragraphs in sections if title or paragraphs]


NOT_SET: Final = PrivacyPolicy(_NONE, None, "", True, TEMPLATE)


class NoPolicy(Conflict):
    """Nobody has said what becomes of people's data here."""

    code = "privacy_policy_not_set"


class Policies:
    """Keeps the versions, and who has seen which."""

    def __init__(self, database: Database, *, clock: Clock, trail: TrailWriter) -> None:
        self._database = database
        self._clock = clock
        self._trail = trail

    async def current(self) -> PrivacyPolicy:
        """The version that holds; `NOT_SET` when there is none."""
        async with self._database.read() as tx:
            row = await repository.find_last(tx)
        return NOT_SET if row is None else PrivacyPolicy(*row)

    async def get(self, number: int) -> PrivacyPolicy:
        """An earlier version. Raises `NotFound`."""
        async with self._database.read() as tx:
            row = await repository.find(tx, number)
        if row is None:
            raise NotFound("There is no such version of the privacy policy.")
        return PrivacyPolicy(*row)

    async def list(self) -> Sequence[PrivacyPolicy]:
        """Every version, the newest first."""
        async with self._database.read() as tx:
            return [PrivacyPolicy(*row) for row in await repository.list_all(tx)]

    async def demand(self) -> None:
        """Raises `NoPolicy` until there is one: nobody connects a service without being told what becomes of it."""
        if (await self.current()).number == _NONE:
            raise NoPolicy(
                "This hub has no privacy policy yet, so nothing can be connected.",
                hint="Whoever runs it publishes one, or accepts the template: on the page /privacy, or with "
                "`valetkey privacy accept`.",
            )

    async def publish(self, text: str, *, actor: str) -> PrivacyPolicy:
        """The operator's own words, as the next version. Raises `BadInput`; the same words again change nothing."""
        said = text.strip()
        if not 0 < len(said) <= LONGEST or any(not (one.isprintable() or one in "\n\r\t") for one in said):
            raise BadInput(f"A policy has 1 to {LONGEST:,} printable characters.", field="text")
        return await self._publish(said, is_template=False, actor=actor)

    async def accept(self, *, actor: str) -> PrivacyPolicy:
        """The operator makes the template theirs."""
        return await self._publish(TEMPLATE, is_template=True, actor=actor)

    async def is_news_to(self, person: Person) -> bool:
        """Whether the policy changed since this person last looked at it, or joined."""
        current = await self.current()
        if current.published_at is None or current.number < 2 or person.created_at >= current.published_at:
            return False
        async with self._database.read() as tx:
            return await repository.find_seen(tx, person.id) < current.number

    async def saw(self, person: Person, number: int) -> None:
        """The person has been shown this version."""
        async with self._database.write() as tx:
            await repository.set_seen(tx, person.id, number)

    async def _publish(self, text: str, *, is_template: bool, actor: str) -> PrivacyPolicy:
        before = await self.current()
        if before.number and before.text == text:
            return before
        new = PrivacyPolicy(before.number + 1, self._clock.now(), actor, is_template, text)
        async with self._database.write() as tx:
            if not await repository.add(tx, new.number, new.published_at, actor, is_template, text):
                raise Conflict("Somebody else is publishing a policy.", hint="Look at it, then try again.")
        said = {"version": new.name, "template": is_template}
        await self._trail.write("privacy_policy.published", actor=actor, object=str(new.number), detail=said)
        return new
