"""A connector that is as the policy asks, and for each rule at least three that are not, each in one thing."""

from __future__ import annotations

import base64
import codecs
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from valetkey.net.certificate import Certificate
from valetkey.net.url import parse_url
from valetkey.oauth.model import AuthorizationServer, ProtectedResource
from valetkey.review.app_pages import MIME, AppPage
from valetkey.review.clauses import VERSION
from valetkey.review.conversation import seen_tools
from valetkey.review.model import (
    Crawl,
    Exchange,
    Listing,
    Lists,
    Page,
    Probe,
    SeenTool,
    SignIn,
    Trial,
    Trials,
    Witness,
)
from valetkey.review.records import OtherListing, Records

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
HOST = "mcp.marginalia.example"
URL = f"https://{HOST}/mcp"
OK_PAGE = "https://marginalia.example/"

Change = Callable[[Crawl], Crawl]
NOTHING_LISTED = Lists(versions=(), server={}, tools=())


def definition(name: str = "list_notes", **changes: Any) -> dict[str, Any]:
    """A good tool, and what is to be otherwise; `None` takes a member away."""
    whole: dict[str, Any] = {
        "name": name,
        "title": "List notes",
        "description": "Lists the notes of a notebook, newest first, with their titles.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "notebook": {"type": "string", "description": "The notebook's name.", "maxLength": 100},
                "cursor": {"type": "string", "description": "Where to go on.", "maxLength": 100},
            },
            "required": ["notebook"],
        },
        "outputSchema": {"type": "object", "properties": {"notes": {"type": "array"}}},
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    }
    whole |= changes
    return {member: value for member, value in whole.items() if value is not None}


def tools(*definitions: Mapping[str, Any]) -> tuple[SeenTool, ...]:
    return seen_tools(tuple(json.dumps(one).encode() for one in definitions))[0]


def parameter(name: str, **schema: Any) -> dict[str, Any]:
    described = {"type": "string", "description": "A short word.", "maxLength": 50} | schema
    return {"type": "object", "properties": {name: described}, "required": [name]}


def twice(lists: Lists = NOTHING_LISTED, **changes: Any) -> Lists:
    """Lists that are the same for the next visitor."""
    once = replace(lists, again=None, **changes)
    return replace(once, again=once)


