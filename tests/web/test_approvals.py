"""The page of an approval: what is shown is what is sent, and only its person in their own browser says yes."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.identity.authenticator import Authenticator
from tests.web.world import PUBLIC_URL, Browser, World
from valetkey.connections.model import Connection
from valetkey.directory.fingerprint import read_tool
from valetkey.directory.model import Connector
from valetkey.identity.model import Person
from valetkey.policy.approval_model import Approval, State
from valetkey.policy.binding import Asked
from valetkey.policy.model import Decision, Effect, How
from valetkey.policy.tool_class import Classified, ToolClass
from valetkey.web.pages import Pages
from valetkey.web.tree import read_whole

DELETE = b'{"name":"delete_note","title":"Delete","description":"Deletes <b>one</b> note.","inputSchema":{}}'
CALL = b'{"name":"delete_note","arguments":{"id":"n3"}}'


async def at_home(world: World, login: str = "ada") -> tuple[Browser, Person, Connection, Connector]:
    browser, person = await world.signed_in(login)
    connector = await world.connector(person, url=f"https://notes.example/{login}")
    connection = await world.connection(person, connector, tools=(DELETE,))
    return browser, person, connection, connector


async def ask(
    world: World, person: Person, connection: Connection, connector: Connector, *, kind: ToolClass = ToolClass.HIGH,
    call: bytes = CALL, policy_version: str = "v1", client_id: str = "https://claude.ai/mcp.json", **more: Any,
) -> Approval:  # fmt: skip
    tool = read_tool(DELETE)
    how = How.PASSKEY if kind in (ToolClass.HIGH, ToolClass.VERTICAL) else How.CLICK
    classified = Classified(kind, kind, "Its name says that it deletes something.")
    decision = Decision(Effect.ASK, "class_h", "It is hard to take back.", how, classified, **more)
    return await world.services.policy.approvals.ask(
        Asked(
            person.id, person.organization_id, client_id, "Claude", connection.id, connector.slug,
            connector.version, connector.origin, connection.label, tool.name, tool.fingerprint, call, decision,
            policy_version,
        )
    )  # fmt: skip


async def test_the_page_leads_to_why_it_is_asked(world: World) -> None:
    """With whose call it is: what that assistant has read counts."""
    browser, ada, connection, connector = await at_home(world)
    approval = await ask(world, ada, connection, connector)
    page = await browser.open(approval.path)
    link = re.search(r'href="(/connections/\w+/why\?tool=delete_note&amp;client=[^"]+)"', page.text)
    assert link

    why = (await browser.open(html.unescape(link[1]))).text

    assert "<code>class_h</code>" in why
    assert "has not just read" not in why


async def test_what_waits_is_listed_also_when_its_service_is_gone(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    await ask(world, ada, connection, replace(connector, slug="gone"))

    page = await browser.open("/approvals")

    assert page.status_code == 200
    assert "delete_note" in page.text


async def state(world: World, approval: Approval) -> State:
    return (await world.services.policy.approvals.get(approval.person_id, approval.id)).state


async def with_passkey(world: World, person: Person) -> Authenticator:
    key = Authenticator(PUBLIC_URL)
    options, token = await world.services.passkeys.registration(person)
    await world.services.passkeys.register(person, token, key.create(options), "Phone")
    return key


async def confirm(browser: Browser, approval: Approval, key: Authenticator, **lies: Any) -> int:
    """What the page's script does."""
    csrf = browser.csrf()
    given = (await browser.script(f"{approval.path}/options", {}, csrf=csrf)).json()
    answer = json.loads(key.get(json.dumps(given["options"]), **lies))
    sent = {"challenge": "", "response": answer}
    return (await browser.script(f"{approval.path}/confirm", sent, csrf=csrf)).status_code


async def test_the_page_says_who_wants_what_of_whom_and_denying_has_the_focus(world: World) -> None:
    """PERM-05."""
    browser, ada, connection, connector = await at_home(world)
    approval = await ask(world, ada, connection, connector)

    listed = await browser.open("/approvals")
    page = (await browser.open(approval.path)).text

    assert approval.path in listed.text
    for words in ("Claude", "claude.ai", "delete_note", "Custom – unverified", "notes.example", "n3",
                  "Its name says that it deletes something.", "Text supplied by the connector"):  # fmt: skip
        assert words in page, words
    assert re.search(r"<button[^>]*autofocus[^>]*>Deny", page)
    assert page.count("autofocus") == 1
    assert "<b>one</b>" not in page


