"""T01, S-12, VLT-10: through a whole life no secret lies anywhere but sealed: not in a file, log, answer or backup.

Every secret that the outside makes begins with one word, so one word is looked for, in every way it could be written;
those that the hub makes are looked for whole. There is no list of exceptions.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
import logging
import re
import secrets
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from tests.connections.outside import Answer, Asked, AuthServer, Service
from tests.databases import empty_postgres
from tests.gateway.client import Client
from tests.test_doors import ORIGIN
from valetkey import app
from valetkey.api.asking import Scope
from valetkey.app import open_hub
from valetkey.demo.story.search import spellings
from valetkey.directory.model import Connector
from valetkey.identity.model import BrowserSession, Person, Role
from valetkey.kernel.errors import ValetkeyError
from valetkey.kernel.secret import Secret
from valetkey.settings import Settings
from valetkey.store.database import Database

WORD = "CANARY-"
KINDS = 10
_PACKED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_UNPACKED_AT_MOST = 4 << 20


class Leaky(AuthServer):
    """Everything it makes begins with the word; when it fails, it says what it was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.auths = ["client_secret_basic"]
        self.fails = 0
        self.made: set[str] = set()

    def consent(self, url: str, *, declined: bool = False) -> list[tuple[str, str]]:
        back = super().consent(url, declined=declined)
        old = dict(back)["code"]
        code = f"{WORD}code-{secrets.token_hex(8)}"
        self.codes[code] = self.codes.pop(old)
        self.made.add(code)
        return [(name, code if name == "code" else value) for name, value in back]

    async def handle(self, asked: Asked) -> Answer:
        if asked.path == "/token":
            self.made |= {value for name, value in asked.form.items() if name == "code_verifier"}
        if asked.path == "/token" and self.fails:
            self.fails -= 1
            said = json.dumps({**asked.form, **asked.headers})
            return Answer(500, {"error": "server_error", "error_description": said, "debug": said})
        answer = await super().handle(asked)
        if isinstance(answer.body, dict):
            self.made |= {value for value in answer.body.values() if isinstance(value, str) and WORD in value}
        return answer


class Repeating(Service):
    """Says in each answer what it was sent, headers and all."""

    async def handle(self, asked: Asked) -> Answer:
        message = json.loads(asked.body) if asked.body[:1] == b"{" else {}
        if message.get("method") != "tools/call":
            return await super().handle(asked)
        if not self._lets_in(asked):
            return Answer(401, asked.bearer.encode(), {"www-authenticate": self._challenge()})
        sent = json.dumps(asked.headers)
        if message["params"]["arguments"].get("fails"):
            error = {"code": -32000, "message": sent, "data": asked.headers}
            return Answer(400, {"jsonrpc": "2.0", "id": message["id"], "error": error})
        result = {"resultType": "complete", "content": [{"type": "text", "text": sent}]}
        return Answer(body={"jsonrpc": "2.0", "id": message["id"], "result": result})


