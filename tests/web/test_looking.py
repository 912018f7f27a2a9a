"""What pages show: nothing yet, what was done, who is there, and what a program may."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass
from datetime import timedelta

import pytest
from starlette.requests import Request

from tests.web.world import PASSWORD, World
from valetkey.audit.model import OfPerson, Outcome
from valetkey.identity.model import Role
from valetkey.kernel.secret import Secret
from valetkey.privacy.consent import TEXT_HASH
from valetkey.privacy.levels import Level
from valetkey.store.schema import oauth_client, organization, refresh_token, token_family
from valetkey.web.headers import content_security_policy
from valetkey.web.site import Site


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "Nothing is connected yet"),
        ("/connections", "Nothing is connected"),
        ("/connections/receipts", "No receipts"),
        ("/directory", "The directory is empty"),
        ("/directory?q=otter", "Nothing fits"),
        ("/activity", "No calls yet"),
        ("/activity?tool=otter", "No call fits"),
        ("/settings", "None yet."),
    ],
)
async def test_a_page_with_nothing_on_it_says_what_would_be_there(world: World, path: str, words: str) -> None:
    browser, _ = await world.signed_in("ada")

    page = await browser.open(path)

    assert words in page.text


async def test_disconnecting_all_of_nothing_says_so(world: World) -> None:
    browser, _ = await world.signed_in("ada")

    page = await browser.open("/connections/disconnect-all")

    assert page.url.path == "/connections"
    assert "there was nothing to disconnect" in page.text


async def test_the_first_page_has_a_line_to_copy_for_each_assistant(world: World) -> None:
    browser, _ = await world.signed_in("ada")

    page = await browser.open("/")

    assert "claude mcp add --transport http valetkey http://localhost:8484/mcp" in page.text
    for assistant in ("Cursor", "VS Code", "Codex", "mcp-remote"):
        assert assistant in page.text


async def test_a_call_can_be_opened_by_whose_it_is(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    connector = await world.connector(ada)
    connection = await world.connection(ada, connector, name="Work")
    answer = b'{"text":"three \\u202e"}'
    call = await world.call(ada, connection, connector, request=b'{"query":"otters"}', response=answer)

    page = await browser.open(f"/activity/{call}")

    for words in ("search_notes", "otters", "three", "⟦U+202E⟧", "Work", "mcp.example.com", "Claude Code"):
        assert words in page.text, words


async def test_a_result_that_was_too_large_is_a_file_for_whoever_called_and_for_nobody_else(world: World) -> None:
    """CON-20, by the page: the card, the file as the service said it, and what another person finds there."""
    browser, ada = await world.signed_in("ada")
    other, _ = await world.signed_in("bob")
    connector = await world.connector(ada)
    call = await world.call(ada, await world.connection(ada, connector), connector, outcome=Outcome.TOO_LARGE)
    assert "The whole result" not in (await browser.open(f"/activity/{call}")).text
    said = await world.keep_whole(ada, call, (b'{"content":["', b"y" * 300_000, b'"]}'))

    page = await browser.open(f"/activity/{call}")
    file = await browser.get(f"/activity/{call}/result")

    assert "The whole result" in page.text
    assert file.content == said
    assert file.headers["content-disposition"] == f'attachment; filename="{call}.json"'
    assert (await other.get(f"/activity/{call}/result")).status_code == 404
    await world.services.day_keys.destroy(ada.id)
    assert (await browser.get(f"/activity/{call}/result")).status_code == 404


async def test_a_calls_page_leads_to_why_it_is_decided_so(world: World) -> None:
    """By the service's own name for the tool, which stands in what was sent and in no record."""
    browser, ada = await world.signed_in("ada")
    connector = await world.connector(ada)
    connection = await world.connection(ada, connector)
    sent = b'{"name":"write_note","arguments":{}}'
    call = await world.call(ada, connection, connector, tool="notes_write_note", request=sent, outcome=Outcome.REFUSED)

    page = await browser.open(f"/activity/{call}")
    why = re.search(r'href="(/connections/\w+/why\?tool=write_note)"', page.text)
    assert why

    assert "class_m" in (await browser.open(why[1])).text