HIDING = {
    "to": "ops@example.com",
    "note": "invoice\u202efdp.exe",
    "x\n  to": "evil@example.com",
    "body": "y" * 100_000 + "THE END",
}


async def test_nothing_in_a_call_hides_and_a_name_that_reads_as_another_is_told(world: World) -> None:
    """PERM-05: text turned round, a field behind a line's end, the end of 100 kB, a tool with a letter of another
    alphabet.
    """
    browser, ada, connection, connector = await at_home(world)
    call = json.dumps({"name": "delete_nоte", "arguments": HIDING}).encode()
    kind = Classified(ToolClass.MEDIUM, ToolClass.MEDIUM, "So its name says.")
    asked = Asked(
        ada.id, ada.organization_id, "https://claude.ai/mcp.json", "Claude", connection.id, connector.slug,
        connector.version, connector.origin, connection.label, "delete_nоte", "f" * 64, call,
        Decision(Effect.ASK, "class_m", "It changes something.", How.CLICK, kind), "v1",
    )  # fmt: skip
    approval = await world.services.policy.approvals.ask(asked)

    page = (await browser.open(approval.path)).text

    visible = html.unescape(re.sub(r"<[^>]*>", "", page))
    for words in ("⟦U+202E⟧", "⟦U+000A⟧", "evil@example.com", "THE END", "100,007 characters", "mixes alphabets"):
        assert words in visible, words
    assert "\u202e" not in visible


