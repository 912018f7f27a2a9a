"""T22: no redirect is followed, and no credential goes where one points: every status, every direction, every address.

The answers are real, on real sockets; a hook in the interpreter sees every connection that is made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import product

import pytest

from tests.connections.conftest import PARSE, Hub
from tests.connections.outside import Answer, AuthServer, Place, Service
from tests.net.egress_hook import Egress
from tests.net.egress_hook import egress as egress  # a fixture, re-exported
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import ValetkeyError
from valetkey.kernel.ids import new_id
from valetkey.net.limits import CALL, CIMD

STATUSES = (301, 302, 303, 307, 308)
AS_A_GET, AS_IT_WAS = 303, 307
"""The two ways in which a client goes on after a redirect: these are tried each time, all five in the long run."""
DIRECTIONS = {
    "same": "{here}/elsewhere",
    "cross": "{there}/mcp?token=x",
    "downgrade": "http://localhost:{port}/token",
    "private": "http://169.254.169.254/latest/meta-data/",
    "scheme": "ftp://127.0.0.1:{port}/x",
    "userinfo": "http://ada:secret@127.0.0.1:{port}/x",
}


async def somebody(hub: Hub) -> BrowserSession:
    """A person of an organization of their own, so that nothing is there yet."""
    return hub.browser(await hub.person(new_id("person"), organization_id=new_id("org")))


Play = Callable[[Hub, Service, AuthServer, Answer], Awaitable[None]]


async def looking_at_a_service(hub: Hub, service: Service, server: AuthServer, redirect: Answer) -> None:
    service.answers["/mcp"] = redirect
    browser = await somebody(hub)
    await hub.room.connecting.begin(browser, await hub.connector(browser.person, service.url))


async def calling_with_the_persons_token(hub: Hub, service: Service, server: AuthServer, redirect: Answer) -> None:
    browser = await somebody(hub)
    connection = await hub.connect(browser, await hub.connector(browser.person, service.url), server)
    ticket = await hub.room.credentials.ticket(connection.id, person_id=connection.person_id, call_id="call_1")
    service.answers["/mcp"] = redirect
    url = PARSE(service.url)
    await hub.outbound.calls.post(url, [], b"{}", credential=ticket, pool=connection.id, limits=CALL)


async def reading_the_resource_metadata(hub: Hub, service: Service, server: AuthServer, redirect: Answer) -> None:
    service.answers["/.well-known/oauth-protected-resource/mcp"] = redirect
    service.answers["/.well-known/oauth-protected-resource"] = redirect
    browser = await somebody(hub)
    await hub.room.connecting.begin(browser, await hub.connector(browser.person, service.url))


async def reading_the_servers_metadata(hub: Hub, service: Service, server: AuthServer, redirect: Answer) -> None:
    for path in ("oauth-authorization-server", "openid-configuration"):
        server.answers[f"/.well-known/{path}"] = redirect
    browser = await somebody(hub)
    await hub.room.connecting.begin(browser, await hub.connector(browser.person, service.url))


async def registering(hub: Hub, service: Service, server: AuthServer, redirect: Answer) -> None:
    server.answers["/register"] = redirect
    browser = await somebody(hub)
    await hub.go(browser, await hub.connector(browser.person, service.url))


async def exchanging_a_code(hub: Hub, service: Service, server: AuthServer, redirect: Answer) -> None:
    browser = await somebody(hub)
    attempt, url = await hub.go(browser, await hub.connector(browser.person, service.url))
    answer = server.consent(url)
    server.answers["/token"] = redirect
    await hub.come_back(browser, attempt, answer)


async def renewing_a_token(hub: Hub, service: Service, server: AuthServer, redirect: Answer) -> None:
    browser = await somebody(hub)
    connection = await hub.connect(browser, await hub.connector(browser.person, service.url), server)
    hub.clock.advance(3600)
    server.answers["/token"] = redirect
    await hub.bearer(connection)


async def revoking_a_token(hub: Hub, service: Service, server: AuthServer, redirect: Answer) -> None:
    browser = await somebody(hub)
    connection = await hub.connect(browser, await hub.connector(browser.person, service.url), server)
    server.answers["/revoke"] = redirect
    await hub.room.disconnecting.disconnect(connection.person_id, connection.id, by="person:x")


async def reading_a_clients_document(hub: Hub, service: Service, server: AuthServer, redirect: Answer) -> None:
    service.answers["/client.json"] = redirect
    await hub.outbound.web.get(PARSE(f"{service.origin}/client.json"), limits=CIMD)


PLAYS: dict[str, tuple[Play, str]] = {
    # Each kind of address that the hub asks (security.md 4.3), and the path that is seen to be asked.
    "an MCP endpoint, before anybody signed in": (looking_at_a_service, "/mcp"),
    "an MCP endpoint, with a person's token": (calling_with_the_persons_token, "/mcp"),
    "metadata of a resource": (reading_the_resource_metadata, "/.well-known/oauth-protected-resource/mcp"),
    "metadata of an authorization server": (reading_the_servers_metadata, "/.well-known/oauth-authorization-server"),
    "a registration endpoint": (registering, "/register"),
    "a token endpoint, with a code": (exchanging_a_code, "/token"),
    "a token endpoint, with a refresh token": (renewing_a_token, "/token"),
    "a revocation endpoint": (revoking_a_token, "/revoke"),
    "a client's document": (reading_a_clients_document, "/client.json"),
}
assert len(PLAYS) * len(STATUSES) * len(DIRECTIONS) >= 240


def times_asked(place: Place, path: str) -> int:
    return sum(one.path == path for one in place.asked)


@pytest.mark.parametrize("what", PLAYS)
@pytest.mark.parametrize(
    "statuses", [(AS_A_GET, AS_IT_WAS), pytest.param(STATUSES, marks=pytest.mark.long)], ids=["two", "all"]
)
async def test_no_redirect_is_followed_from(
    hub: Hub, service: Service, server: AuthServer, egress: Egress, what: str, statuses: tuple[int, ...]
) -> None:
    play, path = PLAYS[what]
    cells = 0
    async with Place() as elsewhere:
        ours = {("127.0.0.1", int(place.origin.rpartition(":")[2])) for place in (service, server)}
        port = elsewhere.origin.rpartition(":")[2]
        for status, (direction, template) in product(statuses, DIRECTIONS.items()):
            asking = server if path in ("/register", "/token", "/revoke") or "authorization-server" in path else service
            where = template.format(here=asking.origin, there=elsewhere.origin, port=port)
            before = times_asked(asking, path)
            dialed = len(egress.dialed)

            with suppress(ValetkeyError):
                await play(hub, service, server, Answer(status, b"", {"location": where}))

            cell = f"{status} {direction}"
            assert times_asked(asking, path) > before, f"{cell}: nothing was asked, so nothing is proven"
            assert elsewhere.asked == [], cell
            assert not [one for place in (service, server) for one in place.asked if one.path == "/elsewhere"], cell
            assert set(egress.dialed[dialed:]) <= ours, cell
            service.answers.clear()
            server.answers.clear()
            hub.clock.advance(86400)  # what was learned before is not what is asked now
            cells += 1
    assert cells == len(statuses) * len(DIRECTIONS)
