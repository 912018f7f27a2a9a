"""Browser sessions: an opaque cookie value, stored as a hash, that ends by itself (security.md 5.1).

Three clocks run in one session, so that an owner's shorter limits do not sign them out of their own things:

- it ends when idle for 12 hours or seven days old, whichever is first;
- what a role gives beyond one's own things rests after 30 idle minutes or eight hours (`has_powers`);
- what changes who can get in needs a person who was there in the last five minutes (`is_fresh`).

Signing in again wakes both, in a new session under a new id.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from valetkey.identity import session_repository as repository
from valetkey.identity.model import BrowserSession, Person, SignInMethod
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import Forbidden, NotFound
from valetkey.kernel.ids import new_id, new_token
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.remembered import Remembered

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
POWERS_IDLE = timedelta(minutes=30)
POWERS_LONGEST = timedelta(hours=8)
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
        self._remembered: Remembered[bytes, BrowserSession] = Remembered(
            notifications, "sessions", "people", clock=clock, most=10_000, seconds=10.0
        )

    async def begin(
        self,
        person: Person,
        method: SignInMethod,
        user_agent: str,
        *,
        replacing: Secret = _NOBODY,
        proved_at: datetime | None = None,
    ) -> Secret:
        """A new session; its cookie value. `replacing` is the cookie the browser came with: it ends (fixation).

        `proved_at` is when the person proved who they are, where that was elsewhere and earlier. Raises `Forbidden` for
        a way in that the person's organization has closed.
        """
        now = self._clock.now()
        cookie = new_token("vks")
        session = BrowserSession(
            id=new_id("session"),
            person=person,
            method=method,
            csrf=secrets.token_urlsafe(32),
            user_agent="".join(char for char in user_agent if char.isprintable())[:200],
            created_at=now,
            authenticated_at=min(now, proved_at or now),
            last_seen_at=now,
            powers_seen_at=now,
            expires_at=now + LONGEST,
            has_passkey=method == "passkey",
        )
        async with self._database.write() as tx:
            if method != "openid" and await repository.must_use_provider(tx, person.id):
                before = await repository.find(tx, replacing.digest()) if replacing else None
                if before is None or before.person.id != person.id or before.expires_at <= now:
                    raise Forbidden(
                        "Your organization has its people sign in through its own identity provider.",
                        hint="Use “Through my organization” on the sign-in page.",
                    )
                # They came in by it; more proof than that is welcome, and lets them stay no longer.
                session = replace(session, expires_at=before.expires_at)
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
        session = self._remembered.now(key)
        if session is None:
            async with self._database.read() as tx:
                session = await repository.find(tx, digest)
        now = self._clock.now()
        if session is None or session.expires_at <= now or session.last_seen_at + IDLE <= now:
            return None
        if now - session.last_seen_at >= _SEEN_EVERY:
            async with self._database.write() as tx:
                await repository.touch(tx, session.id, now, powers_seen_after=now - POWERS_IDLE)
                session = await repository.find(tx, digest)
            if session is None:
                return None
        self._remembered.put(key, session, owner=session.person.id, drops_before=drops)
        return session

    def is_fresh(self, session: BrowserSession) -> bool:
        """Whether the person proved who they are in the last five minutes, by the best means they have.

        A link proves nothing of the kind, and a password, here or at a provider, no more once there is a passkey: it
        can be phished.
        """
        proven = session.method == "passkey" or (session.method in ("password", "openid") and not session.has_passkey)
        return proven and self._clock.now() - session.authenticated_at <= _FRESH

    def has_powers(self, session: BrowserSession) -> bool:
        """Whether the session may still do what its person's role gives them beyond their own things."""
        now = self._clock.now()
        return (
            session.method != "link"
            and now - session.powers_seen_at < POWERS_IDLE
            and now - session.authenticated_at < POWERS_LONGEST
        )

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
