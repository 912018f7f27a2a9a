"""What the role that a hub runs as can do on PostgreSQL: every class of statement, tried on every table (T52)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.api.hub import Hub, open_hub
from tests.api.test_doors import TABLE
from tests.api.things import Things, give_things
from tests.conftest import FakeClock
from tests.store.walls import RUNTIME, as_role, walled
from valetkey.identity.model import Role
from valetkey.kernel.errors import StartRefused
from valetkey.store.acting import Acting, Reach, on_behalf_of
from valetkey.store.database import Database
from valetkey.store.privileges import FIXED, OPEN, WALLED, build_walls, demand_no_power, granted, statements, tables_of

TRIED: Mapping[str, str] = {
    "select": "select * from {table} limit 0",
    "insert": "insert into {table} select * from {table} where false",
    "update": "update {table} set {column} = {column} where false",
    "delete": "delete from {table} where false",
    "truncate": "truncate {table} cascade",
    "alter": "alter table {table} add column more int",
    "drop": "drop table {table} cascade",
    "rename": "alter table {table} rename to other",
    "index": "create index on {table} ({column})",
    "trigger": "create trigger x before update on {table} execute function suppress_redundant_updates_trigger()",
    "rule": "create rule x as on delete to {table} do instead nothing",
    "policy": "create policy more on {table} using (true)",
    "no wall": "alter table {table} disable row level security",
    "own": "alter table {table} owner to current_user",
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def roles(postgres: str) -> AsyncIterator[tuple[Database, Database]]:
    async with walled(postgres) as both:
        yield both


@pytest.fixture(scope="module")
async def hub(roles: tuple[Database, Database], tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """A hub that runs as the role that owns nothing."""
    opened = await open_hub(roles[1], FakeClock())
    opened.keep_keys(roles[1], tmp_path_factory.mktemp("keys") / "root.key")
    return opened


@pytest.fixture(scope="module")
async def things(hub: Hub) -> Things:
    given = await give_things(hub)
    await hub.services.trail_log.checkpoints.make()
    return given


async def can(tx: AsyncConnection, statement: str) -> bool:
    trial = await tx.begin_nested()
    try:
        await tx.exec_driver_sql(statement)
    except DBAPIError as error:
        if "permission denied" not in str(error) and "must be owner" not in str(error):
            raise
        return False
    finally:
        await trial.rollback()
    return True


def test_every_table_stands_in_exactly_one_place() -> None:
    assert WALLED.keys() | OPEN == set(tables_of("main"))
    assert not WALLED.keys() & OPEN
    assert FIXED.keys() <= {*tables_of("main"), *tables_of("keyring")}


async def test_each_class_of_statement_on_each_table_is_what_the_matrix_says(
    roles: tuple[Database, Database],
) -> None:
    _owner, runtime = roles
    for table in (*tables_of("main"), *tables_of("keyring")):
        async with runtime.read() as tx:
            columns = "select attname from pg_attribute where attrelid = '{}'::regclass and attnum = 1"
            column = (await tx.exec_driver_sql(columns.format(table))).scalar_one()
            found = {
                name for name, sql in TRIED.items() if await can(tx, sql.format(table=table, column=column))
            }  # fmt: skip

        declared = {word.strip() for word in granted(table).split(",")} - {"update (record)"}
        assert found == declared, table


async def test_of_a_leaf_of_the_trail_nothing_but_the_record_can_be_changed(roles: tuple[Database, Database]) -> None:
    """Erasure takes the record; its hash and its place stay, so that the log still verifies."""
    async with roles[1].read() as tx:
        assert await can(tx, "update trail_leaf set record = record where false")
        for column in ("seq", "kind", "reference", "hash"):
            assert not await can(tx, f"update trail_leaf set {column} = {column} where false")
        assert not await can(tx, "delete from trail_leaf where false")


@pytest.mark.parametrize(
    "statement",
    [
        "create table mine (x int)",
        "create schema mine",
        "create function f() returns int language sql as 'select 1'",
        "create extension hstore",
        "alter role vk_runtime bypassrls",
        "alter role vk_runtime superuser",
        "create role other",
        "set role postgres",
        "set session authorization postgres",
        "copy person to program 'cat'",
        "copy person to '/tmp/person'",
        "select pg_read_file('/etc/passwd')",
        "select * from pg_authid",
    ],
)
async def test_the_role_makes_nothing_and_becomes_nobody(roles: tuple[Database, Database], statement: str) -> None:
    async with roles[1].read() as tx:
        with pytest.raises(DBAPIError, match=r"(?i)permission denied|must be superuser|not allowed|only roles with"):
            await tx.exec_driver_sql(statement)


async def test_every_wall_holds_the_owner_too(roles: tuple[Database, Database]) -> None:
    async with roles[0].read() as tx:
        query = "select relname from pg_class where relrowsecurity and relforcerowsecurity"
        forced = {row.relname for row in await tx.exec_driver_sql(query)}

    assert forced == WALLED.keys()


async def rows(database: Database, table: str) -> list[Any]:
    async with database.read() as tx:
        return list(await tx.execute(text(f"select * from {table}")))  # the WHERE that was forgotten


async def test_a_forgotten_where_finds_the_persons_own_rows_and_nobody_elses(
    roles: tuple[Database, Database], hub: Hub, things: Things
) -> None:
    _owner, runtime = roles
    ada, bob, eve = (hub.people[login] for login in ("ada", "bob", "eve"))
    ours, theirs = ada.organization_id, eve.organization_id
    seen = {table: len(await rows(runtime, table)) for table in WALLED}

    for table, all_there in seen.items():
        counts = []
        for whom in (
            Acting(Reach.PERSON, ada.id, ours),
            Acting(Reach.PERSON, bob.id, ours),
            Acting(Reach.ORGANIZATION, bob.id, ours),
            Acting(Reach.ORGANIZATION, eve.id, theirs),
        ):
            with on_behalf_of(whom):
                counts.append(len(await rows(runtime, table)))
        assert counts == [all_there, 0, all_there, 0], table

    filled = {table for table, count in seen.items() if count}
    assert filled >= {"connection", "tool_snapshot", "call_record", "profile", "standing_approval", "alert"}
    assert "access_token" in filled


async def test_who_comes_by_another_way_than_the_hub_sees_nothing(roles: tuple[Database, Database], hub: Hub) -> None:
    """With the role's password and a shell: the hub's word for itself is not said."""
    async with roles[1].read() as tx:
        await tx.exec_driver_sql("set valetkey.reach = ''")
        for table in WALLED:
            assert (await tx.exec_driver_sql(f"select count(*) from {table}")).scalar_one() == 0, table


async def test_what_is_said_for_one_transaction_is_not_there_in_the_next(
    roles: tuple[Database, Database], hub: Hub, things: Things
) -> None:
    with on_behalf_of(Acting(Reach.PERSON, hub.people["bob"].id, "")):
        assert await rows(roles[1], "connection") == []

    assert len(await rows(roles[1], "connection")) == 1


async def test_a_row_cannot_be_given_to_or_taken_from_somebody_else(roles: tuple[Database, Database], hub: Hub) -> None:
    ada, bob = hub.people["ada"], hub.people["bob"]
    with on_behalf_of(Acting(Reach.PERSON, bob.id, bob.organization_id)):
        async with roles[1].write() as tx:
            taken = await tx.execute(text("update connection set person_id = :me"), {"me": bob.id})
            deleted = await tx.execute(text("delete from call_record"))
    with (
        on_behalf_of(Acting(Reach.PERSON, ada.id, ada.organization_id)),
        pytest.raises(DBAPIError, match="row-level security"),
    ):
        async with roles[1].write() as tx:
            await tx.execute(text("update connection set person_id = :him"), {"him": bob.id})

    assert (taken.rowcount, deleted.rowcount) == (0, 0)


READS = [path for method, path in TABLE if method == "GET"]


@pytest.mark.parametrize("who", ["ada", "bob", "eve"])
async def test_the_api_answers_behind_the_wall_as_it_does_without(hub: Hub, things: Things, who: str) -> None:
    client = await hub.with_scopes(who)
    for path in READS:
        row = TABLE["GET", path]

        answer = await client.get(things.path(path))

        assert answer.status_code == getattr(row, who), (path, answer.text)
        if row.ada_in:
            mine = [item for item in answer.json()[row.ada_in] if item.get("name") != f"for {who}"]
            assert bool(mine) == (who == "ada"), path


async def test_a_hub_does_not_start_as_a_role_that_no_wall_holds(
    postgres: str, roles: tuple[Database, Database]
) -> None:
    owner, runtime = roles

    await demand_no_power(runtime)
    with pytest.raises(StartRefused, match="superuser"):
        await demand_no_power(owner)


async def test_both_urls_must_be_of_postgresql_and_name_a_role(roles: tuple[Database, Database]) -> None:
    owner = roles[0].url.render_as_string(hide_password=False)
    for runtime in ("", "sqlite:///x.db", "postgresql://localhost/hub"):
        with pytest.raises(StartRefused):
            await build_walls("main", owner_url=owner, runtime_url=runtime)


@pytest.mark.parametrize("role", ["", "a b", 'x"; drop table person; --', "Vk", "x" * 64])
def test_a_role_whose_name_could_be_read_as_sql_is_refused(role: str) -> None:
    with pytest.raises(StartRefused):
        statements("main", role)


async def test_walls_can_be_laid_down_again(roles: tuple[Database, Database]) -> None:
    owner = roles[0].url.render_as_string(hide_password=False)

    for _ in range(2):
        await build_walls("main", owner_url=owner, runtime_url=as_role(owner, RUNTIME))
        await build_walls("keyring", owner_url=owner, runtime_url=as_role(owner, RUNTIME))


def test_roles_that_see_an_organization_are_those_that_manage_or_audit_it() -> None:
    from valetkey.identity.acting import acting_as
    from valetkey.identity.model import Principal

    def reach(kind: Any, role: Role) -> str:
        who = Principal(kind, "p", "o", role, "", "", "", frozenset(), "")
        return acting_as(who).reach.value

    assert [reach("session", role) for role in Role] == ["organization", "organization", "organization", "person"]
    assert {reach("mcp", role) for role in Role} == {"person"}
    assert reach("operator", Role.MEMBER) == "hub"
