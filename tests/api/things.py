"""Things that Ada has, for the tests to reach for: a connector, a connection with tools, a call, a token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.api.hub import Hub
from valetkey.audit.alerts import AlertKind, Noticed
from valetkey.audit.model import CallEnding, CallIntent, Outcome
from valetkey.audit.repository import insert_calls
from valetkey.connections.model import Connection
from valetkey.directory.model import Connector, Tool
from valetkey.identity.model import Person
from valetkey.policy import standing_repository
from valetkey.policy.model import Setting
from valetkey.policy.standing_model import StandingApproval
from valetkey.privacy import retention_repository
from valetkey.privacy.model import Hold

LIST = b'{"name":"list","description":"Lists","annotations":{"readOnlyHint":true}}'
DELETE = b'{"name":"delete"}'


@dataclass(frozen=True)
class Things:
    """`path` names one by a word in braces: `/calls/{call_id}`."""

    connector: Connector
    connection: Connection
    tools: tuple[Tool, ...]
    call_id: str
    token_id: str
    ceiling_id: str
    standing_id: str
    alert_id: str
    submission_id: str
    hold_id: str
    request_id: str

    def path(self, template: str) -> str:
        return template.format(
            slug=self.connector.slug,
            listing="notes",
            connection_id=self.connection.id,
            call_id=self.call_id,
            token_id=self.token_id,
            ceiling_id=self.ceiling_id,
            standing_id=self.standing_id,
            alert_id=self.alert_id,
            submission_id=self.submission_id,
            hold_id=self.hold_id,
            request_id=self.request_id,
            run_id="rev_1",
            picture="0" * 64,
            kind="icon",
            grant_id="grant_1",
            person="bob",
            organization=self.connection.organization_id,
            domain="example.com",
            group_id="group_1",
            feed_id="feed_1",
            invitation="inv_1",
            name="work",
            event_seq=1,
            number=1,
            before=1,
            after=1,
        )


async def give_things(hub: Hub, login: str = "ada") -> Things:
    person = hub.people[login]
    await hub.give_provider(person.organization_id)
    connector = await hub.services.connectors.add_custom(person, name="GitHub", url="https://h.example/mcp")
    connection = await hub.services.connections.add(person, connector)
    snapshot = await hub.services.snapshots.put(connection.id, [LIST, DELETE], b"{}", 60)
    await write_call(hub, person, "call_1", hub.clock.now(), connection_id=connection.id)
    _secret, info = await hub.services.tokens.create_personal(person, "laptop", "/mcp", (), 3600.0)
    await hub.services.profiles.add(person, "work", title="", access="auto", choices=[], by="person:ada")
    ceiling = await hub.services.policy.ceilings.set(
        person.organization_id, Setting.ASK, actor=f"person:{person.id}", connector="another"
    )
    await hub.services.privacy.policies.accept(actor="operator")
    standing_id, alert_id = await _stands(hub, connection), await _noticed(hub, connection)
    request = await hub.services.requests.ask(person, url="https://mcp.asked.example/mcp")
    submission = await hub.services.submissions.drafts.begin(person, "marginalia", {}, by="person:ada")
    return Things(
        connector,
        connection,
        snapshot.tools,
        "call_1",
        info.id,
        ceiling.id,
        standing_id,
        alert_id,
        submission.id,
        await _held(hub, person),
        request.id,
    )


async def _noticed(hub: Hub, connection: Connection) -> str:
    alerts = hub.services.alerts
    noticed = Noticed(
        connection.organization_id, connection.person_id, connection.id, "github", AlertKind.ERRORS, "",
        "10 of 12 calls failed.",
    )  # fmt: skip
    alerts.notice(noticed)
    return (await alerts.list(connection.person_id))[0].id


async def _stands(hub: Hub, connection: Connection) -> str:
    """An approval that stands: no route can give one."""
    now = hub.clock.now()
    given = StandingApproval(
        id="standing_1", person_id=connection.person_id, organization_id=connection.organization_id,
        client_id="https://claude.ai", client_name="Claude", connection_id=connection.id, connector="github",
        connector_version=1, origin="https://h.example", label="main", tool="delete", fingerprint="f" * 64,
        counts_as="H", rules="", scope=b"sealed", day="2026-11-22", calls=5, uses_left=3, created_at=now,
        expires_at=now + timedelta(days=7), approval_id="approval_1", given_in="s_1", proof=b"{}",
    )  # fmt: skip
    async with hub.database.write() as tx:
        await standing_repository.add(tx, given)
    return given.id


async def _held(hub: Hub, person: Person) -> str:
    """A hold on somebody who is not there any more, so that nobody's erasing waits for it."""
    hold = Hold("hold_1", person.organization_id, "person_gone", "A case", hub.clock.now(), "person:ada")
    async with hub.database.write() as tx:
        await retention_repository.add_hold(tx, hold)
    return hold.id


async def write_call(
    hub: Hub,
    person: Person,
    call_id: str,
    at: datetime,
    *,
    connection_id: str = "cn_1",
    connector: str = "github",
    request: bytes | None = None,
    response: bytes | None = None,
) -> None:
    intent = CallIntent(
        id=call_id, started_at=at, organization_id=person.organization_id, person_id=person.id, client="Claude",
        connector=connector, connection_id=connection_id, label="main", method="tools/call", tool="list",
        day=at.date().isoformat(), request_bytes=2, request=request,
    )  # fmt: skip
    ending = CallEnding(
        id=call_id,
        outcome=Outcome.OK,
        rule="switched_on",
        origin="https://h.example",
        duration_us=1500,
        response=response,
    )
    async with hub.database.write() as tx:
        await insert_calls(tx, [(intent, ending)])
