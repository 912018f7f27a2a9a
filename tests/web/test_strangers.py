"""What is one person's is not there for another; and what is somebody's text is never ours."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import update

from tests.web.test_approvals import ask
from tests.web.world import Browser, World
from valetkey.audit.model import Outcome
from valetkey.connections.model import State
from valetkey.identity.model import Role
from valetkey.store.schema import connection as connection_table
from valetkey.store.schema import connector as connector_table

CANARY = "<script>alert(1)</script>'\"><img src=x onerror=alert(2)>{{7*191919}}"
HIDDEN = "\u202egnp.egami\u200b"


async def test_another_persons_things_are_not_found_in_the_same_words_as_none(world: World) -> None:
    """Somebody's id and nobody's must not be told apart: ids leak, through logs and screenshots."""
    ada_browser, ada = await world.signed_in("ada", role=Role.OWNER)
    connector = await world.connector(ada)
    path = await world.connect(ada_browser, connector.slug)
    connection = await world.services.connections.get(ada.id, path.rpartition("/")[2])
    call = await world.call(ada, connection, connector)
    await ada_browser.open(f"{path}/disconnect")
    receipt = (await ada_browser.submit(f"{path}/disconnect")).url.path
    attempt = (await _review(world, ada_browser, connector.slug)).rpartition("/")[2]
    token = (await world.services.tokens.create_personal(ada, "x", "/mcp", ("mcp",), 3600.0))[1]
    session = (await world.services.sessions.list(ada.id))[0]

    bob, _ = await world.signed_in("bob", role=Role.OWNER)  # even an owner of the same organization
    await bob.open("/settings")
    csrf = bob.csrf()
    looks = [
        path,
        f"{path}/disconnect",
        f"{path}/why?tool=search_notes",
        f"/activity/{call}",
        receipt,
        f"/connections/review/{attempt}",
    ]
    acts = [
        f"{path}/disconnect",
        f"{path}/reconnect",
        f"{path}/remove",
        f"{path}/name",
        f"{path}/tools",
        f"{path}/level",
        f"/connections/review/{attempt}",
        f"/settings/tokens/{token.id}/revoke",
        f"/settings/sessions/{session.id}/end",
        "/settings/passkeys/passkey_x/remove",
        "/settings/assistants/fam_x/end",
    ]

    for address in looks:
        theirs, nobodys = await bob.get(address), await bob.get(_nobodys(address))
        assert (theirs.status_code, theirs.text) == (404, nobodys.text), address
    for address in acts:
        theirs = await bob.post(address, [("csrf", csrf), ("acknowledged", "yes"), ("what", "shown")])
        nobodys = await bob.post(_nobodys(address), [("csrf", csrf), ("acknowledged", "yes"), ("what", "shown")])
        assert (theirs.status_code, theirs.text) == (404, nobodys.text), address
    assert await world.services.tokens.list(ada.id)
    assert await world.services.sessions.list(ada.id)


def _nobodys(address: str) -> str:
    return re.sub(r"_[0-9a-z]{20,}", "_" + "0" * 26, address)


async def _review(world: World, browser: Browser, slug: str) -> str:
    await browser.open(f"/connections/new/{slug}")
    page = await browser.submit(f"/connections/new/{slug}")
    assert "/connections/review/" in page.url.path
    return str(page.url.path)


async def test_text_from_outside_is_never_markup_on_any_page(world: World) -> None:
    """Every slot that somebody else can fill, filled; every page that shows one, opened."""
    browser, ada = await world.signed_in("ada", role=Role.OWNER, name="Ada")
    text = CANARY + HIDDEN
    connector = await world.connector(ada)
    tool = _tool(text)
    connection = await world.connection(
        ada,
        connector,
        tools=(tool,),
        state=State.RECONNECT,
        state_reason=text[:200],
        requested_scope=text.replace(" ", ""),
        granted_scope="<b>x</b>",
        issuer="https://<b>.example",
        display_name=CANARY,
        method="oauth",
    )
    payload = b'{"%s": "%s"}' % (_json(text), _json(text))
    call = await world.call(
        ada, connection, connector, tool=text[:200], request=payload, response=payload, outcome=Outcome.TOOL_ERROR,
        detail=text[:250], client=text[:150],
    )  # fmt: skip
    async with world.database.write() as tx:
        await tx.execute(update(connector_table).values(name=text[:100], url=f"https://mcp.example.com/{text}"))
    await world.notifications.publish("connectors", connector.id)
    await world.services.trace.of(person_id=ada.id, connection_id=connection.id).note(text[:30], text, reason=text)
    await world.services.people.create(
        login="eve", display_name=CANARY[:100], organization_id=ada.organization_id, role=Role.MEMBER
    )

    one = f"/connections/{connection.id}"
    paths = (
        "/",
        "/connections",
        "/directory",
        "/activity",
        f"/activity/{call}",
        one,
        f"{one}/disconnect",
        f"{one}/why?tool=x",
    )
    more = ("/admin", "/admin/ceilings", "/settings", "/settings/tokens/new", f"/connections/new/{connector.slug}")
    for path in (*paths, *more, f"/connections/add?name={CANARY}", f"/directory?q={CANARY}"):
        page = await browser.open(path)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text, path
        assert "<img" not in page.text, path
        assert "onerror=alert(2)>" not in page.text, path
        assert "1343433" not in page.text, path  # what a template would make of it
        assert "\u202e" not in page.text, path
        assert "\u200b" not in page.text, path
        assert not re.search(r"<b>(x)?</b>|https://<b>", page.text), path


def _json(text: str) -> bytes:
    return json.dumps(text)[1:-1].encode()


def _tool(text: str) -> bytes:
    return b'{"name":"%s","title":"%s","description":"%s"}' % (_json(text[:100]), _json(text), _json(text))


@pytest.mark.parametrize(
    "name", ["Verified ✓", "GіtHub", "Notes (official)", "Custom - verified", "VERIFIED by Valetkey"]
)
async def test_no_name_takes_the_label_away(world: World, name: str) -> None:
    """S-05: the label is the server's, and stands beside the name wherever the name stands."""
    browser, ada = await world.signed_in("ada")
    connector = await world.connector(ada, name=name)
    connection = await world.connection(ada, connector)
    call = await world.call(ada, connection, connector)
    approval = await ask(world, ada, connection, connector)
    await browser.open(f"/connections/new/{connector.slug}")
    review = (await browser.submit(f"/connections/new/{connector.slug}", {"label": "two"})).url.path

    one = f"/connections/{connection.id}"
    of_it = [one, *(f"{one}/{page}" for page in ("disconnect", "trace", "changes", "uses"))]
    asking = ["/approvals", approval.path, "/approvals/standing/new"]
    lists = ["/", "/connections", "/directory", "/activity", f"/activity/{call}"]
    for path in (*lists, *of_it, *asking, review, f"/connections/new/{connector.slug}"):
        page = await browser.open(path)
        assert '<span class="badge custom">Custom – unverified</span>' in page.text, path
        assert ">Verified</span>" not in page.text, path
    assert ("Look twice" in (await browser.open(review)).text) is True


async def test_the_review_warns_of_a_host_in_another_alphabet(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    connector = await world.connector(ada, url="https://xn--80ak6aa92e.com/mcp")

    page = await browser.open(f"/connections/new/{connector.slug}")

    assert "xn--80ak6aa92e.com" in page.text
    assert "international name" in page.text
    assert "аррӏе.com" in page.text


async def test_a_connection_of_somebody_else_cannot_be_reached_by_changing_who_owns_the_row(world: World) -> None:
    """The page asks by person and id, so a moved row is the new owner's and no longer the old one's."""
    browser, ada = await world.signed_in("ada")
    bob = await world.person("bob")
    connection = await world.connection(ada, await world.connector(ada))
    async with world.database.write() as tx:
        await tx.execute(update(connection_table).values(person_id=bob.id))

    assert (await browser.get(f"/connections/{connection.id}")).status_code == 404
