"""The machine's clock is set forward and back, an hour is there twice, a database has its own time (T44).

What has ended stays ended, however the clock is turned, and no token is renewed more often than it ends.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.authserver.assistants import WEB, Assistant
from tests.authserver.assistants import Browser as AuthBrowser
from tests.authserver.assistants import Hub as AuthHub
from tests.conftest import FakeClock
from tests.connections.conftest import Hub as ConnectionsHub
from tests.connections.outside import AuthServer, Service
from tests.identity.authenticator import Authenticator
from tests.identity.rooms import PUBLIC_URL
from tests.web.world import Browser, World, build_world
from valetkey.identity.model import Role
from valetkey.kernel.clock import SystemClock
from valetkey.kernel.errors import ValetkeyError
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.vault.root_keys.file import open_or_create

SOURCE = Path(__file__).resolve().parent.parent / "src/valetkey"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class Machine(FakeClock):
    """The product's own clock on a machine whose wall can be set, while what really passes only grows."""

    def __init__(self, start: datetime = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)) -> None:
        self.wall = start.timestamp()
        self.passed = 1000.0
        self._clock = SystemClock(wall=lambda: self.wall, monotonic=lambda: self.passed)

    def now(self) -> datetime:
        return self._clock.now()

    def time(self) -> float:
        return self._clock.time()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def advance(self, seconds: float) -> None:
        """Time passes; nobody asks the clock meanwhile."""
        self.wall += seconds
        self.passed += seconds

    def set(self, seconds: float) -> None:
        """Somebody sets the wall forward, or back, and the hub looks at it."""
        self.wall += seconds
        self._clock.now()


@dataclass
class House:
    """The rooms of a hub behind their doors, on one clock and one database."""

    machine: Machine
    world: World
    auth: AuthHub
    connections: ConnectionsHub
    service: Service
    server: AuthServer

    async def browser(self, role: Role = Role.MEMBER) -> Browser:
        return (await self.world.signed_in(new_id("person"), role=role))[0]

    async def assistant(self) -> Assistant:
        """An assistant, and Ada newly signed in to agree to what it asks."""
        cookie = await self.auth.rooms.sessions.begin(self.auth.ada, "passkey", "Firefox")
        self.auth.browser = AuthBrowser(self.auth, cookie)
        return self.auth.documented(WEB)


Works = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Thing:
    """Something that ends: after how many seconds, how it comes about, and whether using it uses it up."""

    name: str
    seconds: float
    begin: Callable[[House], Awaitable[Works]]
    once: bool = False


async def a_session(house: House) -> Works:
    browser = await house.browser()

    async def works() -> bool:
        return (await browser.get("/connections")).status_code == 200

    return works


async def powers(house: House) -> Works:
    browser = await house.browser(Role.OWNER)

    async def works() -> bool:
        return (await browser.get("/admin")).status_code == 200

    return works


async def a_proof_of_presence(house: House) -> Works:
    browser = await house.browser()

    async def works() -> bool:
        return (await browser.get("/settings/tokens/new")).status_code == 200

    return works


async def a_sign_in_link(house: House) -> Works:
    person = await house.world.person(new_id("person"), password="")
    token = (await house.world.services.links.issue(person.id, purpose="invite")).reveal().decode()

    async def works() -> bool:
        browser = house.world.browser()
        await browser.get(f"/signin/link/{token}")
        return (await browser.submit("/signin/link", {"token": token})).url.path == "/welcome"

    return works


async def a_passkey_challenge(house: House) -> Works:
    rooms, phone = house.auth.rooms, Authenticator(PUBLIC_URL)
    options, token = await rooms.passkeys.registration(house.auth.ada)
    answer = phone.create(options)

    async def works() -> bool:
        return await succeeds(rooms.passkeys.register(house.auth.ada, token, answer, "Phone"))

    return works


async def a_code(house: House) -> Works:
    assistant = await house.assistant()
    code = await assistant.code()

    async def works() -> bool:
        return (await assistant.redeem(code)).status_code == 200

    return works


