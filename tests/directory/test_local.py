"""Connectors of programs follow the operator's settings, and nothing that a person can enter becomes one."""

from __future__ import annotations

from functools import partial

import pytest

from tests.conftest import FakeClock
from tests.directory.rows import add_person
from valetkey.directory.connectors import Connectors
from valetkey.directory.local import Declared, declare
from valetkey.directory.model import Connector, ReviewState
from valetkey.identity.model import Person
from valetkey.kernel.errors import BadInput
from valetkey.net.url import parse_url
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

TIME = Declared("time", ["mcp-server-time", "--local-timezone", "UTC"], ["TZ"])


@pytest.fixture
async def ada(database: Database, clock: FakeClock) -> Person:
    await add_person(database, "ada", organization_id="org_a")
    return Person("ada", "ada", "Ada", "active", "org_a", role=None, created_at=clock.now())  # type: ignore[arg-type]


async def declared(database: Database, clock: FakeClock, *servers: Declared) -> None:
    notifications = Notifications(database)
    await declare(database, notifications, organization_id="org_a", added_by="ada", servers=servers, clock=clock)


async def listed(database: Database, clock: FakeClock, person: Person) -> list[Connector]:
    connectors = Connectors(
        database, Notifications(database), clock=clock, parse_url=partial(parse_url, private_names=True)
    )
    return await connectors.list_for(person)


async def test_a_declared_program_is_a_connector_that_shows_every_word_of_its_command(
    database: Database, clock: FakeClock, ada: Person
) -> None:
    await declared(database, clock, TIME)
    await declared(database, clock, TIME)

    [one] = await listed(database, clock, ada)

    assert (one.slug, one.url, one.auth_kind, one.state) == ("local-time", "stdio://time", "none", "enabled")
    assert one.auth == {"command": list(TIME.command), "variables": ["TZ"]}
    assert (one.is_local, one.review_state, one.version) == (True, ReviewState.CUSTOM, 1)


async def test_what_is_declared_otherwise_is_shown_otherwise_and_what_is_not_any_more_is_blocked(
    database: Database, clock: FakeClock, ada: Person
) -> None:
    await declared(database, clock, TIME)
    await declared(database, clock, Declared("time", ["other"], []))
    [changed] = await listed(database, clock, ada)
    await declared(database, clock)
    [gone] = await listed(database, clock, ada)
    await declared(database, clock, TIME)
    [again] = await listed(database, clock, ada)

    assert (changed.auth["command"], changed.version) == (["other"], 2)
    assert (gone.state, again.state) == ("blocked", "enabled")
    assert changed.id == gone.id == again.id


@pytest.mark.parametrize("url", ["stdio://time", "STDIO://time", "stdio:time", "file:///bin/sh", " stdio://time"])
async def test_nobody_can_enter_a_program(database: Database, clock: FakeClock, ada: Person, url: str) -> None:
    """LiteLLM GHSA-v4p8-mg3p-g94g: what takes an address from outside must not be a way to start a command."""
    connectors = Connectors(
        database, Notifications(database), clock=clock, parse_url=partial(parse_url, private_names=True)
    )

    with pytest.raises(BadInput):
        await connectors.add_custom(ada, name="Time", url=url, auth_kind="none")

    assert await connectors.list_for(ada) == []
