"""ORG-12 by the pages: whatever an owner does is one event, with who, from where, and what it was before; and what
somebody may not is one too."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from tests.api.told import TOLD
from tests.web.service import MCP_URL
from tests.web.test_canaries import furnished
from tests.web.test_connections import ADD
from tests.web.world import Browser, World
from valetkey.audit.feed.messages import as_object
from valetkey.audit.feed.names import NAMES
from valetkey.audit.model import Everyone, TrailEvent
from valetkey.identity.model import Person, Role
from valetkey.policy.model import Setting
from valetkey.store.schema import organization

WIKI = {"name": "Wiki", "url": "https://wiki.example/mcp"}
BLOCK = {"setting": "block", "connector": "*", "tool": "delete_note", "tool_class": "*", "role": "*"}
TOKENS = "/settings/tokens/new"
TESTS = Path(__file__).parents[1]
PROGRAM = "Firefox/134 Bearer ghp_" + "c" * 36


@pytest.fixture(autouse=True)
async def of_several(world: World) -> None:
    async with world.database.write() as tx:
        await tx.execute(update(organization).values(kind="organization"))


async def events(world: World, *, after: int = 0) -> list[TrailEvent]:
    """The oldest first."""
    return [one for one in await world.services.trail.list(Everyone(), limit=1000) if one.seq > after][::-1]


HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


async def done(world: World, browser: Browser, page: str, path: str, form: Mapping[str, str]) -> list[dict[str, Any]]:
    """What a feed is sent of a form on a page, sent with all that the page says for it."""
    before = (await events(world))[-1].seq
    text = (await browser.open(page)).text
    own = next((one for one in text.split("<form")[1:] if f'action="{path}"' in one), "").partition("</form>")[0]
    kept = {name: html.unescape(value) for name, value in HIDDEN.findall(own) if name != "csrf"}
    answer = await browser.submit(path, {**kept, **form})
    assert answer.status_code == 200, (path, re.findall(r'class="error">[^<]*|<h1>[^<]*', answer.text))
    await world.services.alerts.settle()
    return [as_object(one) for one in await events(world, after=before)]


@dataclass(frozen=True)
class Form:
    """What an owner sends from which page; `kind` is what becomes of it, and `was` what it says it was before."""

    kind: str
    page: str
    path: str
    form: Mapping[str, str] = field(default_factory=dict)
    was: Mapping[str, object] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    """What else happens by it."""


CONNECTION, EDIT = "/connections/{connection}", "/directory/{connector}/edit"
KEY, HOSTS, RULES = "/directory/{connector}/key", "/admin/connectors/hosts", "/admin/rules"
SIGN_IN, GROUP = "/admin/sign-in", "/admin/provisioning/groups/{group}/role"
TOOLS_ON = {"what": "reading"}
WHAT_EXISTS = [
    Form("tools_enabled", CONNECTION, f"{CONNECTION}/tools", TOOLS_ON),
    Form("connector_created", "/connections/add", "/connections/add", {**ADD, **WIKI, "when": "needed"}),
    Form("connector_updated", EDIT, EDIT, {"name": "Notes two", "url": MCP_URL}, {"name_before": "Notes"}),
    Form("connector_updated", CONNECTION, f"{CONNECTION}/report", {"reason": "takes"},
         also=("alert.raised",)),
    Form("user_disconnected", CONNECTION, f"{CONNECTION}/disconnect"),
    Form("connector_updated", EDIT, EDIT, {"name": "Notes two", "url": f"{MCP_URL}/v2"}, {"url_before": MCP_URL}),
    Form("connector_updated", "/admin/connectors", "/admin/connectors/{connector}/state", {"state": "blocked"}),
    Form("connector_updated", "/admin/connectors", "/admin/connectors/{connector}/state", {"state": "enabled"}),
    Form("connector_updated", "/admin/connectors", "/admin/connectors/{connector}/groups", {"group": "{group}"},
         {"before": "everybody"}),
    Form("connector_updated", "/admin/ceilings", "/admin/raised",
         {"connector": "{connector}", "at_least": "H", "raised_tool": "delete_note"}, {"before": ""}),
    Form("connector_deleted", "/connections/new/{unused}", "/directory/{unused}/remove"),
    Form("managed_auth_updated", KEY, KEY, {"header:X-Api-Key": "CANARY-key"}),
    Form("managed_auth_updated", KEY, KEY, {"header:X-Api-Key": "CANARY-key-2"}),
    Form("managed_auth_updated", KEY, f"{KEY}/remove"),
    Form("tool_policy_updated", "/admin/ceilings", "/admin/ceilings", BLOCK, {"before": "ask"}),
    Form("tool_policy_updated", "/admin/ceilings", "/admin/verticals", {"connector": "{connector}", "enabled": "yes"}),
    Form("admin_connector_request_resolved", "/admin/requests", "/admin/requests/{request}/dismiss"),
    Form("egress_hosts_updated", "/admin/connectors", HOSTS,
         {"limited": "yes", "allowed": "*.example.net", "denied": ""}),
    Form("member_rules_updated", RULES, RULES, {"own_connectors": "yes", "scopes": ""}),
    Form("listing_published", "/directory/submissions/{submission}", "/directory/submissions/{submission}/move",
         {"act": "withdraw"}, {"before": "in review"}),
]  # fmt: skip
WHO = [
    Form("role_permission_updated", "/admin/provisioning", GROUP, {"role": "auditor"}, {"before": ""},
         ("person.role_set",)),
    Form("user_created", "/admin", "/admin/people", {"login": "grace", "display_name": "Grace", "role": "member"},
         also=("signin_link.issued",)),
    Form("user_invited", "/admin", "/admin/people/{newcomer}/link"),
    Form("user_deleted", "/admin", "/admin/people/{person}/disable"),
    Form("user_credential_updated", "/settings/password", "/settings/password",
         {"password": "CANARY new password", "repeat": "CANARY new password"}),
    Form("api_key_created", TOKENS, TOKENS, {"name": "x", "audience": "/mcp", "days": "1"}),
    Form("api_key_revoked", "/settings", "/settings/tokens/{token}/revoke"),
    Form("api_key_created", "/admin/provisioning", "/admin/provisioning/tokens", {"name": "Entra", "days": "30"}),
    Form("api_key_revoked", "/admin/provisioning", "/admin/provisioning/tokens/{key}/revoke"),
    Form("profile_updated", "/profiles/new", "/profiles/new", {"name": "work", "title": "Work", "access": "auto"}),
    Form("sso_updated", SIGN_IN, "/admin/domains", {"domain": "another.example"}),
    Form("sso_updated", SIGN_IN, SIGN_IN,
         {"issuer": "{provider}", "client_id": "other", "client_secret": "CANARY-secret"},
         {"client_id_before": "valetkey"}),
    Form("sso_updated", SIGN_IN, f"{SIGN_IN}/remove"),
]  # fmt: skip
DATA = [
    Form("vault_accessed", CONNECTION, f"{CONNECTION}/check"),
    Form("retention_updated", "/admin/data", "/admin/data", {"kind": "floor", "level": "metadata", "connector": "*"},
         {"before": ""}),
    Form("retention_updated", "/admin/retention", "/admin/retention", {"contents": "90", "calls": "400"},
         {"contents_before": ""}),
    Form("retention_updated", "/admin/retention", "/admin/retention/holds", {"person": "{person}", "reason": "Case 1"}),
    Form("activity_feed_updated", "/admin/feeds", "/admin/feeds",
         {"address": "otlp+https://otel.example", "header": "authorization", "value": "CANARY-header"}),
    Form("activity_feed_updated", "/admin/feeds", "/admin/feeds/{feed}/remove"),
    Form("data_exported", "/settings/data/export", "/settings/data/export"),
]  # fmt: skip


@pytest.mark.parametrize("forms", [WHAT_EXISTS, WHO, DATA], ids=["what there is", "who", "data"])
async def test_ORG_12_what_an_owner_does_on_a_page_is_one_event_with_who_from_where_and_what_it_was(
    world: World, forms: Sequence[Form]
) -> None:
    browser, names, ada = await owned(world)

    def filled(text: str) -> str:
        for name in sorted(names, key=len, reverse=True):
            text = text.replace(name, names[name])
        return text

    for form in forms:
        path = filled(form.path)
        told = await done(world, browser, filled(form.page), path, {k: filled(v) for k, v in form.form.items()})

        its = [one for one in told if one["event"] not in form.also]
        assert [one["kind"] for one in its] == [form.kind], (path, told)
        [one] = its
        assert (one["actor_type"], one["actor"], one["ip"]) == ("user", ada.id, "127.0.0.1"), one
        assert (one["user_agent"], one["organization"]) == ("Firefox/134 Bearer [redacted]", ada.organization_id)
        assert {name: one["detail"].get(name) for name in form.was} == form.was, (path, one)
        assert "CANARY" not in str(told)
        by_itself = [one for one in told if one["actor_type"] == "system"]  # as it was asked for by nobody
        assert {(one["ip"], one["user_agent"]) for one in by_itself} <= {("", "")}, by_itself


async def owned(world: World) -> tuple[Browser, dict[str, str], Person]:
    """An owner's browser, what stands for the names in paths, and the owner."""
    browser, names = await furnished(world)
    ada = await world.services.people.find("ada")
    assert ada is not None
    browser.client.headers["user-agent"] = PROGRAM
    unused = await world.connector(ada, name="Unused", url="https://unused.example/mcp")
    newcomer = await world.person("nina", password="")
    (token, *_) = await world.services.tokens.list(ada.id)
    ask = Setting.ASK
    await world.services.policy.ceilings.set(ada.organization_id, ask, actor="operator", tool=BLOCK["tool"])
    return (
        browser,
        names
        | {
            "{unused}": unused.slug,
            "{newcomer}": newcomer.id,
            "{token}": token.id,
            "{provider}": world.provider.issuer,
        },
        ada,
    )