async def an_access_token(house: House) -> Works:
    token = (await (await house.assistant()).tokens())["access_token"]

    async def works() -> bool:
        return await house.auth.works_at(token, "/mcp")

    return works


async def a_refresh_token(house: House) -> Works:
    assistant = await house.assistant()
    token = (await assistant.tokens())["refresh_token"]

    async def works() -> bool:
        return (await assistant.refresh(token)).status_code == 200

    return works


async def a_second_try_with_a_refresh_token(house: House) -> Works:
    assistant = await house.assistant()
    token = (await assistant.tokens())["refresh_token"]
    assert (await assistant.refresh(token)).status_code == 200

    async def works() -> bool:
        return (await assistant.refresh(token)).status_code == 200

    return works


async def a_personal_token(house: House) -> Works:
    token, _ = await house.auth.rooms.tokens.create_personal(house.auth.ada, new_id("x"), "/mcp", ["mcp"], 2 * HOUR)

    async def works() -> bool:
        return await house.auth.works_at(token.reveal().decode(), "/mcp")

    return works


async def a_ticket(house: House) -> Works:
    hub = house.connections
    connection = await connected(house)
    ticket = await hub.room.credentials.ticket(connection.id, person_id=connection.person_id, call_id="call_1")
    assert ticket is not None

    async def works() -> bool:
        try:
            ticket.write_into(memoryview(bytearray(ticket.size)))
        except ValetkeyError:
            return False
        return True

    return works


async def a_review(house: House) -> Works:
    hub = house.connections
    browser = hub.browser(await hub.person(new_id("person"), organization_id=new_id("org")))
    attempt = await hub.room.connecting.begin(browser, await hub.connector(browser.person, house.service.url))

    async def works() -> bool:
        agreeing = hub.room.connecting.accept(attempt.id, browser, attempt.facts.hash, attempt.facts.scopes)
        return await succeeds(agreeing)

    return works


async def a_state_at_a_service(house: House) -> Works:
    hub = house.connections
    browser = hub.browser(await hub.person(new_id("person"), organization_id=new_id("org")))
    attempt, url = await hub.go(browser, await hub.connector(browser.person, house.service.url))

    async def works() -> bool:
        return await succeeds(hub.come_back(browser, attempt, house.server.consent(url)))

    return works


async def connected(house: House) -> Any:
    hub = house.connections
    browser = hub.browser(await hub.person(new_id("person"), organization_id=new_id("org")))
    return await hub.connect(browser, await hub.connector(browser.person, house.service.url), house.server)


async def succeeds(trying: Awaitable[object]) -> bool:
    try:
        await trying
    except ValetkeyError:
        return False
    return True


THINGS = [
    Thing("a ticket", MINUTE, a_ticket, once=True),
    Thing("a code", MINUTE, a_code, once=True),
    Thing("a second try with a refresh token", MINUTE, a_second_try_with_a_refresh_token, once=True),
    Thing("a proof of presence", 5 * MINUTE, a_proof_of_presence),
    Thing("a passkey challenge", 5 * MINUTE, a_passkey_challenge, once=True),
    Thing("a review of a service", 10 * MINUTE, a_review, once=True),
    Thing("a state at a service", 10 * MINUTE, a_state_at_a_service, once=True),
    Thing("an access token", 10 * MINUTE, an_access_token),
    Thing("a sign-in link", 15 * MINUTE, a_sign_in_link, once=True),
    Thing("administrative powers", 30 * MINUTE, powers, once=True),
    Thing("a personal token", 2 * HOUR, a_personal_token),
    Thing("a session", 12 * HOUR, a_session, once=True),
    Thing("a refresh token", 30 * DAY, a_refresh_token, once=True),
]


@pytest.fixture
def clock() -> Machine:
    return Machine()


