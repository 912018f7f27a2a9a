"""Pictures, classes and the contact of a submission on pages (DIR-05, DIR-14, DIR-16, S-27)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec

from tests.review.corpus import GOOD, listed
from tests.submissions.conftest import DATA
from tests.submissions.drawn import png
from tests.web.test_submissions import FIELDS, SEEN, another, handed_in
from tests.web.world import World
from valetkey.directory.listings import DataHandling, SignIn
from valetkey.identity.model import Person, Role
from valetkey.review.judge import judge
from valetkey.submissions import repository
from valetkey.submissions.fields import hash_of
from valetkey.submissions.model import Run, Submission

SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


async def test_a_strangers_file_is_served_as_a_png_made_anew_or_not_at_all(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    drafts = world.services.submissions.drafts
    one = await drafts.begin(ada, "wolfbook", FIELDS, by="person:ada")
    path = f"/directory/submissions/{one.id}/pictures"
    await browser.open(path)
    refused = await browser.upload(path, {"revision": "1", "kind": "icon"}, SVG)
    nothing = await browser.upload(path, {"revision": "1", "kind": "icon"}, b"")
    huge = await browser.upload(path, {"revision": "1", "kind": "icon"}, bytes(900_000))
    await browser.open(path)
    taken = await browser.upload(path, {"revision": "1", "kind": "icon"}, png(behind=SVG), name="../../x.html")
    stale = await browser.upload(path, {"revision": "1", "kind": "screenshot"}, png(1000, 2))
    icon = (await drafts.get(ada, one.id)).submission.fields.icon
    served = await browser.get(f"/directory/pictures/{icon}")
    unknown = await browser.get(f"/directory/pictures/{'0' * 64}")
    stranger = await world.browser().get(f"/directory/pictures/{icon}")
    await browser.open(path)
    dropped = await browser.submit(path, {"revision": "2", "drop": icon})

    assert "This is no PNG, whatever it is called." in refused.text
    assert "Choose a file." in nothing.text
    assert huge.status_code == 422
    assert f'src="/directory/pictures/{icon}"' in taken.text
    assert "Somebody else changed it meanwhile" in stale.text
    assert served.headers["content-type"] == "image/png"
    assert served.headers["x-content-type-options"] == "nosniff"
    assert served.headers["content-security-policy"].startswith("default-src 'none'; sandbox")
    assert b"svg" not in served.content
    assert (unknown.status_code, stranger.headers["location"].partition("?")[0]) == (404, "/signin")
    assert icon not in dropped.text


async def test_a_file_comes_with_the_forms_own_token_or_is_not_read(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    one = await world.services.submissions.drafts.begin(ada, "wolfbook", FIELDS, by="person:ada")
    path = f"/directory/submissions/{one.id}/pictures"
    await browser.open(path)
    forged = await browser.upload(path, {"csrf": "x", "revision": "1", "kind": "icon"}, png())
    await browser.open(path)
    cut = await browser.client.post(
        path, content=b"--edge\r\nx", headers={"content-type": "multipart/form-data; boundary=edge", "origin": "null"}
    )

    assert forged.status_code == 403
    assert cut.status_code in (400, 403)
    assert (await world.services.submissions.drafts.get(ada, one.id)).submission.fields.icon == ""


async def test_a_reviewer_raises_a_tools_class_on_the_desks_page_and_lowers_none_without_why(world: World) -> None:
    _, ada = await world.signed_in("ada", role=Role.OWNER)
    reviewer, rea = await another(world)
    one = await handed_in(world, ada)
    submissions = world.services.submissions
    await submissions.desk.appoint(rea)
    await _ready_to_approve(world, ada, one)
    path = f"/directory/desk/{one.id}"
    page = await reviewer.open(path)
    seen = (await submissions.desk.get(rea, one.id)).version
    sent = {"act": "approve", "seen": seen, "reason": "Fine.", "class:list_notes": "high", "class:add_note": "read"}
    without = await reviewer.submit(f"{path}/decision", sent)
    await reviewer.open(path)
    done = await reviewer.submit(f"{path}/decision", sent | {"why:add_note": "It adds nothing that stays."})
    (first, second) = (await submissions.desk.get(rea, one.id)).submission.tools

    assert "list_notes" in page.text
    assert "Read, as seen" in page.text
    assert "Say why it is read, or leave it." in without.text
    assert '<option value="high" selected>' in without.text  # what was chosen is still there
    assert (first.is_a, second.is_a) == ("high", "read")
    assert "add_note: medium → read. It adds nothing that stays." in done.text


async def test_a_contact_is_confirmed_on_its_page(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    one = await world.services.submissions.drafts.begin(ada, "wolfbook", FIELDS, by="person:ada")
    path = f"/directory/submissions/{one.id}/contact"
    page = await browser.open(path)
    no_mail = await browser.submit(path, {"act": "mail"})
    await browser.open(path)
    done = await browser.submit(path, {"act": "confirm"})

    assert "mailto:security@wolfbook.example" in page.text
    assert "No code can be sent there." in no_mail.text
    assert "Confirmed" in done.text
    assert (await world.services.submissions.drafts.get(ada, one.id)).submission.contact_at == world.clock.now()


async def _ready_to_approve(world: World, person: Person, one: Submission) -> None:
    """Every step done, and a review that found nothing to block."""
    texts = world.services.submissions.drafts.terms
    hashes = {text: texts.hash_of(text) for text in texts.texts}
    await world.services.submissions.drafts.agree(person, one.id, hashes, by="person:ada")
    fields = msgspec.structs.replace(one.fields, auth=SignIn(kind="none"), data=msgspec.convert(DATA, DataHandling))
    at = world.clock.now() + timedelta(seconds=1)
    report = replace(judge(listed(GOOD)), reviewed=SEEN, outcomes=())
    run = Run(
        id="rev_2", organization_id=person.organization_id, person_id=person.id, submission_id=one.id, url=fields.url,
        fields_hash=hash_of(fields), began_at=at, until=at, finished_at=at, report=msgspec.json.encode(report),
    )  # fmt: skip
    async with world.database.write() as tx:
        await repository.write(tx, replace(one, fields=fields))
        await repository.insert_run(tx, run)
