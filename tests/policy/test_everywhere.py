"""ORG-07: what an organization or a person says acts within a minute on every replica, also on one that missed it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from tests.conftest import FakeClock
from tests.databases import migrated_postgres
from tests.policy.rooms import Keys, Told, seed
from tests.policy.test_choices import ADA, EDIT
from valetkey.directory.access.model import Rules
from valetkey.directory.access.saying import TOPIC as CONNECTORS
from valetkey.directory.access.saying import Access
from valetkey.directory.connectors import Connectors
from valetkey.directory.raising import raise_class
from valetkey.directory.snapshots import Snapshots
from valetkey.net.url import parse_url
from valetkey.policy.gate import Subject
from valetkey.policy.model import Effect, Setting
from valetkey.policy.room import open_policy
from valetkey.policy.tool_class import ToolClass
from valetkey.store.database import Database
from valetkey.store.notify import EVERYTHING, Notifications

REPLICAS = 5
SECONDS = 10.0
"""Of the minute that is asked for, with a machine that has much else to do."""


class Replica:
    """What one process remembers of policy. Without `listen` it hears nothing of the others."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.notifications = Notifications(database)
        self.told = Told()
        snapshots = Snapshots(database, self.notifications, clock=clock)
        self.policy = open_policy(
            database, self.notifications, clock=clock, keys=Keys(), trail=self.told, snapshots=snapshots
        )
        self.snapshots = snapshots
        self.connectors = Connectors(database, self.notifications, clock=clock, parse_url=parse_url)
        self.access = Access(database, self.notifications, parse_url=parse_url, clock=clock, trail=self.told)

    async def runs(self) -> bool:
        """Whether a call of the tool that Ada allows runs, by memory where there is one, as at the door."""
        connector = self.connectors.by_id_now("con_github") or await self.connectors.by_id("con_github")
        snapshot = self.snapshots.get_now("cn_1") or await self.snapshots.get("cn_1")
        assert snapshot is not None
        place = Subject("cn_1", "main", connector, snapshot.tool(EDIT.name), "/connections/cn_1", "https://hub.example")
        decision = self.policy.gate.decide_now(ADA, place) or await self.policy.gate.decide(ADA, place)
        return decision.effect is Effect.ALLOW

    async def listen(self) -> None:
        """Once it hears the others, a replica drops all that it remembers: that is the sign."""
        heard = asyncio.Event()
        self.notifications.subscribe(CONNECTORS, lambda said: heard.set() if said == EVERYTHING else None)
        await self.notifications.start()
        await asyncio.wait_for(heard.wait(), 20)


@dataclass(frozen=True)
class Change:
    name: str
    make: Callable[[Replica], Awaitable[object]]

    def __str__(self) -> str:
        return self.name


async def _raise(here: Replica) -> None:
    connector = await here.connectors.by_id("con_github")
    await raise_class(here.connectors, here.told, connector, tool=EDIT.name, to="H", by="person:o")


CHANGES = [
    Change("a ceiling", lambda here: here.policy.ceilings.set("org_a", Setting.ASK, actor="person:o", tool=EDIT.name)),
    Change(
        "a role's ceiling",
        lambda here: here.policy.ceilings.set("org_a", Setting.BLOCK, actor="person:o", role="member"),
    ),
    Change("a person's block", lambda here: here.policy.permissions.set("cn_1", [(EDIT, Setting.BLOCK, None)])),
    Change("a connector switched off", lambda here: here.connectors.set_state("con_github", "blocked")),
    Change("a raised class", _raise),
    Change(
        "rules that leave no room", lambda here: here.access.set_rules("org_a", Rules(is_exclusive=True), by="person:o")
    ),
]


async def replicas(database: Database, clock: FakeClock) -> list[Replica]:
    """All of them have just let a call through, and remember why."""
    await seed(database, clock)
    made = [Replica(database, clock) for _ in range(REPLICAS)]
    await made[0].snapshots.put("cn_1", [EDIT.raw], b"{}", 300.0)
    await made[0].policy.permissions.set("cn_1", [(EDIT, Setting.ALLOW, ToolClass.MEDIUM)])
    return made


@pytest.mark.parametrize("change", CHANGES, ids=str)
async def test_a_change_acts_within_a_minute_on_five_replicas_that_heard_nothing_of_it(
    sqlite_database: Database, clock: FakeClock, change: Change
) -> None:
    here, *others = await replicas(sqlite_database, clock)
    assert all([await one.runs() for one in (here, *others)])

    await change.make(here)
    at_once = await here.runs()
    clock.advance(60)

    assert not at_once
    assert not any([await one.runs() for one in others])


@pytest.fixture
async def listening(postgres: str, clock: FakeClock) -> AsyncIterator[list[Replica]]:
    """Replicas that share a PostgreSQL: on SQLite there is one process, and no other replica."""
    database = Database.open(await migrated_postgres(postgres))
    made = await replicas(database, clock)
    for one in made:
        await one.listen()
    yield made
    for one in made:
        await one.notifications.stop()
    await database.close()


async def test_replicas_that_hear_of_it_act_at_once(listening: list[Replica]) -> None:
    """No time passes by their clock: what they remember is dropped by the news alone, and opens again likewise."""
    here, *others = listening
    ceilings = here.policy.ceilings
    assert all([await one.runs() for one in listening])

    await ceilings.set("org_a", Setting.ASK, actor="person:o", tool=EDIT.name)
    async with asyncio.timeout(SECONDS):
        while any([await one.runs() for one in others]):
            await asyncio.sleep(0.01)
    await ceilings.remove("org_a", (await ceilings.list("org_a"))[0].id, actor="person:o")
    async with asyncio.timeout(SECONDS):
        while not all([await one.runs() for one in others]):
            await asyncio.sleep(0.01)
