"""No person reads a secret, ever (S-15, S-16, VLT-02): every route and command of a hub, as everybody, tells none.

What is walked comes from the hub's own site map and command tree, so what is new is walked too; a new word in a path
fails until it is said here what it stands for.
"""

from __future__ import annotations

import asyncio
import base64
import html
import json
import re
import shlex
import zipfile
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from markupsafe import escape

from tests.cli.reference import commands
from tests.cli.transcript import _run as run_command
from tests.test_doors import ORIGIN, routes_of
from valetkey import app
from valetkey.api.asking import Scope
from valetkey.app import open_hub
from valetkey.demo.story.search import spellings
from valetkey.identity.model import Person, Role
from valetkey.kernel.secret import Secret
from valetkey.settings import Settings
from valetkey.split import opened
from valetkey.store.database import Database
from valetkey.store.schema import connection as connections
from valetkey.submissions import repository as submissions
from valetkey.vault.model import Binding

PASSWORD = 'canary-password "three" quiet/otters+'
SEALED = {
    purpose: f'canary-{purpose}-"7Hk/2+Qz~'
    for purpose in (
        "access_token",
        "refresh_token",
        "header:x-api-key",
        "client_secret",
        "pkce_verifier",
        "registration_access_token",
    )
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ROLES = {"oscar": Role.OWNER, "anton": Role.ADMIN, "audrey": Role.AUDITOR, "mia": Role.MEMBER, "eve": Role.OWNER}


def needles(secrets: Iterable[str]) -> dict[bytes, str]:
    """Each way in which each secret could be written down."""
    found: dict[bytes, str] = {}
    for secret in secrets:
        ways = {**spellings(secret), "escaped": json.dumps(secret)[1:-1].encode(), "in a URL": quote(secret).encode()}
        ways |= {"in a page": str(escape(secret)).encode(), "in HTML": html.escape(secret).encode()}
        found |= {needle: f"{secret} ({way})" for way, needle in ways.items()}
    return found


@dataclass
class World:
    """A whole hub in which Oscar has everything that is secret."""

    asgi: Any
    data: Path
    database: Database
    cookies: dict[str, str]
    tokens: dict[str, str]
    stands_for: dict[str, str]
    secrets: dict[str, str]
    told: list[str] = field(default_factory=list)
    answers: int = 0
    done: dict[str, int] = field(default_factory=dict)
    """How much each of them got to see."""

    def __post_init__(self) -> None:
        self.needles = needles(self.secrets.values())

    def look(self, where: str, content: bytes) -> None:
        """Notes each secret in `content`: nobody is told even their own cookie or token again."""
        self.answers += 1
        self.told += [f"{where}: {name}" for needle, name in self.needles.items() if needle in content]

    def address(self, path: str) -> str:
        unknown = set(re.findall(r"\{(\w+)", path)) - self.stands_for.keys()
        assert not unknown, f"{path}: say in `stands_for` what {unknown} stands for"
        return re.sub(r"\{(\w+)[^}]*\}", lambda found: self.stands_for[found[1]], path)

    def routes(self) -> dict[str, set[str]]:
        """Every path, and the methods that it knows: to any other, all paths answer alike (tests/test_doors)."""
        found: dict[str, set[str]] = {}
        for path, route in routes_of(self.asgi):
            found.setdefault(path, set()).update(getattr(route, "methods", None) or METHODS)
        return found


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made: dict[str, Any] = {}
    for place, name in ((opened, "Vault"), (app, "Sessions"), (app, "ApiServices"), (app, "Passwords")):
        real = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *a, _real=real, _name=name, **k: made.setdefault(_name, _real(*a, **k)))
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    settings = Settings(
        data=data,
        public_url=ORIGIN,
        root_key=str(tmp_path / "keys" / "root.key"),
        development=True,
        port=8484,
        privacy_policy="template",
    )
    async with open_hub(settings) as hub:
        yield await _planted(hub.asgi, data, made)


