"""Where an organization lets connectors go, and for whom it has one: held at every door, at once, and by the vault."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.gateway.conftest import Hub
from tests.gateway.service import Service
from valetkey.audit.model import Outcome
from valetkey.directory.access.model import EVERYBODY, Audience, Rules
from valetkey.directory.access.saying import TOPIC, Access
from valetkey.identity.organizations import Organizations
from valetkey.identity.provisioning.room import Provisioning, open_provisioning
from valetkey.kernel.errors import NotConnected
from valetkey.net.url import parse_url
from valetkey.store.schema import connector

BY = "person:owner"


def access_of(hub: Hub) -> Access:
    return Access(hub.database, hub.notifications, parse_url=parse_url, clock=hub.clock, trail=hub.trail)


def provisioning_of(hub: Hub) -> Provisioning:
    return open_provisioning(
        hub.database, hub.notifications, people=hub.people,
        organizations=Organizations(hub.database, clock=hub.clock), clock=hub.clock,
        trail=hub.trail,
    )  # fmt: skip


async def test_a_host_that_is_taken_off_the_list_is_called_no_more_from_the_next_call_on(
    hub: Hub, modern: Service
) -> None:
    """The owner's allow-list for connectors: open sessions, every door; nothing leaves for the host."""
    access, ada = access_of(hub), await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token")
    client = await hub.client(ada, modern)
    first = await client.call("echo", {"text": "x"})
    before = len(modern.calls)

    await access.set_hosts(hub.organization_id, is_limited=True, allowed=["mcp.example.com"], denied=[], by=BY)
    second = await client.call("echo", {"text": "x"})
    listed = await (await hub.client(ada)).ask("tools/list", {})
    with pytest.raises(NotConnected) as caught:
        await hub.room.credentials.ticket(connection.id, person_id=ada.id, call_id="call_1")
    await access.set_hosts(hub.organization_id, is_limited=True, allowed=["127.0.0.1"], denied=[], by=BY)
    third = await client.call("echo", {"text": "x"})

    assert "does not let connectors reach" in second.text
    assert listed.result["tools"] == []
    assert caught.value.reason == "outside"
    assert [(one.outcome, one.rule) for one in await hub.records(ada)] == [
        (Outcome.OK, "person_allow"), (Outcome.REFUSED, "connector_blocked"), (Outcome.OK, "person_allow"),
    ]  # fmt: skip
    assert first.text == third.text
    assert len(modern.calls) == before + 1


async def test_a_connector_that_is_for_a_group_is_called_by_its_members_alone_as_the_directory_says_now(
    hub: Hub, modern: Service
) -> None:
    access, directory = access_of(hub), provisioning_of(hub).directory
    ada, bob = await hub.person("ada"), await hub.person("bob")
    for person, token in ((ada, "adas-token"), (bob, "bobs-token")):
        await hub.connect(person, modern, token)
    ada_asks, bob_asks = await hub.client(ada, modern), await hub.client(bob, modern)
    group = await directory.add_group(
        hub.organization_id, name="Finance", external_id="", members=[ada.id], by="scim:x"
    )

    await access.give_to(hub.connector(modern), Audience(is_everybody=False, groups=frozenset({group.id})), by=BY)
    theirs = await ada_asks.call("echo", {"text": "x"})
    refused = await bob_asks.call("echo", {"text": "x"})
    group = await directory.change_group(group, name="Finance", external_id="", members=[bob.id], by="scim:x")
    now_bobs = await bob_asks.call("echo", {"text": "x"})
    no_more = await ada_asks.call("echo", {"text": "x"})
    await directory.remove_group(group, by="scim:x")
    nobodys = await bob_asks.call("echo", {"text": "x"})
    await access.give_to(hub.connector(modern), EVERYBODY, by=BY)
    everybodys = await ada_asks.call("echo", {"text": "x"})

    for answer in (theirs, now_bobs, everybodys):
        assert "groups that you are in none of" not in answer.text
    for answer in (refused, no_more, nobodys):
        assert "groups that you are in none of" in answer.text
    assert [one.outcome for one in await hub.records(ada)] == [Outcome.OK, Outcome.REFUSED, Outcome.OK]
    assert [one.outcome for one in await hub.records(bob)] == [Outcome.REFUSED, Outcome.OK, Outcome.REFUSED]
    assert len(modern.calls) == 3


async def test_the_vaults_own_rule_knows_both_whatever_a_door_has_checked(hub: Hub, modern: Service) -> None:
    access, directory = access_of(hub), provisioning_of(hub).directory
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token")
    whose = hub.whose
    group = await directory.add_group(hub.organization_id, name="Finance", external_id="", members=[], by="scim:x")
    open_to_all = await whose(ada.id, connection.id)

    await access.give_to(hub.connector(modern), Audience(is_everybody=False, groups=frozenset({group.id})), by=BY)
    for_others = (whose.now(ada.id, connection.id), await whose(ada.id, connection.id))
    await access.give_to(hub.connector(modern), EVERYBODY, by=BY)
    await access.set_hosts(hub.organization_id, is_limited=False, allowed=[], denied=["127.0.0.1"], by=BY)
    outside = (whose.now(ada.id, connection.id), await whose(ada.id, connection.id))

    assert open_to_all is not None
    assert for_others == outside == (None, None)


@pytest.mark.parametrize("what", ["changed", "blocked", "in quarantine", "ruled out", "another's"])
async def test_the_vaults_own_rule_knows_what_became_of_a_connector(hub: Hub, modern: Service, what: str) -> None:
    """U07, ORG-11: from memory, too, which says no more of it the moment that it is said."""
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token")
    connector_id = hub.connector(modern).id
    assert await hub.whose(ada.id, connection.id) is not None
    assert hub.whose.now(ada.id, connection.id) is not None

    match what:
        case "changed":  # its person consented to another version
            async with hub.database.write() as tx:
                await tx.execute(update(connector).where(connector.c.id == connector_id).values(version=2))
            await hub.notifications.publish(TOPIC, connector_id)
        case "blocked":
            await hub.connectors.set_state(connector_id, "blocked")
        case "in quarantine":
            await hub.connectors.set_quarantine(connector_id, True)
        case "ruled out":
            await access_of(hub).set_rules(hub.organization_id, Rules(is_exclusive=True), by=BY)
    who = "person_bob" if what == "another's" else ada.id

    assert hub.whose.now(who, connection.id) is None
    assert await hub.whose(who, connection.id) is None
