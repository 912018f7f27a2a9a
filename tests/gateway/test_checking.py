"""VLT-07: whether a connection works, looked into at its person's press of a button and on record.

Each failure of an authorization server and of a service is told apart: what only the person can mend, and what says
nothing about the credential.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import FakeClock
from tests.connections.outside import Answer, AuthServer, Service
from tests.databases import migrated_sqlite
from tests.gateway.conftest import Front, Hub, opened
from valetkey.audit.model import OfPerson
from valetkey.connections.checking import Checked, Checking, Renewal, Status, Step
from valetkey.connections.model import Connection, State
from valetkey.identity.model import BrowserSession, Person
from valetkey.kernel.errors import NotFound, NotRecorded

PASSING = (
    Answer(400, {"error": "invalid_request"}),
    Answer(401, {"error": "invalid_client"}),
    Answer(403, b"<html>blocked by a firewall</html>"),
    Answer(429, {"error": "slow_down"}),
    Answer(500, b"oops"),
    Answer(503, {"error": "temporarily_unavailable"}),
    Answer(200, b"not JSON"),
)


@pytest.fixture
def front() -> Front:
    return "asgi"


@dataclass
class House:
    """Ada's account at a service behind an authorization server, and the button."""

    hub: Hub
    server: AuthServer
    service: Service
    connection: Connection
    checking: Checking

    async def check(self) -> Checked:
        return await self.checking.check(self.connection.person_id, self.connection.id, by="person:ada")

    async def state(self) -> State:
        return (await self.hub.connections.get(self.connection.person_id, self.connection.id)).state

    def expire(self) -> None:
        self.hub.clock.advance(4000)


@pytest.fixture
async def house(tmp_path: Path, clock: FakeClock) -> AsyncIterator[House]:
    main, keyring = [await migrated_sqlite(tmp_path / f"{name}.db", name) for name in ("main", "keyring")]
    async with (
        opened(main, keyring, clock, tmp_path, "asgi") as hub,
        AuthServer() as server,
        Service(server) as service,
    ):
        connection = await _connected(hub, await hub.person("ada"), server, service)
        checking = Checking(connections=hub.connections, trace=hub.room.trace, probe=hub.gateway.probe)
        yield House(hub, server, service, connection, checking)
    await main.close()


async def _connected(hub: Hub, ada: Person, server: AuthServer, service: Service, label: str = "") -> Connection:
    now = hub.clock.now()
    browser = BrowserSession("ses_1", ada, "password", "csrf", "Firefox", now, now, now, now, now, False)
    [connector] = await hub.connectors.list_for(ada) or [
        await hub.connectors.add_custom(ada, name="N", url=service.url)
    ]
    attempt = await hub.room.connecting.begin(browser, connector, label=label)
    url = await hub.room.connecting.accept(attempt.id, browser, attempt.facts.hash, attempt.facts.scopes)
    issuer_hash = attempt.facts.callback.rpartition("/")[2]
    return await hub.room.connecting.finish(server.consent(url), browser, issuer_hash=issuer_hash)


async def test_what_works_is_valid_and_nothing_is_renewed_for_it(house: House) -> None:
    assert await house.check() == Checked(Status.VALID, True, Step.DONE, None, "", Renewal.NOT_NEEDED, None, "")
    assert len(house.server.posts("/token")) == 1


async def test_a_credential_that_has_expired_is_renewed_and_valid(house: House) -> None:
    house.expire()

    found = await house.check()

    assert (found.status, found.renewal, found.renewal_status) == (Status.VALID, Renewal.SUCCEEDED, 200)
    assert found.has_refresh_token


@pytest.mark.parametrize("http", [400, 200])
async def test_a_grant_that_the_server_has_ended_is_invalid(house: House, http: int) -> None:
    house.expire()
    house.server.failures.append(Answer(http, {"error": "invalid_grant"}))

    found = await house.check()

    assert (found.status, found.failed_at, found.renewal) == (Status.INVALID, Step.CREDENTIAL, Renewal.FAILED)
    assert (found.renewal_status, found.has_refresh_token) == (http, False)
    assert await house.state() is State.RECONNECT


