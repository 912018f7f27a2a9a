"""What the machines of T49 have in common: a loop, a clock and stores of their own for each run, and how many runs.

A machine does at random what the room can do, keeps a model that says in a line what should come of it, and compares.
Ten are played: whatever has a state that money or a token hangs on.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.conftest import FakeClock
from tests.databases import migrated_sqlite
from valetkey.store.database import Database
from valetkey.store.migrations import Which

T = TypeVar("T")
_MEMORY = "/dev/shm"

several = pytest.mark.parametrize(
    "runs", [6, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])], ids=["some", "thousand"]
)
"""How many runs of a machine: a few with every change, a thousand in the long run."""


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        # In memory where there is some: a thousand runs commit some hundred thousand times.
        self.directory = Path(
            tempfile.mkdtemp(prefix="vk-machine-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
        )
        self.clock = FakeClock()
        self._runner = asyncio.Runner()
        self._open: list[Database] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def store(self, which: Which = "main") -> Database:
        """A migrated, empty store of this run."""
        made = self.run(migrated_sqlite(self.directory / f"{which}.db", which))
        self._open.append(made)
        return made

    def teardown(self) -> None:
        for store in self._open:
            self.run(store.close())
        self._runner.close()
        shutil.rmtree(self.directory)


def play(machine: type[RuleBasedStateMachine], *, runs: int, steps: int = 20) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