async def test_that_somebody_connected_is_an_event_from_where_their_browser_is(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    browser.client.headers["user-agent"] = PROGRAM
    connector = await world.connector(ada)

    await world.connect(browser, connector.slug)

    [one] = [as_object(one) for one in await events(world) if one.event == "connection.connected"]
    assert (one["kind"], one["actor_type"], one["actor"], one["ip"]) == ("user_connected", "user", ada.id, "127.0.0.1")
    assert one["user_agent"] == "Firefox/134 Bearer [redacted]"


LISTED = {
    # What ORG-12 names, and which of our tests play it besides the forms above and the API's routes (`told.TOLD`).
    "connector_created": "", "connector_updated": "", "connector_deleted": "",
    "managed_auth_updated": "connections/test_held.py",
    "token_exchanged": "connections/test_refresh.py",
    "tool_policy_updated": "", "tools_enabled": "",
    "user_connected": "web/test_events.py", "user_disconnected": "",
    "admin_connector_request_resolved": "",
    "domain_guard": "connections/test_guard.py",
    "listing_published": "",
    "role_permission_updated": "identity/test_people.py",
    "oauth_client_updated": "identity/test_families.py",
    "vault_accessed": "",
}  # fmt: skip


async def test_ORG_12_every_event_it_names_is_played_by_a_page_and_by_the_api_or_where_it_is_said() -> None:
    by_page = {form.kind for form in (*WHAT_EXISTS, *WHO, *DATA)}
    by_api = {NAMES[event] for told in TOLD.values() for event in told}

    assert LISTED.keys() <= set(NAMES.values())
    assert {name for name, where in LISTED.items() if not where} <= by_page & by_api
    for name, where in LISTED.items():
        if where:
            text = (TESTS / where).read_text()
            assert name in text or any(event in text for event, kind in NAMES.items() if kind == name), name


async def test_what_a_member_may_not_is_an_event_too_once_a_minute(world: World) -> None:
    await world.person("ada", role=Role.OWNER)
    browser, bob = await world.signed_in("bob")

    for _ in range(3):
        await browser.open("/settings")
        assert (await browser.send("/admin/ceilings", BLOCK)).status_code == 404
    await browser.open("/settings")
    assert (await browser.send("/connections/add", ADD)).status_code == 403

    told = [as_object(one) for one in await events(world) if one.actor == f"person:{bob.id}"]
    assert [(one["kind"], one["object"]) for one in told if "refused" in one["event"]] == [
        ("attempt_refused", "POST /admin/ceilings"), ("connector_change_refused", ""),
    ]  # fmt: skip
    world.clock.advance(61)
    await browser.open("/settings")
    await browser.send("/admin/ceilings", BLOCK)
    assert [one.object for one in await events(world, after=told[-1]["id"])] == ["POST /admin/ceilings"]


@pytest.mark.parametrize("login", ["ada", "nobody"])
async def test_a_wrong_password_is_an_event_by_nobody_whether_there_is_such_a_login_or_not(
    world: World, login: str
) -> None:
    ada = await world.person("ada", role=Role.OWNER)
    browser = world.browser()

    await browser.sign_in(login, "three wrong otters")

    told = as_object((await events(world))[-1])
    assert (told["kind"], told["actor_type"], told["ip"]) == ("user_signed_in", "unauthenticated", "127.0.0.1")
    assert told["organization"] == (ada.organization_id if login == "ada" else "")
    assert "otters" not in str(told)
