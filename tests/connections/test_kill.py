"""T43: `kill -9` between any two writes of connecting, refreshing and disconnecting, and what a restart makes of it.

On PostgreSQL (`./x test --long`) also with the database down from that point on, until the next start.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from tests.conftest import FakeClock
from tests.connections.conftest import Hub, OpenHub
from tests.connections.nursery import Nursery, Play
from tests.connections.outside import Answer, AuthServer, Service
from tests.databases import bring_up, take_down
from valetkey import connections
from valetkey.connections.model import Connection, State
from valetkey.connections.points import Point
from valetkey.connections.refresh import Outcome
from valetkey.connections.repository import Seen
from valetkey.identity.model import BrowserSession
from valetkey.kernel import failpoints
from valetkey.kernel.errors import NotConnected, NotFound
from valetkey.store.schema import data_key, secret, trail_event

KILLED = -9
REFRESH = [point for point in Point if point.startswith("refresh.")]
CONNECT = [point for point in Point if point.startswith("connect.")]
LONG_ONES = [pytest.param(name, marks=pytest.mark.long) for name in ("postgresql", "postgresql goes down")]
DISCONNECT = [point for point in Point if point.startswith("disconnect.")]


@pytest.fixture(params=["sqlite", *LONG_ONES])
def engine(request: pytest.FixtureRequest) -> str:
    """On both; on PostgreSQL in the long run, once up and once down from the point on, until the next start."""
    return str(request.param).partition(" ")[0]


@pytest.fixture
def goes_down(request: pytest.FixtureRequest) -> bool:
    return request.node.callspec.params.get("engine") == "postgresql goes down"  # type: ignore[no-any-return]  # pytest's


@pytest.fixture
def clock() -> FakeClock:
    """The children live in the time there is."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    one = Nursery()
    yield one
    one.close()


@dataclass(frozen=True)
class Children:
    """Where what is to be killed is played; a database that went down meanwhile is up again after."""

    nursery: Nursery
    main: str
    goes_down: bool

    async def play(self, play: Play) -> list[int]:
        statuses = await self.nursery.play(replace(play, goes_down=self.goes_down))
        if self.goes_down:
            await bring_up(self.main)
        return statuses


@pytest.fixture
def children(nursery: Nursery, stores: tuple[str, str], goes_down: bool) -> Children:
    return Children(nursery, stores[0], goes_down)


@pytest.fixture
async def connection(hub: Hub, ada: BrowserSession, service: Service, server: AuthServer) -> Connection:
    return await hub.connect(ada, await hub.connector(ada.person, service.url), server)


def _play(verb: str, hub: Hub, connection: Connection, stores: tuple[str, str], tmp_path: Path, **more: object) -> Play:
    return Play(
        verb, *stores, str(tmp_path / "keys" / "root.key"), str(hub.spool), connection.person_id, connection.id,
        **more,  # type: ignore[arg-type]  # named as the fields are
    )  # fmt: skip


async def _restarted(open_hub: OpenHub, clock: FakeClock) -> Hub:
    """As after `kill -9`, when the dead one's lease has run out."""
    clock.advance(46)
    hub = open_hub()
    await hub.vault.start("dep_test")
    await hub.room.start()
    await hub.room.disconnecting.stop()
    return hub


async def _works(hub: Hub, connection: Connection, server: AuthServer) -> bool:
    try:
        return server.lets_in(await hub.bearer(connection))
    except NotConnected:
        return False


async def _sealed(hub: Hub) -> set[str]:
    async with hub.main.read() as tx:
        subjects = set(await tx.scalars(select(secret.c.subject)))
    return {subject for subject in subjects if not subject.startswith("client:")}


