"""T43: `kill -9` at every point of every verb, with the database up or down, the authorization server slow or broken.

A point is where a process can be cut off between two writes: before and after each commit, whatever it is of
(`store.points`), and what has a name in the rooms. `./x test --long tests/kill` plays them all, and counts.
"""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import valetkey
from tests.kill.world import STATES, VERBS, World, world
from valetkey.audit.points import Point as AuditPoint
from valetkey.connections.points import Point as ConnectionPoint
from valetkey.policy.points import Point as PolicyPoint
from valetkey.store.points import Point as StorePoint
from valetkey.vault.points import Point as VaultPoint

NAMED = {point.value for registry in (AuditPoint, PolicyPoint, StorePoint, VaultPoint) for point in registry}
PLAYED: dict[tuple[str, str], list[str]] = {}
FEW = [("call", "call.approved#1"), ("call", "call.begun#1"), ("approve", "approve.given#1")]
FEW += [("rotate", "rotate.data_keys_moved#1"), ("checkpoint", "checkpoint.kept#1")]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def test_killed_here_or_there_nothing_is_lost_or_done_twice(hub: World) -> None:
    for verb, at in FEW:
        await hub.check(await hub.kill(verb, "database up", at), may_be_lost=False)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("verb", VERBS)
async def test_killed_at_every_point_in_every_state_nothing_is_lost_or_done_twice(hub: World, verb: str) -> None:
    broken = []
    for state in STATES:
        points = await hub.points(verb, state)
        for at in points:
            try:
                played = await hub.kill(verb, state, at)
                await hub.check(played, may_be_lost=at in _only_the_server_knows(points))
            except Exception as error:  # noqa: BLE001  # the others are played all the same
                broken.append(f"{verb}, {state}, at {at}: {error!r}")
                print(broken[-1], flush=True)
        PLAYED[verb, state] = points
        print(f"{verb}, {state}: {len(points)} points", flush=True)

    assert broken == []


@pytest.mark.long
def test_that_were_two_hundred_points_at_least_and_all_that_have_a_name() -> None:
    total = sum(map(len, PLAYED.values()))
    print(f"{total} points in {len(VERBS)} verbs and {len(STATES)} states")

    assert total >= 200
    assert {at.partition("#")[0] for points in PLAYED.values() for at in points} >= NAMED - {StorePoint.STORE_ASKED}


def _only_the_server_knows(points: list[str]) -> list[str]:
    """From its answer to where that is in the spool: the one hole, which is its to close (security.md 2.6)."""
    return [at for at in points if at.startswith(ConnectionPoint.REFRESH_ANSWERED)]


def test_whatever_writes_to_a_database_does_so_where_the_points_are() -> None:
    """T54: there is one place in which a transaction begins, so that no write is without a point."""
    beginning = {
        path.relative_to(Path(valetkey.__file__).parent).as_posix()
        for path in Path(valetkey.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("begin", "commit")
        and ast.unparse(node.func).rpartition(".")[0].endswith(("_writer", "engine", "connection", "tx"))
    }

    assert beginning == {"store/database.py"}


def test_every_point_stands_in_the_code_once() -> None:
    text = "".join(path.read_text() for path in Path(valetkey.__file__).parent.rglob("*.py"))

    for registry in (AuditPoint, PolicyPoint, VaultPoint):
        assert {point: text.count(f"reached(Point.{point.name})") for point in registry} == dict.fromkeys(registry, 1)
