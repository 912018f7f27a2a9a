"""The vault's second look: what was said of a tool before it counted as more releases nothing (S-27 d, PERM-08)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.conftest import FakeClock
from tests.policy.rooms import Keys, Told, seed
from tests.policy.test_choices import ADA, EDIT, FLAGGED, PLACE, READ, connector, listings
from valetkey.directory.fingerprint import read_tool
from valetkey.directory.model import ORGANIZATION, Connector, Tool
from valetkey.directory.snapshots import Snapshots
from valetkey.policy import approval_repository, standing_repository
from valetkey.policy.approval_model import State, Use
from valetkey.policy.gate import Subject, ToConfirm
from valetkey.policy.granted import Grants
from valetkey.policy.model import NO_LIMITS, Setting
from valetkey.policy.room import Policy, open_policy
from valetkey.policy.standing import rules_for
from valetkey.policy.standing_model import StandingApproval
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.schema import approval, approval_use

UNREVIEWED = read_tool(READ.raw.replace(READ.name.encode(), b"list_tags"))
"""It reads as well, and nobody saw it who reviewed the listing."""


class Whose:
    """Ada's connector, as it is now."""

    def __init__(self) -> None:
        self.connector = connector()

    def now(self, person_id: str, connection_id: str) -> Connector:
        return self.connector

    async def __call__(self, person_id: str, connection_id: str) -> Connector:
        return self.connector


class Scene:
    """A verified connector with one tool that reads and one that writes, both seen by the gate and by the vault."""

    def __init__(self, policy: Policy, snapshots: Snapshots) -> None:
        self.policy = policy
        self.whose = Whose()
        self.grants: Grants = policy.grants(snapshots, self.whose)

    def subject(self, tool: Tool) -> Subject:
        return replace(PLACE, connector=self.whose.connector, tool=tool)

    def raised(self, tool: str, to: str) -> None:
        """An owner raises it, and it is another connector in everybody's memory."""
        self.whose.connector = replace(self.whose.connector, raised={tool: to} if to else {})

    async def say(self, tool: Tool, setting: Setting) -> None:
        await self.policy.choices.say(ADA, self.subject(tool), [(tool, setting)], actor="person:ada")

    async def runs(self, tool: Tool) -> bool:
        """Whether the vault releases a call of it that nobody approved: both of its ways agree."""
        looked_up = await self.grants.holds("ada", "cn_1", tool.name, "call_none")
        assert self.grants.holds_now("ada", "cn_1", tool.name) is looked_up
        return looked_up

    async def approved(self, tool: Tool, call_id: str) -> None:
        """The person is asked, says yes, and the call with this record uses it up."""
        subject, call = self.subject(tool), b'{"name":"%b","arguments":{}}' % tool.name.encode()
        decision = await self.policy.gate.decide(ADA, subject)
        with pytest.raises(ToConfirm) as asked:
            await self.policy.gate.let_through(ADA, subject, decision, call, call_id)
        await self.policy.approvals.approve(asked.value.approval, session_id="s_1", proof=b"{}")
        await self.policy.gate.let_through(ADA, subject, decision, call, call_id)


@pytest.fixture
async def scene(sqlite_database: Database, clock: FakeClock) -> Scene:
    await seed(sqlite_database, clock)
    notifications = Notifications(sqlite_database)
    snapshots = Snapshots(sqlite_database, notifications, clock=clock)
    policy = open_policy(
        sqlite_database, notifications, clock=clock, keys=Keys(), trail=Told(), listings=listings(),
        snapshots=snapshots,
    )  # fmt: skip
    await snapshots.put("cn_1", [READ.raw, EDIT.raw, UNREVIEWED.raw, FLAGGED.raw], b"{}", 300.0)
    return Scene(policy, snapshots)


@pytest.mark.parametrize("to", ["M", "H", "V"])
async def test_an_allow_of_before_the_class_was_raised_releases_nothing(scene: Scene, to: str) -> None:
    """Taken back, it is what it was."""
    await scene.say(EDIT, Setting.ALLOW)
    assert await scene.runs(EDIT)

    scene.raised(EDIT.name, to)

    assert not await scene.runs(EDIT)
    scene.raised(EDIT.name, "")
    assert await scene.runs(EDIT)


async def test_a_call_of_a_raised_tool_that_its_person_approves_is_released_and_only_that_one(scene: Scene) -> None:
    await scene.say(EDIT, Setting.ALLOW)
    scene.raised(EDIT.name, "H")

    await scene.approved(EDIT, "call_1")

    assert await scene.grants.holds("ada", "cn_1", EDIT.name, "call_1")
    assert not await scene.grants.holds("ada", "cn_1", EDIT.name, "call_2")
    assert not scene.grants.holds_now("ada", "cn_1", EDIT.name)


async def test_a_read_of_a_verified_connector_that_its_person_wants_to_be_asked_about_waits_for_their_yes(
    scene: Scene,
) -> None:
    """It would run by itself; *ask* and *block* are theirs to say, and the vault does not go by the class then."""
    assert await scene.runs(READ)

    for setting in (Setting.ASK, Setting.BLOCK):
        await scene.say(READ, setting)
        assert not await scene.runs(READ)
    await scene.say(READ, Setting.ASK)
    await scene.approved(READ, "call_1")

    assert await scene.grants.holds("ada", "cn_1", READ.name, "call_1")
    assert not await scene.grants.holds("ada", "cn_1", READ.name, "call_2")
    assert not scene.grants.holds_now("ada", "cn_1", READ.name)