async def _planted(asgi: Any, data: Path, made: Mapping[str, Any]) -> World:
    services, vault = made["ApiServices"], made["Vault"]
    ours = await services.organizations.create("Ours", "organization")
    theirs = await services.organizations.create("Theirs", "organization")
    people: dict[str, Person] = {}
    cookies: dict[str, str] = {}
    tokens: dict[str, str] = {}
    for login, role in ROLES.items():
        organization = theirs if login == "eve" else ours
        person = people[login] = await services.people.create(
            login=login, display_name=login.title(), organization_id=organization.id, role=role
        )
        cookies[login] = (await made["Sessions"].begin(person, "password", "Firefox")).reveal().decode()
        token, info = await services.tokens.create_personal(person, "laptop", "/api/v1", tuple(Scope), 3600.0)
        tokens[login] = token.reveal().decode()
    oscar = people["oscar"]
    await made["Passwords"].set(oscar.id, Secret(PASSWORD))
    connector = await services.connectors.add_custom(oscar, name="Notes", url="https://notes.example/mcp")
    connection = await services.connections.add(oscar, connector)
    for purpose, value in SEALED.items():
        await vault.seal(
            Secret(value),
            bound_to=Binding(
                tenant=ours.id,
                person=oscar.id,
                subject=connection.id,
                purpose=purpose,
                origin="https://notes.example",
                issuer="https://signin.example",
                connector=connector.id,
            ),
        )
    async with made["Vault"]._main.write() as tx:
        await tx.execute(connections.update().values(state="connected", method="oauth", has_refresh_token=True))
    await services.profiles.add(oscar, "work", title="", access="auto", choices=[], by="person:x")
    (data / "policy.txt").write_text("We keep little.")
    drafts, account = services.submissions.drafts, 'canary-test_account-"7Hk/2+Qz~'
    submission = await drafts.begin(oscar, "wolfbook", {"url": "https://wolfbook.example/mcp"}, by="person:x")
    written = await drafts.set_account(oscar, submission.id, Secret(account), by="person:x")
    async with vault._main.write() as tx:  # a draft again that the desk has had: both sides have verbs for it
        await submissions.write(tx, replace(written, submitted_at=written.created_at))
    stands_for = {
        "submission": submission.id,
        "step": "connection",
        "submission_id": submission.id,
        "picture": "0" * 64,
        "connection_id": connection.id,
        "slug": connector.slug,
        "connector": connector.slug,
        "person": "oscar",
        "person_id": oscar.id,
        "login": "oscar",
        "name": "work",
        "profile": "work",
        "token_id": info.id,
        "account": connection.id,
        "connection": connection.id,
        "label": connection.label,
        "organization": ours.id,
        "domain": "example.com",
        "client_id": "x1",
        "group_id": "x1",
        "feed_id": "x1",
        "resource_id": "x1",
        "role": "member",
        "to": "finance",
        "url": "https://other.example/mcp",
        "tool": "list",
        "number": "1",
        "event_seq": "1",
        "before": "1",
        "after": "2",
        "path": "x",
        "version": "1",
        "file": str(data / "policy.txt"),
        "listing": "github",
        "words": "notes",
        "setting": "ask",
        "what": "notes",
        "level": "metadata",
        "kind": "floor",
        "target": "https://other.example/mcp",
        "token_file": "tests/cli/submission.toml",
        "act": "reject",
        "reason": "No.",
        "seen": "0",
        "contents": "90",
    }
    nothing = (
        "approval",
        "approval_id",
        "attempt",
        "alert",
        "alert_id",
        "call",
        "ceiling",
        "ceiling_id",
        "call_id",
        "family",
        "grant_id",
        "hold",
        "hold_id",
        "invitation",
        "issuer",
        "key",
        "group",
        "feed",
        "passkey",
        "receipt",
        "request",
        "request_id",
        "session",
        "standing",
        "standing_id",
        "run_id",
        "run",
        "token",
    )
    stands_for |= dict.fromkeys(nothing, "x1")
    secrets = {**SEALED, "password": PASSWORD, "test account": account}
    secrets |= {f"cookie of {login}": value for login, value in cookies.items()}
    secrets |= {f"token of {login}": value for login, value in tokens.items()}
    return World(asgi, data, made["Vault"]._main, cookies, tokens, stands_for, secrets)


NOBODY, OPERATOR = "nobody", "operator"
LEFT_OUT = {
    "valetkey serve": "it is the hub",
    "valetkey demo": "a hub of its own",
    "valetkey key recover": "for a hub that is not running",
}
_ENDS = re.compile(r"remove|disable|disconnect|revoke|seal|rotate|rewrap|erase")


def client(world: World, who: str) -> httpx2.AsyncClient:
    """Who asks: a person with their cookie and their token, the operator at the control socket, or nobody."""
    if who == OPERATOR:
        transport: Any = httpx2.AsyncHTTPTransport(uds=str(world.data / "control.sock"))
        return httpx2.AsyncClient(transport=transport, base_url=ORIGIN, timeout=20.0)
    transport = httpx2.ASGITransport(app=world.asgi, raise_app_exceptions=False)
    if who == NOBODY:
        return httpx2.AsyncClient(transport=transport, base_url=ORIGIN)
    return httpx2.AsyncClient(transport=transport, base_url=ORIGIN, cookies={"sid": world.cookies[who]})


