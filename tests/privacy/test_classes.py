"""Every class of what is kept of people has a time, and is gone after it by the one run a day (DATA-02, DATA-03,
DATA-04).

No other run is needed, and nobody has to do anything: not the person, who may never come back.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from tests.api.hub import Hub, open_hub
from tests.api.things import give_things
from tests.conftest import FakeClock
from tests.privacy.test_retention import KEPT, a_call
from valetkey.audit.kept_results import KeptResults
from valetkey.audit.model import Everyone, KeptOf
from valetkey.kernel.errors import VaultFailed
from valetkey.policy import approval_repository
from valetkey.policy.approval_model import Approval, State
from valetkey.policy.room import open_policy
from valetkey.privacy.retention import Retention, Sweeps
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.store.schema import alert, approval, call_record, kept_result, main, standing_approval
from valetkey.vault.day_keys import DayKeys

DAYS: Final = {"contents": 30, "kept results": 30, "approvals": 30, "standing approvals": 7 + 30, "alerts": 90,
               "records": 365}  # fmt: skip
BY_TIME: Final = {
    "call_record", "kept_result", "approval", "standing_approval", "alert",  # the run: DAYS, as the page says
    "access_token", "browser_session", "connect_attempt", "passkey_challenge", "sign_in_attempt", "signin_link",
    "taint", "token_family", "invitation",  # of themselves: they have an end, of hours to weeks
}  # fmt: skip
UNTIL_THEY_END_IT: Final = {
    "connection", "oauth_trace", "profile", "log_level", "passkey", "password", "oauth_consent", "receipt",
    "connector_request_asker", "training_consent", "erasure",
}  # fmt: skip
WITH_THE_ACCOUNT: Final = {
    "membership",
    "external_identity",
    "provisioned_person",
    "provisioned_member",
    "privacy_seen",
}
OF_AN_OFFICE: Final = {"connector", "review_run", "reviewer", "submission_agreed", "legal_hold", "owed_erasure"}
AS_LONG_AS_THE_HUB: Final = {"trail_event"}


def test_every_table_that_names_a_person_is_of_one_class() -> None:
    classes = (BY_TIME, UNTIL_THEY_END_IT, WITH_THE_ACCOUNT, OF_AN_OFFICE, AS_LONG_AS_THE_HUB)
    named = {
        table.name for table in main.tables.values() if any("person" in column.name or column.name == "added_by"
                                                            for column in table.columns)
    }  # fmt: skip

    assert set().union(*classes) == named
    assert sum(map(len, classes)) == len(named)


async def test_each_class_is_there_for_its_time_and_gone_after_it(
    sqlite_database: Database, keyring_database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    hub = await open_hub(sqlite_database, clock)
    days = hub.keep_keys(keyring_database, tmp_path / "root.key")
    await hub.services.privacy.keeping.follow(KEPT, at_most=1000)
    await _everything_of_eves(hub, days)
    began = clock.now()

    for day in (0, 29, 31, 36, 38, 89, 91, 364, 366):
        clock.advance((began + timedelta(days=day) - clock.now()).total_seconds())
        await _run(hub, days)

        assert await _left(hub, days, began.date().isoformat()) == {name for name, most in DAYS.items() if day <= most}

    assert (await hub.services.trail_log.verify(None, None, ())).is_whole
    done = [one.detail for one in await hub.services.trail.list(Everyone()) if one.event == "retention.done"]
    assert sum(one["alerts"] for one in done) == 1
    assert sum(one["approvals"] for one in done) == 2


async def _everything_of_eves(hub: Hub, days: DayKeys) -> None:
    eve = hub.people["eve"]
    things = await give_things(hub, "eve")
    await a_call(hub, days, "eve")
    key = await days.key(eve.id, eve.organization_id, hub.clock.now().date().isoformat())
    of = KeptOf("call_9", eve.id, eve.organization_id, key.day, 1)
    await KeptResults(hub.database).keep(of, [key.seal(b"CANARY", about=of.about(0))])
    now = hub.clock.now()
    asked = Approval(
        id="approval_1", person_id=eve.id, organization_id=eve.organization_id, client_id="https://claude.ai",
        client_name="Claude", connection_id=things.connection.id, connector="github", connector_version=1,
        origin="https://h.example", label="main", tool="delete", fingerprint="f" * 64, tool_class="H", counts_as="H",
        because="", rule="ask", reason="", how="click", may_remember=False, may_stand=False, for_tool=False,
        request_digest="d" * 64, nonce=b"n", policy_version="1", day=key.day,
        call=key.seal(b"CANARY", about="approval_1"), state=State.PENDING, times=1, uses_left=1, created_at=now,
        expires_at=now + timedelta(minutes=5),
    )  # fmt: skip
    async with hub.database.write() as tx:
        assert await approval_repository.add(tx, asked)


async def _run(hub: Hub, days: DayKeys) -> None:
    services = hub.services
    policy = open_policy(
        hub.database, hub.notifications, clock=hub.clock, keys=days, trail=services.trail, snapshots=services.snapshots
    )
    hub.clock.advance(1)
    leases = Leases(hub.database, clock=hub.clock)
    await Retention(
        hub.database, services.privacy.keeping, services.privacy.holds, day_keys=days, trail=services.trail,
        leases=leases, clock=hub.clock, sweeps=Sweeps(alerts=services.alerts.sweep, approvals=policy.sweep),
    ).purge()  # fmt: skip


async def _left(hub: Hub, days: DayKeys, day: str) -> set[str]:
    """Which classes have anything of Eve's left."""
    eve = hub.people["eve"]
    tables = {
        "kept results": kept_result, "approvals": approval, "standing approvals": standing_approval, "alerts": alert,
        "records": call_record,
    }  # fmt: skip
    left = set()
    async with hub.database.read() as tx:
        for name, table in tables.items():
            query = select(func.count()).select_from(table).where(table.c.person_id == eve.id)
            if (await tx.execute(query)).scalar_one():
                left.add(name)
    try:
        await days.existing(eve.id, eve.organization_id, day)
    except VaultFailed:
        return left
    return left | {"contents"}
