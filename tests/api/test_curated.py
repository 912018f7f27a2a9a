"""A curated set is what was switched on, plus custom connectors: members see exactly that (S-30), told first (S-24)."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.api.hub import NOTES, Hub
from valetkey.directory.listings import Listings, read_listing
from valetkey.net.url import parse_url

NAMES = ("alpha", "beta", "gamma")
LISTED = {"alpha", "beta"}


@pytest.fixture
async def five(hub: Hub) -> set[str]:
    """Of three listings two are switched on; of four custom connectors one is switched off. What members see."""
    entry = """
    name = "{name}"
    publisher = "{name} Company"
    about = "Something."
    url = "https://mcp.{name}.example/mcp"
    categories = ["documents"]
    source = {{ url = "https://{name}.example/docs", date = 2026-08-01 }}
    """
    listings = [read_listing(name, entry.format(name=name), parse_url=parse_url) for name in NAMES]
    hub.services.connectors.listings = Listings([NOTES, *listings])
    owner = await hub.with_scopes("ada")
    for name in LISTED:
        assert (await owner.post(f"/directory/{name}", json={})).status_code == 201
    custom = []
    for number in range(4):
        new = {"name": f"Custom {number}", "url": f"https://custom{number}.example.org/mcp"}
        custom.append((await owner.post("/connectors", json=new)).json()["slug"])
    await owner.patch(f"/connectors/{custom[3]}", json={"state": "blocked"})
    return {*LISTED, *custom[:3]}


def slugs(answer: httpx2.Response) -> set[str]:
    found: list[dict[str, Any]] = answer.json()["items"]
    assert len(found) == len({one["slug"] for one in found})
    return {one["slug"] for one in found}


async def test_members_are_told_of_exactly_five_and_owners_of_all(hub: Hub, five: set[str]) -> None:
    member, owner = await hub.with_scopes("bob"), await hub.with_scopes("ada")

    assert slugs(await member.get("/connectors")) == five
    assert slugs(await member.get("/directory")) == five
    assert slugs(await member.get("/directory", params={"q": "documents"})) <= five
    assert slugs(await member.get("/registry")) == set()
    assert slugs(await owner.get("/directory")) > five


@pytest.mark.parametrize("sixth", ["gamma", "notes", "blocked"])
async def test_no_identifier_reaches_a_sixth(hub: Hub, five: set[str], sixth: str) -> None:
    """A listing that nobody switched on, and a custom connector that was switched off: neither by its name."""
    member, owner = await hub.with_scopes("bob"), await hub.with_scopes("ada")
    if sixth == "blocked":
        (sixth,) = [
            one["slug"] for one in (await owner.get("/connectors")).json()["items"] if one["state"] == "blocked"
        ]
    begin = {"connector": sixth}

    answers = [
        await member.get(f"/directory/{sixth}"),
        await member.get(f"/connectors/{sixth}"),
        await member.post("/connections", json=begin),
        await member.post("/connections/headers", json={**begin, "values": {"X-API-Key": "k"}}),
    ]
    added = await member.post(f"/directory/{sixth}", json={})

    assert [one.status_code for one in answers] == [404] * 4
    assert added.status_code == 403


async def test_another_organization_sees_none_of_it(hub: Hub, five: set[str]) -> None:
    """S-30 (a), (c): only what is switched on differs between organizations; nobody has a directory of their own."""
    eve, ada = await hub.with_scopes("eve"), await hub.with_scopes("ada")

    assert slugs(await eve.get("/connectors")) == set()
    theirs = {one["slug"]: one for one in (await eve.get("/directory")).json()["items"]}
    ours = {one["slug"]: one for one in (await ada.get("/directory")).json()["items"]}
    assert {one["state"] for one in theirs.values()} == {"listed"}
    assert theirs.keys() == {"notes", *NAMES} == {slug for slug, one in ours.items() if one["source"]}
    for slug, entry in theirs.items():
        assert {name for name, value in entry.items() if ours[slug][name] != value} <= {"state"}
    for slug in five - LISTED:
        for path in (f"/directory/{slug}", f"/connectors/{slug}", f"/directory/{slug}/label"):
            assert (await eve.get(path)).status_code == 404


async def test_s_24_nobody_connects_over_the_api_who_was_not_told_what_is_said_of_it_today(hub: Hub) -> None:
    """S-24: straight to connecting, with another's version, and with one that is no longer today's."""
    ada = await hub.with_scopes("ada")
    new = {
        "name": "Keys",
        "url": "https://keys.example.org/mcp",
        "auth_kind": "header",
        "auth": {"headers": ["X-API-Key"]},
    }
    slug = (await ada.post("/connectors", json=new)).json()["slug"]
    hub.elsewhere.disclosure = hub.services.connectors.disclosure
    body = {"connector": slug, "values": {"X-API-Key": "k"}}
    refused = [await ada.post("/connections/headers", json=body | more) for more in ({}, {"acknowledged": "0" * 64})]
    told = (await ada.get(f"/directory/{slug}")).json()["disclosure"]
    taken = await ada.post("/connections/headers", json=body | {"acknowledged": told["version"]})

    assert [(one.status_code, one.json()["code"]) for one in refused] == [(409, "not_acknowledged")] * 2
    assert "give its version" in refused[0].json()["hint"]
    assert told["facts"]["data goes to"] == "https://keys.example.org"
    assert taken.status_code == 201
