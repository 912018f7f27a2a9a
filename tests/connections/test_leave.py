"""Leaving an organization: what a member had is revoked and destroyed, the account stays (S-20d)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.connections.conftest import Hub
from tests.connections.outside import AuthServer, Service
from valetkey.audit.model import OfPerson
from valetkey.connections.model import Connection
from valetkey.identity.model import Person, Role
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.identity.tokens import Tokens
from valetkey.kernel.errors import Conflict, NotConnected, NotFound, NotSignedIn, VaultFailed
from valetkey.privacy.holds import Holds
from valetkey.privacy.leave import Leaving
from valetkey.store.schema import connection as connection_table
from valetkey.store.schema import data_key, secret
from valetkey.vault.day_keys import DayKeys

DAY = "2026-11-22"


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class House:
    """The rooms that leaving goes through, all real, with a service that revokes."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.people = People(hub.main, clock=hub.clock, notifications=hub.notifications, trail=hub.trail)
        self.organizations = Organizations(hub.main, clock=hub.clock)
        self.tokens = Tokens(hub.main, clock=hub.clock, notifications=hub.notifications, trail=hub.trail)
        self.days = DayKeys(hub.vault.keyring, clock=hub.clock, notifications=hub.notifications)
        self.holds = Holds(hub.main, self.days, clock=hub.clock, trail=hub.trail)
        self.leaving = Leaving(self.people, self.organizations, hub.room.connections, self.days, self.holds, hub.trail)

    async def member(self, login: str, organization_id: str, role: Role = Role.MEMBER) -> Person:
        return await self.people.create(login=login, display_name=login, organization_id=organization_id, role=role)


@pytest.fixture
async def house(hub: Hub) -> House:
    return House(hub)


@pytest.fixture
async def company(house: House) -> str:
    return (await house.organizations.create("Engines", "organization")).id


@pytest.fixture
async def boss(house: House, company: str) -> Person:
    return await house.member("boss", company, Role.OWNER)


@pytest.fixture
async def ada(house: House, company: str, boss: Person) -> Person:
    return await house.member("ada", company, Role.ADMIN)


async def _connect(house: House, who: Person, service: Service, server: AuthServer) -> Connection:
    there = await house.hub.connectors.list_for(who)
    connector = there[0] if there else await house.hub.connector(who, service.url)
    return await house.hub.connect(house.hub.browser(who), connector, server)


async def test_who_leaves_takes_no_credential_no_role_and_no_contents_along_and_keeps_the_account(
    house: House,
    ada: Person,
    boss: Person,
    company: str,
    service: Service,
    server: AuthServer,
) -> None:
    hub = house.hub
    mine = await _connect(house, ada, service, server)
    theirs = await _connect(house, boss, service, server)
    for person in (ada, boss):
        await house.days.key(person.id, company, DAY)
    token, _ = await house.tokens.create_personal(ada, "laptop", "/mcp", (), 3600.0)

    moved = await house.leaving.leave(ada.id, by=f"person:{ada.id}")

    assert (moved.left.connections, moved.left.unconfirmed, moved.left.days) == (1, 0, 1)
    own = await house.organizations.get(moved.person.organization_id)
    assert (own.kind, own.id != company, moved.person.role, moved.person.state) == (
        "personal", True, Role.OWNER, "active",
    )  # fmt: skip
    assert (await house.people.find("ada")) == moved.person
    assert [one.id for one in await house.people.list(company)] == [boss.id]
    # the credential: revoked there, destroyed here, with a receipt
    assert {hint for hint, _ in server.revoked} == {"refresh_token", "access_token"}
    with pytest.raises(NotFound):
        await hub.now(mine)
    async with hub.main.read() as tx:
        assert set(await tx.scalars(select(secret.c.subject).where(secret.c.subject == mine.id))) == set()
        assert set(await tx.scalars(select(connection_table.c.person_id))) == {boss.id}
    async with hub.keyring.read() as tx:
        assert set(await tx.scalars(select(data_key.c.subject).where(data_key.c.subject == mine.id))) == set()
    (receipt,) = await hub.room.disconnecting.receipts(ada.id)
    assert (receipt.revocation, receipt.keys_destroyed) == ("confirmed", 2)
    # what acted for her, and what her calls held
    with pytest.raises(NotSignedIn):
        await house.tokens.authenticate(token.reveal(), audience="/mcp")
    with pytest.raises(VaultFailed):
        await house.days.existing(ada.id, company, DAY)
    # in the trail, before and after, where she sees it
    events = [(one.event, one.organization_id) for one in reversed(await hub.trail.list(OfPerson(ada.id)))]
    order = [name for name, _ in events]
    assert order.index("person.leaving") < order.index("connection.disconnected") < order.index("organization.left")
    assert events[-1] == ("organization.left", company)
    # nobody else noticed
    assert server.lets_in(await hub.bearer(theirs))
    await house.days.existing(boss.id, company, DAY)


async def test_she_can_connect_anew_on_the_same_day_in_her_own_organization(
    house: House,
    ada: Person,
    company: str,
    service: Service,
    server: AuthServer,
) -> None:
    """Day keys are wrapped by the organization's key: one of the former would open nothing in the new one."""
    await house.days.key(ada.id, company, DAY)
    moved = await house.leaving.leave(ada.id, by="operator")

    key = await house.days.key(ada.id, moved.person.organization_id, DAY)
    again = await _connect(house, moved.person, service, server)

    assert key.open(key.seal(b"x", about="a"), about="a") == b"x"
    assert server.lets_in(await house.hub.bearer(again))


async def test_the_last_owner_stays_and_loses_nothing(
    house: House,
    boss: Person,
    service: Service,
    server: AuthServer,
) -> None:
    connection = await _connect(house, boss, service, server)

    with pytest.raises(Conflict, match="last owner"):
        await house.leaving.leave(boss.id, by=f"person:{boss.id}")

    assert server.lets_in(await house.hub.bearer(connection))
    assert server.revoked == []


async def test_asking_once_more_finishes_what_was_cut_off_and_then_there_is_nothing_to_leave(
    house: House,
    ada: Person,
    service: Service,
    server: AuthServer,
) -> None:
    connection = await _connect(house, ada, service, server)
    await house.people.begin_leaving(ada.id)
    await house.hub.room.disconnecting.disconnect(ada.id, connection.id, by="operator")

    moved = await house.leaving.leave(ada.id, by="operator")

    assert moved.left.connections == 0
    with pytest.raises(NotConnected):
        await house.hub.bearer(connection)
    with pytest.raises(Conflict, match="own"):
        await house.leaving.leave(ada.id, by="operator")
