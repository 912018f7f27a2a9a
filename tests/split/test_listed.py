"""The vault's process knows the directory as its worker does: what is verified there is verified in it (S-26, D13)."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

from sqlalchemy import update

from tests.conftest import FakeClock
from tests.connections.outside import AuthServer, Service
from tests.databases import migrated_file
from tests.split.conftest import SplitHub, split_hub
from tests.split.test_split import connected, seen
from valetkey.connections.model import Connection
from valetkey.directory.fingerprint import read_tool
from valetkey.directory.listings import Listing, Reviewed, ReviewedTool, Source
from valetkey.kernel.ids import new_id
from valetkey.policy.model import Setting
from valetkey.policy.permissions import Permissions
from valetkey.store.database import Database
from valetkey.store.schema import connector, organization
from valetkey.submissions import repository
from valetkey.submissions.model import State, Submission
from valetkey.vault.release import NotReleased

NOTE = b'{"name":"list_notes","description":"Lists.","inputSchema":{},"annotations":{"readOnlyHint":true}}'
TOOL = read_tool(NOTE)


async def published(data: Path, url: str) -> None:
    """The desk has published a reviewed listing for `url` before the hub starts."""
    await migrated_file(data / "valetkey.db", "main")
    database = Database.sqlite(data / "valetkey.db")
    live = Listing(
        slug="notes", name="Notes", publisher="Notes Ltd", about="Notes.", url=url, categories=("documents",),
        tools=(ReviewedTool(name=TOOL.name, is_a="read", fingerprint=TOOL.fingerprint),),
        review=Reviewed(on=date(2026, 11, 1), policy_version="2"), source=Source(url=url, date=date(2026, 11, 1)),
    )  # fmt: skip
    now = FakeClock().now()
    one = Submission(
        id=new_id("submission"), slug="notes", organization_id="org_desk", created_by="person_rea", created_at=now,
        state=State.PUBLISHED, state_since=now, live=live, proof="", is_verified=True,
    )  # fmt: skip
    async with database.write() as tx:
        await tx.execute(organization.insert().values(id="org_desk", name="Desk", kind="organization", created_at=now))
        await repository.insert(tx, one)
    await database.close()


async def released(hub: SplitHub, connection: Connection) -> bool:
    with hub.call_log.begin(hub.intent(connection, tool=TOOL.name)) as record:
        try:
            ticket = await hub.room.credentials.ticket(
                connection.id, person_id=connection.person_id, call_id=record.intent.id
            )
        except NotReleased:
            return False
    return bool(ticket)


async def test_a_read_of_a_verified_connector_runs_by_itself_with_the_vault_in_a_process_of_its_own(
    service: Service, server: AuthServer
) -> None:
    """What its person wants to be asked about does not, nor what the same service has as somebody's own."""
    with tempfile.TemporaryDirectory(prefix="vk-split-", dir="/tmp") as home:
        data = Path(home) / "data"
        data.mkdir(mode=0o700)
        await published(data, service.url)
        async with split_hub(data) as hub:
            ada = hub.browser(await hub.person("ada"))
            connection = await connected(hub, ada, service, server)
            await seen(hub, connection, NOTE)
            assert not await released(hub, connection)  # a custom one

            async with hub.main.write() as tx:
                await tx.execute(
                    update(connector).where(connector.c.id == connection.connector_id).values(listing="notes")
                )
            await hub.notifications.publish("connectors", connection.connector_id)

            assert await released(hub, connection)
            permissions = Permissions(hub.main, hub.notifications, clock=hub.clock)
            await permissions.set(connection.id, [(TOOL, Setting.ASK, None)])
            assert not await released(hub, connection)
