"""S-13 (e): an extension's credentials stay on its device; the hub has no way in for them, whatever an id is like."""

from __future__ import annotations

from tests.api.hub import Hub
from valetkey.store.schema import connection, connector

IDS = ("ext_01m8j7", "extension:notes", "mcpb:notes", "local.mcpb.acme.notes", "stdio://notes", "file:///notes.mcpb")
VALUE = "CANARY-of-a-device"


async def test_the_api_for_remote_credentials_refuses_an_extension_and_keeps_nothing_of_it(hub: Hub) -> None:
    ada = await hub.with_scopes("ada")

    for extension in IDS:
        body = {"connector": extension, "values": {"Authorization": VALUE}}
        given = await ada.post("/connections/headers", json=body)
        begun = await ada.post("/connections", json={"connector": extension})
        key = await ada.put(f"/connectors/{extension}/key", json={"values": {"Authorization": VALUE}})
        added = await ada.post("/connectors", json={"name": "Notes", "url": extension, "auth_kind": "header"})

        for answer in (given, begun, key, added):
            assert 400 <= answer.status_code < 500, (extension, answer.text)
            assert VALUE not in answer.text
    async with hub.database.read() as tx:
        assert (await tx.execute(connection.select())).all() == []
        assert (await tx.execute(connector.select())).all() == []
