"""The story, step by step. Each step does something, looks, and says what it saw; what was not seen fails the step."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2

from valetkey.demo.ledger import digest
from valetkey.demo.neighborhood import Sample
from valetkey.demo.notes import SCOPES
from valetkey.demo.story.assistant import Assistant, Failed, Json, refusal, text_of
from valetkey.demo.story.authenticator import Authenticator
from valetkey.demo.story.browser import Browser, NotThere, Page
from valetkey.demo.story.changing import accepted_and_called, changed_and_held
from valetkey.demo.story.confirming import add_passkey, approve, asked, forge, page_of, prove, used_once
from valetkey.demo.story.hostile import Hostile
from valetkey.demo.story.hub import Hub as Hub
from valetkey.demo.story.hub import NotSeen as NotSeen
from valetkey.demo.story.hub import expect
from valetkey.demo.story.keys_and_trail import edited_and_found, rotated_while_calling, verified
from valetkey.demo.story.search import files_below, find, nowhere

PASSWORD = "four unrelated words here"


@dataclass(slots=True)
class Story:
    """`tell` gets one line per step: whether it was seen, its title, and what was seen."""

    hub: Hub
    sample: Sample
    tell: Callable[[bool, str, str], None]
    owner: Browser = field(default_factory=Browser)
    other: Browser = field(default_factory=Browser)
    token: str = ""
    connection: str = ""
    tools: dict[str, str] = field(default_factory=dict)
    key: Authenticator = field(default_factory=lambda: Authenticator(""))
    hostile: Hostile = field(init=False)

    def __post_init__(self) -> None:
        self.hostile = Hostile(self.hub.url, self.sample.issuer, self.owner, lambda: self._assistant("modern"))

    def play(self) -> bool:
        """All steps, until one is not seen. Whether every one was."""
        steps: tuple[tuple[str, Callable[[], str]], ...] = (
            ("The root key lies outside the data directory, for its owner only", self.root_key_is_apart),
            ("The one-time link signs the owner in, once, and a password is set", self.sign_in),
            ("The sample service is added by its URL", self.add_connector),
            ("Before anything is connected, a page says who asks for what", self.review),
            ("The owner signs in at the service as ada, allows it, and comes back connected", self.connect),
            ("A token for a program without a browser is shown once", self.create_token),
            ("An assistant lists the tools, in both eras of MCP", self.list_tools),
            ("A call that nobody said yes to is not made, and the page to say it is named", self.call_before),
            ("The owner allows the tools that say they only read", self.switch_on),
            ("Reading works in both eras, deleting has to be asked for", self.call),
            ("A delete is asked for, and a forged “accept” does nothing", self.forge),
            ("The owner adds a passkey", self.add_passkey),
            ("The owner sees what will be sent, and confirms it with the passkey", self.approve),
            ("The call is made once, and a replay is not", self.use_approval),
            ("The service changes a tool: it is held, and the owner sees what differs", self.change_tool),
            ("The owner accepts the change, says yes to the tool anew, and the call works", self.accept_change),
            *self.hostile.steps(),
            ("The service saw ada's own token and no other", self.own_token_only),
            ("The tokens are nowhere in the data directory or the log in clear", self.nowhere_in_clear),
            ("A second person cannot use or see the connection", self.second_person),
            ("The log has each call, and shows what was sent and answered", self.read_log),
            ("Root and organization's key are rotated while an assistant calls, and no call fails", self.rotate_keys),
            ("The owner disconnects and gets a receipt", self.disconnect),
            ("The service saw the revocation, and its token is dead", self.revocation_seen),
            ("The next call says: connect first", self.connect_first),
            ("The trail has each step", self.read_trail),
            ("The trail verifies, up to a checkpoint that was just signed", self.verify_trail),
            ("In a copy of the database one record is edited, and it is the one that is named", self.edit_record),
        )
        for number, (title, step) in enumerate(steps, 1):
            try:
                seen = step()
            except (NotSeen, NotThere, Failed, httpx2.HTTPError, KeyError) as problem:
                self.tell(False, title, f"{type(problem).__name__}: {problem}")
                self._point_out(len(steps) - number)
                return False
            self.tell(True, title, seen)
        return True

    def close(self) -> None:
        for opened in (self.owner, self.other, self.hostile):
            opened.close()

    # --- the steps ---

    def root_key_is_apart(self) -> str:
        mode = self.hub.root_key.stat().st_mode & 0o777
        expect(mode == 0o600, f"the root key's mode is {mode:o}")
        expect(not self.hub.root_key.is_relative_to(self.hub.data), "the root key lies below the data")
        hidden = find([self.hub.root_key.read_bytes()], files_below(self.hub.data))
        expect(not hidden, f"the root key is in {hidden}")
        return f"{self.hub.root_key.name} is 0600, in a folder of its own"

    def sign_in(self) -> str:
        hello = self._first_sign_in(self.owner, self.hub.sign_in_link)
        again = Browser()
        again.open(self.hub.sign_in_link)
        refused = again.press("Continue")
        again.close()
        expect(refused.status >= 400, "the link worked twice")
        return f"“{hello.title}”; the link a second time: “{refused.title}”"

    def add_connector(self) -> str:
        self.owner.open(f"{self.hub.url}/directory")
        self.owner.click("Add by URL")
        page = self.owner.press("Continue", {"url": self.sample.url, "name": "Marginalia"})
        expect(page.has("Marginalia") and page.has("unverified"), f"“{page.title}” does not show the connector")
        return f"“{page.title}”, marked Custom – unverified"

    def review(self) -> str:
        page = self.owner.page
        if not page.path.startswith("/connections/review/"):
            page = self.owner.press("Continue")
        for words in ("Your data goes to 127.0.0.1", "You sign in at 127.0.0.1", self.sample.url, *SCOPES):
            expect(page.has(words), f"“{page.title}” does not say {words}")
        expect(not self.sample.seen_by_authorization_server()["issued"], "a token was issued already")
        return f"data goes to {self.sample.url}, which asks for {' '.join(SCOPES)}; no token exists yet"

    def connect(self) -> str:
        begun = len(self.owner.visited)
        issuer = self.sample.issuer.partition("//")[2]
        self.owner.press("Continue to 127.0.0.1", {"acknowledged": "yes"})
        login = self._expect_at(issuer, self.owner.page)
        consent = self.owner.press("Sign in", {"username": "ada", "password": "lovelace"})
        page = self._expect_at(self.hub.url.partition("//")[2], self.owner.press("Allow"))
        expect(page.has("Connected"), f"“{page.title}” does not say Connected")
        match = re.search(r"/connections/([\w-]+)", page.path)
        expect(match is not None, f"came back to {page.path}")
        self.connection = match[1] if match else ""
        hops = len(self.owner.visited) - begun
        return f"“{login.title}” → “{consent.title}” → “{page.title}: Connected”, {hops} requests"

    def create_token(self) -> str:
        self.token = self._new_token(self.owner)
        return f"{self.token[:8]}… for /mcp"

    def list_tools(self) -> str:
        listed = {era: self._assistant(era).list_tools() for era in ("modern", "legacy")}
        names = sorted(listed["modern"])
        expect(names == sorted(listed["legacy"]), "the eras list different tools")
        for tool in ("list_notes", "read_note", "search_notes", "delete_note"):
            exposed = [name for name in names if name.endswith(tool)]
            expect(len(exposed) == 1, f"{tool} is listed {len(exposed)} times among {names}")
            self.tools[tool] = exposed[0]
        return f"{len(names)} tools: {', '.join(names)}"

    def call_before(self) -> str:
        said = text_of(self._refused(self._assistant("modern"), "list_notes"))
        expect(self.hub.url in said, f"no word about where to switch it on: {said}")
        expect(not self._calls_seen(), "the service saw a call")
        return f"“{said}”"

    def switch_on(self) -> str:
        self.owner.open(self._page)
        page = self.owner.press("say they only read")
        expect(page.has("3 of 4 on"), f"“{page.title}” does not say 3 of 4 on")
        return "3 of 4 on"

    def call(self) -> str:
        seen = []
        for era in ("modern", "legacy"):
            result = self._assistant(era).call(self.tools["list_notes"])
            expect(not result.get("isError"), f"{era}: {text_of(result)}")
            expect("Bernoulli numbers" in text_of(result), f"{era}: not ada's notes: {text_of(result)}")
            note = text_of(self._assistant(era).call(self.tools["read_note"], id="n3"))
            seen.append(f"{era}: {len(text_of(result).splitlines())} notes, “{note.splitlines()[-1]}”")
        said = text_of(self._refused(self._assistant("legacy"), "delete_note", id="n3"))
        expect("delete_note" not in self._calls_seen(), "the service saw the deletion")
        return f"{'; '.join(seen)}; delete: “{said}”"

    def forge(self) -> str:
        return forge(self._assistant("modern", takes_links=True), self.tools["delete_note"], self._deletions)

    def add_passkey(self) -> str:
        self.key.origin = self.hub.url
        return f"“{add_passkey(self.owner, self.hub.url, self.key, self._confirm)}” shows it"

    def approve(self) -> str:
        asking = asked(self._assistant("modern", takes_links=True), self.tools["delete_note"], self._deletions)
        return approve(self.owner, page_of(asking), self.key)

    def use_approval(self) -> str:
        return used_once(self._assistant("modern", takes_links=True), self.tools["delete_note"], self._deletions)

    def change_tool(self) -> str:
        assistant, tool = self._assistant("modern"), self.tools["read_note"]
        return changed_and_held(self.sample, self.owner, self._page, assistant, tool, self._calls_seen)

    def accept_change(self) -> str:
        return accepted_and_called(self.owner, self._page, self._assistant("modern"), self.tools["read_note"])

    def own_token_only(self) -> str:
        issued = self.sample.seen_by_authorization_server()["issued"]
        known = {one["token_sha256"] for one in issued if one["kind"] == "access" and one["person"] == "ada"}
        requests = self.sample.seen_by_service()
        used = {request["token_sha256"] for request in requests}
        expect(bool(used) and used <= known, f"{len(used - known)} tokens that ada did not give")
        expect(digest(self.token) not in used, "the assistant's own token went to the service")
        return f"{len(requests)} requests; tokens seen: {len(used)}, each issued for ada (a second one by a refresh)"

    def nowhere_in_clear(self) -> str:
        time.sleep(0.2)  # what is on its way to the disk may arrive
        secrets = [one["value"] for one in self.sample.seen_by_authorization_server()["issued"]]
        return nowhere([*secrets, self.token, PASSWORD], [*files_below(self.hub.data), self.hub.log])

    def second_person(self) -> str:
        self.owner.open(f"{self.hub.url}/admin")
        self._confirm(self.owner)
        shown = self.owner.press("Invite", {"login": "grace", "display_name": "Grace", "role": "member"})
        link = next((code for code in shown.codes if "/signin/link/" in code), "")
        expect(bool(link), f"“{shown.title}” shows no link")
        self._first_sign_in(self.other, link)
        before = len(self.sample.seen_by_service())
        page = self.other.open(self._page)
        expect(page.status == 404, f"grace sees ada's connection: {page.status} “{page.title}”")
        grace = Assistant(f"{self.hub.url}/mcp", self._new_token(self.other), "modern")
        expect(not grace.list_tools(), "grace is shown tools")
        said = refusal(grace, self.tools["list_notes"])
        expect(len(self.sample.seen_by_service()) == before, "the service saw grace's attempt")
        return f"her page: {page.status}; her tools: none; her call: “{said}”"

    def read_log(self) -> str:
        page = self.owner.open(f"{self.hub.url}/activity")
        rows = len(re.findall(r'href="/activity/[\w-]+"', page.html))
        wanted = ("list_notes", "read_note", "delete_note", "OK", "Refused")
        for words in wanted:
            expect(page.has(words), f"“{page.title}” does not show {words}")
        detail = self.owner.open(next(href for _, href in page.links if href.startswith("/activity/")))
        expect(detail.status == 200, f"a call's page answers {detail.status}")
        records = [call for call in self.hub.command("call", "list")["items"] if call["tool"]]
        expect(len(records) >= 6, f"{len(records)} records for 6 calls")
        return f"{rows} rows; one opened: “{detail.title}”; the operator sees {len(records)} records"

    def disconnect(self) -> str:
        self.owner.open(self._page)
        self.owner.click("Disconnect")
        page = self.owner.press("Disconnect")
        expect(page.has("Revoked and destroyed"), f"“{page.title}” does not say that it was revoked")
        return f"“{page.title}: Revoked and destroyed”"

    def revocation_seen(self) -> str:
        seen = self.sample.seen_by_authorization_server()
        kinds = sorted({one["kind"] for one in seen["revocations"]})
        expect("refresh" in kinds, f"revoked: {kinds or 'nothing'}")
        access = [one["value"] for one in seen["issued"] if one["kind"] == "access"][-1]
        dead = httpx2.post(self.sample.url, headers={"authorization": f"Bearer {access}"}, json={}, trust_env=False)
        expect(dead.status_code == 401, f"the token still opens the service: {dead.status_code}")
        return f"revoked: {' and '.join(kinds)} token; the token itself: {dead.status_code}"

    def connect_first(self) -> str:
        before = len(self.sample.seen_by_service())
        said = refusal(self._assistant("legacy"), self.tools["list_notes"])
        expect("connect" in said.lower(), f"not a word about connecting: {said}")
        asked = refusal(self._assistant("modern", takes_links=True), self.tools["list_notes"])
        expect(len(self.sample.seen_by_service()) == before, "the service saw a call")
        return f"“{said}”; to a client that opens links: “{asked}”"

    def read_trail(self) -> str:
        events = [event["event"] for event in self.hub.command("trail", "list")["items"]]
        for words in ("link", "password", "connect", "token", "disconnect"):
            expect(any(words in event for event in events), f"no event about {words} among {sorted(set(events))}")
        return f"{len(events)} events: {', '.join(dict.fromkeys(reversed(events)))}"

    def rotate_keys(self) -> str:
        return rotated_while_calling(self.hub, lambda: self._assistant("modern").call(self.tools["list_notes"]))

    def verify_trail(self) -> str:
        return verified(self.hub)

    def edit_record(self) -> str:
        return edited_and_found(self.hub)

    # --- how a step does it ---

    @property
    def _page(self) -> str:
        return f"{self.hub.url}/connections/{self.connection}"

    def _first_sign_in(self, browser: Browser, link: str) -> Page:
        browser.open(link)
        browser.press("Continue")
        page = browser.press("Set password", {"password": PASSWORD, "repeat": PASSWORD})
        expect(page.status == 200 and page.has("Sign out"), f"“{page.title}” after setting a password")
        return page

    def _new_token(self, browser: Browser) -> str:
        browser.open(f"{self.hub.url}/settings/tokens/new")
        self._confirm(browser)
        page = browser.press("Create", {"name": "Story", "audience": "/mcp", "days": "1"})
        token = next((code for code in page.codes if code.startswith("vkt_")), "")
        expect(bool(token), f"“{page.title}” shows no token")
        return token

    def _confirm(self, browser: Browser) -> None:
        """Some pages ask again who is there: with the passkey, once there is one."""
        if not browser.page.has("Is it you?"):
            return
        if browser is self.owner and self.key.user:
            prove(browser, self.key)
        else:
            browser.press("Confirm", {"password": PASSWORD})

    def _assistant(self, era: str, *, takes_links: bool = False) -> Assistant:
        return Assistant(f"{self.hub.url}/mcp", self.token, era, takes_links=takes_links)

    def _refused(self, assistant: Assistant, tool: str, **arguments: str) -> Json:
        result = assistant.call(self.tools[tool], **arguments)
        expect(result.get("isError") is True, f"{tool} was not refused: {text_of(result) or result}")
        return result

    def _calls_seen(self) -> list[str]:
        return [str(one["tool"]) for one in self.sample.seen_by_service() if one.get("method") == "tools/call"]

    def _deletions(self) -> int:
        return self._calls_seen().count("delete_note")

    def _expect_at(self, host: str, page: Page) -> Page:
        expect(page.host == host, f"at {page.host}{page.path} “{page.title}” instead of {host}")
        return page

    def _point_out(self, left: int) -> None:
        page = self.owner.page
        self.tell(
            False,
            f"{left} steps were not reached",
            f"the browser is at {page.path} ({page.status}): {page.text[:1500]}",
        )


@contextmanager
def story(hub: Hub, sample: Sample, tell: Callable[[bool, str, str], None]) -> Iterator[Story]:
    told = Story(hub, sample, tell)
    try:
        yield told
    finally:
        told.close()
