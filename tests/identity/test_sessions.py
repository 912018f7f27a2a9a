"""Browser sessions."""

from __future__ import annotations

import pytest

from tests.identity.rooms import Rooms
from valetkey.identity.model import BrowserSession, Person, Role
from valetkey.kernel.errors import NotFound
from valetkey.kernel.secret import Secret
from valetkey.store.schema import passkey

HOUR = 3600.0
MINUTE = 60.0


async def test_a_session_is_found_by_its_cookie_and_by_nothing_else(rooms: Rooms) -> None:
    ada = await rooms.person()
    cookie = await rooms.sessions.begin(ada, "passkey", "Firefox")

    session = await rooms.sessions.find(cookie)

    assert session is not None
    assert (session.person, session.method) == (ada, "passkey")
    for other in (session.id, session.csrf, cookie.digest(), "", "vks_nonsense", "x" * 5000):
        assert await rooms.sessions.find(Secret(other)) is None


async def test_the_database_does_not_hold_the_cookie(rooms: Rooms) -> None:
    cookie = await rooms.sessions.begin(await rooms.person(), "passkey", "Firefox")

    async with rooms.database.read() as tx:
        rows = (await tx.exec_driver_sql("select * from browser_session")).all()

    assert cookie.reveal().decode() not in repr(rows)


async def test_twelve_idle_hours_end_a_session_and_use_keeps_it(rooms: Rooms) -> None:
    cookie = await rooms.sessions.begin(await rooms.person(), "passkey", "Firefox")

    for _ in range(3):
        rooms.clock.advance(11.9 * HOUR)
        assert await rooms.sessions.find(cookie) is not None
    rooms.clock.advance(12 * HOUR)

    assert await rooms.sessions.find(cookie) is None


async def test_seven_days_end_a_session_however_busy(quick_rooms: Rooms) -> None:
    cookie = await quick_rooms.sessions.begin(await quick_rooms.person(), "passkey", "Firefox")

    for _ in range(7 * 4 - 1):
        quick_rooms.clock.advance(6 * HOUR)
        assert await quick_rooms.sessions.find(cookie) is not None
    quick_rooms.clock.advance(6 * HOUR)

    assert await quick_rooms.sessions.find(cookie) is None


async def test_signing_in_ends_the_session_the_browser_came_with(quick_rooms: Rooms) -> None:
    """Else somebody who planted a cookie beforehand would be signed in as well."""
    ada = await quick_rooms.person()
    planted = await quick_rooms.sessions.begin(ada, "link", "Firefox")

    cookie = await quick_rooms.sessions.begin(ada, "passkey", "Firefox", replacing=planted)

    assert await quick_rooms.sessions.find(planted) is None
    assert await quick_rooms.sessions.find(cookie) is not None