@pytest.fixture
async def house(
    sqlite_database: Database, keyring_database: Database, clock: Machine, tmp_path: Path
) -> AsyncIterator[House]:
    async with AuthServer() as server, Service(server) as service:
        world = await build_world(
            database=sqlite_database, keyring_database=keyring_database, clock=clock, folder=tmp_path
        )
        root = open_or_create(tmp_path / "keys" / "root.key", forbidden_below=(), may_create=False)
        connections = ConnectionsHub(sqlite_database, keyring_database, root, clock, tmp_path / "spool")
        await connections.vault.start("deployment")
        auth = AuthHub(sqlite_database, clock)
        await auth.open()
        yield House(clock, world, auth, connections, service, server)
        await connections.room.stop()
        await connections.upstreams.stop()
        await connections.outbound.close()


# --- what has ended stays ended --------------------------------------------------------------


def nobody_touches_it(machine: Machine, seconds: float) -> None:
    machine.advance(seconds)


def back_after(by: float) -> Callable[[Machine, float], None]:
    def turn(machine: Machine, seconds: float) -> None:
        machine.advance(seconds)
        machine.set(-by)

    return turn


def back_half_way(by: float) -> Callable[[Machine, float], None]:
    def turn(machine: Machine, seconds: float) -> None:
        machine.advance(seconds / 2)
        machine.set(-by)
        machine.advance(seconds / 2)

    return turn


def forward_and_back(by: float) -> Callable[[Machine, float], None]:
    def turn(machine: Machine, seconds: float) -> None:
        machine.set(by)
        machine.advance(seconds / 2)
        machine.set(-by)
        machine.advance(seconds / 2)

    return turn


def trembling(machine: Machine, seconds: float) -> None:
    for _ in range(20):
        machine.advance(seconds / 20)
        machine.set(-10 * MINUTE)
        machine.set(10 * MINUTE)
    machine.set(-10 * MINUTE)


def smeared(machine: Machine, seconds: float) -> None:
    """A leap second: the wall runs slower for a day, and is a second behind at its end."""
    machine.advance(seconds)
    machine.set(-1.5)


TURNS: dict[str, Callable[[Machine, float], None]] = {
    "nobody touches it": nobody_touches_it,
    "it is set back ten minutes after the end": back_after(10 * MINUTE),
    "it is set back an hour after the end": back_after(HOUR),
    "it is set back ten minutes half way": back_half_way(10 * MINUTE),
    "it is set back an hour half way": back_half_way(HOUR),
    "it is set back a year after the end": back_after(365 * DAY),
    "it is set forward ten minutes and back": forward_and_back(10 * MINUTE),
    "it is set forward an hour and back": forward_and_back(HOUR),
    "it trembles by ten minutes": trembling,
    "a leap second is smeared": smeared,
}


@pytest.mark.parametrize("turn", TURNS)
async def test_what_has_ended_is_not_accepted_when(house: House, turn: str) -> None:
    for thing in THINGS:
        works = await thing.begin(house)
        if not thing.once:
            assert await works(), f"{thing.name}, which may be remembered now"

        TURNS[turn](house.machine, thing.seconds + 1)

        assert not await works(), thing.name


async def test_what_has_not_ended_is_accepted_to_its_last_second(house: House) -> None:
    """Else the test above would prove nothing."""
    for thing in THINGS:
        works = await thing.begin(house)
        house.machine.advance(thing.seconds - 1)

        assert await works(), thing.name


async def test_a_clock_that_is_set_an_hour_forward_ends_things_early_and_never_late(house: House) -> None:
    """A ticket is the exception: it measures what passed, and nothing has."""
    for thing in (thing for thing in THINGS if thing.seconds <= HOUR and thing.name != "a ticket"):
        works = await thing.begin(house)

        house.machine.set(HOUR)

        assert not await works(), thing.name


# --- an hour that is there twice, or not at all --------------------------------------------------------------


