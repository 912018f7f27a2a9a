"""Families against a model: whatever a client, its twin and a thief do, a copy is honored only within the grace."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.conftest import FakeClock
from tests.databases import migrated_sqlite
from tests.identity.rooms import Rooms
from tests.identity.test_families import a_client, let_in, works
from valetkey.identity.model import GrantRefused, Issued

T = TypeVar("T")


@dataclass
class Model:
    """What one pair of tokens should be good for, said without a database."""

    issued: Issued
    issued_at: float
    parent: Model | None
    rotated_at: float | None = None
    done: bool = False
    retries: int = 0


class Machine(RuleBasedStateMachine):
    pairs = Bundle("pairs")

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._directory = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.ended = False
        self.all: list[Model] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    @initialize(target=pairs)
    def begin(self) -> Model:
        return self.run(self._begin())

    async def _begin(self) -> Model:
        self.database = await migrated_sqlite(Path(self._directory.name) / "valetkey.db", "main")
        self.rooms = Rooms(self.database, self.clock)
        self.client = await a_client(self.rooms)
        return self._know(await let_in(self.rooms, await self.rooms.person(), self.client), None)

    def _know(self, issued: Issued, parent: Model | None) -> Model:
        pair = Model(issued, self.clock.time(), parent)
        self.all.append(pair)
        return pair

    @rule(seconds=st.sampled_from([1, 20, 59, 61, 590, 700]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(target=pairs, pair=pairs)
    def refresh(self, pair: Model) -> Model:
        now = self.clock.time()
        expected = not self.ended and (
            pair.rotated_at is None or (not pair.done and now - pair.rotated_at <= 60 and pair.retries < 3)
        )
        try:
            issued = self.run(self.rooms.families.refresh(pair.issued.refresh, client=self.client, resource=None))
        except GrantRefused:
            assert not expected
            self.ended = True
            return pair
        assert expected
        if pair.rotated_at is not None:
            pair.retries += 1
        else:
            for other in self.all:
                if other.rotated_at is not None or other is not pair:
                    other.done = True
                    other.rotated_at = now if other.rotated_at is None else other.rotated_at
            pair.rotated_at = now
        return self._know(issued, pair)

    @rule(pair=pairs)
    def use(self, pair: Model) -> None:
        alive = not self.ended and self.clock.time() - pair.issued_at < 600

        assert self.run(works(self.rooms, pair.issued)) is alive

        if alive and pair.rotated_at is None:
            for other in self.all:
                other.done = other.done or other.rotated_at is not None

    @rule()
    def forget_what_was_remembered(self) -> None:
        """As on another replica."""
        self.rooms = self.rooms.another_replica()

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.run(self.database.close())
        self._loop.close()
        self._directory.cleanup()


@pytest.mark.parametrize("runs", [40, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_whatever_happens_a_copy_is_honored_only_within_the_grace(runs: int) -> None:
    """T49 for families of tokens."""
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=runs, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