async def test_a_call_whose_key_is_gone_says_so_and_shows_the_rest(world: World) -> None:
    """Erasure and retention destroy the day's key; the record outlives what was in it."""
    browser, ada = await world.signed_in("ada")
    connector = await world.connector(ada)
    call = await world.call(ada, await world.connection(ada, connector), connector)
    await world.services.day_keys.destroy(ada.id)

    page = await browser.open(f"/activity/{call}")

    assert page.status_code == 200
    assert page.text.count("can no longer be opened") == 2
    assert "otters" not in page.text


async def test_activity_is_filtered_and_paged(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    connector = await world.connector(ada)
    connection = await world.connection(ada, connector)
    for number in range(55):
        world.clock.advance(1)
        outcome = Outcome.REFUSED if number == 3 else Outcome.OK
        await world.call(ada, connection, connector, tool=f"tool_{number:02d}", outcome=outcome)

    first = await browser.open("/activity")
    assert "tool_54" in first.text
    assert "tool_04" not in first.text
    older = re.search(r'href="(/activity\?before=[^"]+)" rel="next"', first.text)
    assert older
    second = await browser.open(older[1])
    assert "tool_04" in second.text
    assert 'rel="next"' not in second.text
    refused = await browser.open("/activity?outcome=refused")

    assert re.findall(r"tool_\d\d", refused.text) == ["tool_03"]
    assert "tool_07" in (await browser.open("/activity?tool=tool_07&outcome=bogus")).text
    today = world.clock.now().date()
    assert "tool_07" in (await browser.open(f"/activity?tool=tool_07&client=claude&since={today}&until={today}")).text
    for nothing in ("client=cursor", "class=R", f"since={today + timedelta(days=1)}", f"until={today - timedelta(1)}"):
        assert "No call fits" in (await browser.open(f"/activity?{nothing}")).text
    assert "tool_07" in (await browser.open("/activity?tool=tool_07&class=Z&since=9999-99-99&until=9999-12-31")).text


async def test_a_person_chooses_what_is_kept_of_their_calls_and_takes_it_back(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    connector = await world.connector(ada)
    levels = world.services.privacy.levels
    assert "You have chosen nothing" in (await browser.open("/settings/data")).text

    chosen = await browser.submit("/settings/data", {"connector": connector.slug, "level": "metadata"})

    assert "It holds for calls from now on" in chosen.text
    assert await levels.level(ada.organization_id, ada.id, connector.slug) is Level.METADATA
    assert "no contents" in (await browser.open("/settings/data")).text
    await browser.submit("/settings/data", {"connector": connector.slug, "level": "unset"})
    assert await levels.level(ada.organization_id, ada.id, connector.slug) is Level.FULL


async def test_training_is_off_until_a_person_ticks_the_box_and_they_can_take_it_back(world: World) -> None:
    """S-11 (a), (b): the box is not ticked for them, and nothing else on the way says yes."""
    browser, ada = await world.signed_in("ada")
    consents = world.services.privacy.consents
    page = await browser.open("/settings/data")
    assert "Off. Nothing about you is used" in page.text
    assert "checked" not in page.text

    assert (await browser.submit("/settings/data/training", {"text": TEXT_HASH})).status_code == 422
    assert await consents.of(ada) is None
    await browser.open("/settings/data")
    allowed = await browser.submit("/settings/data/training", {"text": TEXT_HASH, "agree": "yes"})

    assert "Allowed, for calls from now on" in allowed.text
    assert await consents.of(ada) is not None
    assert "Taken back" in (await browser.submit("/settings/data/training/withdraw")).text
    assert await consents.of(ada) is None


async def test_a_member_of_an_organization_finds_no_switch_for_training(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    async with world.database.write() as tx:
        await tx.execute(organization.update().values(kind="organization"))

    assert "there is no switch" in (await browser.open("/settings/data")).text
    refused = await browser.submit("/settings/data/training", {"text": TEXT_HASH, "agree": "yes"})

    assert refused.status_code == 403
    assert await world.services.privacy.consents.of(ada) is None


async def test_a_level_beyond_the_organizations_bounds_is_not_offered_and_not_taken(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    await world.services.privacy.levels.bound(ada.organization_id, "ceiling", Level.METADATA, actor="operator")

    page = await browser.open("/settings/data")
    assert 'value="full"' not in page.text
    assert "at most metadata for" in page.text
    refused = await browser.submit("/settings/data", {"connector": "*", "level": "full"})

    assert refused.status_code == 422
    assert "does not allow" in refused.text


@pytest.mark.parametrize(("role", "reaches", "manages"), [
    (Role.OWNER, True, True), (Role.ADMIN, True, True), (Role.AUDITOR, True, False), (Role.MEMBER, False, False),
])  # fmt: skip
async def test_who_sees_people_and_who_manages_them(world: World, role: Role, reaches: bool, manages: bool) -> None:
    browser, _ = await world.signed_in("ada", role=role)

    page = await browser.open("/admin")

    assert page.status_code == (200 if reaches else 404)
    assert ("Invite somebody" in page.text) is manages
    await browser.open("/settings")
    answer = await browser.send("/admin/people", {"login": "x", "display_name": "X", "role": "member"})
    assert (answer.status_code == 200) is manages


async def test_an_invited_person_gets_in_by_the_link_that_is_shown_once(world: World) -> None:
    browser, _ = await world.signed_in("ada", role=Role.OWNER)
    await browser.open("/admin")

    page = await browser.submit("/admin/people", {"login": "grace", "display_name": "Grace", "role": "member"})
    link = re.search(r"http://localhost:8484(/signin/link/vkl_[\w-]+)", page.text)
    assert link
    assert "Shown once" in page.text
    assert link[1] not in (await browser.open("/admin")).text
    grace = world.browser()
    page = await grace.open(link[1])
    page = await grace.submit("/signin/link", {"token": link[1].rpartition("/")[2]})

    assert "Hello, <bdi" in page.text


async def test_an_admin_cannot_become_an_owner_by_way_of_a_link(world: World) -> None:
    """Whoever can send an owner a recovery link can sign in as that owner."""
    owner = await world.person("root", role=Role.OWNER)
    browser, _ = await world.signed_in("ada", role=Role.ADMIN)
    await browser.open("/admin")

    link = await browser.send(f"/admin/people/{owner.id}/link")
    await browser.open("/admin")
    disable = await browser.send(f"/admin/people/{owner.id}/disable")
    await browser.open("/admin")
    promote = await browser.send("/admin/people", {"login": "x", "display_name": "X", "role": "owner"})

    assert (link.status_code, disable.status_code, promote.status_code) == (404, 404, 422)


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
async def test_nobody_gets_a_link_into_the_account_of_somebody_who_has_a_way_in(world: World, role: Role) -> None:
    """Whoever hands a link out can follow it; recovering is for the operator, on the hub's host."""
    _, grace = await world.signed_in("grace")
    browser, _ = await world.signed_in("ada", role=role)
    await browser.open("/admin")

    answer = await browser.send(f"/admin/people/{grace.id}/link")

    assert answer.status_code == 409
    assert "valetkey user invite grace --recovery" in answer.text
    assert "/signin/link/" not in answer.text


async def test_people_of_another_organization_are_nobody_here(world: World) -> None:
    elsewhere = await world.services.organizations.create("Elsewhere", "organization")
    stranger = await world.services.people.create(
        login="zoe", display_name="Zoe", organization_id=elsewhere.id, role=Role.MEMBER
    )
    browser, _ = await world.signed_in("ada", role=Role.OWNER)
    page = await browser.open("/admin")
    assert "zoe" not in page.text

    link = await browser.send(f"/admin/people/{stranger.id}/link")
    await browser.open("/admin")
    disable = await browser.send(f"/admin/people/{stranger.id}/disable")

    assert (link.status_code, disable.status_code) == (404, 404)
    assert (await world.services.people.get(stranger.id)).state == "active"


async def test_a_disabled_person_is_out_at_once(world: World) -> None:
    browser, _ = await world.signed_in("ada", role=Role.OWNER)
    bob, person = await world.signed_in("bob")
    await browser.open(f"/admin/people/{person.id}/disable")

    page = await browser.submit(f"/admin/people/{person.id}/disable")

    assert "can no longer sign in" in page.text
    assert (await bob.open("/")).url.path == "/signin"
    assert (await world.browser().sign_in("bob")).status_code == 422


async def test_managing_people_asks_again_after_five_minutes(world: World) -> None:
    browser, _ = await world.signed_in("ada", role=Role.OWNER)
    await browser.open("/admin")
    world.clock.advance(301)

    page = await browser.submit("/admin/people", {"login": "x", "display_name": "X", "role": "member"})

    assert page.url.path == "/signin/again"
    page = await browser.submit("/signin/again", {"password": PASSWORD, "to": "/admin"})
    assert page.url.path == "/admin"


async def test_every_component_is_shown_in_development_only(world: World) -> None:
    page = await world.browser().get("/_components")

    assert page.status_code == 200
    for component in (
        *("button", "card", "badge", "banner", "empty", "field", "choice", "switch", "facts", "more", "code"),
        *("tree", "steps", "rows", "table", "pages", "monogram"),
    ):
        assert re.search(rf'class="[^"]*\b{component}\b', page.text), component


async def test_without_development_there_is_no_such_page(https_world: World) -> None:
    site = Site(services=https_world.services, clock=https_world.clock, public_url="https://hub.example")

    assert not any(page.path.startswith("/_") for page in site.pages)


# --- what the authorization server is handed -------------------------------------------------------------------------


@dataclass(frozen=True)
class View:
    client_name: str = "Claude Code"
    client_host: str = "claude.ai"
    verified: bool = False
    redirect_host: str = "localhost:3118"
    is_loopback: bool = True
    is_private_use: bool = False
    resource: str = "/mcp"
    covers: str = "All the services you have connected."
    connector: str = ""
    profile: str = ""
    scopes: tuple[str, ...] = ("List and call tools.",)
    action: str = "/oauth/authorize"
    fields: tuple[tuple[str, str], ...] = (("client_id", "https://claude.ai/x"), ("state", '"><b>'))
    redirect_origin: str = "http://localhost:3118"


async def consent(world: World, view: View, *, login: str = "ada") -> tuple[str, str]:
    person = await world.services.people.find(login) or await world.person(login)
    cookie = await world.services.sessions.begin(person, "password", "test")
    session = await world.services.sessions.find(cookie)
    assert session
    request = Request({"type": "http", "method": "GET", "path": "/oauth/authorize", "headers": [], "query_string": b""})
    page = await world.site.render_consent(request, session, view)
    assert f'name="csrf" value="{session.csrf}"' in bytes(page.body).decode()
    return bytes(page.body).decode(), page.headers["content-security-policy"]


async def test_the_consent_page_says_who_asks_and_where_the_answer_goes(world: World) -> None:
    text, policy = await consent(world, View())

    for words in (
        "Claude Code",
        "unverified",
        "claude.ai",
        "localhost:3118",
        "on this device",
        "/mcp",
        "ada",
    ):
        assert words in text, words
    assert 'name="state" value="&#34;&gt;&lt;b&gt;"' in text
    assert policy == content_security_policy().replace("form-action 'self'", "form-action 'self' http://localhost:3118")
    # Refusing comes first, so that pressing Enter does not agree.
    assert text.index('value="deny"') < text.index('value="allow"')


@pytest.mark.parametrize(
    ("origin", "kept"),
    [
        ("http://127.0.0.1:3118", True),
        ("http://[::1]:3118", True),
        ("https://claude.ai", True),
        ("cursor:", True),
        ("com.example.app:", True),
        ("https://x.example; script-src *", False),
        ("https://x.example *", False),
        ("*", False),
        ("'unsafe-inline'", False),
        ("https://x.example\r\nset-cookie: a=b", False),
    ],
)
def test_where_a_form_may_lead_is_one_origin_and_nothing_else(origin: str, kept: bool) -> None:
    policy = content_security_policy(form_action=origin)

    assert policy == content_security_policy().replace("form-action 'self'", f"form-action 'self'{f' {origin}' * kept}")


async def test_a_client_that_borrows_a_name_is_shown_with_what_it_is_known_by(world: World) -> None:
    name = "Verified Anthropic \u202e<b>"
    view = View(client_name=name, client_host="", redirect_host="evil.example", is_loopback=False)

    text, _ = await consent(world, view)

    assert "Look twice" in text
    assert "⟦U+202E⟧</span>&lt;b&gt;" in text
    assert "a registration it made itself" in text
    assert "evil.example" in text


async def test_asking_for_one_connector_names_it_with_its_label(world: World) -> None:
    owner = await world.person("root", role=Role.OWNER)
    connector = await world.connector(owner, name="Verified Notes")

    text, _ = await consent(world, View(resource=f"/c/{connector.slug}/mcp", connector=connector.slug))

    assert "Verified Notes" in text
    assert "Custom – unverified" in text


async def test_who_came_by_a_link_sets_a_credential_before_letting_an_assistant_in(world: World) -> None:
    grace = await world.person("grace", password="")
    session = await world.services.sessions.find(await world.services.sessions.begin(grace, "link", "test"))
    query = b"client_id=x&state=a%2Bb"
    scope = {"type": "http", "method": "GET", "path": "/oauth/authorize", "headers": [], "query_string": query}
    request = Request(scope)

    answer = world.site.to_sign_in(request, session)
    stranger = world.site.to_sign_in(request, None)

    assert answer.headers["location"] == "/welcome?to=/oauth/authorize%3Fclient_id%3Dx%26state%3Da%252Bb"
    assert stranger.headers["location"] == "/signin?to=/oauth/authorize%3Fclient_id%3Dx%26state%3Da%252Bb"


async def test_an_assistant_that_was_let_in_can_be_put_out(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    now = world.clock.now()
    async with world.database.write() as tx:
        await tx.execute(
            oauth_client.insert().values(
                id="https://claude.ai/x",
                kind="cimd",
                name="Claude <b>",
                redirect_uris=[],
                auth_method="none",
                document_hash="x",
                created_at=now,
            )
        )
        await tx.execute(
            token_family.insert().values(
                id="fam_1",
                person_id=ada.id,
                client_id="https://claude.ai/x",
                resource="/mcp",
                scope="mcp",
                created_at=now,
                last_used_at=now,
            )
        )
        await tx.execute(
            refresh_token.insert().values(
                hash="x", family_id="fam_1", created_at=now, expires_at=now + timedelta(days=30), retries=0
            )
        )
    page = await browser.open("/settings")
    assert "Claude &lt;b&gt;" in page.text

    page = await browser.submit("/settings/assistants/fam_1/end")

    assert "can no longer use Valetkey" in page.text
    assert await world.services.families.list(ada.id) == []


async def test_a_secret_that_is_shown_once_is_not_in_the_log(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    await browser.open("/settings/tokens/new")
    page = await browser.submit("/settings/tokens/new", {"name": "x", "audience": "/mcp", "days": "1"})
    token = re.search(r"vkt_[\w-]{20,}", page.text)
    assert token

    events = await world.services.trail.list(OfPerson(ada.id))

    assert token[0] not in capsys.readouterr().out
    assert token[0] not in repr(events)
    assert Secret(token[0]).digest() not in page.text


async def test_who_leaves_the_organization_stays_signed_in_and_is_on_their_own(world: World) -> None:
    async with world.database.write() as tx:
        await tx.execute(organization.update().values(kind="organization"))
    await world.signed_in("root", role=Role.OWNER)
    browser, bob = await world.signed_in("bob")
    assert "Riverside" in (await browser.open("/settings")).text
    page = await browser.open("/settings/leave")
    assert "revoked" in page.text or "no connections" in page.text

    page = await browser.submit("/settings/leave")

    assert "You have left" in page.text
    assert "Riverside" not in page.text
    assert (await world.services.people.get(bob.id)).organization_id != bob.organization_id
    assert "Nothing to leave" in (await browser.open("/settings/leave")).text


async def test_everything_about_a_person_is_a_file_for_whoever_proved_who_they_are_just_now(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    await world.call(ada, await world.connection(ada, connector := await world.connector(ada)), connector)
    await browser.open("/settings/data/export")

    taken = await browser.submit("/settings/data/export")

    assert taken.headers["content-type"] == "application/zip"
    assert "attachment" in taken.headers["content-disposition"]
    archive = zipfile.ZipFile(io.BytesIO(taken.content))
    assert json.loads(archive.read("calls.jsonl"))["response"] == {"content": []}

    await browser.open("/settings/data/export")
    world.clock.advance(360.0)
    assert (await browser.submit("/settings/data/export")).url.path == "/signin/again"


async def test_everything_about_a_person_is_erased_at_their_word_and_the_receipt_is_on_the_page(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    await world.call(ada, await world.connection(ada, connector := await world.connector(ada)), connector)
    assert "nobody can bring it back" in (await browser.open("/settings/data/erase")).text

    page = await browser.submit("/settings/data/erase")

    assert "1 calls" in page.text
    assert "Nothing is connected yet" in (await browser.open("/")).text
    assert "No calls yet" in (await browser.open("/activity")).text
