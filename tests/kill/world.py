"""A furnished hub to be copied and killed, the services round it, and what must hold after the next start (T43)."""

from __future__ import annotations

import asyncio
import copy
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.conftest import FakeClock
from tests.connections.outside import TOOLS, Answer, Asked, AuthServer, Service
from tests.databases import STORES, migrated_file
from tests.gateway.conftest import Hub, opened
from tests.kill.child import TOOL, Nursery, Play, approve, assistant, checkpoint, session_of
from tests.vault.anything import open_handed
from valetkey.audit.model import Outcome
from valetkey.audit.verify import Against, verify
from valetkey.connections import model
from valetkey.connections.model import Connection
from valetkey.directory.model import Connector
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import NotConnected
from valetkey.store.database import Database
from valetkey.vault.model import EveryTenant, Mark
from valetkey.vault.rotation import Rotation

KILLED = -9
VERBS = ("connect", "reconnect", "refresh", "disconnect", "approve", "call", "rotate", "checkpoint")
STATES = ("database up", "database down", "server slow", "server 500")
_ASKS_THE_SERVER = {"connect", "reconnect", "refresh", "disconnect", "call"}
_KEPT_OF_THE_SERVER = ("clients", "codes", "access", "refreshes", "used_refreshes", "revoked")
_NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
_BROWSER = session_of(Play("", "", "", "org", "person", "", "ses_1", "", ""))
_DEAD = 130.0  # seconds after which every lease of the dead one is over


class Notes(Service):
    """Has tools that can be called, and remembers with which arguments."""

    def __init__(self, server: AuthServer) -> None:
        super().__init__(server)
        self.calls: list[int] = []

    async def handle(self, asked: Asked) -> Answer:
        message = json.loads(asked.body) if asked.path == "/mcp" and asked.body else {}
        if message.get("method") != "tools/call" or not self._lets_in(asked):
            return await super().handle(asked)
        self.calls.append(message["params"]["arguments"]["id"])
        result = {"resultType": "complete", "content": [{"type": "text", "text": "done"}]}
        return Answer(body={"jsonrpc": "2.0", "id": message["id"], "result": result})


