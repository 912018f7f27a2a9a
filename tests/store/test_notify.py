"""A change made in one process is heard in the others."""

from __future__ import annotations

import asyncio

from valetkey.store.database import Database
from valetkey.store.notify import EVERYTHING, Notifications


async def test_listeners_of_the_topic_have_heard_when_publish_returns(database: Database) -> None:
    bus = Notifications(database)
    heard: list[str] = []
    bus.subscribe("tokens", heard.append)

    await bus.publish("tokens", "person_1")
    await bus.publish("sessions", "person_2")

    assert heard == ["person_1"]


async def test_another_replica_hears_it_through_postgresql(database: Database) -> None:
    if database.dialect == "sqlite":  # one process only: there is no other replica
        return
    here, there = Notifications(database), Notifications(database)
    heard: asyncio.Queue[str] = asyncio.Queue()
    there.subscribe("tokens", heard.put_nowait)
    await there.start()
    assert await asyncio.wait_for(heard.get(), 5) == EVERYTHING  # it began to listen: nothing from before counts

    await here.publish("tokens", "person_1")

    assert await asyncio.wait_for(heard.get(), 5) == "person_1"
    await there.stop()
