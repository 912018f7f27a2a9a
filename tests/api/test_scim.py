"""The door for an organization's directory (SCIM 2.0): what it says is done, in its own organization and no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server
from starlette.routing import Route

from tests.api.hub import PUBLIC_URL, Hub
from valetkey.api.scim.app import ScimDoor
from valetkey.audit.feed.messages import actor_type
from valetkey.audit.model import Everyone
from valetkey.identity.model import Role
from valetkey.kernel.errors import NotSignedIn
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass
class Door:
    """A hub, and a directory's client with a token of Ada's organization."""

    hub: Hub
    client: httpx2.AsyncClient
    organization_id: str
    token_id: str

    async def ask(self, method: str, path: str, body: object = None, status: int = 200, **query: str) -> Any:
        answer = await self.client.request(method, path, json=body, params=query)
        assert answer.status_code == status, answer.text
        assert status == 204 or answer.headers["content-type"] == "application/scim+json"
        return answer.json() if answer.content else None

    async def add(self, login: str, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self.ask("POST", "/Users", {"schemas": [USER], "userName": login, **more}, 201)
        return made

    async def patch(self, path: str, *operations: dict[str, Any], status: int = 200) -> Any:
        return await self.ask("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, status)

    async def role(self, person_id: str) -> Role:
        return (await self.hub.services.people.get(person_id)).role


@pytest.fixture
async def door(hub: Hub, keyring_database: Database) -> Door:
    hub.keep_keys(keyring_database)
    return await open_door(hub, hub.people["ada"].organization_id)


async def open_door(hub: Hub, organization_id: str) -> Door:
    token, made = await hub.services.provisioning.tokens.create(
        organization_id, "directory", timedelta(days=1), by="operator"
    )
    client = hub.client(hub.app, token.reveal().decode())
    client.base_url = httpx2.URL(f"{PUBLIC_URL}/scim/v2")
    return Door(hub, client, organization_id, made.id)


@pytest.mark.real
async def test_the_public_checker_finds_nothing_wrong(door: Door) -> None:
    """scim2-tester: discovery, users, groups, patches, filters and attributes, over HTTP as a client does it."""
    loop = asyncio.get_running_loop()

    class Bridge(httpx2.BaseTransport):
        """Requests of the checker's thread, answered by the hub in this one."""

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            async def ask() -> httpx2.Response:
                headers = {name: value for name, value in request.headers.items() if name != "content-length"}
                return await door.client.request(request.method, request.url, headers=headers, content=request.content)

            answer = asyncio.run_coroutine_threadsafe(ask(), loop).result(30)
            return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    headers = {"authorization": door.client.headers["authorization"]}
    with httpx2.Client(transport=Bridge(), base_url=f"{PUBLIC_URL}/scim/v2", headers=headers) as client:
        found = await asyncio.to_thread(check_server, SyncSCIMClient(client))

    wrong = [f"{one.title}: {one.reason}" for one in found if one.status not in (Status.SUCCESS, Status.SKIPPED)]
    assert wrong == [], "\n".join(wrong)
    assert len(found) > 40


async def test_a_directory_adds_changes_and_finds_people(door: Door) -> None:
    made = await door.add(
        "Cleo@Example.com",
        externalId="00u1",
        name={"givenName": "Cleo", "familyName": "Patra"},
        emails=[{"value": "cleo@example.com", "primary": True}],
        active=True,
        phoneNumbers=[{"value": "+1 555"}],
        password="not kept",
    )

    assert (made["userName"], made["active"]) == ("Cleo@Example.com", True)
    assert "phoneNumbers" not in made
    assert "password" not in made
    person = await door.hub.services.people.get(made["id"])
    assert (person.login, person.display_name, person.role) == ("cleo@example.com", "Cleo Patra", Role.MEMBER)
    for filtered in ('userName eq "CLEO@example.com"', 'externalId eq "00u1"', 'emails.value sw "cleo"'):
        found = await door.ask("GET", "/Users", filter=filtered)
        assert [one["id"] for one in found["Resources"]] == [made["id"]], filtered
    renamed = await door.patch(f"/Users/{made['id']}", {"op": "Replace", "value": {"userName": "cleo@new.example"}})
    assert renamed["userName"] == "cleo@new.example"
    assert (await door.hub.services.people.get(made["id"])).login == "cleo@new.example"
    events = await trail_of(door)
    assert events["person.created"] == f"scim:{door.token_id}"
    assert events["person.renamed"] == f"scim:{door.token_id}"
    told = [one for one in await door.hub.services.trail.list(Everyone(), limit=50) if one.actor.startswith("scim:")]
    assert {actor_type(one) for one in told} == {"admin_key"}
    assert all(one.asked and one.asked["ip"] == "127.0.0.1" and one.asked["user_agent"] for one in told)
    [renaming] = [one.detail for one in told if one.event == "person.renamed"]
    assert (renaming["before"], renaming["login"]) == ("cleo@example.com", "cleo@new.example")


