"""Connectors are seen by their organization only, marked for what they are, and gone when removed."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.conftest import FakeClock
from tests.directory.rows import add_connection, add_person
from valetkey.directory import connectors as module
from valetkey.directory.connectors import Connectors
from valetkey.directory.model import Connector, ReviewState
from valetkey.kernel.errors import BadInput, Conflict, NotFound, TooMany
from valetkey.store.database import Database
from valetkey.store.notify import Notifications


@dataclass(frozen=True)
class ParsedUrl:
    text: str
    host: str
    origin: str


@dataclass(frozen=True)
class Somebody:
    id: str
    organization_id: str


ADA = Somebody("ada", "org_a")
BOB = Somebody("bob", "org_b")


def parse_url(text: str) -> ParsedUrl:
    """Stands in for `net`'s parser, which this room cannot reach."""
    parts = urlsplit(text)
    if parts.query:
        raise BadInput("The URL has a query.", field="url")
    return ParsedUrl(text, parts.hostname or "", f"{parts.scheme}://{parts.netloc}")


@pytest.fixture
async def directory(database: Database, clock: FakeClock) -> Connectors:
    await add_person(database, "ada", organization_id="org_a")
    await add_person(database, "bob", organization_id="org_b")
    return Connectors(database, Notifications(database), clock=clock, parse_url=parse_url)


async def add(directory: Connectors, name: str = "GitHub", url: str = "https://mcp.github.example/mcp") -> Connector:
    return await directory.add_custom(ADA, name=name, url=url)


async def test_a_connector_added_by_url_is_custom_whatever_its_name_says(directory: Connectors) -> None:
    added = await add(directory, name="Verified ✓")

    found = await directory.get(added.slug, ADA)

    assert found == added
    assert found.review_state is ReviewState.CUSTOM
    assert found.review_state.label == "Custom – unverified"
    assert found.origin == "https://mcp.github.example"
    assert await directory.by_id(added.id) == added


async def test_another_organizations_connector_is_not_found(directory: Connectors) -> None:
    added = await add(directory)
    await directory.get(added.slug, ADA)  # now it is in memory

    with pytest.raises(NotFound):
        await directory.get(added.slug, BOB)

    assert directory.get_now(added.slug, BOB) is None
    assert directory.get_now(added.slug, ADA) == added
    assert await directory.list_for(BOB) == []


async def test_a_url_the_parser_refuses_leaves_nothing_behind(directory: Connectors) -> None:
    with pytest.raises(BadInput):
        await add(directory, url="https://h.example/mcp?api_key=CANARY")

    assert await directory.list_for(ADA) == []


async def test_the_same_url_is_not_added_twice_but_another_organization_may_have_it_too(directory: Connectors) -> None:
    first = await add(directory)

    with pytest.raises(Conflict, match=first.slug):
        await add(directory, name="Another name")
    other = await directory.add_custom(BOB, name="GitHub", url=first.url)

    assert other.slug != first.slug


async def test_an_organization_cannot_add_without_end(directory: Connectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 2)
    await add(directory, url="https://one.example/mcp")
    await add(directory, url="https://two.example/mcp")

    with pytest.raises(TooMany):
        await add(directory, url="https://three.example/mcp")


async def test_blocking_is_seen_at_once_by_who_had_it_in_memory(directory: Connectors) -> None:
    added = await add(directory)
    await directory.get(added.slug, ADA)
    await directory.by_id(added.id)

    await directory.set_state(added.id, "blocked")

    assert (await directory.get(added.slug, ADA)).state == "blocked"
    assert (await directory.by_id(added.id)).state == "blocked"


async def test_a_removed_connector_is_gone_from_memory_too(directory: Connectors) -> None:
    added = await add(directory)
    await directory.get(added.slug, ADA)
    await directory.by_id(added.id)

    await directory.remove(added.id)

    with pytest.raises(NotFound):
        await directory.get(added.slug, ADA)
    with pytest.raises(NotFound):
        await directory.by_id(added.id)
    with pytest.raises(NotFound):
        await directory.remove(added.id)


async def test_a_connector_somebody_is_connected_to_cannot_be_removed(
    directory: Connectors, database: Database
) -> None:
    await add_connection(database, "cn_1", slug="github")
    await directory.get("github", ADA)

    with pytest.raises(Conflict):
        await directory.remove("con_github")

    assert (await directory.get("github", ADA)).id == "con_github"