async def walk(world: World, who: str, methods: Iterable[str]) -> None:
    """Each route with each of these methods, as one of them; what pages and API tell is looked through."""
    async with client(world, who) as asker:
        page = await asker.get("/settings") if who in ROLES else None
        csrf = re.search(r'name="csrf" value="([^"]*)"', page.text) if page is not None else None
        assert (csrf is not None) == (who in ROLES)
        for path, known in world.routes().items():
            if who == OPERATOR and not path.startswith("/api/"):
                continue
            for method in methods:
                if method not in known:
                    continue
                if path == "/signout" or (method, path) == ("DELETE", "/settings/sessions"):
                    continue  # it would be the end of this walk
                given: dict[str, Any] = {}
                if path.startswith("/api/"):
                    given["headers"] = {"authorization": f"Bearer {world.tokens[who]}"} if who in ROLES else {}
                    given |= {} if method in ("GET", "HEAD", "DELETE") else {"json": {}}
                elif method == "POST":
                    given["headers"] = {"sec-fetch-site": "same-origin", "origin": "null"}
                    given["data"] = {"csrf": csrf[1] if csrf else ""}
                answer = await asker.request(method, world.address(path), **given)
                head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
                world.look(f"{who}: {method} {path}", head.encode() + answer.content)
                world.done[who] = world.done.get(who, 0) + answer.is_success


async def test_no_route_tells_anybody_a_secret(world: World) -> None:
    everybody = (NOBODY, "eve", "mia", "audrey", "anton", "oscar", OPERATOR)
    for who in everybody:
        await walk(world, who, ("GET", "HEAD") if who == "oscar" else ("GET",))
    for who in everybody:  # what changes things: those who may least come first, so that there is something to see
        await walk(world, who, ("POST", "PUT", "PATCH", "DELETE"))

    assert world.told == []
    assert world.answers > 2500
    assert world.done["oscar"] > world.done[NOBODY] + 60
    assert world.done[OPERATOR] > 15


async def test_a_page_that_tells_a_secret_is_found(world: World) -> None:
    async with world.database.write() as tx:
        await tx.execute(connections.update().values(state="reconnect", state_reason=SEALED["access_token"]))

    await walk(world, "oscar", ("GET",))

    assert len({where.partition(":")[2] for where in world.told}) >= 2


async def test_no_command_prints_a_secret(world: World) -> None:
    """As the operator at the control socket, and as the owner and a member with their tokens."""
    names = {name: command for name, command in commands() if name not in LEFT_OUT}
    home = {"HOME": str(world.data.parent), "VALETKEY_DATA": str(world.data), "COLUMNS": "200"}
    seen = 0
    for name in sorted(names, key=lambda one: bool(_ENDS.search(one))):
        command = names[name]
        given = [world.stands_for[one.name or ""] for one in command.params if one.required]
        given += ["--json"] if any("--json" in one.opts for one in command.params) else []
        for who in ("mia", "oscar", OPERATOR):
            out = world.data.parent / f"{who}.zip"
            to = ["--out", str(out)] if any("--out" in one.opts for one in command.params) else []
            environment = home if who == OPERATOR else {**home, "VALETKEY_TOKEN": world.tokens[who]}
            said = await asyncio.to_thread(
                run_command, shlex.join([*name.split(), *given, *to]), ["y"] * 5, environment
            )
            seen += not said or not said[-1].startswith("[exit")
            world.look(f"{who}: {name}", "\n".join(said).encode())
            for file in zipfile.ZipFile(out).infolist() if out.exists() else ():
                world.look(f"{who}: {name}: {file.filename}", zipfile.ZipFile(out).read(file))
            out.unlink(missing_ok=True)

    assert world.told == []
    assert seen > len(names) * 0.9  # each is asked three times; what there is none of (a hold, an invitation) fails


async def test_a_secret_that_is_told_is_seen(world: World) -> None:
    for name, secret in world.secrets.items():
        for content in (secret, json.dumps({"x": secret}), quote(secret), base64.b64encode(b"a" + secret.encode())):
            world.told.clear()
            world.look("somewhere", content if isinstance(content, bytes) else content.encode())
            assert world.told, name
