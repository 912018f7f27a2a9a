"""Whatever text reaches a page, a real browser makes nothing of it but text: every slot of every template (T35).

The slots are not a list: every string in every value that is handed to a template is replaced on its way by one that
would run, open or draw something if it were taken for markup, for a script or for an address.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import httpx2
import pytest
from markupsafe import Markup
from playwright.async_api import Browser as Chromium
from playwright.async_api import Route, async_playwright
from sqlalchemy import update
from starlette.requests import Request
from starlette.responses import HTMLResponse

from tests.web.test_approvals import ask
from tests.web.test_reviews import reviewed
from tests.web.test_submissions import another, handed_in
from tests.web.world import PUBLIC_URL, Browser, World
from valetkey.authserver.model import ConsentView
from valetkey.connections.model import State
from valetkey.identity import invitation_repository
from valetkey.identity.model import Invitation, Person, Role
from valetkey.identity.signin.openid.providers import Wish
from valetkey.kernel.secret import Secret
from valetkey.store.schema import organization
from valetkey.web.pages import Pages
from valetkey.web.site import development_map, site_map
from valetkey.web.submission_steps import Sheet
from valetkey.web.visit import Visit

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

TEMPLATES = Path(__file__).parents[2] / "src/valetkey/web/templates"
PARTS = {"base.html", "shell.html", "quiet.html", "components.html", "profile_choices.html", "listing.html",
         "review_findings.html", "submission_parts.html", "call_filters.html"}  # fmt: skip
A_FILE = {"review_report.html"}  # of the command line; tests/review plays what it does with what a server says
LEADS_AWAY = {"leaving.html"}  # at once, to the one address it is given, which was checked where it came from
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]

_ID = re.compile(r"[a-z]+_[0-9a-z]{20,}|[0-9a-f-]{32,}")
_CHOSEN_BY = {
    # Words that templates compare with: replaced, they would only hide what they choose.
    word
    for path in TEMPLATES.glob("*.html")
    for word in re.findall(r'"([\w -]*)"', path.read_text())
}
LOOK = """() => ({
  ran: window.__ran ?? null,
  canaries: document.querySelectorAll('i.canary, img[src="x"], iframe, object, base').length,
  handlers: [...document.querySelectorAll('*')].flatMap((one) => [...one.attributes]).map((one) => one.name)
    .filter((name) => name.startsWith('on') || name === 'style' || name === 'srcdoc'),
  addresses: [...document.querySelectorAll('[href], [src], [action], [formaction]')]
    .flatMap((one) => ['href', 'src', 'action', 'formaction'].map((name) => one.getAttribute(name)))
    .filter((text) => text !== null && !/^(\\/(?![\\/\\\\])|#|\\?|https?:\\/\\/|$)/.test(text)),
  refresh: [...document.querySelectorAll('meta[http-equiv]')].map((one) => one.content),
  text: document.documentElement.innerText + [...document.querySelectorAll('input, option, button, textarea')]
    .map((one) => one.value + one.placeholder).join(' '),
})"""


class Poisoned(Pages):
    """Pages whose templates are handed canaries. `slots` are those so far: template and place, by number."""

    slots: dict[int, str]
    rendered: set[str]

    def render(
        self, visit: Visit, template: str, *, status: int, form_action: str, values: Mapping[str, Any]
    ) -> HTMLResponse:
        self.rendered.add(template)
        poisoned = {name: self._poison(value, f"{template} {name}") for name, value in values.items()}
        return super().render(visit, template, status=status, form_action=form_action, values=poisoned)

    def _poison(self, value: Any, place: str, depth: int = 0) -> Any:
        if isinstance(value, (Enum, Markup, bytes, Sheet)) or depth > 6:  # a form's own words are ours
            return value
        if isinstance(value, str):
            return self._canary(value, place)
        if isinstance(value, Mapping):
            return {key: self._poison(one, f"{place}.{key}", depth + 1) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._poison(one, f"{place}[]", depth + 1) for one in value]
        if dataclasses.is_dataclass(value):
            double = copy.copy(value)
            for each in dataclasses.fields(value):
                inner = self._poison(getattr(value, each.name), f"{place}.{each.name}", depth + 1)
                object.__setattr__(double, each.name, inner)
            return double
        return value

    def _canary(self, text: str, place: str) -> str:
        if not text or text in _CHOSEN_BY or _ID.fullmatch(text) or text.startswith("/"):
            return text
        number = next((number for number, known in self.slots.items() if known == place), len(self.slots) + 1000)
        self.slots[number] = place
        scheme = "javascript:window.__ran='address'//" if text.startswith("http") else ""
        return (
            f"{scheme}«{number}»'\"><i class=canary></i><img src=x onerror=\"window.__ran='image'\">"
            "<script>window.__ran='script'</script></title></textarea></option><svg/onload=window.__ran='svg'>"
            '" onfocus="window.__ran=\'focus\'" autofocus style="color:red" {{7*7}}${7*7}<base href=//evil.example>'
        )


@pytest.fixture
async def chromium() -> AsyncIterator[Chromium]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


async def invited(world: World, person: Person) -> Invitation:
    """An invitation that was made while the person was on their own: they have joined another organization since."""
    elsewhere = await world.services.organizations.create("Elsewhere", "organization")
    now = world.clock.now()
    new = Invitation("inv_1", elsewhere.id, person.id, Role.MEMBER, "person:x", now, now + timedelta(days=14))
    async with world.database.write() as tx:
        await invitation_repository.add(tx, new)
    return new


async def furnished(world: World) -> tuple[Browser, dict[str, str]]:
    """An owner with one of everything, and what stands for each name in the site map's paths."""
    async with world.database.write() as tx:
        await tx.execute(update(organization).values(kind="organization"))
    browser, ada = await world.signed_in("ada", role=Role.OWNER, name="Ada")
    connector = await world.connector(ada)
    asking = {"state": State.RECONNECT, "state_reason": "It said no."}
    scopes = {"requested_scope": "notes:read notes:write", "granted_scope": "notes:read admin", "method": "oauth"}
    facts: dict[str, Any] = {"issuer": "https://auth.example.net", **asking, **scopes}
    connection = await world.connection(ada, connector, name="Work", label="work", **facts)
    headers = await world.connector(
        ada, name="Keys", url="https://keys.example.com/mcp", kind="header", headers=["x-api-key"]
    )
    keyed = await world.connection(ada, headers, name="Keyed", method="header")
    call = await world.call(ada, connection, connector, detail="went wrong")
    await world.call(ada, connection, connector, days_ago=1)
    trace = world.services.trace.of(person_id=ada.id, connection_id=connection.id)
    await trace.note("token", "POST https://auth.example.net/token", reason="It said no.")
    path = await world.connect(browser, connector.slug, label="second")
    await browser.open(f"{path}/disconnect")
    receipt = (await browser.submit(f"{path}/disconnect")).url.path.rpartition("/")[2]
    await browser.open(f"/connections/new/{connector.slug}")
    review = (await browser.submit(f"/connections/new/{connector.slug}", {"label": "third"})).url.path
    providers = world.services.openid.providers
    await providers.add_domain(world.organization.id, "named.example", by="x")
    wish = Wish(issuer=world.provider.issuer, client_id="valetkey", client_secret=Secret("x"))
    await providers.set(world.organization.id, wish, by="x")
    bob = await world.person("bob", name="Bob")
    owned = world.organization.id
    feed, _ = await world.services.feeds.add(owned, "https://siem.example/hooks/valetkey", by="x")
    _, key = await world.services.provisioning.tokens.create(owned, "Entra", timedelta(days=30), by="x")
    directory = world.services.provisioning.directory
    group = await directory.add_group(owned, name="Finance", external_id="f", members=[bob.id], by="x")
    request = await world.services.requests.ask(bob, url="https://mcp.wanted.example/mcp", name="Wanted")
    await world.services.tokens.create_personal(ada, "Nightly", "/mcp", ("mcp",), 3600.0)
    profile = await world.services.profiles.add(
        ada, "reading", title="Reading", access="auto", choices=(), by="person:x"
    )
    names = {
        "{token}": "vkl_x",
        "{version}": "1",
        "{connector}": connector.slug,
        "{attempt}": review.rpartition("/")[2],
        "{issuer}": "0123456789abcdef",
        "{receipt}": receipt,
        "{profile}": profile.name,
        "{call}": call,
        "{approval}": (await ask(world, ada, connection, connector)).id,
        "{person}": bob.id,
        "{invitation}": (await invited(world, ada)).id,
        "{request}": request.id,
        "{feed}": feed.id,
        "{key}": key.id,
        "{group}": group.id,
        "{organization}": world.organization.id,
        "{run}": (await reviewed(world, ada)).id,
        "{submission}": (await handed_in(world, ada)).id,
        "{step}": "connection",
    }
    ours = await world.services.submissions.drafts.get(ada, names["{submission}"])
    names["{picture}"] = ours.submission.fields.icon
    _, rea = await another(world)
    at_desk = await handed_in(world, rea, slug="margin")
    await world.services.submissions.desk.appoint(ada)
    of_everybody = await world.connector(
        ada,
        name="Shared",
        url="https://shared.example/mcp",
        kind="header",
        headers=["X-Api-Key"],
        identity="organization",
    )
    return browser, names | {
        "{connector}/key": f"{of_everybody.slug}/key",
        "{connection}": connection.id, "{connection}/headers": f"{keyed.id}/headers",
        "desk/{submission}": f"desk/{at_desk.id}",
    }  # fmt: skip


CONSENT = ConsentView(
    client_name="Claude", client_id="https://claude.example/client.json", client_host="claude.example", kind="cimd",
    verified=False, redirect_host="localhost:9", is_loopback=True, is_private_use=False, resource=f"{PUBLIC_URL}/mcp",
    covers="All that you have connected.", connector="", profile="", scopes=("Use the tools that are switched on.",),
    action="/oauth/authorize", fields=(("state", "xyz"), ("client_id", "x")), redirect_origin="http://localhost:9",
)  # fmt: skip


async def test_no_slot_of_any_page_becomes_anything_but_text_in_a_real_browser(
    world: World, chromium: Chromium
) -> None:
    browser, names = await furnished(world)
    linked = world.browser()
    grace = await world.person("grace", password="")
    token = (await world.services.links.issue(grace.id, purpose="invite")).reveal().decode()
    await linked.get(f"/signin/link/{token}")
    await linked.submit("/signin/link", {"token": token})
    poisoned = Poisoned(clock=world.clock)
    poisoned.slots, poisoned.rendered = {}, set()
    world.site._door.pages = poisoned

    addresses = []
    for page in (page for page in site_map() + development_map() if page.method == "GET"):
        address = page.path
        for name, value in sorted(names.items(), key=lambda pair: -len(pair[0])):
            address = address.replace(name, value)
        assert "{" not in address, f"say in `furnished` what stands for a name in {page.path}"
        addresses.append(address)
    addresses.append(f"/connections/{names['{connection}']}/why?tool=search_notes")
    addresses += ["/nothing", "/connections?done=tools", "/directory?q=otter", "/activity?tool=x", "/oauth/authorize"]
    posts = {
        "/connections/add": {"url": "http://10.0.0.1", "name": "x", "sign_in": "oauth"},
        "/settings/tokens/new": {"name": "x", "audience": "/x", "days": "1"},
        "/admin/people": {"login": "bob", "display_name": "x", "role": "member"},
        "/profiles/new": {"name": "!", "title": "x", "access": "auto"},
        "/settings/password": {"password": "x", "repeat": "y"},
        "/settings/tokens/new#made": {"name": "x", "audience": "/mcp", "days": "1"},
        f"/admin/people/{names['{person}']}/link#": {},
        f"/connections/{names['{connection}']}/check#": {},
    }

    complaints: list[str] = []
    answers: dict[str, httpx2.Response] = {}

    async def serve(route: Route) -> None:
        """What the hub answers, with all its headers: no socket lies between."""
        path = route.request.url.removeprefix(PUBLIC_URL)
        found = answers.get(path)
        if found is None:
            found = await browser.get(path)
        headers = {name: value for name, value in found.headers.items() if name not in ("content-length", "set-cookie")}
        await route.fulfill(status=200, headers=headers, body=found.content)

    context = await chromium.new_context(base_url=PUBLIC_URL)
    await context.route("**/*", serve)
    context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab = await context.new_page()
    seen: set[int] = set()

    async def look(path: str) -> None:
        complaints.clear()
        await tab.goto(PUBLIC_URL + path, wait_until="load")
        found = await tab.evaluate(LOOK)
        assert found["ran"] is None, path
        assert found["canaries"] == 0, path
        assert found["handlers"] == [], path
        assert found["addresses"] == [], path
        assert all("evil" not in each and "javascript" not in each.split("«")[0] for each in found["refresh"]), path
        assert complaints == [], path
        seen.update(int(number) for number in re.findall(r"«(\d+)»", found["text"]))

    session = await world.services.sessions.find(world.site._door.cookies.session(_request(browser)) or _never())
    assert session is not None
    for address in addresses:
        if address == "/oauth/authorize":
            view = poisoned._poison(CONSENT, "consent")
            shown = await world.site.render_consent(_request(browser), session, view)
            answers[address] = httpx2.Response(200, headers=dict(shown.headers), content=bytes(shown.body))
        else:
            answers[address] = await (linked if address == "/welcome" else browser).get(address)
        if "text/html" in answers[address].headers.get("content-type", ""):
            await look(address)
    for name, fields in posts.items():
        await browser.get("/settings")
        answers[name.replace("#", "?")] = await browser.send(name.partition("#")[0], fields)
        await look(name.replace("#", "?"))
    await context.close()

    assert poisoned.rendered >= {path.name for path in TEMPLATES.glob("*.html")} - PARTS - A_FILE - LEADS_AWAY
    print(f"{len(poisoned.slots)} slots, {len(seen)} of them seen on {len(answers)} pages")
    assert len(seen) >= 50


def _request(browser: Browser) -> Request:
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.client.cookies.jar)
    headers = [(b"cookie", cookies.encode()), (b"host", b"localhost:8484")]
    return Request(
        {"type": "http", "method": "GET", "path": "/oauth/authorize", "query_string": b"", "headers": headers}
    )


def _never() -> Any:
    raise AssertionError("the browser is signed in")