async def test_who_is_deactivated_is_out_at_once_and_what_they_connected_is_ended(door: Door) -> None:
    """ORG-20: sessions, assistants, tokens; and every connection is told to its service."""
    bob = door.hub.people["bob"]
    token = await door.hub.token("bob", "calls:read")

    for value in ({"op": "replace", "path": "active", "value": False},
                  {"op": "Replace", "value": {"active": "False"}}):  # fmt: skip
        await door.hub.services.people.enable(bob.id)
        await door.patch(f"/Users/{bob.id}", value)
        assert (await door.hub.services.people.get(bob.id)).state == "disabled"
    with pytest.raises(NotSignedIn):
        await door.hub.services.tokens.authenticate(token.encode(), audience="/api/v1")
    assert ("disconnect_all", bob.id, f"scim:{door.token_id}") in door.hub.elsewhere.asked
    assert (await door.patch(f"/Users/{bob.id}", {"op": "add", "path": "active", "value": True}))["active"] is True
    with pytest.raises(NotSignedIn):  # what was ended stays ended
        await door.hub.services.tokens.authenticate(token.encode(), audience="/api/v1")


async def test_who_is_deleted_has_left_and_is_forgotten(door: Door) -> None:
    made = await door.add("cleo@example.com", externalId="00u1")

    await door.ask("DELETE", f"/Users/{made['id']}", status=204)

    await door.ask("GET", f"/Users/{made['id']}", status=404)
    await door.ask("DELETE", f"/Users/{made['id']}", status=404)
    assert (await door.ask("GET", "/Users", filter='externalId eq "00u1"'))["totalResults"] == 0
    assert await door.hub.services.people.find("cleo@example.com") is None
    async with door.hub.database.read() as tx:
        assert (await tx.exec_driver_sql("select * from provisioned_person")).all() == []


async def test_the_last_owner_is_not_put_out_and_no_group_makes_or_unmakes_one(door: Door) -> None:
    ada = door.hub.people["ada"]
    await door.patch(f"/Users/{ada.id}", {"op": "replace", "path": "active", "value": False}, status=409)
    await door.ask("DELETE", f"/Users/{ada.id}", status=409)

    group = await door.ask(
        "POST", "/Groups", {"schemas": [GROUP], "displayName": "All", "members": [{"value": ada.id}]}, 201
    )
    await door.hub.services.provisioning.directory.give_role(door.organization_id, group["id"], Role.MEMBER, by="x")
    assert await door.role(ada.id) is Role.OWNER
    client = await door.hub.with_scopes("ada")
    path = f"/organizations/{door.organization_id}/groups/{group['id']}/role"
    assert (await client.put(path, json={"role": "owner"})).status_code == 400


