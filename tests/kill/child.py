"""What is played and killed: a hub on a copy of a furnished folder does one thing, and dies at a point of it.

Run as a program it has everything imported, and forks one child for each `Play` it reads (a line of JSON); the answer
is the child's exit status. In a dry run (`at` is empty) the child writes down each point that it came by.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy.exc import OperationalError

from tests.conftest import FakeClock
from tests.gateway.client import Client
from tests.gateway.conftest import Hub, opened
from valetkey.audit.checkpoints import Checkpoints
from valetkey.audit.sinks.address import read_address
from valetkey.audit.sinks.file import FileSink
from valetkey.connections.repository import Seen
from valetkey.identity.model import BrowserSession, Person, Role
from valetkey.kernel import failpoints
from valetkey.kernel.errors import ValetkeyError
from valetkey.policy.approval_model import State
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.store.points import Point
from valetkey.vault.model import EveryTenant
from valetkey.vault.rotation import Rotation
from valetkey.vault.trail_keys import TrailKeys

FAILED = 3
DEPLOYMENT = "dep_test"
TOOL = "delete_note"
_PATIENCE = 0.5  # seconds for whoever waits until the database is back, which it is not


@dataclass(frozen=True)
class Play:
    """`verb` on `folder` at the time `now`; `at` is the point, with how often it was reached: `call.begun#1`.

    With `goes_down` the database is down from that point on; the child is killed when it has felt that. `asked` is the
    file that tells that the authorization server was asked, by a refresh that is beside what is played.
    """

    verb: str
    folder: str
    now: str
    organization_id: str
    person_id: str
    connection_id: str
    session_id: str
    token: str
    path: str
    at: str = ""
    goes_down: bool = False
    beside: str = ""
    asked: str = ""
    issuer_hash: str = ""
    params: Sequence[Sequence[str]] = ()


class Nursery:
    """The process that forks, from the outside."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kill.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    async def play(self, play: Play) -> int:
        """The exit status of the child, negative for the signal that ended it."""
        return await asyncio.to_thread(self._play, play)

    def _play(self, play: Play) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asdict(play)), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


# --- in a child -------------------------------------------------------------------------------------------------------


