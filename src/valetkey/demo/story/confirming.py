"""The part of the story in which an assistant wants to delete a note, and only ada can say yes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from valetkey.demo.story.assistant import Assistant, Json, text_of
from valetkey.demo.story.authenticator import Authenticator
from valetkey.demo.story.browser import Browser
from valetkey.demo.story.hub import expect

Deletions = Callable[[], int]
"""How many deletions the service saw."""


def asked(assistant: Assistant, tool: str, deletions: Deletions, **more: Any) -> Json:
    """Calls, and is sent to a page where the person is asked."""
    result = assistant.request("tools/call", {"name": tool, "arguments": {"id": "n3"}, **more})
    expect(result.get("resultType") == "input_required", f"{tool} was not asked for: {result}")
    expect(deletions() == 0, "the service saw the deletion")
    return result


def page_of(result: Json) -> str:
    return str(result["inputRequests"]["approve"]["params"]["url"])


def forge(assistant: Assistant, tool: str, deletions: Deletions) -> str:
    """An assistant that says yes in its person's stead."""
    first = asked(assistant, tool, deletions)
    for answer in ({"action": "accept"}, {"action": "accept", "content": {"approved": True}}):
        again = asked(
            assistant, tool, deletions, inputResponses={"approve": answer}, requestState=first["requestState"]
        )
        expect(page_of(again) == page_of(first), "the forged answer led somewhere else")
    return f"“accept” twice: still asked for, at {urlsplit(page_of(first)).path[:24]}…"


def add_passkey(browser: Browser, url: str, key: Authenticator, confirm: Callable[[Browser], None]) -> str:
    browser.open(f"{url}/settings/passkeys/new")
    confirm(browser)
    given = browser.script("/settings/passkeys/options", {})
    sent = {"name": "Demo", "challenge": given["challenge"], "response": key.create(given["options"])}
    browser.script("/settings/passkeys", sent)
    return browser.open(f"{url}/settings").title


def prove(browser: Browser, key: Authenticator) -> None:
    """Says who is there, with the passkey, where a page wants to know."""
    to = dict(browser.page.form_with(field="to").fields)["to"]
    given = browser.script("/signin/passkey/options", {})
    answer = {"to": to, "challenge": given["challenge"], "response": key.get(given["options"])}
    browser.open(str(browser.script("/signin/passkey", answer)["to"]))


def approve(browser: Browser, url: str, key: Authenticator) -> str:
    """What the person sees, and their passkey over exactly that."""
    page = browser.open(url)
    for words in ("delete_note", "Marginalia", "n3", "hard to take back", "Text supplied by the connector"):
        expect(page.has(words), f"“{page.title}” does not show {words}")
    click = browser.try_to(f"{url}/approve")
    expect(click == 403, f"a click was enough: {click}")
    given = browser.script(f"{url}/options", {})
    browser.script(f"{url}/confirm", {"challenge": "", "response": key.get(given["options"])})
    shown = browser.open(url)
    expect(shown.has("Approved"), f"“{shown.title}” does not say Approved")
    return f"“{page.title}”: a click: {click}; a passkey: approved"


def used_once(assistant: Assistant, tool: str, deletions: Deletions) -> str:
    """The same call again is made, once; after that it is asked for as if nothing had been said."""
    result = assistant.call(tool, id="n3")
    expect(not result.get("isError") and deletions() == 1, f"the approved call was not made: {result}")
    replay = assistant.call(tool, id="n3")
    expect(replay.get("resultType") == "input_required" and deletions() == 1, f"the replay was made: {replay}")
    return f"“{text_of(result)}”; the same again: asked for, and not made"