async def test_roles_follow_groups_and_only_for_who_is_in_one_that_gives_them(door: Door) -> None:
    bob, cleo = door.hub.people["bob"].id, (await door.add("cleo@example.com"))["id"]
    give = door.hub.services.provisioning.directory.give_role
    readers, admins = [
        (await door.ask("POST", "/Groups", {"schemas": [GROUP], "displayName": name}, 201))["id"]
        for name in ("Readers", "Admins")
    ]
    await give(door.organization_id, readers, Role.AUDITOR, by="operator")
    await give(door.organization_id, admins, Role.ADMIN, by="operator")

    members = {"op": "add", "path": "members", "value": [{"value": cleo}]}
    await door.patch(f"/Groups/{readers}", members)
    assert (await door.role(cleo), await door.role(bob)) == (Role.AUDITOR, Role.MEMBER)
    await door.patch(f"/Groups/{admins}", members)
    assert await door.role(cleo) is Role.ADMIN  # the strongest
    assert {one["value"] for one in (await door.ask("GET", f"/Users/{cleo}"))["groups"]} == {readers, admins}
    await door.patch(f"/Groups/{admins}", {"op": "remove", "path": f'members[value eq "{cleo}"]'})
    assert await door.role(cleo) is Role.AUDITOR
    await give(door.organization_id, readers, None, by="operator")
    assert await door.role(cleo) is Role.MEMBER
    await give(door.organization_id, readers, Role.ADMIN, by="operator")
    await door.ask("DELETE", f"/Groups/{readers}", status=204)
    assert await door.role(cleo) is Role.MEMBER


async def test_entras_way_to_take_somebody_out_of_a_group_takes_them_out(door: Door) -> None:
    """Without the flag `aadOptscim062020` it names who goes in a value, and the role has to go with them."""
    bob, cleo = door.hub.people["bob"].id, (await door.add("cleo@example.com"))["id"]
    members = [{"value": bob}, {"value": cleo}]
    group = await door.ask("POST", "/Groups", {"schemas": [GROUP], "displayName": "Admins", "members": members}, 201)
    path = f"/Groups/{group['id']}"
    await door.hub.services.provisioning.directory.give_role(door.organization_id, group["id"], Role.ADMIN, by="x")

    left = await door.patch(path, {"op": "Remove", "path": "members", "value": [{"value": bob}]})

    assert [one["value"] for one in left["members"]] == [cleo]
    assert [await door.role(one) for one in (bob, cleo)] == [Role.MEMBER, Role.ADMIN]
    for odd in ([{"value": f'{cleo}" or value pr or value eq "'}], [{"value": 7}], [cleo], {"value": cleo}):
        await door.patch(path, {"op": "Remove", "path": "members", "value": odd}, status=400)
    assert [await door.role(one) for one in (bob, cleo)] == [Role.MEMBER, Role.ADMIN]


async def test_what_one_operation_of_a_patch_cannot_do_leaves_the_others_undone(door: Door) -> None:
    cleo = await door.add("cleo@example.com", displayName="Cleo")
    path = f"/Users/{cleo['id']}"
    renamed = {"op": "replace", "path": "displayName", "value": "Somebody else"}
    for wrong in (
        {"op": "replace", "path": "userName", "value": "ada"},
        {"op": "replace", "path": "active", "value": "maybe"},
        {"op": "remove", "path": "userName"},
        {"op": "replace", "path": 'emails[type eq "home"].value', "value": "x@example.com"},
        {"op": "add", "path": "groups", "value": [{"value": "group_1"}]},
        {"op": "replace", "path": "meta.created", "value": "2020-01-01T00:00:00Z"},
    ):
        answer = await door.client.patch(path, json={"schemas": [PATCH], "Operations": [renamed, wrong]})
        assert answer.status_code in (400, 409), wrong
        assert "pydantic" not in answer.text
    assert (await door.ask("GET", path))["displayName"] == "Cleo"
    assert (await door.hub.services.people.get(cleo["id"])).display_name == "Cleo"


async def test_who_is_out_does_not_come_back_by_a_patch_that_does_not_say_so(door: Door) -> None:
    bob = door.hub.people["bob"].id
    await door.patch(f"/Users/{bob}", {"op": "replace", "path": "active", "value": False})

    for said in (
        {"op": "replace", "path": "active", "value": None},
        {"op": "remove", "path": "active"},
        {"op": "replace", "path": "displayName", "value": "Bob"},
        {"op": "add", "value": {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"active": True}}},
        {"op": "add", "path": "roles", "value": [{"value": "owner"}]},
    ):
        await door.patch(f"/Users/{bob}", said)
        person = await door.hub.services.people.get(bob)
        assert (person.state, person.role) == ("disabled", Role.MEMBER), said
    await door.ask("PUT", f"/Users/{bob}", {"schemas": [USER], "userName": "bob"})
    assert (await door.hub.services.people.get(bob)).state == "disabled"


