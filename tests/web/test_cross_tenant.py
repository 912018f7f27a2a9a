"""Every page of the site map with somebody else's thing in its address, as everybody else: not there (T33).

Made from the map: a page that is new is asked for too, and fails until it is said here what its address names. What is
another's is told in the very words, and with the very status, of what does not exist.
"""

from __future__ import annotations

import re

import httpx2

from tests.web.test_canaries import furnished
from tests.web.world import PASSWORD, Browser, World
from valetkey.audit.alerts import AlertKind, Noticed
from valetkey.identity.model import Role
from valetkey.kernel.secret import Secret
from valetkey.policy.model import Setting
from valetkey.web.door import Page
from valetkey.web.site import site_map

FOR_WHO_HOLDS_IT = {
    # Opened by what is in the address, whoever opens it; what these do with a stranger's is played where they are.
    "/signin/link/{token}",
    "/signin/organization/callback/{organization}",
    "/oauth/callback/{issuer}",
    "/privacy/{version}",
    "/directory/pictures/{picture}",
}
OF_THE_ORGANIZATION = re.compile(
    r"/(directory/(\{connector\}|reviews/\{run\}|submissions/\{submission\})|connections/new/\{connector\}|admin)(/.*)?"
)
NOT_ARRANGED = {"{passkey}", "{family}", "{standing}"}
"""There is none in this world; `test_strangers` and `test_standing` try these with real ones."""

_VARIES = re.compile(r'name="csrf" value="[^"]*"|ref_\w+|nonce-[\w+/=-]+')


async def things(world: World) -> tuple[dict[str, str], set[str]]:
    """What stands for each name, all of it Ada's or her organization's; and the texts that only they may see."""
    _, names = await furnished(world)
    ada = await world.services.people.find("ada")
    assert ada is not None
    for one in ("{connection}/headers", "desk/{submission}"):
        names.pop(one)
    connection = await world.services.connections.get(ada.id, names["{connection}"])
    world.services.alerts.notice(
        Noticed(
            ada.organization_id, ada.id, connection.id, names["{connector}"], AlertKind.ERRORS, "", "It went wrong."
        )
    )
    await world.services.alerts.settle()
    ceiling = await world.services.policy.ceilings.set(ada.organization_id, Setting.ASK, actor="x", tool="delete_note")
    await world.services.openid.providers.add_domain(ada.organization_id, "ours.example", by="x")
    hold = await world.services.privacy.holds.place(ada.organization_id, None, "Case of Ada's", actor="x")
    (alert, *_) = await world.services.alerts.list(ada.id)
    (token, *_) = await world.services.tokens.list(ada.id)
    (session, *_) = await world.services.sessions.list(ada.id)
    names |= {
        "{alert}": alert.id, "{ceiling}": ceiling.id, "{domain}": "ours.example", "{token}": token.id,
        "{session}": session.id, "{hold}": hold.id,
    }  # fmt: skip
    return names, {*names.values(), ada.id, "Keyed", "It went wrong."} - {"1", "reading", "connection"}


async def strangers(world: World) -> dict[str, tuple[Browser, bool]]:
    """Who else there is, and whether of the same organization."""
    theirs = await world.services.organizations.create("Theirs", "organization")
    found: dict[str, tuple[Browser, bool]] = {}
    for login, role, own in (
        ("mia", Role.MEMBER, True),
        ("audrey", Role.AUDITOR, True),
        ("olga", Role.OWNER, True),
        ("eve", Role.OWNER, False),
    ):
        organization_id = world.organization.id if own else theirs.id
        person = await world.services.people.create(
            login=login, display_name=login.title(), organization_id=organization_id, role=role
        )
        await world.services.passwords.set(person.id, Secret(PASSWORD))
        browser = world.browser()
        await browser.sign_in(login)
        await browser.open("/settings")
        found[login] = (browser, own)
    return found


async def ask(browser: Browser, page: Page, path: str, csrf: str) -> httpx2.Response:
    if page.method == "GET":
        return await browser.get(path)
    if page.script:
        return await browser.script(path, {}, csrf=csrf)
    return await browser.post(path, [("csrf", csrf)])


