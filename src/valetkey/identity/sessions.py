"""Browser sessions: an opaque cookie value, stored as a hash, that ends by itself (security.md 5.1).

Idle for 12 hours or seven days old, whichever is first. What needs a person who was just there asks `is_fresh`.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from valetkey.identity import session_repository as repository
from valetkey.identity.model import BrowserSession, Person, SignInMethod
from valetkey.identity.remembered import Remembered
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotFound
from valetkey.kernel.ids import new_id, new_token
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
_FRESH = timedelta(minutes=5)
_SEEN_EVERY = timedelta(minutes=1)
_LONGEST_COOKIE = 100
_NOBODY = Secret(b"")


class Sessions:
    """Begins, finds and ends sessions. What it finds is remembered for at most ten seconds."""

    def __init__(self, database: Database, *, clock: Clock, notifications: Notifications) -> None:
        self._database = database
        self._clock = clock
        self._notifications = notifications
        self._remembered = Remembered[BrowserSession](
            clock=clock, notifications=notifications, topics=("sessions", "people"), most=10_000, seconds=10.0
        )

    async def begin(
        self, person: Person, method: SignInMethod, user_agent: str, *, replacing: Secret = _NOBODY
    ) -> Secret:
        """A new session; its cookie value. `replacing` is the cookie the browser came with: it ends (fixation)."""
        now = self._clock.now()
        cookie = new_token("vks")
        session = BrowserSession(
            id=new_id("session"),
            person=person,
            method=method,
            csrf=secrets.token_urlsafe(32),
            user_agent="".join(char for char in user_agent if char.isprintable())[:200],
            created_at=now,
            authenticated_at=now,
            last_seen_at=now,
            expires_at=now + LONGEST,
        )
        async with self._database.write() as tx:
            if replacing:
                await repository.end_by_digest(tx, replacing.digest())
            await repository.add(tx, cookie.digest(), session)
        await self._notifications.publish("sessions", person.id)
        return cookie

    async def find(self, cookie: Secret) -> BrowserSession | None:
        """The live session of this cookie value, or `None`: unknown, ended, idle, too old, or its person disabled."""
        if not cookie or len(cookie) > _LONGEST_COOKIE:
            return None
        digest = cookie.digest()
        key = bytes.fromhex(digest)
        drops = self._remembered.drops
        session = self._remembered.get(key)
        if session is None:
            async with self._database.read() as tx:
                session = await repository.find(tx, digest)
        now = self._clock.now()
        if session is None or session.expires_at <= now or session.last_seen_at + IDLE <= now:
            return None
        if now - session.last_seen_at >= _SEEN_EVERY:
            async with self._database.write() as tx:
                await repository.touch(tx, session.id, now)
                session = await repository.find(tx, digest)
            if session is None:
                return None
        self._remembered.put(key, session.person.id, session, drops_before=drops)
        return session

    def is_fresh(self, session: BrowserSession) -> bool:
        """Whether the person proved who they are in the last five minutes; a link proves nothing of the kind."""
        return session.method != "link" and self._clock.now() - session.authenticated_at <= _FRESH

    async def end(self, session_id: str) -> None:
        """Signs this session out. Ending an ended one is fine."""
        async with self._database.write() as tx:
            person_id = await repository.end(tx, session_id)
        if person_id is not None:
            await self._notifications.publish("sessions", person_id)

    async def end_one_of(self, person_id: str, session_id: str) -> None:
        """Signs out one of the person's own sessions, from their list. Raises `NotFound`."""
        async with self._database.write() as tx:
            ended = await repository.end_one_of(tx, person_id, session_id)
        if not ended:
            raise NotFound("There is no such session.")
        await self._notifications.publish("sessions", person_id)

    async def end_all(self, person_id: str) -> None:
        """Signs the person out everywhere."""
        async with self._database.write() as tx:
            await repository.end_all(tx, person_id)
        await self._notifications.publish("sessions", person_id)

    async def end_others(self, session: BrowserSession) -> None:
        """Signs the person out everywhere but here: after a new password, say."""
        async with self._database.write() as tx:
            await repository.end_others(tx, session.person.id, session.id)
        await self._notifications.publish("sessions", session.person.id)

    async def list(self, person_id: str) -> list[BrowserSession]:
        """The person's live sessions, last seen first."""
        now = self._clock.now()
        async with self._database.read() as tx:
            return await repository.list_of(tx, person_id, now, now - IDLE)
