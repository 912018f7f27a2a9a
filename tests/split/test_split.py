"""A hub in three processes does what one in one does, and its worker can do nothing else (T08, I1, I2, I4) (VLT-09)."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from dataclasses import replace

import pytest

from tests.connections.outside import Answer, AuthServer, Service
from tests.split.conftest import SplitHub
from valetkey.audit.model import Outcome
from valetkey.connections import spooled
from valetkey.connections.methods import oauth
from valetkey.connections.model import Connection
from valetkey.connections.refresh import Outcome as Renewed
from valetkey.connections.repository import Seen
from valetkey.directory.fingerprint import read_tool
from valetkey.directory.snapshots import Snapshots
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import BadInput, NotConnected, OutboundFailed, RootKeyUnavailable, VaultFailed
from valetkey.kernel.secret import Secret
from valetkey.policy.model import Setting
from valetkey.policy.permissions import Given, Permissions
from valetkey.policy.tool_class import ToolClass
from valetkey.vault.model import BEARER, Use
from valetkey.vault.release import NotReleased
from valetkey.vault.verbs import Ticket

NOTE = b'{"name":"list_notes","description":"Lists.","inputSchema":{}}'  # reads: an allow holds for its class
TOOL = read_tool(NOTE)


async def connected(hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer) -> Connection:
    return await hub.connect(ada, await hub.connector(ada.person, service.url), server)


async def seen(hub: SplitHub, connection: Connection, *tools: bytes) -> None:
    """Its tools have been listed."""
    await Snapshots(hub.main, hub.notifications, clock=hub.clock).put(connection.id, tools, b"{}", 60)


def bearers(service: Service) -> list[str]:
    return [asked.bearer for asked in service.asked if asked.bearer]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_connecting_calling_renewing_and_disconnecting_are_as_they_are_in_one_process(
    hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await connected(hub, ada, service, server)
    first = await hub.call(connection, service.url)
    renewed = await hub.room.refreshing.refresh(Seen.of(await hub.now(connection)))
    second = await hub.call(connection, service.url)

    assert (first.status, second.status) == (200, 200)
    assert renewed is Renewed.FRESH
    assert bearers(service)[-2:] == list(server.access)[:2]
    assert [form.form["grant_type"] for form in server.posts("/token")] == ["authorization_code", "refresh_token"]

    receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    assert receipt.revocation == "confirmed"
    assert [hint for hint, _ in server.revoked] == ["refresh_token", "access_token"]
    assert not any(server.lets_in(token) for token in server.access)
    with pytest.raises(NotConnected):
        await hub.call(connection, service.url)


async def test_a_worker_gets_no_ticket_without_a_record_of_the_persons_own_call_of_what_is_on(
    hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """The vault reads the journal and the permissions itself, whatever a worker says."""
    connection = await connected(hub, ada, service, server)
    await seen(hub, connection, NOTE)
    connector = await hub.connectors.by_id(connection.connector_id)
    parts = [(BEARER, oauth.access_binding(connection, connector))]

    async def ticket(call_id: str, *, origin: str = connector.origin, ttl: float = 60.0) -> Ticket:
        return await hub.kept.vault.ticket(parts, origin=origin, call_id=call_id, ttl=ttl)

    with pytest.raises(NotReleased, match="without a record"):
        await ticket("call_unheard_of")
    with hub.call_log.begin(hub.intent(connection)) as ended:
        assert await ticket(ended.intent.id)
        with pytest.raises(VaultFailed, match="another origin"):
            await ticket(ended.intent.id, origin="https://evil.example.com")
        with pytest.raises(BadInput, match="at most a minute"):
            await ticket(ended.intent.id, ttl=61.0)
    with pytest.raises(NotReleased, match="without a record"):
        await ticket(ended.intent.id)
    anothers = hub.call_log.begin(hub.intent(connection, person_id="person_mallory"))
    with pytest.raises(NotReleased, match="another call"):
        await ticket(anothers.intent.id)
    anothers.finish(Outcome.OK)
    with hub.call_log.begin(hub.intent(connection, tool=TOOL.name)) as off:
        with pytest.raises(NotReleased, match="Nobody said yes"):
            await ticket(off.intent.id)
        permissions = Permissions(hub.main, hub.notifications, clock=hub.clock)
        await permissions.set(connection.id, [(TOOL, Setting.ALLOW, ToolClass.HIGH)])
        with pytest.raises(NotReleased, match="Nobody said yes"):  # to this call
            await ticket(off.intent.id)
        await permissions.set(connection.id, [(replace(TOOL, fingerprint="f" * 64), Setting.ALLOW, ToolClass.READ)])
        with pytest.raises(NotReleased, match="Nobody said yes"):  # to what it is now
            await ticket(off.intent.id)
        await permissions.set(connection.id, [(TOOL, Setting.ALLOW, ToolClass.READ)])
        assert await ticket(off.intent.id)


async def test_the_vault_itself_holds_back_what_asks_each_time_and_what_is_in_quarantine(
    hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await connected(hub, ada, service, server)
    connector = await hub.connectors.by_id(connection.connector_id)
    parts = [(BEARER, oauth.access_binding(connection, connector))]
    asks = NOTE.replace(b'"list_notes",', b'"pay","_meta":{"anthropic/requiresUserInteraction":true},')
    await seen(hub, connection, NOTE, asks)
    permissions = Permissions(hub.main, hub.notifications, clock=hub.clock)
    allowed: list[Given] = [(one, Setting.ALLOW, ToolClass.READ) for one in (TOOL, read_tool(asks))]
    await permissions.set(connection.id, allowed)

    async def released(tool: str = "") -> bool:
        with hub.call_log.begin(hub.intent(connection, tool=tool)) as record:
            try:
                await hub.kept.vault.ticket(parts, origin=connector.origin, call_id=record.intent.id)
            except NotReleased:
                return False
        return True

    async def quarantine(*, on: bool) -> None:
        await hub.room.quarantine.of_connection(ada.person.id, connection.id, on=on, by="person:ada")

    async def quarantine_all(*, on: bool) -> None:
        now = await hub.connectors.by_id(connector.id)
        await hub.room.quarantine.of_connector(now, on=on, by="person:ada", person_id=ada.person.id)

    assert [await released(), await released(TOOL.name), await released("pay")] == [True, True, False]
    for put in (quarantine, quarantine_all):
        await put(on=True)
        assert [await released(), await released(TOOL.name)] == [False, False]
        await put(on=False)
        assert [await released(), await released(TOOL.name)] == [True, True]


async def test_what_a_worker_holds_of_tokens_can_be_turned_into_nothing_else(
    hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await connected(hub, ada, service, server)
    connector = await hub.connectors.by_id(connection.connector_id)
    known = await hub.room.servers.known(connection.issuer, allow_http=True)
    assert known is not None
    access, refresh = oauth.access_binding(connection, connector), oauth.refresh_binding(connection, connector, known)
    client = await hub.room.identities.known(connector, known)
    assert client is not None
    assert client.secret is not None
    elsewhere = replace(known.token_endpoint, text="http://127.0.0.1:9/token", port=9)
    vault, desk = hub.kept.vault, hub.kept.desk

    held = await vault.reveal_for_exchange(bound_to=refresh, use=Use.REFRESH)
    assert b"CANARY" not in held.reveal()
    assert b"CANARY" not in client.secret.reveal()

    async def refused(verb: object, match: str) -> None:
        with pytest.raises((BadInput, VaultFailed), match=match):
            await verb  # type: ignore[misc]  # any of the verbs' awaitables

    # 1. Asked for in ways that would show it.
    await refused(vault.reveal_for_exchange(bound_to=access, use=Use.REFRESH), "not revealed to refresh")
    for use in (Use.SIGN, Use.SIGN_CHECKPOINT, Use.WATCH_TRAIL, Use.MANAGE_REGISTRATION):
        await refused(vault.reveal_for_exchange(bound_to=replace(access, purpose="x"), use=use), "Nothing is revealed")
    # 2. Sent to where it does not belong.
    await refused(desk.refresh(elsewhere, client, refresh_token=held, resource=""), "not said to another")
    await refused(desk.revoke(elsewhere, client, token=held, hint="refresh_token"), "goes nowhere else")
    to_revoke = await vault.reveal_for_exchange(bound_to=refresh, use=Use.REVOKE)
    await refused(desk.revoke(elsewhere, client, token=to_revoke, hint="refresh_token"), "the server that gave it")
    await refused(desk.refresh(known.token_endpoint, client, refresh_token=to_revoke, resource=""), "nowhere else")
    # 3. Sealed as something that leaves more easily.
    await refused(vault.seal(held, bound_to=replace(access, purpose="header:x-echo")), "not sealed as something else")
    await refused(vault.seal(client.secret, bound_to=access), "not sealed as something else")
    await refused(vault.seal(Secret("typed"), bound_to=access), "in the open")
    replied = await desk.refresh(known.token_endpoint, client, refresh_token=held, resource="")
    assert replied.tokens is not None
    assert replied.tokens.refresh_token is not None
    fresh, rotated = replied.tokens.access_token, replied.tokens.refresh_token
    assert b"CANARY" not in fresh.reveal() + rotated.reveal()
    for stolen in (
        replace(access, origin="https://evil.example.com"),
        replace(access, person="person_mallory"),
        replace(access, tenant="org_2"),
        replace(access, issuer="https://evil.example.com"),
        replace(access, purpose="header:x-echo"),
        replace(refresh, purpose="access_token"),
    ):
        await refused(vault.seal(fresh, bound_to=stolen), "not sealed as something else|no such connector")
    await refused(vault.seal(rotated, bound_to=replace(refresh, origin="https://evil.example.com")), "something else")
    # 4. Changed, or made up.
    await refused(
        vault.seal(Secret(fresh.reveal()[:-1] + bytes([fresh.reveal()[-1] ^ 1])), bound_to=access), "not sealed here"
    )

    # And what it is for works.
    assert await vault.seal_many([(fresh, access), (rotated, refresh)])


async def test_a_token_that_came_is_on_the_disk_before_the_worker_knows_of_it(
    hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """I7: the worker is gone the moment the answer is in; the next start takes it up."""
    connection = await connected(hub, ada, service, server)
    connector = await hub.connectors.by_id(connection.connector_id)
    known = await hub.room.servers.known(connection.issuer, allow_http=True)
    assert known is not None
    client = await hub.room.identities.known(connector, known)
    assert client is not None
    await hub.kept.spool.prepare(spooled.binding(connection, known))
    bound = oauth.refresh_binding(connection, connector, known)
    held = await hub.kept.vault.reveal_for_exchange(bound_to=bound, use=Use.REFRESH)
    await hub.kept.desk.refresh(known.token_endpoint, client, refresh_token=held, resource="")

    assert [one.subject for one in hub.kept.spool.waiting()] == [connection.id]
    assert await hub.room.refreshing.recover() == 1
    assert (await hub.call(connection, service.url)).status == 200

    assert bearers(service)[-1] == list(server.access)[-1]
    assert hub.kept.spool.waiting() == []


async def test_a_servers_words_about_a_token_it_refuses_do_not_bring_it_to_the_worker(
    hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await connected(hub, ada, service, server)
    token = next(iter(server.refreshes))
    server.failures.append(Answer(400, {"error": "invalid_request", "error_description": f"{token} is not liked"}))
    connector = await hub.connectors.by_id(connection.connector_id)
    known = await hub.room.servers.known(connection.issuer, allow_http=True)
    assert known is not None
    client = await hub.room.identities.known(connector, known)
    assert client is not None
    bound = oauth.refresh_binding(connection, connector, known)
    held = await hub.kept.vault.reveal_for_exchange(bound_to=bound, use=Use.REFRESH)

    replied = await hub.kept.desk.refresh(known.token_endpoint, client, refresh_token=held, resource="")

    assert replied.failure is not None
    assert (replied.status, replied.failure.description) == (400, "")


async def until_answered(hub: SplitHub, connection: Connection, url: str) -> int:
    """Calls again and again; until one goes through, each says what is the matter."""
    async with asyncio.timeout(30):
        while True:
            try:
                return (await hub.call(connection, url)).status
            except (RootKeyUnavailable, OutboundFailed) as no:
                if not re.search("started again|dialer ended|not made for this dialer", str(no)):
                    raise
                await asyncio.sleep(0.02)  # the start of a process is waited for


async def test_a_process_that_is_killed_is_started_again_and_nothing_is_lost(
    hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await connected(hub, ada, service, server)
    connector = await hub.connectors.by_id(connection.connector_id)
    known = await hub.room.servers.known(connection.issuer, allow_http=True)
    assert known is not None
    bound = oauth.refresh_binding(connection, connector, known)
    held = await hub.kept.vault.reveal_for_exchange(bound_to=bound, use=Use.REFRESH)

    for process in hub.kept.processes:
        os.kill(process.pid, signal.SIGKILL)
        assert await until_answered(hub, connection, service.url) == 200

    assert await hub.room.refreshing.refresh(Seen.of(await hub.now(connection))) is Renewed.FRESH
    with pytest.raises(VaultFailed, match="another start"):
        await hub.kept.vault.seal(held, bound_to=bound)


async def test_a_sealed_vault_stays_sealed_when_its_process_is_started_again(
    hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await connected(hub, ada, service, server)
    await hub.kept.vault.seal_shut()

    with pytest.raises(NotReleased, match="sealed"):
        await hub.call(connection, service.url)
    os.kill(hub.kept.processes[-1].pid, signal.SIGKILL)

    with pytest.raises(NotReleased, match="sealed"):
        await until_answered(hub, connection, service.url)
