"""T17: whatever goes wrong, no secret is in what is raised, logged, shown, recorded or stored.

The other side has just been given one, and gives it back in every place that an answer has. What it was given is read
from what it received, so nothing here has to know what counts as secret.
"""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote_plus

import pytest

from tests.connections.conftest import PARSE, Hub
from tests.connections.outside import Answer, Asked, AuthServer, Service
from tests.connections.test_redirect_matrix import somebody
from valetkey.audit.model import Everyone
from valetkey.kernel.errors import ValetkeyError
from valetkey.net.limits import CALL

Shape = Callable[[str], Answer]
JSON = {"content-type": "application/json"}


def says(status: int, **members: object) -> Answer:
    return Answer(status, members)


SHAPES: dict[str, Shape] = {
    # Where in an answer a secret `s` stands.
    "the description of an error": lambda s: says(400, error="invalid_request", error_description=f"unknown: {s}"),
    "the name of an error": lambda s: says(400, error=s),
    "the address of an error": lambda s: says(400, error="invalid_request", error_uri=f"https://x.example/?{s}"),
    "an error in an error": lambda s: says(400, error={"code": s, "message": s}),
    "a description that is a list": lambda s: says(400, error="invalid_request", error_description=[s]),
    "an unknown member": lambda s: says(400, error="invalid_request", debug=s),
    "the name of a member": lambda s: Answer(400, {s: 1, "error": "invalid_request"}),
    "a lone string": lambda s: Answer(400, json.dumps(s).encode(), JSON),
    "plain text": lambda s: Answer(500, f"failed for {s}".encode()),
    "a page": lambda s: Answer(500, f"<h1>Error</h1><pre>{s}</pre>".encode(), {"content-type": "text/html"}),
    "a page with status 200": lambda s: Answer(200, f"<h1>{s}</h1>".encode(), {"content-type": "text/html"}),
    "broken JSON": lambda s: Answer(400, f'{{"error": "{s}'.encode(), JSON),
    "JSON with a duplicate": lambda s: Answer(400, f'{{"error": "a", "error": "{s}"}}'.encode(), JSON),
    "what is not UTF-8": lambda s: Answer(400, b'{"error": "\xff' + s.encode() + b'"}', JSON),
    "a number that is none": lambda s: Answer(200, f'{{"access_token": {s}}}'.encode(), JSON),
    "the kind of a token": lambda s: says(200, access_token="x", token_type=s),
    "the life of a token": lambda s: says(200, access_token="x", token_type="Bearer", expires_in=s),
    "the scope of a token": lambda s: says(200, access_token="x", token_type="Bearer", scope={"a": s}),
    "a token of no tokens": lambda s: says(200, token_type="Bearer", scope=s),
    "a token that is a list": lambda s: says(200, access_token=[s], token_type="Bearer"),
    "a token with a line": lambda s: says(200, access_token=f"{s}\r\nx: y", token_type="Bearer"),
    "a challenge": lambda s: Answer(401, b"", {"www-authenticate": f'Bearer error="{s}", error_description="{s}"'}),
    "a strange challenge": lambda s: Answer(401, b"", {"www-authenticate": f"{quote(s)} x"}),
    "a redirect": lambda s: Answer(302, b"", {"location": f"https://x.example/?token={quote(s)}"}),
    "a redirect to a name": lambda s: Answer(307, b"", {"location": f"https://{quote(s, safe='')}.example/"}),
    "the kind of a content": lambda s: Answer(400, b"{}", {"content-type": quote(s)}),
    "its encoding": lambda s: Answer(200, b"{}", {"content-encoding": quote(s)}),
    "a further header": lambda s: Answer(503, b"", {"x-debug": quote(s), "retry-after": quote(s)}),
    "an answer of MCP": lambda s: says(200, jsonrpc="2.0", id=1, error={"code": -32000, "message": s, "data": s}),
    "an answer to another": lambda s: says(200, jsonrpc="2.0", id=s, result={}),
}


@dataclass
class Telling(AuthServer):
    """Gives back what it was given, in this shape, wherever it is asked at `at`."""

    shape: Shape | None = None
    at: str = ""
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.auths = ["client_secret_basic"]

    async def handle(self, asked: Asked) -> Answer:
        if self.shape is None or asked.path != self.at:
            return await super().handle(asked)
        self.told = secrets_in(asked)
        return self.shape(" ".join(self.told))


