"""What load balancers ask: whether the hub is alive, and whether it can do its work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from tests.conftest import FakeClock
from valetkey import app
from valetkey.api.probes import Probes, Seen
from valetkey.app import open_hub
from valetkey.beside.channel import Verbs
from valetkey.beside.children import Child
from valetkey.settings import Settings
from valetkey.store.database import Database


def asking(asgi: Any) -> httpx2.AsyncClient:
    """As a load balancer does: by address."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=asgi), base_url="http://10.0.0.7:8484")


class Part:
    """Says `word`, or raises it, once it is let; counts who asked."""

    def __init__(self, word: str | Exception = "ok") -> None:
        self.word, self.asked, self.let = word, 0, asyncio.Event()
        self.let.set()

    async def __call__(self) -> str:
        self.asked += 1
        await self.let.wait()
        if isinstance(self.word, Exception):
            raise self.word
        return self.word


@pytest.mark.parametrize(("vault", "sealed"), [("inline", False), ("process", True)])
async def test_a_hub_that_can_work_says_so_to_whoever_asks_by_whatever_name(
    tmp_path: Path, vault: str, sealed: bool
) -> None:
    """Without a token. A sealed vault sends nobody elsewhere: every replica is sealed then, and what ends access, for
    which people come to a hub, goes on.
    """
    tmp_path.chmod(0o700)
    settings = Settings(
        data=tmp_path, public_url="https://hub.example", port=8484, root_key=f"{tmp_path}.key", vault=vault
    )
    async with open_hub(settings) as hub, asking(hub.asgi) as balancer:
        if sealed:
            control = httpx2.AsyncHTTPTransport(uds=str(tmp_path / "control.sock"))
            async with httpx2.AsyncClient(transport=control, base_url="http://control") as operator:
                assert (await operator.post("/api/v1/vault/seal", json={})).status_code == 200
        alive, ready, page = [await balancer.get(path) for path in ("/healthz", "/readyz", "/signin")]
        posted = [(await balancer.post(path)).status_code for path in ("/healthz", "/readyz")]

    beside = {"dialer": "ok", "vault": "sealed"} if sealed else {"vault": "ok"}
    assert (alive.status_code, alive.text) == (200, "ok\n")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "database": "ok", **beside})
    assert ready.headers["cache-control"] == "no-store"
    assert page.status_code == 421
    assert posted == [405, 405]


async def test_a_hub_that_lacks_a_part_is_alive_and_not_ready_and_says_which_part_and_not_why() -> None:
    parts = {"database": Part(ConnectionRefusedError("db.internal:5432, user hub, password hunter2")), "vault": Part()}
    probes = Probes(parts, clock=FakeClock())
    for route, wanted in zip(probes.routes(), (200, 503), strict=True):
        async with asking(route) as balancer:
            answer = await balancer.get(route.path)
        assert answer.status_code == wanted
    assert answer.json() == {"status": "not ready", "database": "away", "vault": "ok"}


async def test_a_part_that_never_answers_is_away() -> None:
    silent = Part()
    silent.let.clear()

    seen = await Probes({"vault": silent}, clock=FakeClock(), patience=0.01).look()

    assert seen == Seen({"vault": "away"}, is_ready=False)


async def test_however_many_ask_the_parts_are_asked_once_a_second() -> None:
    clock, part = FakeClock(), Part()
    part.let.clear()
    probes = Probes({"database": part}, clock=clock)

    crowd = [asyncio.ensure_future(probes.look()) for _ in range(1000)]
    await asyncio.sleep(0)
    crowd[0].cancel()
    part.let.set()
    first = await asyncio.gather(*crowd[1:])
    await clock.sleep(0.9)
    part.word = OSError()
    still, asked = await probes.look(), part.asked
    await clock.sleep(0.2)

    assert {one.is_ready for one in first} == {True}
    assert (still.is_ready, asked) == (True, 1)
    assert (await probes.look()).is_ready is False
    assert part.asked == 2


async def test_a_database_that_is_gone_and_a_process_that_is_being_started_again_are_away(tmp_path: Path) -> None:
    database = Database.sqlite(tmp_path / "valetkey.db")
    await database.close()

    async def boot(_channel: object) -> None: ...

    dialer = Child("dialer", "nothing", verbs=Verbs({}), boot=boot, environment={})
    kept = SimpleNamespace(processes=(dialer,), vault=SimpleNamespace(condition=Part("sealed")))

    seen = await Probes(app._parts(database, kept), clock=FakeClock()).look()  # type: ignore[arg-type]  # in parts

    assert seen == Seen({"database": "away", "dialer": "away", "vault": "sealed"}, is_ready=False)