class Server(AuthServer):
    """Is quick, slow, or broken; one that `holds` answers nobody as long as a child lives, and says so in a file."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_file = Path()
        self.way = ""

    async def handle(self, asked: Asked) -> Answer:
        if self.way and asked.path in ("/token", "/revoke"):
            if self.way == "500":
                return Answer(500, {"error": "server_error"})
            if self.way == "holds":
                self.asked_file.touch()
                await asyncio.sleep(60)  # by then whoever asked is dead
                return Answer(503)
            await asyncio.sleep(0.05)
        return await super().handle(asked)


Returns = dict[str, tuple[str, list[tuple[str, str]]]]
"""With which answer, at which callback, Ada comes back for each verb."""


@dataclass
class World:
    """`template` is the folder every play begins with a copy of; so does the server, with what it knew then."""

    folder: Path
    server: Server
    service: Notes
    nursery: Nursery
    play: Play
    returns: Returns
    known: dict[str, Any]
    turn: int = 0

    async def points(self, verb: str, state: str) -> list[str]:
        """Everything that `verb` comes by in this state, in order."""
        played = self._begin(verb, state)
        assert await self.nursery.play(played) == 0, f"{verb}, {state}"
        return (Path(played.folder) / "reached").read_text().split()

    async def kill(self, verb: str, state: str, at: str) -> Play:
        played = replace(self._begin(verb, state), at=at)
        assert await self.nursery.play(played) == KILLED, f"{verb}, {state}, at {at}"
        self.server.way = ""
        return played

    def _begin(self, verb: str, state: str) -> Play:
        self.turn += 1
        folder = self.folder.parent / f"turn{self.turn}"
        shutil.copytree(self.folder, folder)
        Path(f"{folder}-sink").mkdir()
        for name, value in copy.deepcopy(self.known).items():
            setattr(self.server, name, value)
        self.service.calls.clear()
        self.server.asked_file = Path(f"{folder}-asked")
        way = {"server slow": "slow", "server 500": "500"}.get(state, "")
        beside = way if verb not in _ASKS_THE_SERVER else ""
        self.server.way = "holds" if beside == "slow" else way
        issuer_hash, params = self.returns.get(verb, ("", []))
        return replace(
            self.play, verb=verb, folder=str(folder), goes_down=state == "database down", beside=beside,
            asked=str(self.server.asked_file), issuer_hash=issuer_hash, params=params,
        )  # fmt: skip

    @asynccontextmanager
    async def restarted(self, play: Play) -> AsyncIterator[Hub]:
        """As after `kill -9`, when the dead one's leases have run out."""
        folder, clock = Path(play.folder), FakeClock(datetime.fromisoformat(play.now))
        clock.advance(_DEAD)
        async with opening(folder, clock, play.organization_id) as hub:
            await hub.room.start()
            await hub.room.disconnecting.stop()
            yield hub
        shutil.rmtree(folder)

    # --- what holds ---------------------------------------------------------------------------------------------------

    async def check(self, play: Play, *, may_be_lost: bool) -> None:
        """What must hold whatever was cut off, and that what was begun can be gone on with, or begun again."""
        assert _leaked(Path(play.folder)) == []
        async with self.restarted(play) as hub:
            await self._once(play, hub)
            for connection in await hub.connections.list(play.person_id):
                await self._usable_or_not_there(hub, connection, may_be_lost=may_be_lost)
            await self._keys_go_on(hub)
            await self._checkpoints_go_on(play, hub)
            report = await verify(hub.database, Against())
            assert report.is_whole, report.findings
        assert _leaked(Path(play.folder)) == []

    async def _usable_or_not_there(self, hub: Hub, connection: Connection, *, may_be_lost: bool) -> None:
        """No secret is lost: what says it is connected works, now and when its token has expired; else nothing lies."""
        if connection.state is model.State.CONNECTED:
            for later in (0, 4000):
                hub.clock.advance(later)
                held = await bearer(hub, connection)
                assert self.server.lets_in(held) if held else may_be_lost
            return
        ended = {model.State.NOT_CONNECTED, *([model.State.RECONNECT] if may_be_lost else [])}
        assert connection.state in ended
        assert await hub.vault.mark(connection.id) == Mark(connection.id, frozenset())

    async def _once(self, play: Play, hub: Hub) -> None:
        """No call is run twice, no yes used twice; what the service was asked is on record."""
        before = list(self.service.calls)
        assert len(before) == len(set(before))
        client = assistant(play, hub)
        for number in (1, 2):
            for _ in range(2):
                await client.call(TOOL, {"id": number})
        assert len(self.service.calls) == len(set(self.service.calls))
        person = await hub.people.get(play.person_id)
        recorded = [one for one in await hub.records(person) if one.outcome in _LEFT]
        assert len(recorded) >= len(self.service.calls)
        assert await approve(play, hub) <= 2

    async def _keys_go_on(self, hub: Hub) -> None:
        rotation = Rotation(hub.vault.keyring, clock=hub.clock, notifications=hub.notifications)
        rewrapped = await rotation.rewrap(EveryTenant(), seconds=60, on_progress=lambda _: None)
        assert (rewrapped.is_done, rewrapped.damaged) == (True, 0)
        status = await rotation.status(EveryTenant())
        assert [root.keys for root in status.roots if root.keys] == [status.roots[-1].keys]

    async def _checkpoints_go_on(self, play: Play, hub: Hub) -> None:
        made = await checkpoint(Path(play.folder), hub)
        kept = {one.number: one.note for one in await made.list(limit=200)}
        sent = sorted(Path(f"{play.folder}-sink").glob("*.checkpoint"))
        assert [int(path.stem) for path in sent] == sorted(kept)
        assert [path.read_text() for path in sent] == [kept[number] for number in sorted(kept)]