SUMMER_TIME = [datetime(2027, 3, 28, 1, 0, tzinfo=UTC), datetime(2027, 10, 31, 1, 0, tzinfo=UTC)]


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("side", ["before its end", "after its end"])
@pytest.mark.parametrize("change", SUMMER_TIME)
async def test_summer_time_makes_nothing_longer_or_shorter(house: House, change: datetime, side: str) -> None:
    if not time.daylight:
        pytest.fail("This machine knows no time zones, so there was nothing to see.")
    house.machine.set((change - house.machine.now()).total_seconds() - 30)
    for thing in THINGS:
        works = await thing.begin(house)
        house.machine.advance(thing.seconds + (1 if side == "after its end" else -1))

        assert await works() is (side == "before its end"), thing.name


# --- the database has its own time --------------------------------------------------------------

_ASKS_THE_DATABASE = re.compile(
    r"\b(?:now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|strftime|julianday|unixepoch)\s*\("
    r"|\bcurrent_(?:timestamp|time|date)\b|\blocaltime(?:stamp)?\b",
    re.IGNORECASE,
)


async def test_no_statement_asks_the_database_what_time_it_is(house: House) -> None:
    """So a database whose clock is wrong makes nothing live longer: it is never asked."""
    said: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        for thing in THINGS:
            assert await (await thing.begin(house))(), thing.name
    finally:
        event.remove(Engine, "before_cursor_execute", hear)

    assert len(said) > 100
    assert [statement for statement in said if _ASKS_THE_DATABASE.search(statement)] == []


def test_no_table_and_no_repository_takes_the_databases_time() -> None:
    """Those statements too that the story above does not come by, and defaults that tables set."""
    places = [*SOURCE.rglob("*repository.py"), *(SOURCE / "store").rglob("*.py")]
    pattern = re.compile(r"func\.(?:now|current_\w+|localtime\w*|clock_timestamp)|onupdate=|" + r"current_timestamp")

    assert len(places) > 20
    assert [path.name for path in places if pattern.search(path.read_text())] == []


# --- no storm of refreshes --------------------------------------------------------------


def refreshes(server: AuthServer) -> Counter[str]:
    """How often each refresh token was used."""
    posts = [asked.form for asked in server.posts("/token")]
    return Counter(form["refresh_token"] for form in posts if form["grant_type"] == "refresh_token")


async def ask_many(house: House, connection: Any) -> set[str]:
    tokens = await asyncio.gather(*(house.connections.bearer(connection) for _ in range(20)))
    await house.connections.room.refreshing.settle(connection.id, seconds=5)
    return set(tokens)


@pytest.mark.parametrize(
    ("steps", "most"),
    [
        ([10 * MINUTE, -10 * MINUTE] * 5, 0),
        ([-10 * MINUTE, 10 * MINUTE] * 5, 0),
        ([HOUR, -HOUR] * 5, 1),
        ([-HOUR, HOUR] * 5, 0),
        ([HOUR], 1),
        ([-HOUR] * 5, 0),
        ([58 * MINUTE, -58 * MINUTE] * 3, 1),
    ],
    ids=[
        "ten minutes to and fro", "fro and to", "an hour to and fro", "an hour fro and to", "an hour forward",
        "back and back", "into the margin and out",
    ],
)  # fmt: skip
async def test_a_turned_clock_renews_a_token_at_most_once(house: House, steps: list[float], most: int) -> None:
    connection = await connected(house)
    await ask_many(house, connection)

    for step in steps:
        house.machine.set(step)
        await ask_many(house, connection)

    used = refreshes(house.server)
    assert set(used.values()) <= {1}
    assert used.total() <= most
    (token,) = await ask_many(house, connection)
    assert house.server.lets_in(token)


async def test_after_a_turned_clock_tokens_are_renewed_again_when_they_end(house: House) -> None:
    connection = await connected(house)
    house.machine.set(HOUR)
    await ask_many(house, connection)
    house.machine.set(-HOUR)

    for _ in range(3):
        before = refreshes(house.server).total()
        house.machine.advance(HOUR)
        await ask_many(house, connection)
        assert refreshes(house.server).total() == before + 1

    assert set(refreshes(house.server).values()) == {1}
