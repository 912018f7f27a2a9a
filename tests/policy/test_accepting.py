"""An owner's acceptance of a changed tool counts for every account at that connector (issue 5, point 6)."""

from __future__ import annotations

import json

import pytest

from tests.conftest import FakeClock
from tests.directory.mutations import ACCEPTED, OTHER, Definition
from tests.directory.rows import add_connection
from tests.policy.rooms import Keys, Told, seed
from valetkey.connections.model import Connection
from valetkey.connections.whose import Accounts
from valetkey.directory.snapshots import Snapshots
from valetkey.kernel.errors import Conflict, Forbidden
from valetkey.policy.accepting import Acceptances
from valetkey.policy.room import Policy, open_policy
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

CHANGED = ACCEPTED | {"description": "Reads a note, and its neighbors."}
OWNER = "person:olga"


class Room:
    """Three accounts at one connector (`mine`, `other`, `third`), one elsewhere, all with the same tools accepted."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.accounts = Accounts(database)
        self.told = Told()
        self.snapshots = Snapshots(
            database, Notifications(database), clock=clock, on_drift=[lambda *drift: self.acceptances.drifted(*drift)]
        )
        self.policy: Policy = open_policy(
            database, Notifications(database), clock=clock, keys=Keys(), trail=self.told, snapshots=self.snapshots
        )
        self.owners_accept = False
        self.acceptances: Acceptances = self.policy.acceptances(
            self.snapshots, self.accounts, members_accept=self.members_accept
        )

    async def members_accept(self, organization_id: str) -> bool:
        """As the organization of all these accounts says."""
        return not (self.owners_accept and organization_id == "org_a")

    async def lists(self, connection_id: str, *tools: Definition) -> None:
        await self.snapshots.put(connection_id, [json.dumps(tool).encode() for tool in tools], b"{}", 60)

    async def held(self, connection_id: str) -> dict[str, str]:
        return {one.tool: one.seen for one in await self.snapshots.held(connection_id)}

    async def account(self, connection_id: str) -> Connection:
        found = await self.accounts.one(connection_id)
        assert found is not None
        return found

    async def accept_for_all(self, seen: dict[str, str] | None = None) -> int:
        looked_at = seen if seen is not None else await self.held("mine")
        return await self.acceptances.accept_for_all(await self.account("mine"), looked_at, actor=OWNER)


@pytest.fixture
async def room(database: Database, clock: FakeClock) -> Room:
    await seed(database, clock)
    for label in ("mine", "other", "third"):
        await add_connection(database, label, slug="notes", label=label)
    await add_connection(database, "elsewhere", slug="elsewhere")
    room = Room(database, clock)
    for connection_id in ("mine", "other", "third", "elsewhere"):
        await room.lists(connection_id, ACCEPTED, OTHER)
    return room


async def test_what_an_owner_accepts_is_held_no_longer_at_any_account_of_that_connector(room: Room) -> None:
    for connection_id in ("mine", "other", "elsewhere"):
        await room.lists(connection_id, CHANGED, OTHER)

    followed = await room.accept_for_all()

    assert followed == 1
    assert await room.held("mine") == await room.held("other") == {}
    assert set(await room.held("elsewhere")) == {"read_note"}


async def test_an_account_whose_service_makes_the_same_change_later_follows_at_once(room: Room) -> None:
    await room.lists("mine", CHANGED, OTHER)
    await room.accept_for_all()

    await room.lists("third", CHANGED, OTHER)
    snapshot = await room.snapshots.get("third")

    assert snapshot
    assert snapshot.tools[0].description == CHANGED["description"]
    assert snapshot.held == ()


async def test_one_letter_more_is_another_change_and_stays_held(room: Room) -> None:
    await room.lists("mine", CHANGED, OTHER)
    await room.accept_for_all()

    await room.lists("other", CHANGED | {"description": "Reads a note, and its neighbors. Sends them to x."}, OTHER)

    assert set(await room.held("other")) == {"read_note"}


async def test_what_a_member_allowed_lapses_as_if_they_had_accepted_it_themselves(room: Room) -> None:
    """An owner's yes is a yes to the definition, and no permission for anybody."""
    before = await room.snapshots.get("other")
    assert before
    await room.policy.permissions.allow("other", list(before.tools))
    for connection_id in ("mine", "other"):
        await room.lists(connection_id, CHANGED, OTHER)

    await room.accept_for_all()

    assert set(await room.policy.permissions.given("other")) == {"list_notes"}


async def test_each_account_that_followed_is_in_the_trail_with_who_accepted(room: Room) -> None:
    for connection_id in ("mine", "other"):
        await room.lists(connection_id, CHANGED, OTHER)

    await room.accept_for_all()

    assert [(event, actor) for event, actor, _ in room.told.events] == [
        ("tools.accepted", OWNER), ("tools.accepted_for_all", OWNER), ("tools.accepted", OWNER),
    ]  # fmt: skip


async def test_an_owner_who_looked_at_something_else_accepts_nothing_for_anybody(room: Room) -> None:
    for connection_id in ("mine", "other"):
        await room.lists(connection_id, CHANGED, OTHER)

    with pytest.raises(Conflict):
        await room.accept_for_all({"read_note": "0" * 64})

    assert set(await room.held("other")) == {"read_note"}
    assert room.told.events == []


async def test_where_owners_accept_a_member_does_not_and_what_is_new_runs_for_nobody_before(room: Room) -> None:
    """ORG-21: a new tool arrives as blocked, or as one that its person is asked about; never as one that runs."""
    new = {"name": "export_notes", "description": "Exports notes.", "inputSchema": {"type": "object"}}
    room.owners_accept = True
    for connection_id in ("mine", "other"):
        await room.lists(connection_id, ACCEPTED, OTHER, new)

    with pytest.raises(Forbidden, match="an owner or admin"):
        await room.acceptances.accept(await room.account("other"), await room.held("other"), actor="person:ada")
    held = await room.held("other")
    before = await room.snapshots.get("other")
    await room.accept_for_all()
    after = await room.snapshots.get("other")

    assert set(held) == {"export_notes"}
    assert before is not None
    assert after is not None
    assert (before.tool("export_notes"), after.tool("export_notes") is not None) == (None, True)
    assert "export_notes" not in await room.policy.permissions.given("other")


async def test_where_members_accept_each_does_for_their_own_account(room: Room) -> None:
    """ORG-21, the default."""
    for connection_id in ("mine", "other"):
        await room.lists(connection_id, CHANGED, OTHER)

    await room.acceptances.accept(await room.account("other"), await room.held("other"), actor="person:ada")

    assert await room.held("other") == {}
    assert set(await room.held("mine")) == {"read_note"}
