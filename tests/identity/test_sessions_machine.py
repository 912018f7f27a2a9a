"""Browser sessions against a model: who is signed in, for how long, and with what powers (T49, security.md 5.1)."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.identity.rooms import Rooms
from tests.machines import Machine, play, several
from valetkey.identity.model import BrowserSession, SignInMethod
from valetkey.kernel.secret import Secret

MINUTE, HOUR = 60.0, 3600.0
methods = st.sampled_from(["passkey", "password", "link"])


@dataclass
class Known:
    """One session: its cookie, and what the hub should make of it."""

    cookie: Secret
    person: str
    method: SignInMethod
    began: float
    seen: float
    powers: float
    is_over: bool = False


class SessionsMachine(Machine):
    @initialize()
    def begin(self) -> None:
        self.rooms = Rooms(self.store(), self.clock)
        self.people = {login: self.run(self.rooms.person(login)) for login in ("ada", "grace")}
        self.sessions: list[Known] = []

    def is_there(self, one: Known) -> bool:
        now = self.clock.time()
        return not one.is_over and now - one.began < 7 * 24 * HOUR and now - one.seen < 12 * HOUR

    @rule(login=st.sampled_from(["ada", "grace"]), method=methods, data=st.data())
    def sign_in(self, login: str, method: SignInMethod, data: st.DataObject) -> None:
        before = data.draw(st.none() | st.sampled_from(self.sessions)) if self.sessions else None
        cookie = self.run(
            self.rooms.sessions.begin(
                self.people[login], method, "Firefox", replacing=before.cookie if before else Secret(b"")
            )
        )
        if before is not None:
            before.is_over = True
            # Who had the planted cookie hears of it by notification if it was the same person's, else within seconds.
            self.clock.advance(11)
        now = self.clock.time() - (11 if before is not None else 0)
        self.sessions.append(Known(cookie, login, method, now, now, now))

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.sessions))
        found = self.run(self.rooms.sessions.find(one.cookie))
        if not self.is_there(one):
            assert found is None
            return
        assert found is not None
        assert found.person.login == one.person
        now = self.clock.time()
        if now - one.seen >= MINUTE:
            one.seen = now
            one.powers = now if now - one.powers < 30 * MINUTE else one.powers
        self.means(one, found, now)

    def means(self, one: Known, found: BrowserSession, now: float) -> None:
        may = one.method != "link" and now - one.powers < 30 * MINUTE and now - one.began < 8 * HOUR
        assert self.rooms.sessions.has_powers(found) is may
        assert self.rooms.sessions.is_fresh(found) is (one.method != "link" and now - one.began <= 5 * MINUTE)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), how=st.sampled_from(["end", "others", "all"]))
    def sign_out(self, data: st.DataObject, how: str) -> None:
        one = data.draw(st.sampled_from(self.sessions))
        found = self.run(self.rooms.sessions.find(one.cookie))
        if found is None:
            return
        one.seen = self.clock.time() if self.clock.time() - one.seen >= MINUTE else one.seen
        one.powers = found.powers_seen_at.timestamp()
        sessions = self.rooms.sessions
        if how == "end":
            self.run(sessions.end(found.id))
        elif how == "others":
            self.run(sessions.end_others(found))
        else:
            self.run(sessions.end_all(found.person.id))
        for other in self.sessions:
            if other.person == one.person and (how != "end" or other is one):
                other.is_over = other.is_over or how != "others" or other is not one

    @rule()
    def another_replica_answers(self) -> None:
        self.rooms = self.rooms.another_replica()

    @rule(seconds=st.sampled_from([5, 59, 61, 4 * MINUTE, 29 * MINUTE, 31 * MINUTE, 7 * HOUR, 11 * HOUR, 13 * HOUR]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)


@several
def test_whatever_happens_who_is_signed_in_is_who_should_be(runs: int) -> None:
    play(SessionsMachine, runs=runs, steps=25)
