"""The vault's process believes no worker that a standing approval was used: it looks at it, and at the tool."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.connections.outside import AuthServer, Service
from tests.split.conftest import SplitHub
from tests.split.test_split import connected
from valetkey.directory.snapshots import Snapshots
from valetkey.identity.model import BrowserSession
from valetkey.policy import approval_repository, standing_repository
from valetkey.policy.approval_model import Use
from valetkey.policy.model import NO_LIMITS
from valetkey.policy.standing import rules_for
from valetkey.policy.standing_model import StandingApproval
from valetkey.vault.release import NotReleased

DELETE = b'{"name":"delete_note","description":"Deletes a note.","inputSchema":{}}'


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_a_use_of_what_does_not_stand_opens_nothing(
    hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await connected(hub, ada, service, server)
    connector = await hub.connectors.by_id(connection.connector_id)
    snapshots = Snapshots(hub.main, hub.notifications, clock=hub.clock)
    [tool] = (await snapshots.put(connection.id, [DELETE], b"{}", 60)).tools
    now = hub.clock.now()
    given = StandingApproval(
        id="standing_1", person_id=ada.person.id, organization_id=connection.organization_id, client_id="claude",
        client_name="Claude", connection_id=connection.id, connector=connector.slug,
        connector_version=connector.version, origin=connector.origin, label=connection.label, tool=tool.name,
        fingerprint=tool.fingerprint, counts_as="H", rules=rules_for(NO_LIMITS, connector.slug, tool.name), scope=b"",
        day="", calls=1, uses_left=0, created_at=now, expires_at=now + timedelta(days=1), approval_id="approval_1",
        given_in="s_1", proof=b"{}",
    )  # fmt: skip
    forged = [
        replace(given, id="standing_2", fingerprint="0" * 64),
        replace(given, id="standing_3", proof=None),
        replace(given, id="standing_4", ended_at=now, ended_because="revoked"),
    ]
    async with hub.main.write() as tx:
        for one in (given, *forged):
            await standing_repository.add(tx, one)

    async def released(standing_id: str) -> bool:
        with hub.call_log.begin(hub.intent(connection, tool=tool.name)) as record:
            use = Use(record.intent.id, standing_id, connection.id, tool.name, "d" * 64, hub.clock.now())
            async with hub.main.write() as tx:
                await approval_repository.add_use(tx, use)
            try:
                ticket = await hub.room.credentials.ticket(
                    connection.id, person_id=ada.person.id, call_id=record.intent.id
                )
            except NotReleased:
                return False
        return bool(ticket)

    assert await released(given.id)
    assert [await released(one.id) for one in forged] == [False, False, False]
    assert not await released("standing_unheard_of")

    changed = DELETE.replace(b"Deletes a note.", b"Deletes every note there is, for good.")
    await snapshots.put(connection.id, [changed], b"{}", 60)
    assert not await released(given.id)
