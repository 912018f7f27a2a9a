"""A registry is read page by page, then what changed; it can fill nothing up, and nothing in it is believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import FakeClock
from valetkey.directory.registry_page import BadRegistry, read_page
from valetkey.directory.registry_sync import RegistrySync
from valetkey.kernel.errors import Conflict, NotFound, OutboundFailed
from valetkey.net.url import parse_url
from valetkey.store.database import Database
from valetkey.store.leases import Leases

ADDRESS = "https://registry.example"
OFFICIAL = "io.modelcontextprotocol.registry/official"


def server(name: str, url: str = "", **more: Any) -> dict[str, Any]:
    remote = {"type": "streamable-http", "url": url or f"https://{name.partition('/')[2]}.example/mcp"}
    return {"name": name, "description": f"About {name}.", "version": "1.0.0", "remotes": [remote], **more}


@dataclass
class Registry:
    """A registry that speaks the official OpenAPI of 2025-10-17: limit, cursor, updated_since, version, statuses."""

    clock: FakeClock
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    answer: Callable[[dict[str, str]], bytes] | None = None
    page: int = 2

    def put(self, told: dict[str, Any], status: str = "active") -> None:
        meta = {"status": status, "updatedAt": self.clock.now().isoformat(), "isLatest": True}
        self.entries[told["name"]] = {"server": told, "_meta": {OFFICIAL: meta}}

    async def __call__(self, address: str) -> bytes:
        parts = urlsplit(address)
        assert (parts.netloc, parts.path) == ("registry.example", "/v0.1/servers")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(query)
        if self.answer is not None:
            return self.answer(query)
        since = query.get("updated_since", "").replace("Z", "+00:00")
        found = [
            one
            for _, one in sorted(self.entries.items())
            if one["_meta"][OFFICIAL]["updatedAt"] >= since and (since or one["_meta"][OFFICIAL]["status"] != "deleted")
        ]
        start = int(query.get("cursor", "0"))
        after = start + self.page
        cursor = {"nextCursor": str(after)} if after < len(found) else {}
        return json.dumps({"servers": found[start:after], "metadata": {"count": self.page, **cursor}}).encode()


@pytest.fixture
def registry(clock: FakeClock) -> Registry:
    registry = Registry(clock)
    for name in ("a", "b", "c", "d", "e"):
        registry.put(server(f"io.github.someone/{name}"))
    return registry


@pytest.fixture
def sync(database: Database, clock: FakeClock, registry: Registry) -> RegistrySync:
    return reading(database, clock, registry)


def reading(database: Database, clock: FakeClock, registry: Registry, address: str = ADDRESS) -> RegistrySync:
    leases = Leases(database, clock=clock)
    return RegistrySync(database, leases, registry=address, fetch=registry, parse_url=parse_url, clock=clock)


async def names(sync: RegistrySync) -> list[str]:
    return [one.name.rpartition("/")[2] for one in await sync.search("someone")]


async def test_all_of_a_registry_is_read_page_by_page(sync: RegistrySync, registry: Registry) -> None:
    run = await sync.run()

    assert (run.pages, run.servers, run.error) == (3, 5, "")
    assert [one.get("cursor") for one in registry.asked] == [None, "2", "4"]
    assert await names(sync) == ["a", "b", "c", "d", "e"]
    assert await sync.status() == run


async def test_the_next_time_what_changed_is_asked_for_and_what_was_deleted_goes(
    sync: RegistrySync, registry: Registry, clock: FakeClock
) -> None:
    clock.advance(3600)
    await sync.run()
    clock.advance(24 * 3600)
    registry.put(server("io.github.someone/a"), status="deleted")
    registry.put(server("io.github.someone/b", "https://moved.example/mcp"))
    registry.put({**server("io.github.someone/c"), "remotes": []})
    registry.asked.clear()

    run = await sync.run()

    assert "updated_since" in registry.asked[0]
    assert (run.servers, run.gone) == (1, 2)
    assert await names(sync) == ["b", "d", "e"]
    assert (await sync.search("someone/b"))[0].url == "https://moved.example/mcp"


async def test_what_a_whole_reading_did_not_see_is_gone(sync: RegistrySync, registry: Registry) -> None:
    await sync.run()
    del registry.entries["io.github.someone/a"]

    await sync.run(whole=True)

    assert await names(sync) == ["b", "c", "d", "e"]


async def test_a_reading_that_breaks_off_keeps_what_there_was_and_is_begun_anew_from_the_same_time(
    sync: RegistrySync, registry: Registry, clock: FakeClock
) -> None:
    first = await sync.run()

    def broken(query: dict[str, str]) -> bytes:
        raise OutboundFailed("registry.example did not answer.")

    registry.answer = broken
    clock.advance(3600)
    run = await sync.run(whole=True)

    assert run.error == "registry.example did not answer."
    assert run.synced_at == first.synced_at
    assert await names(sync) == ["a", "b", "c", "d", "e"]


async def test_two_do_not_read_at_once(sync: RegistrySync, database: Database, clock: FakeClock) -> None:
    assert await Leases(database, clock=clock).take("registry", seconds=60)

    with pytest.raises(Conflict, match="already"):
        await sync.begin()


async def test_no_registry_is_read_that_nobody_named(database: Database, clock: FakeClock, registry: Registry) -> None:
    off = reading(database, clock, registry, address="")

    await off.start()

    with pytest.raises(NotFound):
        await off.run()
    assert await off.search("someone") == ()
    assert registry.asked == []


async def test_a_registry_that_leads_in_a_circle_is_left(sync: RegistrySync, registry: Registry) -> None:
    page = {"servers": [server_entry("x/y")], "metadata": {"nextCursor": "again"}}
    registry.answer = lambda query: json.dumps(page).encode()

    run = await sync.run()

    assert "circle" in run.error
    assert len(registry.asked) == 2


def server_entry(name: str, **more: Any) -> dict[str, Any]:
    return {"server": server(name, **more), "_meta": {OFFICIAL: {"status": "active", "isLatest": True}}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"servers": {}}',
        b'{"servers": [' + b",".join([b"{}"] * 101) + b"]}",
        b'{"servers": [], "metadata": {"nextCursor": 7}}',
        b'{"servers": [], "metadata": {"nextCursor": "' + b"c" * 1001 + b'"}}',
        b'{"servers":' * 5000,
    ],
)
def test_what_is_no_list_of_servers_is_refused(body: bytes) -> None:
    with pytest.raises(BadRegistry):
        read_page(body, parse_url=parse_url)


@pytest.mark.parametrize(
    "remote",
    [
        {"type": "stdio", "url": "https://x.example"},
        {"type": "streamable-http", "url": "http://x.example/mcp"},
        {"type": "streamable-http", "url": "https://{tenant}.example/mcp"},
        {"type": "streamable-http", "url": "https://x.example/mcp?api_key=CANARY"},
        {"type": "streamable-http", "url": "https://u:p@x.example/mcp"},
        {"type": "streamable-http", "url": "https://169.254.169.254.local/mcp"},
        {"type": "streamable-http", "url": "javascript:alert(1)"},
        {"type": "streamable-http", "url": 7},
        "https://x.example",
    ],
)
def test_an_address_that_cannot_be_gone_to_is_none(remote: object) -> None:
    entry = {"server": {**server("x/y"), "remotes": [remote]}, "_meta": {}}

    page = read_page(json.dumps({"servers": [entry]}).encode(), parse_url=parse_url)

    assert page.servers == ()


def test_words_from_outside_are_bounded_and_hide_nothing() -> None:
    told = server("x/y", title="Ver\u202eified", description="d" * 5000, version="v" * 500)
    page = read_page(json.dumps({"servers": [{"server": told, "_meta": None}, 7, {}]}).encode(), parse_url=parse_url)

    [one] = page.servers
    assert (one.title, page.left_out) == ("x/y", 2)
    assert (len(one.description), len(one.version)) == (201, 61)