@dataclass
class Life:
    """A hub, seen from outside: everything it answered is kept."""

    asgi: Any
    services: Any
    sessions: Any
    passwords: Any
    answers: list[bytes] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, headers: Iterable[tuple[str, str]], body: Any = None
    ) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=self.asgi, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
            given = [(name, value) for name, value in headers if name.lower() != "host"]
            answer = await client.request(method, path, headers=given, content=content)
        self.answers += [answer.content, str(answer.headers.multi_items()).encode()]
        return answer

    async def api(self, token: str, method: str, path: str, body: Any = None) -> Any:
        headers = [("authorization", f"Bearer {token}"), ("content-type", "application/json")]
        answer = await self.ask(method, f"/api/v1{path}", headers, body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def call_named(self, token: str, tool: str, **arguments: Any) -> httpx2.Response:
        client = Client(8484, token, "/mcp")
        message = client.request("tools/call", {"name": tool, "arguments": arguments})
        return await self.ask("POST", "/mcp", client.headers(message), message)


@dataclass
class Places:
    """Where it is looked, and what for."""

    needles: dict[bytes, str]
    found: list[str] = field(default_factory=list)
    looked: int = 0

    def look(self, where: str, content: bytes) -> None:
        self.looked += 1
        for piece, how in ((content, ""), *((one, " unpacked") for one in _unpacked(content))):
            self.found += [f"{where}{how}: {name}" for needle, name in self.needles.items() if needle in piece]

    def look_below(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                self.look(str(path.relative_to(folder.parent)), path.read_bytes())


def _unpacked(content: bytes) -> Iterator[bytes]:
    """What was compressed within `content`, wherever it begins."""
    view = memoryview(content)
    for begin in _PACKED.finditer(content):
        unpacking = zlib.decompressobj(47)
        try:
            out = unpacking.decompress(view[begin.start() : begin.start() + (64 << 10)], _UNPACKED_AT_MOST)
        except zlib.error:
            continue
        if out:
            yield out


def needles_of(made_by_the_hub: Iterable[str]) -> dict[bytes, str]:
    """The word in each spelling; of what the hub made, those in which a program would write it down."""
    found = {needle: f"{WORD} ({way})" for way, needle in spellings(WORD).items()}
    for secret in made_by_the_hub:
        ways = spellings(secret)
        found |= {ways[way]: f"{secret[:8]}… ({way})" for way in ("raw", "hex", "base64+0", "base64+1", "base64+2")}
    return found


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
async def stores(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The addresses of both; empty for files in the data directory."""
    if request.param == "sqlite":
        return "", ""
    server = request.getfixturevalue("postgres")
    return await empty_postgres(server), await empty_postgres(server)


@pytest.mark.parametrize("number", [100, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
async def test_of_all_that_a_hub_keeps_in_its_life_no_secret_is_found_anywhere(
    tmp_path: Path,
    stores: tuple[str, str],
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Connect, call, fail, refresh, fail to refresh, back up, restart, disconnect: ten kinds of secret a person."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG if number > 100 else logging.INFO, "aiosqlite")  # each statement, with its values
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    made: dict[str, Any] = {}
    for name in ("ApiServices", "Sessions", "Passwords"):
        real = getattr(app, name)

        def keep(*a: Any, _real: Any = real, _name: str = name, **k: Any) -> Any:
            made[_name] = _real(*a, **k)
            return made[_name]

        monkeypatch.setattr(app, name, keep)
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    settings = Settings(
        data=data, public_url=ORIGIN, port=8484, root_key=str(tmp_path / "keys/root.key"), development=True,
        privacy_policy="template",
        allow_network=(ipaddress.ip_network("127.0.0.1/32"),), database=stores[0], keyring_database=stores[1],
    )  # fmt: skip
    answers: list[bytes] = []
    ours: set[str] = set()
    async with Leaky() as server, Repeating(server) as notes, Repeating(None) as keyed:
        async with open_hub(settings) as hub:
            life = Life(hub.asgi, made["ApiServices"], made["Sessions"], made["Passwords"], answers)
            people = await _begun(life, server, notes, keyed, number // KINDS, ours)
            _copied(data, tmp_path / "backup")
        async with open_hub(settings) as hub:
            life = Life(hub.asgi, made["ApiServices"], made["Sessions"], made["Passwords"], answers)
            for at, (slug, api, door) in enumerate(people):
                notes.refused = 1
                await life.call_named(door, f"{slug}_list_notes")
                if at % 2:
                    await life.api(api, "POST", "/connections/disconnect-all", {})
        outside = server.made | set(notes_and_keys(keyed))
    assert len(outside | ours) >= number
    places = Places(needles_of(ours))
    places.look_below(tmp_path)
    for at, answer in enumerate(answers):
        places.look(f"answer {at}", answer)
    said = capfd.readouterr()
    places.look("what was printed", (said.out + said.err).encode())
    places.look("what was logged", caplog.text.encode())
    for folder in await _of_postgres(stores):
        places.look_below(folder)

    assert places.found == []
    assert places.looked > 2 * number


def notes_and_keys(keyed: Repeating) -> list[str]:
    """The header values that arrived: they were kept, and got out as they should."""
    return [value for asked in keyed.asked for name, value in asked.headers.items() if name == "x-api-key"]


async def _begun(
    life: Life, server: Leaky, notes: Repeating, keyed: Repeating, count: int, ours: set[str]
) -> list[tuple[str, str, str]]:
    """People who sign in, connect two accounts, call, fail and renew."""
    services = life.services
    home = await services.organizations.create("Ours", "organization")
    owner = await services.people.create(login="boss", display_name="Boss", organization_id=home.id, role=Role.OWNER)
    signs_in = await services.connectors.add_custom(owner, name="Notes", url=notes.url)
    by_key = await services.connectors.add_custom(
        owner, name="Keyed", url=keyed.url, auth_kind="header", auth={"headers": ["X-Api-Key"]}
    )
    made = []
    for at in range(count):
        person = await services.people.create(
            login=f"p{at}", display_name="P", organization_id=home.id, role=Role.MEMBER
        )
        password = f"{WORD}password-{secrets.token_hex(8)}"
        await life.passwords.set(person.id, Secret(password))
        tokens = [
            (await services.tokens.create_personal(person, "t", place, scopes, 3600.0))[0].reveal().decode()
            for place, scopes in (("/api/v1", tuple(Scope)), ("/mcp", ()))
        ]
        cookie = (await life.sessions.begin(person, "password", "Firefox")).reveal().decode()
        ours |= {*tokens, cookie}
        await life.ask("GET", "/settings", [("cookie", f"sid={cookie}")])
        await _connected(life, person, tokens, server, notes, signs_in, by_key)
        made.append((signs_in.slug, tokens[0], tokens[1]))
    return made


async def _connected(
    life: Life,
    person: Person,
    tokens: list[str],
    server: Leaky,
    notes: Repeating,
    signs_in: Connector,
    by_key: Connector,
) -> None:
    api, door = tokens
    services, now = life.services, life.services.clock.now()
    browser = BrowserSession(
        "ses_x", person, "password", "c", "F", now, now, now + timedelta(1), now + timedelta(1), now, False
    )
    attempt = await services.connecting.begin(browser, signs_in, label="")
    url = await services.connecting.accept(attempt.id, browser, attempt.facts.hash, attempt.facts.scopes)
    if person.login.endswith("3"):
        server.fails = 1
    back = server.consent(url)
    issuer = attempt.facts.callback.rpartition("/")[2]
    try:
        await services.connecting.finish(back, browser, issuer_hash=issuer)
    except ValetkeyError:  # the server said 500, and what it was sent
        attempt = await services.connecting.begin(browser, signs_in, label="")
        url = await services.connecting.accept(attempt.id, browser, attempt.facts.hash, attempt.facts.scopes)
        await services.connecting.finish(server.consent(url), browser, issuer_hash=issuer)
    value = f"{WORD}key-{secrets.token_hex(8)}/+="
    told = (await life.api(api, "GET", f"/directory/{by_key.slug}"))["disclosure"]["version"]
    body = {"connector": by_key.slug, "values": {"X-Api-Key": value}, "acknowledged": told}
    await life.api(api, "POST", "/connections/headers", body)
    for one in (await life.api(api, "GET", "/connections"))["items"]:
        seen = await life.api(api, "GET", f"/connections/{one['id']}/tools")
        harmless = [tool for tool in seen["items"] if tool["name"] == "list_notes"]  # the other is asked for each time
        on = [{"name": tool["name"], "fingerprint": tool["fingerprint"]} for tool in harmless]
        await life.api(api, "POST", f"/connections/{one['id']}/tools", {"on": on})
        await life.api(api, "GET", f"/connections/{one['id']}/trace")
    for name in (signs_in.slug, by_key.slug):
        for fails in (False, True):
            await life.call_named(door, f"{name}_list_notes", fails=fails)
    notes.refused, server.fails = 1, 1 if person.login.endswith("5") else 0
    await life.call_named(door, f"{signs_in.slug}_list_notes")  # renewed, or not


def _copied(data: Path, backup: Path) -> None:
    """As the host's own backup would copy it, with the hub running."""
    shutil.copytree(data, backup, ignore=lambda _folder, names: [one for one in names if one.endswith(".sock")])


async def _of_postgres(stores: tuple[str, str]) -> list[Path]:
    """The folders of both databases, and the write-ahead log of their server, once all is on the disk."""
    folders = []
    for url in filter(None, stores):
        database = Database.open(url)
        async with database.read() as tx:
            await tx.execute(text("checkpoint"))
            server = Path(str(await tx.scalar(text("show data_directory"))))
            number = await tx.scalar(text("select oid from pg_database where datname = current_database()"))
        await database.close()
        folders += [server / "base" / str(number), server / "pg_wal"]
    assert all(any(folder.iterdir()) for folder in folders)
    return folders


PACKERS: tuple[Callable[[bytes], bytes], ...] = (bytes, gzip.compress, zlib.compress)


@pytest.mark.parametrize("way", sorted({*spellings(WORD)} - {"utf-16"}))
def test_a_secret_that_lies_somewhere_is_found_in_every_spelling_packed_or_not(way: str, tmp_path: Path) -> None:
    secret = f"vkt_{secrets.token_hex(12)}"
    for value in (f"{WORD}at-12345678", secret):
        if value is secret and way not in ("raw", "hex", "base64+0", "base64+1", "base64+2"):
            continue
        for at, packed in enumerate(PACKERS):
            (tmp_path / f"{at}").write_bytes(b"\0" * 99 + packed(b"before" + spellings(value)[way] + b"after") + b"\0")
        places = Places(needles_of([secret]))

        places.look_below(tmp_path)

        assert len({one.partition(":")[0] for one in places.found}) == 3, places.found