async def test_a_click_says_yes_to_what_needs_no_more(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    approval = await ask(world, ada, connection, connector, kind=ToolClass.LOW_WRITE)

    await browser.open(approval.path)
    page = await browser.submit(f"{approval.path}/approve")

    assert "Approved" in page.text
    assert await state(world, approval) is State.APPROVED


async def test_denying_tells_the_assistant_why(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    approval = await ask(world, ada, connection, connector)

    await browser.open(approval.path)
    await browser.submit(f"{approval.path}/deny", {"words": "Not that one."})

    assert await state(world, approval) is State.DENIED
    assert (await world.services.policy.approvals.get(ada.id, approval.id)).words == "Not that one."


async def test_a_passkey_signs_exactly_this_call(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    key = await with_passkey(world, ada)
    approval = await ask(world, ada, connection, connector)

    await browser.open(approval.path)
    assert await confirm(browser, approval, key) == 200

    kept = await world.services.policy.approvals.get(ada.id, approval.id)
    assert kept.state is State.APPROVED
    assert kept.proof is not None
    assert b"signature" in kept.proof
    assert await confirm(browser, approval, key) == 409


@pytest.mark.parametrize("lie", ["click", "challenge", "origin", "unverified", "another's", "none"])
async def test_nothing_less_confirms_what_is_hard_to_take_back(world: World, lie: str) -> None:
    browser, ada, connection, connector = await at_home(world)
    key = await with_passkey(world, ada)
    approval = await ask(world, ada, connection, connector)
    other = await ask(world, ada, connection, connector, call=CALL.replace(b"n3", b"n4"))
    page = await browser.open(approval.path)
    assert page.status_code == 200

    match lie:
        case "click":
            status = (await browser.send(f"{approval.path}/approve")).status_code
        case "challenge":
            await browser.open(other.path)
            csrf = browser.csrf()
            given = (await browser.script(f"{other.path}/options", {}, csrf=csrf)).json()
            answer = json.loads(key.get(json.dumps(given["options"])))
            sent = {"challenge": "", "response": answer}
            status = (await browser.script(f"{approval.path}/confirm", sent, csrf=csrf)).status_code
        case "origin":
            status = await confirm(browser, approval, key, origin="https://evil.example")
        case "unverified":
            key.verifies_user = False
            status = await confirm(browser, approval, key)
        case "another's":
            grace = await world.person("grace")
            hers = await with_passkey(world, grace)
            status = await confirm(browser, approval, hers)
        case _:
            status = (await browser.script(f"{approval.path}/confirm", {}, csrf=browser.csrf())).status_code

    assert status in (400, 401, 403, 422)
    assert await state(world, approval) is State.PENDING


async def test_without_a_passkey_the_page_offers_to_add_one(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    approval = await ask(world, ada, connection, connector)

    page = (await browser.open(approval.path)).text

    assert "/settings/passkeys/new" in page
    assert "data-passkey" not in page


async def test_another_person_and_a_link_cannot_answer(world: World) -> None:
    """T39: other user's session, and a session begun by a sign-in link."""
    _, ada, connection, connector = await at_home(world)
    approval = await ask(world, ada, connection, connector, kind=ToolClass.LOW_WRITE)
    hers, _ = await world.signed_in("grace")
    linked = world.browser()
    token = (await world.services.links.issue(ada.id, purpose="recovery")).reveal().decode()
    await linked.open(f"/signin/link/{token}")
    await linked.submit("/signin/link", {"token": token})

    for browser in (hers, linked, world.browser()):
        await browser.get(approval.path)
        answer = await browser.send(f"{approval.path}/approve")
        assert answer.status_code in (303, 403, 404)

    assert await state(world, approval) is State.PENDING


async def test_another_site_cannot_press_the_button(world: World) -> None:
    """T39: CSRF, with the token missing, wrong, or the request coming from elsewhere."""
    browser, ada, connection, connector = await at_home(world)
    approval = await ask(world, ada, connection, connector, kind=ToolClass.LOW_WRITE)
    await browser.open(approval.path)
    path, csrf = f"{approval.path}/approve", browser.csrf()

    assert (await browser.post(path, [])).status_code == 403
    assert (await browser.post(path, [("csrf", "x" + csrf)])).status_code == 403
    elsewhere = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    forged = await browser.client.post(path, data={"csrf": csrf}, headers=elsewhere)
    assert forged.status_code == 403
    assert (await browser.get(path)).status_code == 405
    assert await state(world, approval) is State.PENDING


@pytest.mark.parametrize(
    "link", ["", "/approve", "/confirm", "?keep=always&opened=yes", "?stand=yes&calls=1000&days=30&free_0=yes", "/deny"]
)
async def test_a_link_that_an_assistant_made_does_nothing_and_fills_nothing_in(world: World, link: str) -> None:
    """T39: opened by the person, in their own browser."""
    browser, ada, connection, connector = await at_home(world)
    approval = await ask(
        world, ada, connection, connector, kind=ToolClass.LOW_WRITE, may_remember=True, may_stand=True
    )  # fmt: skip

    page = await browser.open(f"{approval.path}{link}")

    assert page.status_code in (200, 405)
    assert " checked" not in page.text
    assert 'value="1000"' not in page.text
    assert await state(world, approval) is State.PENDING
    assert await world.services.policy.standing.list(ada.id) == []


async def test_a_token_of_the_api_is_no_browser(world: World) -> None:
    """S-27 (c), PERM-07."""
    _, ada, connection, connector = await at_home(world)
    approval = await ask(world, ada, connection, connector, kind=ToolClass.LOW_WRITE)
    secret, _ = await world.services.tokens.create_personal(ada, "t", "/api/v1", ["permissions:write"], 86400.0)
    program = world.browser()

    answer = await program.client.post(
        f"{approval.path}/approve",
        headers={"authorization": f"Bearer {secret.reveal().decode()}", "origin": PUBLIC_URL},
    )

    assert answer.status_code in (303, 403)
    assert await state(world, approval) is State.PENDING


async def test_long_values_are_opened_first(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    call = json.dumps({"name": "delete_note", "arguments": {"text": "x" * 2000}}).encode()
    approval = await ask(world, ada, connection, connector, kind=ToolClass.LOW_WRITE, call=call)

    page = await browser.open(approval.path)
    assert "2,000 characters" in page.text
    assert "x" * 2000 in page.text
    assert (await browser.send(f"{approval.path}/approve")).status_code == 422
    assert await state(world, approval) is State.PENDING
    await browser.send(f"{approval.path}/approve", {"opened": "yes"})
    assert await state(world, approval) is State.APPROVED


async def test_a_yes_to_a_first_read_is_for_the_tool(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    approval = await ask(world, ada, connection, connector, kind=ToolClass.READ, for_tool=True)

    await browser.open(approval.path)
    await browser.submit(f"{approval.path}/approve")

    given = (await world.services.policy.permissions.given(connection.id))["delete_note"]
    assert (given.setting, given.tool_class) == ("allow", "R")


async def test_always_is_kept_only_where_it_was_offered(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    once = await ask(world, ada, connection, connector, kind=ToolClass.MEDIUM)
    lasting = await ask(
        world, ada, connection, connector, kind=ToolClass.LOW_WRITE, call=b'{"name":"x","arguments":{}}',
        may_remember=True,
    )  # fmt: skip

    await browser.open(once.path)
    assert (await browser.send(f"{once.path}/approve", {"keep": "always"})).status_code == 403
    assert await world.services.policy.permissions.given(connection.id) == {}
    await browser.open(lasting.path)
    await browser.submit(f"{lasting.path}/approve", {"keep": "always"})
    assert (await world.services.policy.permissions.given(connection.id))["delete_note"].tool_class == "W"


# --- T37: what you see is what is sent --------------------------------------------------------------------------------


class _Reads(HTMLParser):
    """A person who reads the tree: keys, values, and what is revealed."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[list[Any]] = []
        self.kinds: list[str] = []
        self.value: Any = None

    def read(self, text: str) -> Any:
        self.feed(text)
        return self.value

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = (dict(attrs).get("class") or tag).split()[0]
        self.kinds.append(kind)
        if tag == "ul":
            self.stack.append([])
        elif tag == "li":
            self.stack[-1].append({"key": None, "value": None})
        elif kind in ("text", "number", "word", "note", "key"):
            self.stack[-1][-1].setdefault("kind" if kind != "key" else "has_key", kind)
            self.stack[-1][-1]["key" if kind == "key" else "value"] = ""

    def handle_endtag(self, tag: str) -> None:
        self.kinds.pop()
        if tag == "ul":
            done = self.stack.pop()
            if self.stack:
                self.stack[-1][-1]["value"] = done
            else:
                self.value = done

    def handle_data(self, data: str) -> None:
        if not self.kinds or "summary" in self.kinds:
            return
        kind = next((one for one in reversed(self.kinds) if one in ("text", "number", "word", "note", "key")), "")
        if not kind:
            return
        if self.kinds[-1] == "revealed":
            data = chr(int(data.strip("⟦⟧").removeprefix("U+"), 16))
        self.stack[-1][-1]["key" if kind == "key" else "value"] += data


def as_value(lines: list[dict[str, Any]]) -> Any:
    """The JSON value that the lines stand for; a list has numbered lines."""
    made = []
    for line in lines:
        value = line["value"]
        if isinstance(value, list):
            value = as_value(value)
        elif line.get("kind") == "note":
            value = {"empty object": {}, "empty list": []}[value]
        elif line.get("kind") == "number":
            value = json.loads(value)
        elif line.get("kind") == "word":
            value = {"null": None, "true": True, "false": False}[value]
        made.append((line["key"] or "", value))
    if made and [key for key, _ in made] == [str(n) for n in range(1, len(made) + 1)]:
        return [value for _, value in made]
    return dict(made)


TEXT = st.text(
    st.characters(codec="utf-8") | st.sampled_from("\u202e\u200b\u2066\U000e0041\u0000<>&\"'⟦⟧\n\t"), max_size=30
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT | st.text("ab\u202e", min_size=401, max_size=500),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT.map(lambda key: f"k{key}"), inner, max_size=3),
    max_leaves=12,
)


ARGUMENTS = st.dictionaries(TEXT.map(lambda key: f"k{key}"), VALUES, max_size=4)


def reads_back(pages: Pages, arguments: dict[str, Any]) -> None:
    shown = pages.macro("components.html", "exact_tree", read_whole(json.dumps(arguments).encode()))

    read = _Reads().read(shown)

    assert as_value(read) == arguments
    visible = html.unescape(re.sub(r"<[^>]*>", "", shown))
    assert not set(visible) & set("\u202e\u200b\u2066\u0000\U000e0041")


@settings(max_examples=60, deadline=None)
@given(arguments=ARGUMENTS)
def test_what_the_page_shows_reads_back_as_what_is_sent(pages: Pages, arguments: dict[str, Any]) -> None:
    reads_back(pages, arguments)


@pytest.mark.long
@pytest.mark.timeout(1200)
@settings(max_examples=5000, deadline=None)
@given(arguments=ARGUMENTS)
def test_five_thousand_calls_read_back_as_what_is_sent(pages: Pages, arguments: dict[str, Any]) -> None:
    """T37."""
    reads_back(pages, arguments)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_megabyte_and_what_lies_sixty_deep_read_back_as_what_is_sent(pages: Pages) -> None:
    """T37."""
    deep: Any = "\u202ebottom"
    for level in range(60):
        deep = {f"k{level}": [deep, level]} if level % 2 else [deep]

    reads_back(pages, {"deep": deep, "wide": [f"k{n}\u200b" for n in range(5_000)], "long": "x\u202e<b>" * 120_000})


@pytest.fixture(scope="module")
def pages() -> Pages:
    from tests.conftest import FakeClock

    return Pages(clock=FakeClock())
