"""Getting in: by link, password and passkey; proving it again; and getting out."""

from __future__ import annotations

import pytest

from tests.web.world import PASSWORD, Browser, World
from valetkey.identity.model import Person
from valetkey.kernel.secret import Secret

NEW_PASSWORD = "seven lanterns over water"


async def link(world: World, person: Person, *, purpose: str = "invite") -> str:
    token = await world.services.links.issue(person.id, purpose=purpose)  # type: ignore[arg-type]
    return token.reveal().decode()


async def follow(world: World, token: str) -> Browser:
    browser = world.browser()
    await browser.get(f"/signin/link/{token}")
    await browser.submit("/signin/link", {"token": token})
    return browser


async def test_a_link_then_a_password_and_one_is_in(world: World) -> None:
    grace = await world.person("grace", password="")
    token = await link(world, grace)
    browser = world.browser()

    page = await browser.open(f"/signin/link/{token}")
    assert "signs you in once" in page.text
    page = await browser.submit("/signin/link", {"token": token})
    assert page.url.path == "/welcome"
    page = await browser.submit("/settings/password", {"password": NEW_PASSWORD, "repeat": NEW_PASSWORD, "to": "/"})

    assert page.url.path == "/"
    assert "Nothing is connected yet" in page.text
    assert (await world.browser().sign_in("grace", NEW_PASSWORD)).url.path == "/"


async def test_only_looking_at_a_link_does_not_use_it_up(world: World) -> None:
    """Mail scanners and chat previews open every link they see."""
    token = await link(world, await world.person("grace", password=""))
    for _ in range(3):
        await world.browser().get(f"/signin/link/{token}")

    page = await (await follow(world, token)).open("/")

    assert page.url.path == "/welcome"


async def test_a_link_works_once(world: World) -> None:
    token = await link(world, await world.person("grace", password=""))
    await follow(world, token)

    browser = await follow(world, token)

    assert browser.last is not None
    assert browser.last.status_code == 422
    assert "does not work" in browser.last.text
    assert (await browser.open("/")).url.path == "/signin"


async def test_a_recovery_link_says_that_it_is_one_and_is_in_the_account_s_history(world: World) -> None:
    ada = await world.person("ada")
    browser = await follow(world, await link(world, ada, purpose="recovery"))

    assert browser.last is not None
    assert "You came by a recovery link" in browser.last.text
    page = await browser.submit("/settings/password", {"password": NEW_PASSWORD, "repeat": NEW_PASSWORD, "to": "/"})
    page = await browser.open("/settings")

    assert "Signed in with a recovery link" in page.text


async def test_setting_a_password_by_recovery_signs_out_whoever_else_was_in(world: World) -> None:
    thief, ada = await world.signed_in("ada")
    browser = await follow(world, await link(world, ada, purpose="recovery"))

    await browser.submit("/settings/password", {"password": NEW_PASSWORD, "repeat": NEW_PASSWORD, "to": "/"})

    assert (await thief.open("/")).url.path == "/signin"
    assert (await browser.open("/")).url.path == "/"


@pytest.mark.parametrize(
    ("password", "repeat", "words"),
    [("tiny otter", "tiny otter", "12"), (NEW_PASSWORD, "seven lanterns", "not the same"), ("", "", "12")],
)
async def test_a_password_that_will_not_do_is_explained_beside_its_field(
    world: World, password: str, repeat: str, words: str
) -> None:
    browser = await follow(world, await link(world, await world.person("grace", password="")))

    page = await browser.submit("/settings/password", {"password": password, "repeat": repeat, "to": "/"})

    assert page.status_code == 422
    assert words in page.text
    assert 'aria-invalid="true"' in page.text
    assert password not in page.text or not password


async def test_a_wrong_password_says_no_more_than_an_unknown_login(world: World) -> None:
    await world.person("grace")  # a login that no random token in hex can spell
    browser = world.browser()

    wrong = await browser.sign_in("grace", "not the password")
    unknown = await browser.sign_in("nobody", "not the password")

    assert wrong.status_code == unknown.status_code == 422
    assert wrong.text.replace("grace", "nobody") == unknown.text
    assert "not the password" not in wrong.text


async def test_signing_in_gives_a_new_session_and_ends_the_one_before(world: World) -> None:
    """A session id that somebody planted, or saw, before sign-in is worth nothing after (fixation)."""
    browser, ada = await world.signed_in("ada")
    before = browser.client.cookies["sid"]
    other = world.browser()
    other.client.cookies.set("sid", before, domain="localhost")

    await browser.open("/settings/password")
    world.clock.advance(6 * 60)
    await browser.open("/signin/again?to=/settings")
    await browser.submit("/signin/again", {"password": PASSWORD, "to": "/settings"})

    assert browser.client.cookies["sid"] != before
    assert (await other.open("/")).url.path == "/signin"
    assert len(await world.services.sessions.list(ada.id)) == 1


async def test_a_planted_session_cookie_is_not_taken_over(world: World) -> None:
    await world.person("ada")
    browser = world.browser()
    browser.client.cookies.set("sid", "vks_planted", domain="localhost")

    await browser.sign_in("ada")

    assert "vks_planted" not in [cookie.value for cookie in browser.client.cookies.jar if cookie.name == "sid"][-1:]
    assert await world.services.sessions.list((await world.services.people.list(world.organization.id))[0].id)


@pytest.mark.parametrize("path", ["/settings/password", "/settings/tokens/new", "/settings/passkeys/new"])
async def test_what_changes_who_gets_in_asks_again_after_five_minutes(world: World, path: str) -> None:
    browser, _ = await world.signed_in("ada")
    assert (await browser.open(path)).url.path == path
    world.clock.advance(5 * 60 + 1)

    page = await browser.open(path)

    assert page.url.path == "/signin/again"
    assert f'name="to" value="{path}"' in page.text
    page = await browser.submit("/signin/again", {"password": PASSWORD, "to": path})
    assert page.url.path == path


