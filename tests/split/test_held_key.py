"""A key that an owner entered for everybody, with the vault in a process of its own (CUS-04, D13)."""

from __future__ import annotations

import pytest

from tests.connections.outside import Service
from tests.split.conftest import SplitHub
from valetkey.connections.methods import header
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import NotConnected
from valetkey.kernel.secret import Secret
from valetkey.vault.release import NotReleased

KEY = "key-of-everybody"
BY = {"by": "person:olga", "person_id": "olga"}


async def test_an_organizations_key_goes_with_each_members_call_and_for_no_call_of_nobody(
    hub: SplitHub, ada: BrowserSession
) -> None:
    """The worker names it and never holds it; the vault reads in the journal itself whose call it is."""
    async with Service(None) as service:
        service.keys = {"x-api-key": KEY}
        connector = await hub.connector(
            ada.person, service.url, kind="header", headers=["X-API-Key"], identity="organization"
        )
        await hub.room.held.hold(connector, {"X-API-Key": Secret(KEY)}, **BY)
        bob, eve = [hub.browser(await hub.person(login)) for login in ("bob", "eve")]
        hers, his = [
            await hub.room.connecting.set_header(one, connector, values={}, acknowledged=hub.seen(connector))
            for one in (ada, bob)
        ]
        service.asked.clear()

        answers = [await hub.call(one, service.url) for one in (hers, his)]

        assert [answer.status for answer in answers] == [200, 200]
        assert [asked.headers.get("x-api-key") for asked in service.asked] == [KEY, KEY]

        parts = header.shared_parts(hers, connector, ["header:X-API-Key"])
        origin = connector.origin
        with pytest.raises(NotReleased):
            await hub.kept.vault.ticket(parts, origin=origin, call_id="call_that_never_was")
        with hub.call_log.begin(hub.intent(hers, person_id=eve.person.id)) as record, pytest.raises(NotReleased):
            await hub.kept.vault.ticket(parts, origin=origin, call_id=record.intent.id)
        with hub.call_log.begin(hub.intent(hers, tool="delete_all")) as record, pytest.raises(NotReleased):
            await hub.kept.vault.ticket(parts, origin=origin, call_id=record.intent.id)

        await hub.room.disconnecting.disconnect(bob.person.id, his.id, by="person:bob")
        with pytest.raises(NotConnected):
            await hub.call(his, service.url)
        assert (await hub.call(hers, service.url)).status == 200
        await hub.room.held.take_away(connector, **BY)
        with pytest.raises(NotConnected):
            await hub.call(hers, service.url)
        assert len(service.asked) == 3