async def test_every_other_failure_of_the_server_says_nothing_of_the_credential(house: House) -> None:
    house.service.refused = 1000
    for answer in PASSING:
        house.expire()
        house.server.failures = [answer] * 3

        found = await house.check()

        assert (found.status, found.failed_at) == (Status.UNKNOWN, Step.CREDENTIAL), answer
        assert (found.renewal, found.renewal_status) == (Renewal.FAILED, answer.status), answer
        assert await house.state() is State.CONNECTED, answer


async def test_a_server_that_cannot_be_reached_is_a_connect_error_and_says_nothing_of_the_credential(
    house: House,
) -> None:
    house.expire()
    house.service.refused = 10
    await house.server.close()

    found = await house.check()

    assert (found.status, found.renewal, found.renewal_status) == (Status.UNKNOWN, Renewal.CONNECT_ERROR, None)
    assert await house.state() is State.CONNECTED


async def test_without_a_refresh_token_a_refused_credential_is_invalid(house: House) -> None:
    house.server.gives_refresh_token = False
    ada = await house.hub.people.get(house.connection.person_id)
    second = await _connected(house.hub, ada, house.server, house.service, "two")
    house.service.refused = 10

    found = await house.checking.check(ada.id, second.id, by="person:ada")

    assert (found.status, found.failed_at) == (Status.INVALID, Step.CREDENTIAL)
    assert (found.has_refresh_token, found.renewal) == (False, Renewal.NO_REFRESH_TOKEN)


async def test_a_service_that_fails_names_the_step_and_says_nothing_of_the_credential(house: House) -> None:
    for http, failed_at in ((500, Step.TOOLS_LIST), (403, Step.TOOLS_LIST), (None, Step.CONNECT)):
        if http is None:
            await house.service.close()
        else:
            house.service.answers["/mcp"] = Answer(http, b"CANARY-of-the-body" * 100)

        found = await house.check()

        assert (found.status, found.failed_at, found.renewal) == (Status.UNKNOWN, failed_at, Renewal.NOT_NEEDED)
        assert found.probe_status == http
        assert "CANARY" not in found.probe_said
        assert len(found.probe_said) <= 200


async def test_what_servers_say_is_cut_and_no_token_is_in_it(house: House) -> None:
    """The server repeats the refresh token in its description."""
    [token] = house.server.refreshes
    house.expire()
    house.server.failures.append(Answer(400, {"error": "invalid_grant", "error_description": f"{token} " + "x" * 5000}))

    found = await house.check()

    assert found.status is Status.INVALID
    assert len(found.renewal_said) <= 200
    assert "CANARY" not in repr(found)
    assert token not in repr(found)


async def test_it_is_in_the_trail_before_and_a_record_of_the_persons_own(house: House) -> None:
    """S-22: the credential left for a recorded request that its person caused."""
    ada = await house.hub.people.get(house.connection.person_id)
    await house.check()

    [event] = [one for one in await house.hub.trail.list(OfPerson(ada.id)) if one.event == "connection.checked"]
    [record] = await house.hub.records(ada, method="tools/list")
    assert (event.actor, event.object) == ("person:ada", house.connection.id)
    assert (record.rule, record.origin) == ("checked_by_person", house.service.origin)


async def test_what_cannot_be_recorded_is_not_looked_into(house: House) -> None:
    before = len(house.service.asked)
    house.hub.call_log._taking = False

    with pytest.raises(NotRecorded):
        await house.check()

    house.hub.call_log._taking = True
    assert len(house.service.asked) == before


async def test_nobody_looks_into_anothers(house: House) -> None:
    with pytest.raises(NotFound):
        await house.checking.check("person_other", house.connection.id, by="person:other")


async def test_nothing_is_looked_into_by_itself(house: House) -> None:
    """S-22: a month goes by, and a restart of the rooms; nobody pressed anything."""
    before = len(house.service.asked) + len(house.server.asked)
    house.hub.clock.advance(30 * 86400)
    await house.hub.room.start()

    assert len(house.service.asked) + len(house.server.asked) == before


async def test_a_disconnected_account_is_invalid_and_nobody_is_asked(house: House) -> None:
    await house.hub.room.disconnecting.disconnect(house.connection.person_id, house.connection.id, by="person:ada")
    before = len(house.service.asked)

    found = await house.check()

    assert (found.status, found.failed_at, found.has_refresh_token) == (Status.INVALID, Step.CREDENTIAL, False)
    assert len(house.service.asked) == before
