"""What the routes do, one noun after the other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.api.hub import Hub
from tests.api.things import give_things, write_call
from valetkey.api.asking import OWN_CONTENT, Scope
from valetkey.audit.model import OfPerson
from valetkey.connections.model import State
from valetkey.identity.model import Role
from valetkey.kernel.secret import Secret
from valetkey.policy.model import Setting
from valetkey.store.database import Database
from valetkey.vault.day_keys import DayKey
from valetkey.vault.model import NothingSealed

# --- people -------------------------------------------------------------------------------------------------------


async def test_a_person_added_by_the_operator_gets_an_organization_of_their_own(hub: Hub) -> None:
    added = (await hub.operator.post("/people", json={"login": "Grace"})).json()

    assert (added["login"], added["role"], added["state"]) == ("grace", "owner", "active")
    organizations = (await hub.operator.get("/organizations")).json()["items"]
    assert [one["kind"] for one in organizations if one["id"] == added["organization_id"]] == ["personal"]


async def test_an_owner_adds_members_to_their_own_organization_only(hub: Hub) -> None:
    ada = await hub.with_scopes("ada")

    added = (await ada.post("/people", json={"login": "grace"})).json()
    elsewhere = await ada.post("/people", json={"login": "x", "organization_id": hub.people["eve"].organization_id})

    assert (added["organization_id"], added["role"]) == (hub.people["ada"].organization_id, "member")
    assert elsewhere.status_code == 404


async def test_people_of_another_organization_are_not_there(hub: Hub) -> None:
    ada = await hub.with_scopes("ada")

    listed = (await ada.get("/people")).json()["items"]
    elsewhere = await ada.get("/people", params={"organization": hub.people["eve"].organization_id})

    assert {person["login"] for person in listed} == {"ada", "bob"}
    assert elsewhere.status_code == 404


async def test_an_admin_makes_and_manages_no_owners(hub: Hub) -> None:
    await hub.add("max", hub.people["ada"].organization_id, Role.ADMIN)
    admin = await hub.with_scopes("max")

    assert (await admin.post("/people", json={"login": "x", "role": "owner"})).status_code == 403
    assert (await admin.post("/people/ada/disable", json={})).status_code == 403
    assert (await admin.post("/people/ada/invite", json={})).status_code == 403
    assert (await admin.post("/people", json={"login": "y", "role": "admin"})).status_code == 201


async def test_an_invitation_is_a_link_that_signs_its_person_in(hub: Hub) -> None:
    link = (await hub.operator.post("/people/bob/invite", json={})).json()

    token = link["url"].removeprefix("http://localhost:8484/signin/link/")
    redeemed = await hub.services.links.redeem(Secret(token))
    assert redeemed.person.login == "bob"
    assert redeemed.purpose == "invite"


async def test_no_role_issues_a_link_beside_somebodys_credential(hub: Hub) -> None:
    """Else an owner would sign in as their members: admin is not access to content."""
    ada = await hub.with_scopes("ada")

    assert (await ada.post("/people/bob/invite", json={"recovery": True})).status_code == 403
    assert (await hub.operator.post("/people/bob/invite", json={"recovery": True})).status_code == 201


async def test_a_login_that_is_somebody_elses_id_does_not_get_what_is_meant_for_them(hub: Hub) -> None:
    bob = hub.people["bob"]
    await hub.add(bob.id, hub.people["eve"].organization_id, Role.MEMBER)

    link = (await hub.operator.post(f"/people/{bob.id}/invite", json={})).json()

    assert link["person"]["login"] == "bob"


async def test_a_disabled_persons_token_stops_at_once(hub: Hub) -> None:
    bob = await hub.with_scopes("bob")
    assert (await bob.get("/me")).status_code == 200

    assert (await hub.operator.post("/people/bob/disable", json={})).json()["state"] == "disabled"

    assert (await bob.get("/me")).status_code == 401


# --- tokens -------------------------------------------------------------------------------------------------------


async def test_a_token_is_shown_once_and_works_until_it_is_revoked(hub: Hub) -> None:
    ada = await hub.with_scopes("ada")

    created = (await ada.post("/tokens", json={"name": "ci", "resource": "/api/v1", "scopes": ["people:read"]})).json()

    client = hub.client(hub.app, created["token"])
    assert (await client.get("/people")).status_code == 200
    assert created["token"] not in (await ada.get("/tokens")).text
    assert (await ada.delete(f"/tokens/{created['info']['id']}")).status_code == 204
    assert (await client.get("/people")).status_code == 401


@pytest.mark.parametrize("scope", sorted(OWN_CONTENT))
async def test_the_operator_cannot_make_a_token_that_opens_a_persons_own_content(hub: Hub, scope: str) -> None:
    body = {"name": "t", "resource": "/api/v1", "scopes": ["people:read", scope]}

    answer = await hub.operator.post("/tokens", json=body, params={"person": "bob"})

    assert answer.status_code == 403
    assert await hub.services.tokens.list(hub.people["bob"].id) == []


async def test_that_the_operator_made_a_token_stands_in_the_persons_trail(hub: Hub) -> None:
    body = {"name": "headless", "resource": "/mcp"}

    answer = await hub.operator.post("/tokens", json=body, params={"person": "bob"})

    assert answer.status_code == 201
    events = (await (await hub.with_scopes("bob")).get("/trail")).json()["items"]
    made = [event["actor"] for event in events if event["event"] == "token.created"]
    assert made == [f"person:{hub.people['bob'].id}", "operator"]  # the newest is the one that they read this with


async def test_a_token_makes_no_token_that_can_do_more_than_itself(hub: Hub) -> None:
    modest = await hub.with_scopes("ada", "tokens:write", "people:read")

    async def make(resource: str, *scopes: str) -> int:
        body = {"name": "t", "resource": resource, "scopes": list(scopes)}
        return (await modest.post("/tokens", json=body)).status_code

    assert await make("/api/v1", "people:read") == 201
    assert await make("/api/v1", "people:read", "calls:read") == 403
    assert await make("/api/v1", "nonsense") == 403
    assert await make("/mcp") == 403
    assert await make("/c/github/mcp") == 403


# --- connectors ---------------------------------------------------------------------------------------------------


async def test_a_connector_added_by_url_is_marked_and_its_mark_cannot_be_sent(hub: Hub) -> None:
    """S-05 (b) and (c)."""
    ada = await hub.with_scopes("ada")
    body = {"name": "Verified ✓", "url": "https://h.example/mcp"}

    added = (await ada.post("/connectors", json=body)).json()
    forged = await ada.post("/connectors", json={**body, "url": "https://i.example/mcp", "review_state": "verified"})

    assert (added["review_state"], added["review_label"]) == ("custom", "Custom – unverified")
    assert forged.status_code == 400


async def test_who_added_a_connector_and_manages_none_any_more_does_not_remove_it(hub: Hub) -> None:
    """CUS-06: everybody has it, and they had another role when they added it."""
    things = await give_things(hub)
    await hub.add("olga", things.connection.organization_id, Role.OWNER)
    await hub.services.people.set_role(hub.people["ada"].id, Role.MEMBER)

    answer = await (await hub.with_scopes("ada")).delete(f"/connectors/{things.connector.slug}")

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_members_of_an_organization_see_its_connectors_and_do_not_add_any(hub: Hub) -> None:
    """CUS-06."""
    things = await give_things(hub)
    bob = await hub.with_scopes("bob")

    assert [one["slug"] for one in (await bob.get("/connectors")).json()["items"]] == [things.connector.slug]
    ways = [
        await bob.post("/connectors", json={"name": "n", "url": "https://i.example/mcp"}),
        await bob.post("/directory/notion", json={}),
        await bob.patch(f"/connectors/{things.connector.slug}", json={"url": "https://h.example/other"}),
        await bob.get("/registry?q=weather"),
    ]
    assert [one.status_code for one in ways] == [403, 403, 403, 200]
    assert ways[-1].json()["items"] == []
    events = await hub.services.trail.list(OfPerson(hub.people["bob"].id))
    tried = [one for one in events if one.event == "connector.add_refused"]
    assert len(tried) == 3


async def test_only_an_owner_enters_the_organizations_key_and_everybody_is_told_whose_it_is(hub: Hub) -> None:
    """CUS-04."""
    ada = await hub.with_scopes("ada")
    added = await ada.post(
        "/connectors",
        json={
            "name": "Ours",
            "url": "https://ours.example/mcp",
            "auth_kind": "header",
            "auth": {"headers": ["X-API-Key"], "identity": "organization"},
        },
    )
    slug = added.json()["slug"]
    await hub.add("max", hub.people["ada"].organization_id, Role.ADMIN)
    entered = {"values": {"X-API-Key": "CANARY"}}

    answers = [
        (await (await hub.with_scopes(login)).put(f"/connectors/{slug}/key", json=entered)).status_code
        for login in ("max", "bob", "eve", "ada")
    ]
    by_operator = await hub.operator.put(f"/connectors/{slug}/key?person=ada", json=entered)
    shown = (await (await hub.with_scopes("bob")).get(f"/directory/{slug}")).json()

    assert added.json()["acts_as"] == "organization"
    assert (answers, by_operator.status_code) == ([403, 403, 404, 204], 403)
    by = f"person:{hub.people['ada'].id}"
    assert [one for one in hub.elsewhere.asked if one[0] == "hold"] == [("hold", slug, ["X-API-Key"], by)]
    assert shown["disclosure"]["facts"]["acts as"] == "the organization, not you"


async def test_removing_a_connector_ends_ones_own_accounts_and_waits_for_the_others(hub: Hub) -> None:
    things = await give_things(hub)
    await hub.services.connections.add(hub.people["bob"], things.connector)
    ada = await hub.with_scopes("ada")

    answer = await ada.delete(f"/connectors/{things.connector.slug}")

    assert answer.status_code == 409
    assert (await ada.get("/connections")).json()["items"] == []
    assert ("end", things.connection.id, f"person:{hub.people['ada'].id}") in hub.elsewhere.asked


# --- connections --------------------------------------------------------------------------------------------------


async def test_connecting_begins_on_a_page_and_nothing_is_added_before(hub: Hub) -> None:
    things = await give_things(hub)
    bob = await hub.with_scopes("bob")

    begun = (await bob.post("/connections", json={"connector": things.connector.slug, "label": "work"})).json()

    assert begun["page"] == f"http://localhost:8484/connections/new/{things.connector.slug}?label=work"
    assert (await bob.get("/connections")).json()["items"] == []


async def test_header_values_go_in_and_never_come_out(hub: Hub) -> None:
    things = await give_things(hub)
    ada = await hub.with_scopes("ada")
    body = {"connector": things.connector.slug, "values": {"X-API-Key": "CANARY"}}

    answer = await ada.post("/connections/headers", json=body)

    assert answer.status_code == 201
    assert hub.elsewhere.asked[-1][-1] == {"X-API-Key": Secret("CANARY")}
    for text in (answer.text, (await ada.get("/connections")).text, (await ada.get("/trail")).text):
        assert "CANARY" not in text


async def test_a_blocked_connector_is_seen_as_blocked_and_can_still_be_disconnected(hub: Hub) -> None:
    """CON-01 and S-03."""
    things = await give_things(hub)
    await hub.services.connectors.set_state(things.connector.id, "blocked")
    ada = await hub.with_scopes("ada")

    shown = (await ada.get(f"/connections/{things.connection.id}")).json()
    done = await ada.post(f"/connections/{things.connection.id}/disconnect", json={})

    assert shown["state"] == "blocked"
    assert done.status_code == 200


async def test_a_new_account_is_not_connected_and_says_where_its_page_is(hub: Hub) -> None:
    things = await give_things(hub)

    shown = (await (await hub.with_scopes("ada")).get("/connections")).json()["items"][0]

    assert shown["state"] == State.NOT_CONNECTED
    assert shown["review_label"] == "Custom – unverified"
    assert shown["page"] == f"http://localhost:8484/connections/{things.connection.id}"


# --- tools --------------------------------------------------------------------------------------------------------


async def test_a_tool_is_switched_on_in_the_definition_that_was_looked_at(hub: Hub) -> None:
    things = await give_things(hub)
    ada = await hub.with_scopes("ada")
    path = f"/connections/{things.connection.id}/tools"
    listed = (await ada.get(path)).json()["items"]
    assert [(tool["name"], tool["switched_on"]) for tool in listed] == [("list", False), ("delete", False)]

    on = [{"name": "list", "fingerprint": listed[0]["fingerprint"]}]
    after = (await ada.post(path, json={"on": on})).json()["items"]

    assert [tool["switched_on"] for tool in after] == [True, False]
    assert (await ada.post(path, json={"off": ["list"]})).json()["items"][0]["switched_on"] is False


async def test_a_tool_that_changed_since_it_was_looked_at_is_not_switched_on(hub: Hub) -> None:
    things = await give_things(hub)
    ada = await hub.with_scopes("ada")
    path = f"/connections/{things.connection.id}/tools"
    seen = (await ada.get(path)).json()["items"][0]["fingerprint"]
    await ada.post(path, json={"on": [{"name": "list", "fingerprint": seen}]})
    await hub.services.snapshots.put(things.connection.id, [b'{"name":"list","description":"Deletes"}'], b"{}", 60)

    again = await ada.post(path, json={"on": [{"name": "list", "fingerprint": seen}]})
    unknown = await ada.post(path, json={"on": [{"name": "LIST", "fingerprint": seen}]})
    shown = (await ada.get(path)).json()["items"][0]

    assert (again.status_code, unknown.status_code) == (409, 404)
    assert (shown["switched_on"], shown["changed_since"]) == (False, True)


async def test_a_person_says_allow_ask_or_block_of_each_tool(hub: Hub) -> None:
    """In the definition that was looked at; what is hard to take back is never always allowed."""
    things = await give_things(hub)
    ada = await hub.with_scopes("ada")
    path = f"/connections/{things.connection.id}/permissions"
    shown = (await ada.get(path)).json()
    first, delete = ({"name": one["name"], "fingerprint": one["fingerprint"]} for one in shown["items"])
    assert [(one["setting"], one["effect"]) for one in shown["items"]] == [("class", "ask"), ("class", "ask")]

    said = (await ada.post(path, json={"say": [first | {"setting": "allow"}, delete | {"setting": "block"}]})).json()
    too_much = await ada.post(path, json={"say": [delete | {"setting": "allow"}]})
    twice = await ada.post(path, json={"say": [first | {"setting": "ask"}, first | {"setting": "allow"}]})
    stale = await ada.post(path, json={"say": [first | {"setting": "ask", "fingerprint": "0" * 64}]})
    back = (await ada.post(path, json={"say": [first | {"setting": "class"}]})).json()

    assert [(one["setting"], one["effect"], one["rule"]) for one in said["items"]] == [
        ("allow", "allow", "person_allow"), ("block", "deny", "person_block"),
    ]  # fmt: skip
    assert (too_much.status_code, too_much.json()["rule"]) == (403, "class_h")
    assert (twice.status_code, stale.status_code) == (400, 409)
    assert [one["setting"] for one in back["items"]] == ["class", "block"]
    events = await hub.services.trail.list(OfPerson(hub.people["ada"].id))
    assert [one.detail["allow"] for one in events if one.event == "permissions.set" and "allow" in one.detail] == [
        ["list"]
    ]


async def test_switching_off_takes_back_an_allow_and_never_a_block(hub: Hub) -> None:
    things = await give_things(hub)
    ada = await hub.with_scopes("ada")
    path = f"/connections/{things.connection.id}"
    blocked = {"name": "list", "fingerprint": things.tools[0].fingerprint, "setting": "block"}
    await ada.post(f"{path}/permissions", json={"say": [blocked]})

    await ada.post(f"{path}/tools", json={"off": ["list"]})

    assert (await ada.get(f"{path}/permissions")).json()["items"][0]["setting"] == "block"


async def test_who_manages_connectors_accepts_a_change_for_everybody_and_nobody_else_does(hub: Hub) -> None:
    things = await give_things(hub)
    await hub.services.snapshots.put(things.connection.id, [b'{"name":"list","description":"Deletes"}'], b"{}", 60)
    path = f"/connections/{things.connection.id}/tools/changes"
    ada = await hub.with_scopes("ada")
    [held] = (await ada.get(path)).json()["items"]
    accepting = {"accept": [{"tool": "list", "seen": held["seen"]}], "for_everybody": True}
    people, mine = hub.services.people, hub.people["ada"]
    await hub.add("root", mine.organization_id, Role.OWNER)
    await people.set_role(mine.id, Role.MEMBER)

    refused = await (await hub.with_scopes("ada")).post(path, json=accepting)
    await people.set_role(mine.id, Role.ADMIN)
    done = await (await hub.with_scopes("ada")).post(path, json=accepting)

    assert refused.status_code == 403
    assert (done.status_code, done.json()["items"]) == (200, [])


async def test_a_level_is_set_for_the_tools_that_were_looked_at(hub: Hub) -> None:
    things = await give_things(hub)
    ada = await hub.with_scopes("ada")
    path = f"/connections/{things.connection.id}/permissions"
    shown = (await ada.get(path)).json()
    assert [(one["level"], one["allows"]) for one in shown["levels"]] == [
        ("always_ask", 0), ("before_changes", 1), ("before_important", 1), ("allow", 1),
    ]  # fmt: skip

    after = (await ada.post(f"{path}/level", json={"level": "before_changes", "seen": shown["seen"]})).json()
    await hub.services.policy.ceilings.set(
        hub.people["ada"].organization_id, Setting.ASK, actor="person:x", tool="delete"
    )
    capped = await ada.post(f"{path}/level", json={"level": "allow", "seen": shown["seen"]})
    await hub.services.snapshots.put(things.connection.id, [b'{"name":"list","description":"Deletes"}'], b"{}", 60)
    stale = await ada.post(f"{path}/level", json={"level": "allow", "seen": shown["seen"]})

    assert (after["level"], [one["setting"] for one in after["items"]]) == ("before_changes", ["allow", "class"])
    assert (capped.status_code, capped.json()["rule"]) == (403, "ceiling_ask")
    assert stale.status_code == 409


# --- calls --------------------------------------------------------------------------------------------------------


async def test_calls_come_page_by_page_newest_first(hub: Hub) -> None:
    for number in range(1, 6):
        await write_call(hub, hub.people["ada"], f"call_{number}", hub.clock.now() + timedelta(seconds=number))
    ada = await hub.with_scopes("ada")

    first = (await ada.get("/calls", params={"limit": 2})).json()
    second = (await ada.get("/calls", params={"limit": 2, "cursor": first["next"]})).json()
    third = (await ada.get("/calls", params={"limit": 2, "cursor": second["next"]})).json()

    ids = [[call["id"] for call in page["items"]] for page in (first, second, third)]
    assert ids == [["call_5", "call_4"], ["call_3", "call_2"], ["call_1"]]
    assert third["next"] is None


async def test_the_operator_sees_that_a_call_was_made_and_not_what_was_in_it(hub: Hub) -> None:
    await write_call(hub, hub.people["ada"], "call_1", hub.clock.now(), request=b"sealed", response=b"sealed")

    listed = (await hub.operator.get("/calls")).json()["items"]
    shown = (await hub.operator.get("/calls/call_1")).json()

    assert [call["id"] for call in listed] == ["call_1"]
    assert (shown["tool"], shown["contents"], shown["request"], shown["response"]) == ("list", "not_yours", None, None)


async def test_an_owner_does_not_see_a_members_calls(hub: Hub) -> None:
    await write_call(hub, hub.people["bob"], "call_1", hub.clock.now())
    ada = await hub.with_scopes("ada")

    assert (await ada.get("/calls")).json()["items"] == []
    assert (await ada.get("/calls/call_1")).status_code == 404


async def test_a_call_is_made_as_the_person_whose_token_it_is(hub: Hub) -> None:
    ada = await hub.with_scopes("ada", Scope.CALLS_RUN)

    answer = (
        await ada.post("/calls", json={"connector": "github", "label": "work", "tool": "list", "arguments": {"n": 1}})
    ).json()

    assert answer == {"call_id": "call_1", "result": {"content": [{"type": "text", "text": "done"}]}}
    assert hub.elsewhere.asked == [("call", hub.people["ada"].id, "github", "work", "list", {"n": 1})]


# --- trail --------------------------------------------------------------------------------------------------------


async def test_the_trail_shows_each_what_concerns_them(hub: Hub) -> None:
    everything = (await hub.operator.get("/trail")).json()["items"]
    owners = (await (await hub.with_scopes("ada")).get("/trail")).json()["items"]
    members = (await (await hub.with_scopes("bob")).get("/trail")).json()["items"]

    assert {event["person_id"] for event in everything} == {person.id for person in hub.people.values()}
    assert hub.people["eve"].id not in {event["person_id"] for event in owners}
    assert {event["person_id"] for event in members} == {hub.people["bob"].id}


async def test_what_was_in_an_erased_call_is_told_as_erased(hub: Hub) -> None:
    class Erased:
        async def existing(self, person_id: str, tenant: str, day: str) -> DayKey:
            raise NothingSealed("The contents of that day were erased.")

    await write_call(hub, hub.people["ada"], "call_1", hub.clock.now(), request=b"sealed", response=b"sealed")
    hub.replaced(day_keys=Erased())

    shown = (await (await hub.with_scopes("ada")).get("/calls/call_1")).json()

    assert (shown["contents"], shown["request"], shown["response"]) == ("erased", None, None)


async def test_a_person_reads_what_was_in_their_own_call(hub: Hub, keyring_database: Database) -> None:
    key = await hub.keep_keys(keyring_database).key(
        hub.people["ada"].id, hub.people["ada"].organization_id, hub.clock.now().date().isoformat()
    )
    await write_call(
        hub,
        hub.people["ada"],
        "call_1",
        hub.clock.now(),
        request=key.seal(b'{"arguments":{"n":1}}', about="call_1:request"),
        response=key.seal(b"not JSON", about="call_1:response"),
    )

    shown = (await (await hub.with_scopes("ada")).get("/calls/call_1")).json()

    assert (shown["contents"], shown["request"], shown["response"]) == ("shown", {"arguments": {"n": 1}}, "not JSON")


# --- profiles -----------------------------------------------------------------------------------------------------


async def test_a_profile_is_made_read_replaced_and_removed(hub: Hub) -> None:
    things = await give_things(hub)
    ada = await hub.with_scopes("ada")
    one = {"connection_id": things.connection.id, "tools": ["list"]}

    made = await ada.post("/profiles", json={"name": "reading", "title": "Only reading", "connections": [one]})
    listed = (await ada.get("/profiles")).json()["items"]
    whole = {"access": "search", "connections": [{"connection_id": things.connection.id, "whole": True}]}
    changed = (await ada.post("/profiles/reading", json=whole)).json()
    gone = await ada.delete("/profiles/reading")

    shown = made.json()
    assert (made.status_code, shown["path"], shown["title"], shown["access"]) == (
        201, "/p/reading/mcp", "Only reading", "auto",
    )  # fmt: skip
    [choice] = shown["connections"]
    assert choice == one | {"whole": False, "connector": things.connector.slug, "label": "main"}
    assert [profile["name"] for profile in listed] == ["reading", "work"]
    assert (changed["access"], changed["connections"][0]["whole"], changed["connections"][0]["tools"]) == (
        "search", True, [],
    )  # fmt: skip
    assert gone.status_code == 204
    assert (await ada.get("/profiles/reading")).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "Not A Name"}, 400),
        ({"name": "work"}, 409),
        ({"name": "n", "access": "some"}, 400),
        ({"name": "n", "connections": [{"connection_id": "cn_other", "whole": True}]}, 404),
        ({"name": "n", "owner": "bob"}, 400),
    ],
)
async def test_a_profile_that_cannot_be_is_refused(hub: Hub, body: dict[str, object], status: int) -> None:
    await give_things(hub)
    ada = await hub.with_scopes("ada")

    assert (await ada.post("/profiles", json=body)).status_code == status


async def test_nobody_puts_anothers_connection_into_a_profile(hub: Hub) -> None:
    things = await give_things(hub)
    bob = await hub.with_scopes("bob")

    body = {"name": "mine", "connections": [{"connection_id": things.connection.id, "whole": True}]}

    assert (await bob.post("/profiles", json=body)).status_code == 404
    assert (await bob.get("/profiles")).json()["items"] == []


async def test_a_connector_is_changed_and_another_host_is_not_a_change(hub: Hub) -> None:
    """CUS-05; `review_state` is no member of a change (S-05c)."""
    api = await hub.with_scopes("ada", Scope.CONNECTORS_WRITE)
    added = (await api.post("/connectors", json={"name": "Notes", "url": "https://notes.example.org/mcp"})).json()
    path = f"/connectors/{added['slug']}"

    renamed = (await api.patch(path, json={"name": "Verified ✓"})).json()
    elsewhere = await api.patch(path, json={"url": "https://elsewhere.example.org/mcp"})
    promoted = await api.patch(path, json={"review_state": "verified"})

    assert (renamed["name"], renamed["review_state"]) == ("Verified ✓", "custom")
    assert (elsewhere.status_code, elsewhere.json()["field"]) == (400, "url")
    assert promoted.status_code == 400


async def test_the_operator_looks_up_the_step_that_somebodys_error_named_and_an_owner_does_not(hub: Hub) -> None:
    """CON-32: a reference leads whoever runs the hub to what was asked and answered; another member has no business."""
    things = await give_things(hub)
    connection, ada = things.connection, hub.people["ada"]
    steps = hub.services.trace.of(person_id=ada.id, connection_id=connection.id)
    reference = await steps.note("registration", "POST https://auth.example.com/register", status=403, reason="No.")
    path = f"/connections/{connection.id}/trace"

    found = (await hub.operator.get(path, params={"person": "ada"})).json()["items"]
    theirs = await (await hub.with_scopes("bob")).get(path)

    assert [(one["stage"], one["status"]) for one in found if one["reference"] == reference] == [("registration", 403)]
    assert theirs.status_code == 404