_SERVER = AuthorizationServer(
    issuer="https://auth.marginalia.example",
    authorization_endpoint=parse_url("https://auth.marginalia.example/authorize"),
    token_endpoint=parse_url("https://auth.marginalia.example/token"),
    registration_endpoint=None,
    revocation_endpoint=None,
    scopes=("notes.read", "offline_access"),
    client_auths=("none",),
    signing_algs=(),
    takes_client_documents=True,
    promises_iss=True,
)
_POLICY = (
    "Marginalia keeps the notes you write. We collect what you write and your e-mail address, and use it to show your "
    "notes to you. Notes are stored in Europe. We share nothing with third parties but our processors. We keep notes "
    "until you delete them; retention of logs is thirty days. Contact us by e-mail. " * 5
)
_LISTING = Listing(
    name="Marginalia",
    url=URL,
    publisher="Marginalia Ltd",
    one_liner="Notes in the margin.",
    about="Reads and writes the notes of one's own notebooks.",
    regions=("world",),
    privacy_policy=f"{OK_PAGE}privacy",
    docs=f"{OK_PAGE}docs",
    support=f"{OK_PAGE}support",
    example_prompts=("What did I note yesterday?", "And on wolves?", "Note that the margin is too small."),
)
_PROBE = Probe(
    opening=Exchange(
        401,
        {
            "www-authenticate": f'Bearer resource_metadata="https://{HOST}/.well-known/oauth-protected-resource/mcp"',
            "strict-transport-security": "max-age=31536000",
        },
    ),
    stream=Exchange(401),
    preflight=Exchange(204, {"access-control-allow-origin": "*"}),
    strange_origin=Exchange(403),
    certificate=Certificate("TLSv1.3", NOW + timedelta(days=60), ("192.0.2.1", "2001:db8::1")),
    sign_in=SignIn(
        resource=ProtectedResource(URL, ("https://auth.marginalia.example",), ("notes.read",)),
        server=_SERVER,
        grants=("authorization_code", "refresh_token"),
        bad_refresh=Exchange(400),
        bad_refresh_error="invalid_grant",
        strange_redirect=Exchange(400),
    ),
    pages={
        "privacy_policy": Page(f"{OK_PAGE}privacy", 200, _POLICY),
        "docs": Page(f"{OK_PAGE}docs", 200, "Marginalia: list_notes lists notes. Troubleshooting: sign in again."),
        "support": Page(f"{OK_PAGE}support", 200, "Write to us."),
        "security": Page(
            f"https://{HOST}/.well-known/security.txt", 200, "Contact: mailto:security@marginalia.example"
        ),
    },
)
PAGES = _PROBE.pages
_ADD = definition(
    "add_note",
    title="Add note",
    description="Adds a note at the end of a notebook and gives its number.",
    inputSchema=parameter("words"),
    outputSchema={"type": "object"},
    annotations={"readOnlyHint": False, "destructiveHint": False, "idempotentHint": False, "openWorldHint": False},
)
_TRIALS = Trials(
    calls=(
        Trial(tool="list_notes", kind="valid", answered=True, text="One note: on wolves.", size=300, structured={}),
        Trial(tool="list_notes", kind="missing", answered=True, failed=True, text="notebook is missing."),
        Trial(tool="list_notes", kind="empty", answered=True, failed=True, text="notebook is empty."),
    ),
    witnesses=(Witness("list_notebooks", "1", "1", "1"),),
)
GOOD = Crawl(
    url=URL,
    host=HOST,
    scheme="https",
    seen_at=NOW,
    listing=_LISTING,
    probe=_PROBE,
    lists=twice(
        versions=("2025-11-25",),
        server={
            "serverInfo": {"name": "marginalia", "title": "Marginalia", "version": "1"},
            "instructions": "list_notes shows notes, add_note adds one.",
        },
        tools=tools(definition(), _ADD),
        unknown_session=Exchange(404),
        answered=Exchange(200, {"ratelimit": "limit=100"}),
    ),
    trials=_TRIALS,
    records=Records(
        others=(
            OtherListing("Wolfbook", "wolfbook.example", ("howl", "hunt"), "Hunts, howls and sleeps in one den, kept."),
        ),
        seen=tools(definition(), _ADD),
        failures=0.01,
        accepted=frozenset({VERSION}),
    ),
)


# --- ways of being bad --------------------------------------------------------------------------------------------


def tool(name: str = "list_notes", **changes: Any) -> Change:
    """One tool more or otherwise."""
    return lambda crawl: listed(crawl, definition(name, **changes))


def listed(crawl: Crawl, *definitions: Mapping[str, Any]) -> Crawl:
    assert crawl.lists is not None
    shown = tools(*definitions, _ADD)
    return replace(
        crawl,
        lists=twice(crawl.lists, tools=shown),
        records=replace(crawl.records, seen=shown),
    )


def says(text: str) -> Change:
    return tool(description=f"Lists the notes of a notebook. {text}")


def listing(**changes: Any) -> Change:
    return lambda crawl: replace(crawl, listing=replace(_LISTING, **changes))


def probe(**changes: Any) -> Change:
    return lambda crawl: replace(crawl, probe=replace(_PROBE, **changes))


def sign_in(**changes: Any) -> Change:
    return probe(sign_in=replace(_PROBE.sign_in, **changes))


def authorization_server(**changes: Any) -> Change:
    return sign_in(server=replace(_SERVER, **changes))


def page(field: str, **changes: Any) -> Change:
    return probe(pages={**_PROBE.pages, field: replace(_PROBE.pages[field], **changes)})


def lists(**changes: Any) -> Change:
    def change(crawl: Crawl) -> Crawl:
        assert crawl.lists is not None
        return replace(crawl, lists=twice(crawl.lists, **changes))

    return change