async def test_a_stale_session_cannot_skip_the_question_by_posting(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    await browser.open("/settings/tokens/new")
    world.clock.advance(5 * 60 + 1)

    answer = await browser.send("/settings/tokens/new", {"name": "x", "audience": "/mcp", "days": "1"})
    await browser.open("/settings")
    csrf = browser.csrf()
    password = await browser.send("/settings/password", {"password": NEW_PASSWORD, "repeat": NEW_PASSWORD})
    passkey = await browser.script("/settings/passkeys/options", {}, csrf=csrf)

    assert (answer.status_code, answer.headers["location"]) == (303, "/signin/again?to=/settings/tokens/new")
    assert password.headers["location"].startswith("/signin/again")
    assert passkey.status_code == 403
    assert "confirm that it is you" in passkey.json()["message"]
    assert await world.services.tokens.list(ada.id) == []


async def test_signing_out_ends_the_session_and_not_just_the_cookie(world: World) -> None:
    browser, _ = await world.signed_in("ada")
    cookie = browser.client.cookies["sid"]
    await browser.open("/")

    page = await browser.submit("/signout")

    assert page.url.path == "/signin"
    assert "You are signed out" in page.text
    other = world.browser()
    other.client.cookies.set("sid", cookie, domain="localhost")
    assert (await other.open("/")).url.path == "/signin"


async def test_another_browser_can_be_signed_out_from_here(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    phone = world.browser()
    await phone.sign_in("ada")
    await browser.open("/settings")
    mine = await world.services.sessions.find(Secret(browser.client.cookies["sid"]))
    assert mine is not None
    other = next(one for one in await world.services.sessions.list(ada.id) if one.id != mine.id)

    page = await browser.submit(f"/settings/sessions/{other.id}/end")

    assert "That browser is signed out" in page.text
    assert (await phone.open("/")).url.path == "/signin"


async def test_all_other_browsers_can_be_signed_out_at_once(world: World) -> None:
    browser, _ = await world.signed_in("ada")
    phones = [world.browser(), world.browser()]
    for phone in phones:
        await phone.sign_in("ada")
    await browser.open("/settings")

    await browser.submit("/settings/sessions/end-others")

    assert (await browser.open("/")).url.path == "/"
    assert [(await phone.open("/")).url.path for phone in phones] == ["/signin", "/signin"]


async def test_passkey_options_come_by_script_only_and_are_json(world: World) -> None:
    browser = world.browser()
    await browser.get("/signin")

    answer = await browser.script("/signin/passkey/options", {}, csrf=browser.csrf())
    forged = await browser.script("/signin/passkey", {"challenge": "x", "response": {}, "to": "/"}, csrf=browser.csrf())

    assert answer.json()["options"]["userVerification"] == "required"
    assert answer.json()["challenge"]
    assert forged.status_code == 401
    assert "did not sign you in" in forged.json()["message"]
    assert "sid" not in browser.client.cookies


async def test_proving_who_one_is_with_somebody_elses_passkey_switches_no_account(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    bob = await world.person("bob")
    await browser.open("/signin/again")

    class BobsPasskey:
        async def authenticate(self, _challenge: str, _response: str) -> Person:
            return bob

    object.__setattr__(world.services, "passkeys", BobsPasskey())
    answer = await browser.script("/signin/passkey", {"challenge": "x", "to": "/"}, csrf=browser.csrf())

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    session = await world.services.sessions.find(Secret(browser.client.cookies["sid"]))
    assert session is not None
    assert session.person.id == ada.id


async def test_a_browser_that_came_by_a_link_cannot_finish_connecting(world: World) -> None:
    browser = await follow(world, await link(world, await world.person("grace", password="")))

    answer = await browser.get("/oauth/callback/0123456789abcdef?code=x&state=y")

    assert answer.status_code == 403
    assert "not signed in here" in answer.text


@pytest.mark.parametrize("value", [[], "x", {}, {"challenge": 1, "to": "/"}, {"challenge": "x"}])
async def test_a_passkey_answer_that_is_none_is_refused(world: World, value: object) -> None:
    browser = world.browser()
    await browser.get("/signin")

    answer = await browser.script("/signin/passkey", value, csrf=browser.csrf())

    assert answer.status_code == 422


async def test_a_token_is_shown_once(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    await browser.open("/settings/tokens/new")

    page = await browser.submit("/settings/tokens/new", {"name": "Nightly", "audience": "/mcp", "days": "30"})
    token = page.text.partition("<code>vkt_")[2].partition("<")[0]

    assert token
    who = await world.services.tokens.authenticate(f"vkt_{token}".encode(), audience="/mcp")
    assert who.person_id == ada.id
    page = await browser.open("/settings")
    assert "Nightly" in page.text
    assert token not in page.text
    info = (await world.services.tokens.list(ada.id))[0]
    page = await browser.submit(f"/settings/tokens/{info.id}/revoke")
    assert "Nightly" not in page.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("days", "91"),
        ("days", "0"),
        ("days", "-1"),
        ("days", "x"),
        ("audience", "/admin"),
        ("audience", "https://evil.example"),
    ],
)
async def test_a_token_that_cannot_be_is_not_created(world: World, field: str, value: str) -> None:
    browser, ada = await world.signed_in("ada")
    await browser.open("/settings/tokens/new")

    page = await browser.submit("/settings/tokens/new", {"name": "x", "audience": "/mcp", "days": "1", field: value})

    assert page.status_code == 422
    assert await world.services.tokens.list(ada.id) == []