class Watch:
    """Counts what is reached from `begin` on, and dies, or takes the database away, at the one that is meant."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._counts: Counter[str] = Counter()
        self._counting = False
        self.reached: list[str] = []
        self.is_down = False
        self.on_down: Callable[[], object] = lambda: None

    def begin(self) -> None:
        self._counting = True

    def __call__(self, point: str) -> None:
        if self._counting and point != Point.STORE_ASKED:
            self._counts[point] += 1
            self.reached.append(f"{point}#{self._counts[point]}")
            if self.reached[-1] == self._play.at:
                if not self._play.goes_down:
                    os.kill(os.getpid(), signal.SIGKILL)
                self.is_down = True
                self.on_down()
        if self.is_down and point in (Point.STORE_ASKED, Point.STORE_SAID):
            raise OperationalError("the database is down", None, Exception())


async def _live(play: Play) -> None:
    watch = Watch(play)
    folder = Path(play.folder)
    clock = FakeClock(datetime.fromisoformat(play.now))
    main, keyring = (Database.sqlite(folder / f"{name}.db") for name in ("valetkey", "keyring"))
    async with opened(main, keyring, clock, folder, "asgi", organization_id=play.organization_id) as hub:
        failpoints.listen(watch)
        await _refresh_beside(play, hub)
        watch.begin()
        try:
            with suppress(ValetkeyError):  # the person, or the assistant, is told
                async with asyncio.timeout(30) as until:
                    watch.on_down = lambda: until.reschedule(asyncio.get_running_loop().time() + _PATIENCE)
                    await _act(play, hub)
        finally:
            if watch.is_down:
                os.kill(os.getpid(), signal.SIGKILL)
        (folder / "reached").write_text("\n".join(watch.reached))
        os._exit(0)  # whatever a stop does is not played


async def _refresh_beside(play: Play, hub: Hub) -> None:
    """Under way while the rest is played, or just failed, as the authorization server is slow or does not work."""
    if not play.beside:
        return
    connection = await hub.connections.get(play.person_id, play.connection_id)
    refresh = hub.room.refreshing.begin(Seen.of(connection))
    if play.beside == "500":
        await refresh
    async with asyncio.timeout(10):
        while play.beside == "slow" and not Path(play.asked).exists():  # another process makes it
            await asyncio.sleep(0.002)


async def _act(play: Play, hub: Hub) -> None:
    match play.verb:
        case "refresh":
            connection = await hub.connections.get(play.person_id, play.connection_id)
            await hub.room.refreshing.refresh(Seen.of(connection))
        case "connect" | "reconnect":
            params = [(name, value) for name, value in play.params]
            await hub.room.connecting.finish(params, session_of(play), issuer_hash=play.issuer_hash)
        case "disconnect":
            await hub.room.disconnecting.disconnect(play.person_id, play.connection_id, by="person:ada")
        case "approve":
            await assistant(play, hub).call(TOOL, {"id": 2})
            await approve(play, hub)
            await hub.call_log.flush()  # else that is a point or not, as time goes
        case "call":
            await assistant(play, hub).call(TOOL, {"id": 1})
            await hub.call_log.flush()
        case "rotate":
            await rotate(play.organization_id, hub)
        case "checkpoint":
            await checkpoint(Path(play.folder), hub, watched=True)


def assistant(play: Play, hub: Hub) -> Client:
    return Client(hub.port, play.token, play.path)


async def approve(play: Play, hub: Hub) -> int:
    """Says yes to whatever waits; how many that were."""
    waiting = [one for one in await hub.policy.approvals.list(play.person_id) if one.state is State.PENDING]
    for one in waiting:
        await hub.policy.approvals.approve(one, session_id=play.session_id, proof=b"{}")
    return len(waiting)


async def rotate(organization_id: str, hub: Hub) -> None:
    """Both keys, as an owner's request does it: written down before."""
    rotation = Rotation(hub.vault.keyring, clock=hub.clock, notifications=hub.notifications)
    await hub.trail.write("key.rotate", actor="operator")
    await rotation.rotate_root()
    await rotation.rotate_tenant(organization_id)
    await rotation.rewrap(EveryTenant(), seconds=60, on_progress=lambda _: None)


async def checkpoint(folder: Path, hub: Hub, *, watched: bool = False) -> Checkpoints:
    """One more, and to a sink beside the data; `watched` by a key that evolves with it."""
    keys = TrailKeys(hub.vault, DEPLOYMENT)
    await keys.open()
    if watched:
        (await keys.begin_watch()).wipe()
    sink = FileSink(read_address(f"file://{folder.resolve()}-sink"), forbidden_below=folder)
    made = Checkpoints(
        hub.database, clock=hub.clock, leases=Leases(hub.database, clock=hub.clock), trail=hub.trail, signer=keys,
        watch=keys, sinks=(sink,),
    )  # fmt: skip
    await hub.trail.write("token.created", actor="system")
    await made.make()
    await made.deliver()
    return made


def session_of(play: Play) -> BrowserSession:
    now = datetime.now(UTC)
    who = Person(play.person_id, "ada", "Ada", "active", play.organization_id, Role.MEMBER, now)
    return BrowserSession(play.session_id, who, "password", "csrf", "Firefox", now, now, now, now, now, False)


def _fork(play: Play) -> int:
    if child := os.fork():
        return child
    try:
        os.dup2(2, 1)  # what is logged is no status
        asyncio.run(_live(play))
    except BaseException:  # noqa: BLE001 – nothing of the parent may run on in a child
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(FAILED)


def main() -> None:
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[plain])  # a rich one of a call takes longer than the call
    for line in sys.stdin:
        print(os.waitstatus_to_exitcode(os.waitpid(_fork(Play(**json.loads(line))), 0)[1]), flush=True)


if __name__ == "__main__":
    main()
