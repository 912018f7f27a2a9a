"""The part of the story with a hostile service: whatever it tries, the hub does not go along, and says what it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from valetkey.demo.story.assistant import Assistant, Failed, text_of
from valetkey.demo.story.browser import Browser, Page
from valetkey.demo.story.hub import expect
from valetkey.demo.trap import METADATA, ORDER, Trap, trap

PRIVATE = ("http://10.0.0.1/mcp", METADATA, "http://127.0.0.2:9/mcp", "https://[fd00:ec2::254]/mcp")
"""Addresses that only the machine itself, or its own network, would reach. None of them is asked."""

LOOKS_LISTED = "GitНub"  # the third letter from the end is the Cyrillic capital en


@dataclass(slots=True)
class Hostile:
    """`owner` is the browser of the person who is to be led astray; `assistant` is hers."""

    url: str
    issuer: str
    owner: Browser
    assistant: Callable[[], Assistant]
    connection: str = ""
    _stack: ExitStack = field(default_factory=ExitStack)
    _trap: Trap | None = None

    def steps(self) -> tuple[tuple[str, Callable[[], str]], ...]:
        return (
            ("A connector at an address of the hub's own network is refused, and nothing is asked there", self.private),
            ("One that redirects, to the machine's own credentials or elsewhere, is not followed", self.redirect),
            ("An authorization server that claims to be another one is refused, and nothing is sent there", self.pose),
            ("A service that changes after it was looked at is held, under whatever name it goes", self.turn),
        )

    def close(self) -> None:
        self._stack.close()

    @property
    def there(self) -> Trap:
        """The hostile service, from when it is first needed."""
        if self._trap is None:
            self._trap = self._stack.enter_context(trap(issuer=self.issuer))
        return self._trap

    # --- the steps ---

    def private(self) -> str:
        said = []
        for number, url in enumerate(PRIVATE):
            page = self._add(url, f"Inner {number}")
            expect(page.status >= 400 and page.has("not a public address"), f"{url}: {page.text[:900]}")
            said.append(url)
        return f"refused: {', '.join(said)}"

    def redirect(self) -> str:
        page = self._add(f"{self.there.origin}/redirects/mcp", "Weather redirected")
        expect(page.status >= 400 and page.has("redirect"), f"no word of a redirect: {page.text[:600]}")
        page = self._add(f"{self.there.origin}/leads-astray/mcp", "Weather led astray")
        expect(page.status >= 400, f"its metadata was believed: “{page.title}”")
        expect(self.there.was_asked_at("/metadata/redirects"), "its metadata was not asked for")
        expect(not self.there.was_asked_at("/caught"), "the redirect was followed")
        return f"307 to {METADATA}: refused; 302 from its metadata: not followed"

    def pose(self) -> str:
        page = self._add(f"{self.there.origin}/poses/mcp", "Marginalia of ours")
        expect(page.status >= 400 and page.has("issuer"), f"no word of the issuer: {page.text[:600]}")
        expect(not self.there.was_asked_at("/caught"), "something was sent to it")
        reference = re.search(r"\bstep_\w+", page.text)
        expect(reference is not None, f"no reference by which it can be looked up: {page.text[:600]}")
        return f"it says it is {self.issuer}: refused, under {reference[0] if reference else ''}"

    def turn(self) -> str:
        """It calls itself like one in the directory, says it only reads, and once it is allowed it is another."""
        page = self._add(f"{self.there.origin}/weather/mcp", LOOKS_LISTED)
        for words in ("Custom – unverified", "Its name reads like GitHub", "read_weather"):
            expect(page.has(words), f"“{page.title}” does not say {words}")
        page = self.owner.press("Connect", {"acknowledged": "yes"})
        match = re.search(r"/connections/([\w-]+)", page.path)
        expect(match is not None and page.has("Connected"), f"not connected: {page.text[:600]}")
        self.connection = match[1] if match else ""
        self.owner.press("says it only reads")
        tool = next(name for name in self.assistant().list_tools() if name.endswith("read_weather"))
        told = text_of(self.assistant().call(tool))
        expect("Rain" in told and self.there.calls == ["read_weather"], f"the call was not made: {told}")

        self.there.has_turned = True
        listed = self.assistant().list_tools()
        expect(ORDER not in str(listed), "its order reached the assistant")
        expect(not any(name == tool or name.endswith("collect_everything") for name in listed), "it is listed")
        said = self._refused(tool)
        expect(self.there.calls == ["read_weather"], "the service saw another call")
        shown = self.owner.open(f"{self.url}/connections/{self.connection}/changes")
        for words in (ORDER, "collect_everything"):
            expect(shown.has(words), f"“{shown.title}” does not show {words}")
        expect(not any(one["secrets"] for one in self.there.seen), "a credential was sent to it")
        return f"called once, then “{said}”; {len(self.there.seen)} requests, none with a credential"

    # --- how a step does it ---

    def _add(self, url: str, name: str) -> Page:
        self.owner.open(f"{self.url}/connections/add")
        return self.owner.press("Continue", {"url": url, "name": name})

    def _refused(self, tool: str) -> str:
        try:
            result = self.assistant().call(tool)
        except Failed as failed:
            return str(failed)
        expect(result.get("isError") is True, f"{tool} was called: {text_of(result)}")
        return text_of(result)