def cloaked(**changes: Any) -> Change:
    """What the next visitor is shown otherwise."""

    def change(crawl: Crawl) -> Crawl:
        assert crawl.lists is not None
        assert crawl.lists.again is not None
        return replace(crawl, lists=replace(crawl.lists, again=replace(crawl.lists.again, **changes)))

    return change


_PAGE_URI = "ui://marginalia/notes.html"
_CSP = {"connectDomains": ["https://api.marginalia.example"], "resourceDomains": ["https://*.marginalia.example"]}
_HTML = (
    "<!doctype html><html><head><script src='https://cdn.marginalia.example/app.js'></script></head>"
    "<body><a href='https://elsewhere.example/'>on wolves</a><script>fetch('https://api.marginalia.example/notes');"
    "window.parent.postMessage({jsonrpc: '2.0'}, '*')</script></body></html>"
)


def app_page(more: str = "", **changes: Any) -> AppPage:
    """A page that is as it should be, with something more in it, or otherwise."""
    return AppPage(**{"uri": _PAGE_URI, "mime": MIME, "html": _HTML + more, "ui": {"csp": _CSP}} | changes)


def interactive(*, visibility: object = None, screenshots: int = 3, **changes: Any) -> Change:
    """A tool with an interactive page, and what is to be otherwise about that."""
    page = app_page(**changes)
    ui = {"resourceUri": page.uri} | ({} if visibility is None else {"visibility": visibility})

    def change(crawl: Crawl) -> Crawl:
        shown = listed(crawl, definition(_meta={"ui": ui}))
        assert shown.lists is not None
        pictures = tuple(f"{number}.png" for number in range(screenshots))
        return replace(
            shown,
            listing=replace(_LISTING, screenshots=pictures),
            lists=twice(shown.lists, apps=(page,)),
        )

    return change


def csp(**lists_of: object) -> Change:
    return interactive(ui={"csp": {**_CSP, **lists_of}})


def document(more: str) -> Change:
    return interactive(html=app_page(more).html)


def server(**changes: Any) -> Change:
    assert GOOD.lists is not None
    return lists(server={**GOOD.lists.server, **changes})


def records(**changes: Any) -> Change:
    return lambda crawl: replace(crawl, records=replace(crawl.records, **changes))


def trial(**changes: Any) -> Change:
    made: dict[str, Any] = {"tool": "list_notes", "kind": "valid", "answered": True, "text": "One.", "structured": {}}
    one = Trial(**made | changes)
    return lambda crawl: replace(crawl, trials=replace(_TRIALS, calls=(*_TRIALS.calls, one)))


def only(**changes: Any) -> Change:
    """One call, and no other."""
    made: dict[str, Any] = {"tool": "list_notes", "kind": "valid", "answered": True, "structured": {}}
    one = Trial(**made | changes)
    return lambda crawl: replace(crawl, trials=replace(_TRIALS, calls=(one,)))


def result(text: str) -> Change:
    return trial(text=text, size=len(text))


def results(*texts: str) -> Change:
    """Answers of so many different tools."""
    calls = [
        Trial(tool=f"read_{n}", kind="valid", answered=True, text=text, size=len(text), structured={})
        for n, text in enumerate(texts)
    ]

    def change(crawl: Crawl) -> Crawl:
        shown = listed(crawl, *(definition(call.tool, description=f"Reads part {n}.") for n, call in enumerate(calls)))
        return replace(shown, trials=replace(_TRIALS, calls=(*_TRIALS.calls, *calls)))

    return change


def witness(before: str, again: str, after: str) -> Change:
    return lambda crawl: replace(
        crawl, trials=replace(_TRIALS, witnesses=(Witness("list_tags", before, again, after),))
    )


def tags(text: str) -> str:
    """Text in tag characters, which only models read."""
    return "".join(chr(0xE0000 + ord(char)) for char in text)


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def rot13(text: str) -> str:
    return codecs.encode(text, "rot13")