@pytest.mark.parametrize("escape", [b"\\u0000", b"\\ud800", b"\\udfffz"])
async def test_a_text_that_no_list_could_show_is_refused(door: Door, escape: bytes) -> None:
    """Kept, half a character would have made a failure of each later look at the organization's users (T48)."""
    bob = door.hub.people["bob"].id
    patch = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "displayName", "value": "ODD"}]}
    tries: list[tuple[str, str, Any]] = [
        ("POST", "/Users", {"schemas": [USER], "userName": "cleo@example.com", "displayName": "ODD"}),
        ("POST", "/Users", {"schemas": [USER], "userName": "cleo@example.com", "emails": [{"value": "ODD"}]}),
        ("POST", "/Groups", {"schemas": [GROUP], "displayName": "ODD"}),
        ("PUT", f"/Users/{bob}", {"schemas": [USER], "userName": "bob", "externalId": "ODD"}),
        ("PATCH", f"/Users/{bob}", patch),
        ("POST", "/.search", {"filter": 'userName eq "ODD"'}),
    ]

    for method, path, body in tries:
        answer = await door.client.request(
            method, path, content=json.dumps(body).replace("ODD", escape.decode()).encode()
        )
        assert answer.status_code == 400, (method, path)
    assert (await door.ask("GET", "/Users"))["totalResults"] == 2


async def test_what_is_kept_of_a_user_is_bounded(door: Door) -> None:
    much = [{"value": f"{number}@example.com"} for number in range(1000)]

    await door.ask("POST", "/Users", {"schemas": [USER], "userName": "cleo@example.com", "emails": much}, 400)

    assert (await door.ask("GET", "/Users"))["totalResults"] == 2


OF_NOBODY = {
    # What the service says of itself.
    ("GET", "/ServiceProviderConfig"), ("GET", "/ResourceTypes"), ("GET", "/ResourceTypes/{resource_id}"),
    ("GET", "/Schemas"), ("GET", "/Schemas/{resource_id}"),
}  # fmt: skip
LISTS = {("GET", "/Users"), ("GET", "/Groups"), ("POST", "/Users/.search"), ("POST", "/Groups/.search"),
         ("POST", "/.search")}  # fmt: skip
MAKES = {("POST", "/Users"), ("POST", "/Groups")}


def map_of(hub: Hub) -> set[tuple[str, str]]:
    """Every route of the door."""
    return {
        (method, route.path)
        for route in ScimDoor(hub.services)._app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }


async def test_a_token_is_of_one_organization_and_sees_nothing_of_another(door: Door) -> None:
    """T33, over the map: what is not yours does not exist, in the same words. A new route fails until it is named."""
    theirs = await door.hub.services.organizations.create("Theirs", "organization")
    other = await open_door(door.hub, theirs.id)
    dave = await other.add("dave@theirs.example")
    group = await other.ask("POST", "/Groups", {"schemas": [GROUP], "displayName": "Theirs"}, 201)
    things = {"/Users/{resource_id}": (dave["id"], "person_none"), "/Groups/{resource_id}": (group["id"], "group_none")}
    patch = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "displayName", "value": "x"}]}
    left = map_of(door.hub) - OF_NOBODY - MAKES - LISTS

    assert left == {(method, path) for path in things for method in ("GET", "PUT", "PATCH", "DELETE")}
    for method, path in left:
        kind = USER if "Users" in path else GROUP
        body = patch if method == "PATCH" else {"schemas": [kind], "userName": "x", "displayName": "x"}
        found, nothing = [
            await door.client.request(method, path.replace("{resource_id}", one), json=body) for one in things[path]
        ]
        assert (found.status_code, found.text) == (404, nothing.text), (method, path)
    for method, path in LISTS:
        listed = await door.ask(method, path, {} if method == "POST" else None)
        assert not {dave["id"], group["id"]} & {one["id"] for one in listed.get("Resources") or ()}, path
        assert "theirs" not in json.dumps(listed).lower(), path
    in_group = {"schemas": [GROUP], "displayName": "Mine", "members": [{"value": dave["id"]}]}
    await door.ask("POST", "/Groups", in_group, 400)
    again = {"schemas": [USER], "id": dave["id"], "userName": "dan@example.com"}
    assert (await door.ask("POST", "/Users", again, 201))["id"] != dave["id"]
    assert (await other.ask("GET", f"/Users/{dave['id']}"))["userName"] == "dave@theirs.example"