async def test_only_somebody_who_was_just_there_is_fresh_and_a_link_proves_nothing(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    by_passkey = await quick_rooms.sessions.find(await quick_rooms.sessions.begin(ada, "passkey", ""))
    by_link = await quick_rooms.sessions.find(await quick_rooms.sessions.begin(ada, "link", ""))
    assert by_passkey is not None
    assert by_link is not None

    assert quick_rooms.sessions.is_fresh(by_passkey)
    assert not quick_rooms.sessions.is_fresh(by_link)
    quick_rooms.clock.advance(301)
    assert not quick_rooms.sessions.is_fresh(by_passkey)


async def test_a_password_does_not_prove_who_is_there_once_there_is_a_passkey(quick_rooms: Rooms) -> None:
    """Else a phished password would be enough to put in a passkey of one's own."""
    ada = await quick_rooms.person()
    cookie = await quick_rooms.sessions.begin(ada, "password", "")
    alone = await found(quick_rooms, cookie)
    await give_a_passkey(quick_rooms, ada)
    quick_rooms.clock.advance(61)

    beside = await found(quick_rooms, cookie)
    by_passkey = await found(quick_rooms, await quick_rooms.sessions.begin(ada, "passkey", ""))

    assert quick_rooms.sessions.is_fresh(alone)
    assert not quick_rooms.sessions.is_fresh(beside)
    assert quick_rooms.sessions.is_fresh(by_passkey)


async def test_thirty_idle_minutes_rest_the_powers_of_a_role_and_coming_back_does_not_wake_them(rooms: Rooms) -> None:
    cookie = await rooms.sessions.begin(await rooms.person(), "password", "Firefox")

    for _ in range(5):
        rooms.clock.advance(29 * MINUTE)
        assert rooms.sessions.has_powers(await found(rooms, cookie))
    rooms.clock.advance(30 * MINUTE)
    for _ in range(3):
        assert not rooms.sessions.has_powers(await found(rooms, cookie))
        rooms.clock.advance(2 * MINUTE)


async def test_eight_hours_rest_the_powers_of_a_role_however_busy(quick_rooms: Rooms) -> None:
    cookie = await quick_rooms.sessions.begin(await quick_rooms.person(), "password", "Firefox")

    for _ in range(8 * 3 - 1):
        quick_rooms.clock.advance(20 * MINUTE)
        assert quick_rooms.sessions.has_powers(await found(quick_rooms, cookie))
    quick_rooms.clock.advance(20 * MINUTE)

    assert not quick_rooms.sessions.has_powers(await found(quick_rooms, cookie))


async def test_a_session_begun_by_a_link_has_no_powers(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()

    assert not quick_rooms.sessions.has_powers(
        await found(quick_rooms, await quick_rooms.sessions.begin(ada, "link", ""))
    )


async def test_another_role_wants_a_new_session_before_it_can_be_used(rooms: Rooms) -> None:
    """Session ids rotate with privileges: one that was seen while it was worth little must not become worth more."""
    await rooms.person()
    bob = await rooms.person("bob", Role.MEMBER)
    cookie = await rooms.sessions.begin(bob, "password", "Firefox")
    await found(rooms, cookie)

    await rooms.people.set_role(bob.id, Role.ADMIN)

    session = await found(rooms, cookie)
    assert session.person.role is Role.ADMIN
    assert not rooms.sessions.has_powers(session)
    again = await rooms.sessions.begin(bob, "password", "Firefox", replacing=cookie)
    assert rooms.sessions.has_powers(await found(rooms, again))
    assert await rooms.sessions.find(cookie) is None


async def found(rooms: Rooms, cookie: Secret) -> BrowserSession:
    session = await rooms.sessions.find(cookie)
    assert session is not None
    return session


async def give_a_passkey(rooms: Rooms, person: Person) -> None:
    row = {
        "id": "pk_1",
        "person_id": person.id,
        "credential_id": b"1",
        "public_key": b"1",
        "sign_count": 0,
        "name": "Key",
        "created_at": rooms.clock.now(),
    }
    async with rooms.database.write() as tx:
        await tx.execute(passkey.insert().values(row))


async def test_a_session_is_ended_at_once_where_others_remembered_it(rooms: Rooms) -> None:
    ada = await rooms.person()
    cookie = await rooms.sessions.begin(ada, "passkey", "Firefox")
    session = await rooms.sessions.find(cookie)
    assert session is not None

    await rooms.sessions.end(session.id)

    assert await rooms.sessions.find(cookie) is None


async def test_a_person_ends_their_own_sessions_only(rooms: Rooms) -> None:
    ada, bob = await rooms.person(), await rooms.person("bob", Role.MEMBER)
    cookie = await rooms.sessions.begin(ada, "passkey", "Firefox")
    session = await rooms.sessions.find(cookie)
    assert session is not None

    with pytest.raises(NotFound):
        await rooms.sessions.end_one_of(bob.id, session.id)
    assert await rooms.sessions.find(cookie) is not None
    await rooms.sessions.end_one_of(ada.id, session.id)
    assert await rooms.sessions.find(cookie) is None


async def test_signing_out_everywhere_else_leaves_this_browser_in(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    here, there = [await quick_rooms.sessions.begin(ada, "passkey", name) for name in ("here", "there")]
    session = await quick_rooms.sessions.find(here)
    assert session is not None

    await quick_rooms.sessions.end_others(session)

    assert await quick_rooms.sessions.find(here) is not None
    assert await quick_rooms.sessions.find(there) is None
    await quick_rooms.sessions.end_all(ada.id)
    assert await quick_rooms.sessions.find(here) is None


async def test_the_list_shows_live_sessions_of_that_person_with_bounded_names(quick_rooms: Rooms) -> None:
    ada, bob = await quick_rooms.person(), await quick_rooms.person("bob", Role.MEMBER)
    await quick_rooms.sessions.begin(ada, "passkey", "old")
    quick_rooms.clock.advance(13 * HOUR)
    await quick_rooms.sessions.begin(ada, "passkey", "Firefox\n\x1b[31m" + "x" * 500)
    await quick_rooms.sessions.begin(bob, "passkey", "Bob's")

    listed = await quick_rooms.sessions.list(ada.id)

    assert [len(session.user_agent) for session in listed] == [200]
    assert listed[0].user_agent.startswith("Firefox[31m")


async def test_every_session_has_a_form_token_of_its_own(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    sessions = [await quick_rooms.sessions.find(await quick_rooms.sessions.begin(ada, "passkey", "")) for _ in range(3)]

    assert len({session.csrf for session in sessions if session}) == 3
    assert all(session and len(session.csrf) >= 43 for session in sessions)