@pytest.mark.parametrize(
    "otherwise",
    [
        {"approval_id": "approval_unheard_of"},
        {"request_digest": "d" * 64},
        {"state": State.PENDING},
        {"state": State.DENIED},
        {"state": State.EXPIRED},
        {"fingerprint": "f" * 64},
        {"connector_version": 2},
        {"connector": "another"},
        {"origin": "https://evil.example"},
        {"tool": READ.name},
        {"counts_as": "M"},
        {"proof": None},
        {"for_tool": True},
    ],
)
async def test_that_a_use_was_written_down_is_no_evidence_of_a_yes(
    scene: Scene, sqlite_database: Database, otherwise: dict[str, object]
) -> None:
    """What was used is looked up: that it is this person's yes, to this very call of this tool as it is now."""
    scene.raised(EDIT.name, "H")
    await scene.approved(EDIT, "call_1")
    assert await scene.grants.holds("ada", "cn_1", EDIT.name, "call_1")
    assert not await scene.grants.holds("bob", "cn_1", EDIT.name, "call_1")

    async with sqlite_database.write() as tx:
        used = {name: otherwise[name] for name in ("approval_id", "request_digest") if name in otherwise}
        if used:
            await tx.execute(update(approval_use).values(used))
        else:
            await tx.execute(update(approval).values(otherwise))

    assert not await scene.grants.holds("ada", "cn_1", EDIT.name, "call_1")


async def test_what_is_done_with_everybodys_key_is_nobodys_always_but_for_reading(scene: Scene) -> None:
    """CUS-04; and the key is that of this connector, in this version, or none leaves."""
    await scene.say(EDIT, Setting.ALLOW)
    assert await scene.runs(EDIT)
    own = scene.whose.connector
    scene.whose.connector = replace(own, auth_kind="header", auth={"identity": ORGANIZATION, "headers": ["X-Key"]})

    async def runs(tool: Tool, key_of: tuple[str, int] | None) -> bool:
        looked_up = await scene.grants.holds("ada", "cn_1", tool.name, "call_none", key_of=key_of)
        assert scene.grants.holds_now("ada", "cn_1", tool.name, key_of=key_of) is looked_up
        return looked_up

    assert not await runs(EDIT, (own.id, own.version))
    assert await runs(READ, (own.id, own.version))
    assert [await runs(READ, key) for key in (None, (own.id, own.version + 1), ("con_2", own.version))] == [False] * 3
    await scene.policy.permissions.set("cn_1", [(EDIT, Setting.ALLOW, None)])  # as before there were classes
    assert not await runs(EDIT, (own.id, own.version))


async def test_a_read_that_no_reviewer_saw_runs_by_nobodys_word_but_its_persons(scene: Scene) -> None:
    """That the connector is verified says nothing of it."""
    assert await scene.runs(READ)
    assert not await scene.runs(UNREVIEWED)

    await scene.say(UNREVIEWED, Setting.ALLOW)

    assert await scene.runs(UNREVIEWED)


async def test_an_allow_of_before_there_were_classes_is_for_the_definition_that_was_seen(scene: Scene) -> None:
    allow = scene.policy.permissions.set
    await allow("cn_1", [(EDIT, Setting.ALLOW, None)])
    assert await scene.runs(EDIT)

    await allow("cn_1", [(replace(EDIT, fingerprint="f" * 64), Setting.ALLOW, None)])

    assert not await scene.runs(EDIT)


@pytest.mark.parametrize(("tool", "stands"), [(EDIT, True), (FLAGGED, False)])
async def test_nothing_stands_for_what_a_person_confirms_each_time(
    scene: Scene, sqlite_database: Database, clock: FakeClock, tool: Tool, stands: bool
) -> None:
    """PERM-12: whatever somebody wrote down for it, a standing approval answers one that asks each time for nobody."""
    connector, now = scene.whose.connector, clock.now()
    given = StandingApproval(
        id="standing_1", person_id="ada", organization_id=connector.organization_id, client_id="claude",
        client_name="Claude", connection_id="cn_1", connector=connector.slug, connector_version=connector.version,
        origin=connector.origin, label="main", tool=tool.name, fingerprint=tool.fingerprint, counts_as="H",
        rules=rules_for(NO_LIMITS, connector.slug, tool.name), scope=b"", day="", calls=1, uses_left=0,
        created_at=now, expires_at=now + timedelta(days=1), approval_id="approval_1", given_in="s_1", proof=b"{}",
    )  # fmt: skip
    async with sqlite_database.write() as tx:
        await standing_repository.add(tx, given)
        use = Use("call_1", given.id, "cn_1", tool.name, "d" * 64, now)
        await approval_repository.add_use(tx, use)

    assert await scene.grants.holds("ada", "cn_1", tool.name, "call_1") is stands