# --- refresh ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", [point for point in REFRESH if point is not Point.REFRESH_ENDED])
async def test_killed_while_refreshing_the_family_lives(
    hub: Hub,
    open_hub: OpenHub,
    children: Children,
    connection: Connection,
    server: AuthServer,
    stores: tuple[str, str],
    tmp_path: Path,
    clock: FakeClock,
    point: Point,
    goes_down: bool,
) -> None:
    """But for one place: the server has rotated, and not one byte of that was kept. Then one clean *reconnect*."""
    statuses = await children.play(_play("refresh", hub, connection, stores, tmp_path, point=point))
    after = await _restarted(open_hub, clock)
    assert statuses == [KILLED]
    clock.advance(3600)  # what it got, or held before, is used up: only a living family gives more

    if point is Point.REFRESH_ANSWERED and not goes_down:  # without the database it still reached the spool
        with pytest.raises(NotConnected) as caught:
            await after.bearer(connection)
        assert caught.value.reason == "reconnect"
        return
    assert server.lets_in(await after.bearer(connection))
    clock.advance(3600)
    assert server.lets_in(await after.bearer(connection))
    assert list(hub.spool.glob("*")) == []
    async with after.keyring.read() as tx:
        purposes = set(await tx.scalars(select(data_key.c.purpose).where(data_key.c.subject == connection.id)))
    assert purposes == {"access_token", "refresh_token"}


async def test_killed_after_the_server_ended_the_grant_nothing_is_kept(
    hub: Hub,
    open_hub: OpenHub,
    children: Children,
    connection: Connection,
    server: AuthServer,
    stores: tuple[str, str],
    tmp_path: Path,
    clock: FakeClock,
) -> None:
    server.failures.append(Answer(400, {"error": "invalid_grant"}))
    statuses = await children.play(_play("refresh", hub, connection, stores, tmp_path, point=Point.REFRESH_ENDED))

    after = await _restarted(open_hub, clock)

    assert statuses == [KILLED]
    assert (await after.now(connection)).state is State.RECONNECT
    assert await _sealed(after) == set()


@pytest.mark.parametrize("point", [Point.REFRESH_SPOOLED, Point.REFRESH_SEALED])
async def test_a_database_that_fails_after_the_answer_loses_nothing_in_a_process_that_lives(
    hub: Hub, connection: Connection, server: AuthServer, point: Point, goes_down: bool
) -> None:
    class Down(Exception):
        pass

    main = hub.main.url.render_as_string(hide_password=False)

    def fails(reached: str) -> None:
        if reached == point:
            if not goes_down:
                raise Down
            take_down(main)

    with _listening(fails), pytest.raises((Down, SQLAlchemyError)):
        await hub.room.refreshing.refresh(Seen.of(connection))
    if goes_down:
        await bring_up(main)
    outcome = await hub.room.refreshing.refresh(Seen.of(connection))
    hub.clock.advance(3600)

    assert outcome is Outcome.FRESH
    assert server.lets_in(await hub.bearer(connection))
    assert all(grant.is_live for grant in server.access.values())


# --- connect ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
@pytest.mark.parametrize("point", CONNECT)
async def test_killed_while_connecting_nothing_is_half_connected_and_the_person_can_begin_again(
    hub: Hub,
    open_hub: OpenHub,
    children: Children,
    ada: BrowserSession,
    service: Service,
    server: AuthServer,
    stores: tuple[str, str],
    tmp_path: Path,
    clock: FakeClock,
    point: Point,
    again: bool,
) -> None:
    connector = await hub.connector(ada.person, service.url)
    if again:
        await hub.connect(ada, connector, server)
    attempt, url = await hub.go(ada, connector)
    connection = await hub.room.connections.get(ada.person.id, attempt.connection_id)
    params, issuer_hash = server.consent(url), attempt.facts.callback.rpartition("/")[2]
    finish = _play(
        "finish", hub, connection, stores, tmp_path,
        point=point, session_id=ada.id, issuer_hash=issuer_hash, params=params,
    )  # fmt: skip

    statuses = await children.play(finish)
    after = await _restarted(open_hub, clock)

    assert statuses == [KILLED]
    with pytest.raises(NotFound):
        await after.room.connecting.finish(params, ada, issuer_hash=issuer_hash)
    state = (await after.now(connection)).state
    usable = await _works(after, connection, server)
    # The old consent until the new one has taken its place, as one.
    assert usable is (again or point is Point.CONNECT_WRITTEN)
    if state is State.NOT_CONNECTED:
        assert await _sealed(after) == set()
    assert await _sealed(after) <= {connection.id}  # the proof key of the attempt is gone
    fresh = await after.connect(ada, connector, server)
    assert server.lets_in(await after.bearer(fresh))