_LEFT = {Outcome.OK, Outcome.INTERRUPTED, Outcome.FAILED, Outcome.CANCELLED, Outcome.TIMEOUT}


@asynccontextmanager
async def opening(folder: Path, clock: FakeClock, organization_id: str) -> AsyncIterator[Hub]:
    main, keyring = (Database.sqlite(folder / f"{name}.db") for name in ("valetkey", "keyring"))
    async with opened(main, keyring, clock, folder, "asgi", organization_id=organization_id) as hub:
        yield hub
    await main.close()


async def bearer(hub: Hub, connection: Connection) -> str:
    """The token that a call would carry now, empty when the person must reconnect. It needs no record here."""
    open_handed(hub.vault)
    try:
        ticket = await hub.credentials.ticket(connection.id, person_id=connection.person_id, call_id="call_1")
    except NotConnected as lost:
        if lost.reason != "reconnect":
            raise
        return ""
    assert ticket is not None
    buffer = bytearray(ticket.size)
    ticket.write_into(memoryview(buffer))
    return buffer.decode().strip().removeprefix("authorization: Bearer ")


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """Ada has connected, said yes to one call, and is on her way back for a second account and with a new consent."""
    nursery = Nursery()
    async with Server() as server, Notes(server) as service:
        template = folder / "template"
        template.mkdir()
        play, returns = await _furnish(template, server, service)
        known = copy.deepcopy({name: getattr(server, name) for name in _KEPT_OF_THE_SERVER})
        try:
            yield World(template, server, service, nursery, play, returns, known)
        finally:
            nursery.close()


async def _furnish(folder: Path, server: Server, service: Notes) -> tuple[Play, Returns]:
    for which, name in zip(STORES, ("valetkey", "keyring"), strict=True):
        await migrated_file(folder / f"{name}.db", which)
    clock = FakeClock(_NOW)
    async with opening(folder, clock, "") as hub:
        ada = await hub.person("ada")
        browser = replace(_BROWSER, person=ada)
        connector = await hub.connectors.add_custom(ada, name="Notes", url=service.url)
        params, issuer_hash = await _gone(hub, browser, connector, server)
        connection = await hub.room.connecting.finish(params, browser, issuer_hash=issuer_hash)
        await hub.snapshots.put(connection.id, [json.dumps(tool).encode() for tool in TOOLS], b"{}", 0)
        path = f"/c/{connector.slug}/mcp"
        play = Play(
            "", "", "", hub.organization_id, ada.id, connection.id, browser.id, await hub.token(ada, path), path
        )
        clock.advance(4000)  # what was given to her has expired
        await assistant(play, hub).call(TOOL, {"id": 1})
        assert await approve(play, hub) == 1
        returns = {}
        for verb, label in (("connect", "two"), ("reconnect", "")):
            params, issuer_hash = await _gone(hub, browser, connector, server, label=label)
            returns[verb] = (issuer_hash, params)
        await hub.call_log.flush()
    return replace(play, now=clock.now().isoformat()), returns


async def _gone(
    hub: Hub, browser: BrowserSession, connector: Connector, server: Server, *, label: str = ""
) -> tuple[list[tuple[str, str]], str]:
    """To the service, to whatever it asks, and back: what she brings, and to which callback."""
    attempt = await hub.room.connecting.begin(browser, connector, label=label)
    url = await hub.room.connecting.accept(attempt.id, browser, attempt.facts.hash, attempt.facts.scopes)
    return server.consent(url), attempt.facts.callback.rpartition("/")[2]


def _leaked(folder: Path) -> list[str]:
    """The files in which a token of the service can be read."""
    return [path.name for path in folder.rglob("*") if path.is_file() and b"CANARY" in path.read_bytes()]
