"""Calls to record, and a log to record them in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FakeClock
from valetkey.audit.ageing import Ageing
from valetkey.audit.calls import CallLog
from valetkey.audit.model import CallIntent
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database


def intent(clock: FakeClock, **others: Any) -> CallIntent:
    """A call of Ada's; say what differs."""
    given: dict[str, Any] = {
        "id": new_id("call"),
        "started_at": clock.now(),
        "organization_id": "org_1",
        "person_id": "per_ada",
        "client": "Claude Code",
        "connector": "github",
        "connection_id": "con_1",
        "label": "",
        "method": "tools/call",
        "tool": "get_issue",
        "day": "2026-11-22",
        "request_bytes": 7,
        "request": b"sealed request",
    }
    return CallIntent(**given | others)


async def let_go_before(database: Database, instant: datetime) -> int:
    """As retention does, of calls begun before `instant`: how many."""
    aged = await Ageing(database).piece(lambda call: True, before=instant)
    return sum(aged.calls.values())


@pytest.fixture
def journal_dir(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
async def log(database: Database, journal_dir: Path, clock: FakeClock) -> AsyncIterator[CallLog]:
    """An open call log, on both engines."""
    log = CallLog(database, journal_dir, clock)
    await log.start()
    yield log
    await log.stop()


@pytest.fixture
async def small_log(sqlite_database: Database, journal_dir: Path, clock: FakeClock) -> AsyncIterator[CallLog]:
    """An open call log on SQLite, for what is not about the database."""
    log = CallLog(sqlite_database, journal_dir, clock)
    await log.start()
    yield log
    await log.stop()