# --- disconnect -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", DISCONNECT)
async def test_killed_while_disconnecting_the_next_start_finishes_it(
    hub: Hub,
    open_hub: OpenHub,
    children: Children,
    ada: BrowserSession,
    connection: Connection,
    server: AuthServer,
    stores: tuple[str, str],
    tmp_path: Path,
    clock: FakeClock,
    point: Point,
) -> None:
    statuses = await children.play(_play("disconnect", hub, connection, stores, tmp_path, point=point))
    with pytest.raises(NotConnected):
        await hub.bearer(connection)  # in another process, at once
    after = await _restarted(open_hub, clock)

    assert statuses == [KILLED]
    assert (await after.now(connection)).state is State.NOT_CONNECTED
    assert await _sealed(after) == set()
    async with after.keyring.read() as tx:
        assert (await tx.execute(select(data_key).where(data_key.c.subject == connection.id))).first() is None
    assert {hint for hint, _ in server.revoked} == {"refresh_token", "access_token"}
    (receipt,) = await after.room.disconnecting.receipts(ada.person.id)
    assert (receipt.revocation, receipt.keys_destroyed) == ("confirmed", 2)
    async with after.main.read() as tx:
        ended = select(trail_event.c.actor).where(trail_event.c.event == "connection.disconnected")
        actors = list(await tx.scalars(ended))
    assert set(actors) == {"person:ada"}


# --- the registry ---------------------------------------------------------------------------------------------------


def test_every_point_is_played() -> None:
    assert {*REFRESH, *CONNECT, *DISCONNECT} == set(Point)


def _functions() -> Iterator[tuple[str, ast.AST, str]]:
    for name in ("refresh", "connect", "callback", "disconnect"):
        path = Path(connections.__file__).with_name(f"{name}.py")
        source = path.read_text()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.AsyncFunctionDef, ast.FunctionDef)):
                yield f"{name}.{node.name}", node, ast.unparse(node)


HARMLESS = {
    # Writes after which nothing is at stake that a restart would have to mend, and why.
    "refresh.recover": "reads the spool; what it writes, `_keep` writes",
    "refresh._failed": "a sentence for people",
    "refresh._with_lease": "the spool's own room, which the next refresh clears",
    "refresh._came_too_late": "the spool's own room, which the next refresh clears",
    "connect.begin": "an attempt nobody has accepted, purged when it expires",
    "connect.hold_client_secret": "one value, sealed as one",
    "connect.accept": "an attempt and its proof key, purged when it expires",
    "connect._purge": "repeated at the next begin",
    "callback._give_back": "what was never kept is taken off",
    "disconnect.forget_receipts": "erasing says it again when it is gone on with",
    "disconnect.resume": "what it writes, the steps of `_end` write",
    "refresh._not_now": "a word on why; nothing of the credential changes, and the next try says it again",
}


def test_a_write_without_a_point_fails_here() -> None:
    """T54: who writes says where they can be cut off, or why it does not matter."""
    writing = ("_database.write()", "_vault.seal", "_vault.shred", "oauth.seal(", ".mark_connected(", "_spool.")
    silent = [
        name
        for name, _, text in _functions()
        if any(word in text for word in writing) and "reached(" not in text and name not in HARMLESS
    ]

    assert silent == []


def test_every_point_stands_in_the_code_once() -> None:
    text = "".join(source for name, _, source in _functions() if name.count(".") == 1)

    assert {point: text.count(f"Point.{point.name})") for point in Point} == dict.fromkeys(Point, 1)


# --- what the tests are made of -------------------------------------------------------------------------------------


class _listening:
    def __init__(self, listener: object) -> None:
        self._listener = listener

    def __enter__(self) -> None:
        failpoints.listen(self._listener)  # type: ignore[arg-type]  # a callable

    def __exit__(self, *_: object) -> None:
        failpoints.listen(lambda _point: None)
