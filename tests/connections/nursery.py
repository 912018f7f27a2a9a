"""Processes that can be killed: this one has everything imported, and forks one for each thing to be played.

Speaks lines of JSON: a `Play` in, the exit statuses of its children out. Forking before anything runs is safe, and much
quicker than a new interpreter for each play.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.connections.conftest import Hub
from tests.databases import take_down
from valetkey.connections.model import Connection
from valetkey.connections.repository import Seen
from valetkey.identity.model import BrowserSession, Person, Role
from valetkey.kernel import failpoints
from valetkey.kernel.clock import SystemClock
from valetkey.store.database import Database
from valetkey.vault.root_keys.file import open_or_create

FAILED = 3


@dataclass(frozen=True)
class Play:
    """What each of `processes` children does, on which stores; at `point` a child is killed, if there is one.

    With `goes_down` the database (PostgreSQL) is down from that point on; the child is killed when it has felt that.
    """

    verb: str
    main: str
    keyring: str
    root_key: str
    spool: str
    person_id: str
    connection_id: str
    point: str = ""
    goes_down: bool = False
    callers: int = 1
    processes: int = 1
    session_id: str = ""
    issuer_hash: str = ""
    params: Sequence[Sequence[str]] = ()


class Nursery:
    """The process that forks, from the outside."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.connections.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    async def play(self, play: Play) -> list[int]:
        """The exit status of each child, negative for the signal that ended it."""
        return await asyncio.to_thread(self._play, play)

    def _play(self, play: Play) -> list[int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asdict(play)), file=self._process.stdin, flush=True)
        statuses: list[int] = json.loads(self._process.stdout.readline())
        return statuses

    def close(self) -> None:
        self._process.communicate()


# --- in a child ---------------------------------------------------------------------------------------------------


def _die_at(point: str) -> None:
    def listener(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    failpoints.listen(listener)


def _take_down_at(point: str, url: str, reached_it: list[str]) -> None:
    def listener(reached: str) -> None:
        if reached == point:
            reached_it.append(reached)
            take_down(url)

    failpoints.listen(listener)


async def _live(play: Play) -> None:
    reached_it: list[str] = []
    if play.goes_down:
        _take_down_at(play.point, play.main, reached_it)
    elif play.point:
        _die_at(play.point)
    try:
        await _act(play)
    finally:
        if reached_it:
            os.kill(os.getpid(), signal.SIGKILL)


async def _act(play: Play) -> None:
    clock = SystemClock()
    hub = Hub(
        Database.open(play.main),
        Database.open(play.keyring),
        open_or_create(Path(play.root_key), forbidden_below=[], may_create=False),
        clock,  # type: ignore[arg-type]  # time passes by itself here
        Path(play.spool),
    )
    connection = await hub.room.connections.get(play.person_id, play.connection_id)
    match play.verb:
        case "call":
            bearers = await asyncio.gather(*(hub.bearer(connection) for _ in range(play.callers)))
            if len(set(bearers)) != 1:
                raise AssertionError("callers got different tokens")
        case "refresh":
            await hub.room.refreshing.refresh(Seen.of(connection))
        case "finish":
            await hub.room.connecting.finish(
                [(name, value) for name, value in play.params],
                _session(connection, play.session_id),
                issuer_hash=play.issuer_hash,
            )
        case "disconnect":
            await hub.room.disconnecting.disconnect(play.person_id, play.connection_id, by="person:ada")
    await hub.close()


def _session(connection: Connection, session_id: str) -> BrowserSession:
    now = datetime.now(UTC)
    who = Person(connection.person_id, "ada", "Ada", "active", connection.organization_id, Role.MEMBER, now)
    return BrowserSession(session_id, who, "password", "csrf", "Firefox", now, now, now, now, now, False)


def _fork(play: Play, start: int) -> int:
    child = os.fork()
    if child:
        return child
    status = FAILED
    try:
        os.dup2(2, 1)  # what is logged is no status
        os.read(start, 1)  # all at once
        asyncio.run(_live(play))
        status = 0
    except BaseException:  # noqa: BLE001 – nothing of the parent may run on in a child
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    for line in sys.stdin:
        play = Play(**json.loads(line))
        start, go = os.pipe()
        children = [_fork(play, start) for _ in range(play.processes)]
        os.write(go, b"g" * len(children))
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        os.close(start)
        os.close(go)
        print(json.dumps(statuses), flush=True)


if __name__ == "__main__":
    main()
