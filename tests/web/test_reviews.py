"""A review in the pages: who may ask for one, what they see of it, and that nobody else does; why a listing is gone."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from tests.review.corpus import GOOD, definition, listed
from tests.web.world import World
from valetkey.identity.model import Person, Role
from valetkey.review.judge import judge
from valetkey.store.schema import connector as connectors
from valetkey.store.schema import organization as organizations
from valetkey.submissions import repository
from valetkey.submissions.model import Run


async def reviewed(world: World, person: Person, *, finished: bool = True) -> Run:
    """A review of a connector whose tool has an impossible name, as it is kept."""
    at = world.clock.now()
    report = judge(listed(GOOD, definition("list notes <b>!")))
    run = Run(
        id=f"rev_{'done' if finished else 'running'}",
        organization_id=person.organization_id,
        person_id=person.id,
        submission_id="",
        url="https://mcp.marginalia.example/mcp",
        fields_hash="",
        began_at=at,
        until=at.replace(year=at.year + 1),
    )
    async with world.database.write() as tx:
        await repository.insert_run(tx, run)
        if finished:
            run = replace(run, finished_at=at, report=msgspec.json.encode(report))
            await repository.finish_run(tx, run)
    return run


async def test_the_report_stands_on_a_page_and_as_a_file_and_is_nobody_elses(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    run = await reviewed(world, ada)
    page = await browser.get(f"/directory/reviews/{run.id}")
    file = await browser.get(f"/directory/reviews/{run.id}/report.html")
    member, _ = await world.signed_in("mia")
    async with world.database.write() as tx:
        await tx.execute(organizations.update().values(kind="organization"))

    assert "Not fit to be listed" in page.text
    assert "L-504" in page.text
    assert "<b>!" not in page.text
    assert file.headers["content-disposition"].startswith("attachment")
    assert "L-504" in file.text
    assert "refresh" not in page.headers
    assert (await member.get(f"/directory/reviews/{run.id}")).status_code == 403
    assert (await browser.get("/directory/reviews/rev_other")).status_code == 404


async def test_while_it_is_under_way_the_page_looks_again_without_a_script(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    run = await reviewed(world, ada, finished=False)

    page = await browser.get(f"/directory/reviews/{run.id}")

    assert page.headers["refresh"] == "2"
    assert "Under review" in page.text


async def test_what_is_no_address_is_said_beside_the_field(world: World) -> None:
    browser, _ = await world.signed_in("ada", role=Role.OWNER)
    await browser.open("/directory/reviews")

    answer = await browser.submit("/directory/reviews", {"url": "file:///etc/passwd"})

    assert answer.status_code == 400
    assert "file:///etc/passwd" in answer.text


async def test_people_are_told_why_a_listing_was_taken_down(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    connector = await world.connector(ada)
    connection = await world.connection(ada, connector)
    async with world.database.write() as tx:
        await tx.execute(connectors.update().values(listing="notes"))

    await world.services.quarantine.of_listing("notes", reason="It was sold to <b>somebody</b>.", by="operator")
    page = await browser.get(f"/connections/{connection.id}")

    assert "Taken off the directory" in page.text
    assert "It was sold to &lt;b&gt;somebody&lt;/b&gt;." in page.text