def addressed(path: str, names: dict[str, str], *, none: bool) -> str:
    """The address; with `none`, that of a thing of the same kind that does not exist."""
    for name in re.findall(r"\{\w+\}", path):
        thing = names.get(name) or ("x1" if name in NOT_ARRANGED else "")
        assert thing, f"{path}: say in `things` what {name} stands for"
        if none:
            thing = f"none-{thing}" if name == "{domain}" else re.sub(r"[0-9a-z]{4}$", "zzz0", thing)
        path = path.replace(name, thing)
    return path


def told(answer: httpx2.Response, path: str, page: Page, names: dict[str, str]) -> tuple[int, str, str]:
    """Status, place and words, but for the address itself."""
    said = _VARIES.sub("", answer.text)
    place = answer.headers.get("location", "")
    for none in (False, True):
        for name in re.findall(r"\{\w+\}", page.path):
            thing = addressed(name, names, none=none)
            said, place = said.replace(thing, "…"), place.replace(thing, "…")
    return answer.status_code, place, said


async def test_what_is_another_persons_or_organizations_is_on_no_page_of_the_map(world: World) -> None:
    names, _ = await things(world)
    others = await strangers(world)
    pages = [page for page in site_map() if "{" in page.path and page.path not in FOR_WHO_HOLDS_IT]
    before = await rows(world)
    asked = 0

    for login, (browser, is_own) in others.items():
        csrf = browser.csrf()
        for page in pages:
            if is_own and OF_THE_ORGANIZATION.fullmatch(page.path):
                continue  # theirs too, by their role: tests/web plays each
            theirs, none = (addressed(page.path, names, none=none) for none in (False, True))
            where = f"{login}: {page.method} {page.path}"
            found = told(await ask(browser, page, theirs, csrf), theirs, page, names)
            nothing = told(await ask(browser, page, none, csrf), none, page, names)
            assert found == nothing, where
            assert found[0] in (303, 400, 403, 404, 422), where
            asked += 1
    anonymous = world.browser()
    for page in pages:
        path = addressed(page.path, names, none=False)
        answer = await ask(anonymous, page, path, "")
        assert answer.headers["location"].startswith("/signin"), page.path

    assert asked > 150
    assert await rows(world) == before


async def test_no_list_shows_what_is_anothers(world: World) -> None:
    """The pages without a thing in their address: lists, and pages about oneself."""
    _, private = await things(world)
    others = await strangers(world)

    for login, (browser, is_own) in others.items():
        for page in (page for page in site_map() if page.method == "GET" and "{" not in page.path):
            if is_own and page.path.startswith(("/admin", "/directory", "/connections/add")):
                continue
            answer = await browser.get(page.path)
            shown = {text for text in private if text in answer.text}
            # What is switched on for the organization is for all of it.
            assert {text for text in shown if not (is_own and text.startswith("notes-"))} == set(), (login, page.path)


async def test_who_is_disabled_finds_nothing_at_all(world: World) -> None:
    names, _ = await things(world)
    browser, mia = await world.signed_in("mia")
    await world.services.people.disable(mia.id)

    for page in site_map():
        if (
            page.method == "GET"
            and page.path not in FOR_WHO_HOLDS_IT
            and not page.path.startswith(("/signin", "/privacy"))
        ):
            answer = await browser.get(addressed(page.path, names, none=False))
            assert answer.headers.get("location", "").startswith("/signin"), page.path


async def rows(world: World) -> dict[str, int]:
    """How many rows each table has that a stranger could have changed."""
    async with world.database.read() as tx:
        tables = (await tx.exec_driver_sql("select name from sqlite_master where type = 'table'")).scalars().all()
        return {
            name: (await tx.exec_driver_sql(f'select count(*) from "{name}"')).scalar_one()
            for name in tables
            if not name.startswith(("trail_", "browser_session", "lease", "signin_failure"))
        }
