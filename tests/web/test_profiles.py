"""Profiles in the browser: made, read, changed and removed without scripts, and nobody else's."""

from __future__ import annotations

import html
import re

from tests.web.test_looking import View, consent
from tests.web.world import World
from valetkey.directory.model import Choice


def tools(page: str) -> dict[str, str]:
    """The value of each tool's check box, by the tool's shown name."""
    boxes = re.findall(r'name="tool" value="([0-9a-f]+)".*?<span class="name">(.*?)</span>', page, re.DOTALL)
    return {re.sub(r"<[^>]*>", "", html.unescape(name)).strip(): value for value, name in boxes}


def ticked(page: str) -> list[str]:
    return re.findall(r'name="tool" value="([0-9a-f]+)" checked', page)


async def test_a_profile_is_made_of_ticked_tools_changed_and_removed(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    connection = await world.connection(ada, await world.connector(ada))
    form = (await browser.get("/profiles/new")).text
    boxes = tools(form)
    first, second = list(boxes.values())[:2]

    page = await browser.submit(
        "/profiles/new",
        [("name", "work"), ("title", "At work"), ("access", "auto"), ("listed", connection.id), ("tool", first)],
    )

    assert page.url.path == "/profiles/work"
    assert "http://localhost:8484/p/work/mcp" in page.text
    assert "claude mcp add --transport http valetkey-work http://localhost:8484/p/work/mcp" in page.text
    assert ticked(page.text) == [first]
    [choice] = (await world.services.profiles.get(ada.id, "work")).choices.values()
    assert (choice.whole, len(choice.tools)) == (False, 1)

    page = await browser.submit("/profiles/work", [("access", "search"), ("listed", connection.id), ("tool", second)])
    assert ticked(page.text) == [second]
    page = await browser.submit("/profiles/work", [("access", "auto"), ("whole", connection.id)])
    assert (await world.services.profiles.get(ada.id, "work")).choices[connection.id].whole
    page = await browser.submit("/profiles/work", [("access", "auto"), ("listed", connection.id)])
    assert "This profile is empty" in page.text

    page = await browser.submit("/profiles/work/remove")
    assert page.url.path == "/profiles"
    assert "No profiles yet" in page.text


async def test_what_is_wrong_is_said_beside_the_field_and_what_was_ticked_stays(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    connection = await world.connection(ada, await world.connector(ada))
    box = next(iter(tools((await browser.get("/profiles/new")).text).values()))

    page = await browser.send(
        "/profiles/new", [("name", "Not fit"), ("access", "auto"), ("listed", connection.id), ("tool", box)]
    )

    assert page.status_code == 422
    assert "1 to 24 of a-z" in page.text
    assert ticked(page.text) == [box]


async def test_somebody_elses_profile_is_not_found_and_their_connection_cannot_be_ticked(world: World) -> None:
    ada = await world.person("ada")
    adas = await world.connection(ada, await world.connector(ada))
    choices = [Choice(adas.id, whole=True)]
    await world.services.profiles.add(ada, "work", title="", access="auto", choices=choices, by="person:x")
    browser, ben = await world.signed_in("ben")

    assert (await browser.get("/profiles/work")).status_code == 404
    await browser.get("/profiles/new")
    for path in ("/profiles/work", "/profiles/work/remove"):
        assert (await browser.send(path, [("access", "auto")])).status_code == 404
        await browser.get("/profiles/new")
    await browser.submit("/profiles/new", [("name", "mine"), ("access", "auto"), ("whole", adas.id)])

    assert (await world.services.profiles.get(ben.id, "mine")).choices == {}
    assert (await world.services.profiles.get(ada.id, "work")).covers(adas.id)


async def test_a_tool_that_is_not_listed_any_more_is_shown_until_it_is_unticked(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    connection = await world.connection(ada, await world.connector(ada))
    choices = [Choice(connection.id, whole=False, tools=frozenset({"gone"}))]
    await world.services.profiles.add(ada, "work", title="", access="auto", choices=choices, by="person:x")

    page = await browser.get("/profiles/work")

    assert "does not list it now" in page.text
    assert [name for name, value in tools(page.text).items() if value in ticked(page.text)] == ["gone"]


async def test_a_token_can_be_made_for_a_profile(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    await world.services.profiles.add(ada, "work", title="At work", access="auto", choices=[], by="person:x")
    await browser.get("/settings/tokens/new")

    page = await browser.submit("/settings/tokens/new", {"name": "t", "audience": "/p/work/mcp", "days": "1"})

    assert "/p/work/mcp" in page.text
    assert [token.audience for token in await world.services.tokens.list(ada.id)] == ["/p/work/mcp"]


async def test_the_consent_page_names_what_a_profile_covers(world: World) -> None:
    text, _ = await consent(
        world, View(resource="/p/work/mcp", profile="work", covers="What your profile “work” names.")
    )

    assert "What your profile “work” names." in text
    assert "it is empty, or not there yet" in text


async def test_the_consent_page_lists_the_connections_of_the_profile(world: World) -> None:
    grace = await world.person("grace")
    notes = await world.connection(grace, await world.connector(grace, name="Notes"))
    choices = [Choice(notes.id, whole=False, tools=frozenset({"search_notes"}))]
    await world.services.profiles.add(grace, "work", title="", access="auto", choices=choices, by="person:x")

    text = (await consent(world, View(resource="/p/work/mcp", profile="work"), login="grace"))[0]

    assert re.search(r"Notes.*1 tool\b", text, re.DOTALL)
