"""A certified authorization server in front of a FastMCP server: the whole life of a connection, on nobody's fakes."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2
import pytest

from tests.conftest import FakeClock
from tests.connections.conftest import PUBLIC_URL, Hub
from tests.real.node import Node
from valetkey.connections.methods.oauth import refresh_binding
from valetkey.connections.model import Connection, ScopeOrigin, State
from valetkey.connections.refresh import Outcome
from valetkey.connections.repository import Seen
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import NotConnected
from valetkey.kernel.secret import Credential
from valetkey.net.url import parse_url
from valetkey.protocol.messages import read_params, tool_call
from valetkey.store.database import Database
from valetkey.upstream.model import Target, Unauthorized
from valetkey.vault.model import Use
from valetkey.vault.root_keys.file import open_or_create

pytestmark = pytest.mark.real

HERE = Path(__file__).resolve().parent
OIDC_PROVIDER = "oidc-provider/lib/index.js"


@dataclass(frozen=True, slots=True)
class Outside:
    """The two servers, by their addresses."""

    issuer: str
    mcp: str


@pytest.fixture(scope="module")
def outside(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with _outside(node, tmp_path_factory.mktemp("home")) as opened:
        yield opened


@contextmanager
def _outside(node: Node, home: Path, *methods: str) -> Iterator[Outside]:
    """Both servers; `methods` are the ways in which a client may prove who it is, all that the server knows if none."""
    ports = _free_ports()
    issuer, mcp = (f"http://127.0.0.1:{port}" for port in ports)
    identity = [str(node.node), str(HERE / "idp.mjs"), (node.modules / OIDC_PROVIDER).as_uri(), str(ports[0])]
    notes = [sys.executable, str(HERE / "guarded_notes.py"), str(ports[1]), issuer]
    with (
        _running(
            [*identity, f"{mcp}/mcp", *methods], node.environment(home), f"{issuer}/.well-known/openid-configuration"
        ),
        _running(notes, None, f"{mcp}/.well-known/oauth-protected-resource/mcp"),
    ):
        yield Outside(issuer, f"{mcp}/mcp")


@pytest.fixture
async def hub(
    sqlite_database: Database, keyring_database: Database, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[Hub]:
    root = open_or_create(tmp_path / "keys" / "root.key", forbidden_below=[], may_create=True)
    opened = Hub(sqlite_database, keyring_database, root, clock, tmp_path / "spool")
    await opened.vault.start("dep_test")
    yield opened
    await opened.close()


@pytest.fixture
async def ada(hub: Hub) -> BrowserSession:
    return hub.browser(await hub.person("ada"))


async def test_the_whole_life_of_a_connection(hub: Hub, ada: BrowserSession, outside: Outside) -> None:
    """Discovery, registration, sign-in, exchange, a call, rotation, a second use noticed, revocation."""
    connector = await hub.connector(ada.person, outside.mcp)

    # 1. what is found out
    attempt, url = await hub.go(ada, connector)
    assert (attempt.facts.issuer, attempt.facts.client_source) == (outside.issuer, "dcr")
    assert attempt.facts.scope_origin is ScopeOrigin.CHALLENGE
    assert attempt.facts.scopes[0] == "notes:read"
    assert attempt.facts.resource == outside.mcp

    # 2. the person signs in there and comes back
    connection = await hub.come_back(ada, attempt, await _agree(url))
    assert connection.state is State.CONNECTED
    assert "notes:read" in connection.granted_scope.split()
    assert connection.has_refresh_token

    # 3. a call with the person's own token
    assert await _whoami(hub, connection) == "ada may notes:read"

    # 4. rotation, several times over
    tokens = {await hub.bearer(connection)}
    for _ in range(3):
        hub.clock.advance(300)
        assert await _whoami(hub, connection) == "ada may notes:read"
        tokens.add(await hub.bearer(connection))
    assert len(tokens) == 4

    # 5. revocation: the server confirms, and nothing of it works any more
    copy = await Copy.of(hub, connection)
    receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by=f"person:{ada.person.id}")
    assert (receipt.revocation, receipt.keys_destroyed) == ("confirmed", 2)
    assert await copy.is_refused(outside)
    with pytest.raises(NotConnected):
        await _whoami(hub, connection)


async def test_fifty_callers_at_expiry_do_not_set_off_its_reuse_alarm(
    hub: Hub, ada: BrowserSession, outside: Outside
) -> None:
    """oidc-provider ends the whole grant when a rotated refresh token comes again."""
    attempt, url = await hub.go(ada, await hub.connector(ada.person, outside.mcp))
    connection = await hub.come_back(ada, attempt, await _agree(url))
    hub.clock.advance(300)

    tokens = await asyncio.gather(*(hub.bearer(connection) for _ in range(50)))
    hub.clock.advance(300)

    assert len(set(tokens)) == 1
    assert await _whoami(hub, connection) == "ada may notes:read"


async def test_a_grant_that_ended_at_the_service_is_noticed_once(
    hub: Hub, ada: BrowserSession, outside: Outside
) -> None:
    """S-21: used twice by somebody with a copy, so the family is revoked there."""
    attempt, url = await hub.go(ada, await hub.connector(ada.person, outside.mcp))
    connection = await hub.come_back(ada, attempt, await _agree(url))
    stolen = await Copy.of(hub, connection)
    hub.clock.advance(300)
    await hub.bearer(connection)
    assert await stolen.is_refused(outside)
    hub.clock.advance(300)

    with pytest.raises(NotConnected) as caught:
        await hub.bearer(connection)

    assert caught.value.reason == "reconnect"
    assert (await hub.vault.mark(connection.id)).names == frozenset()


async def test_it_takes_our_signature_for_a_secret(
    sqlite_database: Database, keyring_database: Database, node: Node, tmp_path: Path
) -> None:
    """CON-25, `private_key_jwt`: registration with our key, exchange, refresh and revocation, each newly signed."""
    root = open_or_create(tmp_path / "keys" / "root.key", forbidden_below=[], may_create=True)
    hub = Hub(
        sqlite_database, keyring_database, root, FakeClock(datetime.now(UTC)), tmp_path / "spool"
    )  # statements live for a minute
    await hub.vault.start("dep_test")
    ada = hub.browser(await hub.person("ada"))
    with _outside(node, tmp_path, "private_key_jwt") as outside:
        attempt, url = await hub.go(ada, await hub.connector(ada.person, outside.mcp))
        connection = await hub.come_back(ada, attempt, await _agree(url))
        first = await hub.bearer(connection)
        outcome = await hub.room.refreshing.refresh(Seen.of(connection))
        second = await hub.bearer(connection)
        receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")
        steps = await hub.room.trace.list(ada.person.id, connection.id)
    await hub.close()

    assert "registered, to prove who we are by private_key_jwt" in [step.reason for step in steps]
    assert (outcome, first != second, receipt.revocation) == (Outcome.FRESH, True, "confirmed")


async def test_without_a_token_the_service_lets_nobody_in(hub: Hub, outside: Outside) -> None:
    async def nobody() -> Credential | None:
        return None

    with pytest.raises(Unauthorized):
        await hub.upstreams.list_tools(
            Target(parse_url(outside.mcp), "nobody", "notes"), ticket=None, further_tickets=nobody
        )


# --- what the tests are made of ------------------------------------------------------------------------------------


async def _agree(url: str) -> list[tuple[str, str]]:
    """A browser that follows every redirect with its cookies, until it is sent back to the hub."""
    async with httpx2.AsyncClient() as browser:
        for _ in range(12):
            answer = await browser.get(url)
            assert answer.is_redirect, answer.text
            url = urljoin(url, answer.headers["location"])
            if url.startswith(PUBLIC_URL):
                return parse_qsl(urlsplit(url).query)
    raise AssertionError("the way back was never found")


async def _whoami(hub: Hub, connection: Connection) -> str:
    async def ticket() -> Credential | None:
        return await hub.room.credentials.ticket(connection.id, person_id=connection.person_id, call_id="call_1")

    async def quiet(_notification: bytes) -> None:
        return None

    connector = await hub.connectors.by_id(connection.connector_id)
    carried = await hub.upstreams.call(
        Target(parse_url(connector.url), connection.id, connector.slug),
        tool_call(read_params(b'{"name":"whoami","arguments":{}}'), modern=True),
        params=(),
        ticket=await ticket(),
        further_tickets=ticket,
        relay=quiet,
    )
    assert carried.error == b"", carried.error
    text = carried.result.decode()
    return text.partition('"text":"')[2].partition('"')[0]


@dataclass(frozen=True, slots=True)
class Copy:
    """What a thief would need: a refresh token, and the hub's own client. Only a test may look."""

    refresh_token: str
    client: httpx2.BasicAuth

    @classmethod
    async def of(cls, hub: Hub, connection: Connection) -> Copy:
        connector = await hub.connectors.by_id(connection.connector_id)
        server = await hub.room.servers.known(connection.issuer, allow_http=True)
        assert server is not None
        client = await hub.room.identities.known(connector, server)
        assert client is not None
        assert client.secret is not None
        binding = refresh_binding(connection, connector, server)
        token = await hub.vault.reveal_for_exchange(bound_to=binding, use=Use.REFRESH)
        return cls(token.reveal().decode(), httpx2.BasicAuth(client.id, client.secret.reveal().decode()))

    async def is_refused(self, outside: Outside) -> bool:
        fields = {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
        async with httpx2.AsyncClient(auth=self.client) as thief:
            answer = await thief.post(f"{outside.issuer}/token", data=fields)
        return answer.status_code == 400 and answer.json()["error"] == "invalid_grant"


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@contextmanager
def _running(command: list[str], environment: dict[str, str] | None, address: str) -> Iterator[None]:
    """The command, once its address answers."""
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        until = time.monotonic() + 60
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                raise AssertionError(process.communicate()[0])
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.communicate()


def _answers(address: str) -> bool:
    try:
        return httpx2.get(address).status_code == 200
    except httpx2.TransportError:
        return False