class TellingService(Service):
    """Gives back the token that it was called with."""

    shape: Shape | None = None
    told: tuple[str, ...] = ()

    async def handle(self, asked: Asked) -> Answer:
        if self.shape is None or not asked.bearer:
            return await super().handle(asked)
        self.told = (asked.bearer,)
        return self.shape(asked.bearer)


def secrets_in(asked: Asked) -> list[str]:
    named = ("code", "code_verifier", "refresh_token", "token", "client_secret", "client_assertion")
    found = [asked.form[name] for name in named if name in asked.form]
    basic = asked.headers.get("authorization", "").removeprefix("Basic ")
    if basic:
        found += [basic, unquote_plus(base64.b64decode(basic).decode().partition(":")[2])]
    return found


@pytest.fixture
async def server() -> AsyncIterator[Telling]:
    async with Telling() as one:
        yield one


@pytest.fixture
async def service(server: Telling) -> AsyncIterator[TellingService]:
    async with TellingService(server) as one:
        yield one


async def exchange(hub: Hub, service: TellingService, server: Telling, shape: Shape) -> tuple[str, ...]:
    browser = await somebody(hub)
    attempt, url = await hub.go(browser, await hub.connector(browser.person, service.url))
    answer = server.consent(url)
    server.shape, server.at = shape, "/token"
    try:
        await hub.come_back(browser, attempt, answer)
    finally:
        server.shape = None
    return ()


async def renew(hub: Hub, service: TellingService, server: Telling, shape: Shape) -> tuple[str, ...]:
    browser = await somebody(hub)
    connection = await hub.connect(browser, await hub.connector(browser.person, service.url), server)
    hub.clock.advance(3600)
    server.shape, server.at = shape, "/token"
    try:
        await hub.bearer(connection)
    finally:
        server.shape = None
        hub.clock.advance(3600)
    return ()


async def revoke(hub: Hub, service: TellingService, server: Telling, shape: Shape) -> tuple[str, ...]:
    browser = await somebody(hub)
    connection = await hub.connect(browser, await hub.connector(browser.person, service.url), server)
    server.shape, server.at = shape, "/revoke"
    try:
        receipt = await hub.room.disconnecting.disconnect(connection.person_id, connection.id, by="person:x")
    finally:
        server.shape = None
    return (repr(receipt),)


async def call(hub: Hub, service: TellingService, server: Telling, shape: Shape) -> tuple[str, ...]:
    browser = await somebody(hub)
    connection = await hub.connect(browser, await hub.connector(browser.person, service.url), server)
    ticket = await hub.room.credentials.ticket(connection.id, person_id=connection.person_id, call_id="call_1")
    service.shape = shape
    try:
        await hub.outbound.calls.post(PARSE(service.url), [], b"{}", credential=ticket, pool="x", limits=CALL)
    finally:
        service.shape = None
        server.told = list(service.told)
    return ()


PLAYS = {"exchanging a code": exchange, "renewing a token": renew, "revoking a token": revoke, "a call": call}
assert len(SHAPES) * len(PLAYS) >= 120


@pytest.mark.parametrize("what", PLAYS)
@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
async def test_no_failure_tells_the_secret_it_was_told_when(
    hub: Hub, service: TellingService, server: Telling, what: str, every: int, capfd: pytest.CaptureFixture[str]
) -> None:
    failures = 0
    for name, shape in list(SHAPES.items())[::every]:
        server.told = []
        said: list[str] = []
        try:
            said += await PLAYS[what](hub, service, server, shape)
        except ValetkeyError as error:
            failures += 1
            said += ["".join(traceback.format_exception(error)), repr(error), str(error), repr(vars(error))]
        assert server.told, f"{name}: it was told nothing, so nothing is proven"
        output = capfd.readouterr()
        said += [output.out, output.err, repr(await hub.trail.list(Everyone(), limit=1000)), await shown(hub)]
        for secret in server.told:
            assert len(secret) >= 8
            assert secret not in "\n".join(said), name
            assert quote(secret) not in "\n".join(said), name
    # A token that cannot be renewed just now is tried as it is, and a revocation that fails is on the receipt.
    assert failures >= 5 or what != "exchanging a code"


async def shown(hub: Hub) -> str:
    """Every text in the main database, which pages, commands and exports are made of."""
    database = Path(str(hub.main.url.database))
    raw = database.read_bytes()
    log = database.with_name(database.name + "-wal")
    return (raw + (log.read_bytes() if log.exists() else b"")).decode("latin-1")