async def test_nobody_else_gets_in_and_a_token_opens_nothing_else(door: Door) -> None:
    own = door.client.headers["authorization"]
    personal = f"Bearer {await door.hub.token('ada', 'people:write')}"
    for given in ("", "Bearer ", "Bearer vkp_x", personal, own + "x", own.replace("Bearer", "Basic")):
        door.client.headers["authorization"] = given
        await door.ask("GET", "/Users", status=401)
    api = door.hub.client(door.hub.app, own.removeprefix("Bearer "))
    assert (await api.get("/people")).status_code == 401

    door.client.headers["authorization"] = own
    door.hub.clock.advance(86400.0)
    await door.ask("GET", "/Users", status=401)


async def test_a_revoked_token_is_dead_at_once_and_the_database_holds_none(door: Door) -> None:
    await door.ask("GET", "/Users")
    async with door.hub.database.read() as tx:
        rows = repr((await tx.exec_driver_sql("select * from provisioning_token")).all())
    assert door.client.headers["authorization"].removeprefix("Bearer ") not in rows

    await door.hub.services.provisioning.tokens.revoke(door.organization_id, door.token_id, by="operator")

    await door.ask("GET", "/Users", status=401)
    with pytest.raises(NotSignedIn):
        await door.hub.services.provisioning.tokens.authenticate(Secret("vkp_none"))


BAD: dict[str, Callable[[Door], Any]] = {
    "not JSON": lambda door: door.client.post("/Users", content=b"{"),
    "no object": lambda door: door.client.post("/Users", json=[1]),
    "no userName": lambda door: door.client.post("/Users", json={"schemas": [USER]}),
    "another schema": lambda door: door.client.post("/Users", json={"schemas": [GROUP], "userName": "x"}),
    "a login with spaces": lambda door: door.client.post("/Users", json={"schemas": [USER], "userName": "a b"}),
    "a filter that is none": lambda door: door.client.get("/Users", params={"filter": "userName eq"}),
    "a filter by nothing known": lambda door: door.client.get("/Users", params={"filter": 'shoe eq "x"'}),
    "a count that is none": lambda door: door.client.get("/Users", params={"count": "many"}),
    "both attributes": lambda door: door.client.get(
        "/Users", params={"attributes": "id", "excludedAttributes": "name"}
    ),
    "a patch of nothing": lambda door: door.client.patch(
        f"/Users/{door.hub.people['bob'].id}", json={"schemas": [PATCH], "Operations": [{"op": "dance"}]}
    ),
    "a patch of the id": lambda door: door.client.patch(
        f"/Users/{door.hub.people['bob'].id}",
        json={"schemas": [PATCH], "Operations": [{"op": "replace", "path": "id", "value": "person_1"}]},
    ),
    "a group without a name": lambda door: door.client.post("/Groups", json={"schemas": [GROUP], "displayName": ""}),
    "a body without end": lambda door: door.client.post("/Users", content=b"x" * 300_000),
    "a way there is none": lambda door: door.client.post("/Bulk", json={}),
    "a method there is none": lambda door: door.client.put("/Users", json={}),
}


async def test_what_cannot_be_understood_is_refused_as_scim_says_and_never_a_failure(door: Door) -> None:
    for name, ask in BAD.items():
        answer = await ask(door)

        assert 400 <= answer.status_code < 500, (name, answer.text)
        assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"], name
        assert answer.json()["status"] == str(answer.status_code), name
    assert (await door.ask("GET", "/Users"))["totalResults"] == 2
    await door.add("cleo@example.com")
    again = await door.client.post("/Users", json={"schemas": [USER], "userName": "CLEO@example.com"})
    assert (again.status_code, again.json()["scimType"]) == (409, "uniqueness")


async def trail_of(door: Door) -> dict[str, str]:
    found = await door.hub.services.trail.list(Everyone(), limit=100)
    return {event.event: event.actor for event in reversed(found)}
