"""Signing in through an organization's identity provider: who comes in, as whom, and every way of coming in as another.

The provider at the other end behaves and checks (`provider.py`); what it says wrong is said here, one thing at a time.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.conftest import FakeClock
from tests.identity.provider import KEYS, RSA, Account, IdentityProvider
from tests.identity.rooms import PUBLIC_URL, Rooms
from tests.vault.anything import open_handed
from valetkey.connections.desk import DirectDesk
from valetkey.identity.model import BrowserSession, Organization, Person, Role
from valetkey.identity.signin.openid.id_token import read_keys, verify
from valetkey.identity.signin.openid.model import Arrived, Claims, SignInRefused
from valetkey.identity.signin.openid.providers import Wish
from valetkey.identity.signin.openid.room import OpenId, open_openid
from valetkey.kernel.errors import BadInput, Conflict, Forbidden, NotFound
from valetkey.kernel.ids import new_token
from valetkey.kernel.secret import Secret
from valetkey.net.url import parse_url
from valetkey.oauth.model import BadMetadata, MixedUp
from valetkey.oauth.openid import configuration_location, read_configuration
from valetkey.store.database import Database
from valetkey.vault.broker import Vault
from valetkey.vault.keyring import Keyring
from valetkey.vault.root_keys.file import FileRootKey

ADA = Account("00u-ada", "ada@example.com")


@dataclass
class Desk:
    """A hub, an organization with a verified domain, and its provider."""

    rooms: Rooms
    openid: OpenId
    provider: IdentityProvider
    organization: Organization
    owner: Person

    def wish(self, **values: Any) -> Wish:
        given: dict[str, Any] = {"issuer": self.provider.issuer, "client_id": self.provider.client_id}
        return Wish(**{**given, "client_secret": Secret(self.provider.client_secret), **values})

    async def set(self, **values: Any) -> None:
        await self.openid.providers.set(self.organization.id, self.wish(**values), by="operator")

    async def go(self, account: Account = ADA, *, address: str = "", browser: Secret | None = None) -> Arrived:
        """The whole way, there and back."""
        browser = browser or new_token("vko")
        away = await self.openid.sign_ins.begin_for(address or "ada@example.com", browser=browser, to="/connections")
        return await self.back(self.provider.approve(away, account), browser)

    async def back(self, query: str, browser: Secret | None, session: BrowserSession | None = None) -> Arrived:
        return await self.openid.sign_ins.finish(
            self.organization.id, parse_qsl(query), browser=browser, session=session
        )

    async def session(self, person: Person, method: str = "password") -> BrowserSession:
        cookie = await self.rooms.sessions.begin(person, method, "Firefox")  # type: ignore[arg-type]  # a word of it
        session = await self.rooms.sessions.find(cookie)
        assert session is not None
        return session

    async def refused(self, account: Account = ADA) -> str:
        """The reason for which this sign-in is refused."""
        with pytest.raises(SignInRefused) as refused:
            await self.go(account)
        return refused.value.reason


@pytest.fixture
async def desk(quick_rooms: Rooms, keyring_database: Database) -> Desk:
    return await open_desk(quick_rooms, keyring_database)


async def open_desk(rooms: Rooms, keyring_database: Database) -> Desk:
    provider = IdentityProvider(rooms.clock)
    root = FileRootKey(bytearray(range(32)), path=None, created=True)  # type: ignore[arg-type]  # read from nowhere
    await Keyring(keyring_database, root, clock=rooms.clock).check("dep", secrets_exist=False)
    vault = open_handed(Vault(rooms.database, keyring_database, root, rooms.clock, rooms.notifications))
    openid = open_openid(
        rooms.database,
        rooms.notifications,
        organizations=rooms.organizations,
        web=provider,
        desk=DirectDesk(provider),  # type: ignore[arg-type]  # as far as it is asked
        vault=vault,
        parse=parse_url,
        clock=rooms.clock,
        trail=rooms.trail,
        public_url=PUBLIC_URL,
    )
    organization = await rooms.organizations.create("Engines", "organization")
    owner = await rooms.people.create(
        login="olga@example.com", display_name="Olga", organization_id=organization.id, role=Role.OWNER
    )
    await rooms.passwords.set(owner.id, Secret("brass-lantern-otter"))
    await openid.providers.add_domain(organization.id, "Example.COM.", by="operator")
    await openid.providers.verify_domain(organization.id, "example.com", by="operator", vouched=True)
    desk = Desk(rooms, openid, provider, organization, owner)
    await desk.set()
    return desk


# --- who comes in -----------------------------------------------------------------------------------------------------


async def test_somebody_new_of_a_verified_domain_becomes_a_member_and_comes_back_as_the_same(
    rooms: Rooms, keyring_database: Database
) -> None:
    desk = await open_desk(rooms, keyring_database)

    first = await desk.go()
    desk.provider.claims = {"email": "lovelace@example.com", "name": "Another Name"}
    again = await desk.go()

    assert (first.person.login, first.person.role) == ("ada@example.com", Role.MEMBER)
    assert first.person.organization_id == desk.organization.id
    assert first.to == "/connections"
    assert again.person == first.person
    assert [event.actor for event in await rooms.happened("signin.organization")] == [f"person:{first.person.id}"] * 2
    assert len(await rooms.happened("identity.linked")) == 1


async def test_of_twenty_first_sign_ins_at_once_one_account_comes(rooms: Rooms, keyring_database: Database) -> None:
    desk = await open_desk(rooms, keyring_database)

    arrived = await asyncio.gather(*(desk.go() for _ in range(20)), return_exceptions=True)

    assert {one.person.id for one in arrived if isinstance(one, Arrived)} == {
        person.id for person in await rooms.people.list(desk.organization.id) if person.login == "ada@example.com"
    }
    assert all(isinstance(one, (Arrived, SignInRefused)) for one in arrived)


async def test_a_member_is_the_one_of_iss_and_sub_and_never_of_an_address(desk: Desk) -> None:
    """Addresses are reassigned: another person who has hers now is not Ada."""
    ada = (await desk.go()).person

    assert await desk.refused(Account("00u-somebody", "ada@example.com")) == "account_held"
    assert (await desk.go()).person == ada


@pytest.mark.parametrize("login", ["bob@example.com", "BOB@Example.com"])
async def test_an_address_does_not_open_an_account_that_somebody_holds(desk: Desk, login: str) -> None:
    bob = await desk.rooms.people.create(
        login=login, display_name="Bob", organization_id=desk.organization.id, role=Role.MEMBER
    )
    await desk.rooms.passwords.set(bob.id, Secret("brass-lantern-otter"))

    assert await desk.refused(Account("evil", "bob@example.com")) == "account_held"
    assert await desk.openid.accounts.identity_of(bob.id) is None


async def test_nor_one_of_another_organization_an_owner_or_who_was_disabled(desk: Desk) -> None:
    elsewhere = await desk.rooms.organizations.create("Theirs", "organization")
    await desk.rooms.people.create(
        login="eve@example.com", display_name="", organization_id=elsewhere.id, role=Role.MEMBER
    )
    gone = await desk.rooms.people.create(
        login="gone@example.com", display_name="", organization_id=desk.organization.id, role=Role.MEMBER
    )
    await desk.rooms.people.disable(gone.id)
    await desk.rooms.people.create(
        login="second@example.com", display_name="", organization_id=desk.organization.id, role=Role.OWNER
    )

    for name in ("eve", "gone", "second", "olga"):
        assert await desk.refused(Account(f"sub-{name}", f"{name}@example.com")) == "account_held", name


async def test_it_finds_an_account_that_was_made_for_them_and_that_nobody_has_held(desk: Desk) -> None:
    cleo = await desk.rooms.people.create(
        login="cleo@example.com", display_name="Cleo", organization_id=desk.organization.id, role=Role.ADMIN
    )

    assert (await desk.go(Account("00u-cleo", "Cleo@example.com"))).person == cleo


async def test_without_a_verified_address_of_a_domain_of_theirs_nobody_new_comes_in(desk: Desk) -> None:
    await desk.openid.providers.add_domain(desk.organization.id, "claimed.example", by="operator")  # and not shown
    addresses = {
        "ada@other.example": "domain",
        "ada@claimed.example": "domain",
        "ada@sub.example.com": "domain",
        "ada@example.com.other.example": "domain",
        "evil@other.example@example.com": "email_unverified",
        "ada@example.com@other.example": "email_unverified",
        '"ada@other.example"@example.com': "email_unverified",
        "ada@example.com ": "email_unverified",
        "ada@еxample.com": "email_unverified",
        "@example.com": "email_unverified",
        "": "email_unverified",
    }

    for number, (address, reason) in enumerate(addresses.items()):
        assert await desk.refused(Account(f"sub-{number}", address)) == reason, address
    for verified in (False, None, "false", 1, "yes", ["true"]):
        assert await desk.refused(Account("sub-x", "new@example.com", verified=verified)) == "email_unverified"
    assert [person.login for person in await desk.rooms.people.list(desk.organization.id)] == ["olga@example.com"]
    assert {event.detail["reason"] for event in await desk.rooms.happened("signin.refused")} == {
        "domain", "email_unverified",
    }  # fmt: skip


async def test_a_provider_that_does_not_say_can_be_trusted_but_not_one_that_says_no(desk: Desk) -> None:
    await desk.set(trusts_email=True)

    assert await desk.refused(Account("sub-1", "ada@example.com", verified=False)) == "email_unverified"
    assert (await desk.go(Account("sub-1", "ada@example.com", verified=None))).person.login == "ada@example.com"


async def test_where_people_are_not_added_only_those_who_are_there_come_in(desk: Desk) -> None:
    await desk.set(adds_people=False)

    assert await desk.refused() == "not_invited"
    await desk.rooms.people.create(
        login="ada@example.com", display_name="", organization_id=desk.organization.id, role=Role.MEMBER
    )
    assert (await desk.go()).person.login == "ada@example.com"


async def test_who_is_disabled_does_not_come_in_and_who_has_left_neither(desk: Desk) -> None:
    ada = (await desk.go()).person
    await desk.rooms.people.disable(ada.id)
    assert await desk.refused() == "disabled"

    await desk.rooms.people.enable(ada.id)
    own = await desk.rooms.organizations.create("Ada", "personal")
    await desk.rooms.people.move(ada.id, own.id)
    assert await desk.refused() == "account_held"
    assert (await desk.rooms.people.get(ada.id)).organization_id == own.id


# --- the token --------------------------------------------------------------------------------------------------------

Spoil = Callable[[IdentityProvider], None]


def claims(**values: Any) -> Spoil:
    return lambda provider: provider.claims.update(values)


def header(**values: Any) -> Spoil:
    return lambda provider: provider.header.update(values)


def key_unknown(provider: IdentityProvider) -> None:
    provider.key = KEYS[1]


def key_of_the_same_name(provider: IdentityProvider) -> None:
    provider.key = KEYS[1]
    provider.header["kid"] = KEYS[0].kid


def key_in_the_token(provider: IdentityProvider) -> None:
    """CVE-2026-27962 of another library: the header brings the key that it is to be verified by."""
    provider.key = KEYS[1]
    provider.header |= {"kid": KEYS[0].kid, "jwk": KEYS[1].as_dict(private=False)}


BAD_TOKENS: dict[str, tuple[Spoil, str]] = {
    "another issuer": (claims(iss="https://evil.example"), "iss"),
    "an issuer with a slash more": (claims(iss="https://id.example.com/"), "iss"),
    "no issuer": (claims(iss=None), "iss"),
    "another client": (claims(aud="other"), "aud"),
    "no audience": (claims(aud=None), "aud"),
    "an audience that only begins like us": (claims(aud="valetkey-2"), "aud"),
    "several audiences and no party": (claims(aud=["valetkey", "other"]), "azp"),
    "another party": (claims(azp="other"), "azp"),
    "a nonce of another sign-in": (claims(nonce="another"), "nonce"),
    "no nonce": (claims(nonce=None), "nonce"),
    "expired": (lambda p: p.claims.update(exp=int(p.clock.now().timestamp()) - 61), "exp"),
    "no end": (claims(exp=None), "exp"),
    "an end that is no number": (claims(exp="never"), "exp"),
    "issued long ago": (lambda p: p.claims.update(iat=int(p.clock.now().timestamp()) - 3600), "iat"),
    "issued in the future": (lambda p: p.claims.update(iat=int(p.clock.now().timestamp()) + 3600), "iat"),
    "not yet": (lambda p: p.claims.update(nbf=int(p.clock.now().timestamp()) + 3600), "iat"),
    "nobody": (claims(sub=""), "sub"),
    "a number for a subject": (claims(sub=7), "sub"),
    "a subject without end": (claims(sub="x" * 256), "sub"),
    "a key that is not published": (key_unknown, "unknown_key"),
    "a key of the same name": (key_of_the_same_name, "signature"),
    "a key in the token": (key_in_the_token, "signature"),
    "something critical": (header(crit=["kid"]), "crit"),
    "another kind of token": (header(typ="at+jwt"), "typ"),
}


def read(provider: IdentityProvider, token: str = "") -> Claims:
    """What its token says, as the answer to the nonce `n`."""
    url = parse_url(provider.issuer)
    body = json.dumps(provider.document).encode()
    found = read_configuration(body, issuer=provider.issuer, parse=parse_url, allow_http=False)
    keys = read_keys(json.dumps({"keys": [key.as_dict(private=False) for key in provider.published]}).encode())
    said = Secret(token or provider.token(ADA, "n"))
    assert configuration_location(url) == f"{provider.issuer}/.well-known/openid-configuration"
    return verify(said, keys, found, client_id="valetkey", nonce="n", now=provider.clock.now())


@pytest.fixture
def provider(clock: FakeClock) -> IdentityProvider:
    return IdentityProvider(clock)


def test_a_good_token_says_who(provider: IdentityProvider) -> None:
    said = read(provider)

    assert (said.issuer, said.subject, said.email) == (provider.issuer, "00u-ada", "ada@example.com")
    assert (said.email_verified, said.auth_time) == (True, provider.clock.now())


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_a_token_that_is_not_this_answer_of_this_provider_is_not_taken(provider: IdentityProvider, name: str) -> None:
    spoil, reason = BAD_TOKENS[name]
    spoil(provider)

    with pytest.raises(SignInRefused) as refused:
        read(provider)

    assert refused.value.reason == reason


@pytest.mark.parametrize("alg", ["none", "HS256", "HS512", "PS256"])
def test_only_signatures_that_the_provider_names_and_nobody_else_could_make_are_taken(
    provider: IdentityProvider, alg: str
) -> None:
    """The public key as a shared secret, no signature at all, and an algorithm that is not this provider's."""
    provider.metadata = {"id_token_signing_alg_values_supported": ["none", "HS256", "HS512", "ES256"]}
    good = provider.token(ADA, "n").split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": alg, "kid": KEYS[0].kid}).encode()).rstrip(b"=").decode()
    token = f"{head}.{good[1]}." if alg == "none" else f"{head}.{good[1]}.{good[2]}"
    if alg.startswith("HS"):
        secret = OctKey.import_key(json.dumps(KEYS[0].as_dict(private=False)).encode())
        said = jwt.decode(".".join(good), KEYS[0], ["ES256"]).claims
        token = jwt.encode({"alg": alg, "kid": KEYS[0].kid}, said, secret, algorithms=[alg])

    with pytest.raises(SignInRefused) as refused:
        read(provider, token)

    assert refused.value.reason == "alg"


@pytest.mark.parametrize("token", ["x", "a.b.c", "e30.e30.", "." * 20, "x" * 20_000, "é.é.é"])
def test_what_is_no_token_is_refused_and_not_shown(provider: IdentityProvider, token: str) -> None:
    with pytest.raises(SignInRefused) as refused:
        read(provider, token)

    assert len(token) < 4 or token not in str(refused.value)


async def test_a_token_that_is_not_taken_lets_nobody_in_and_is_in_the_trail(desk: Desk) -> None:
    desk.provider.claims = {"aud": "other"}

    assert await desk.refused() == "aud"
    assert await desk.rooms.people.find("ada@example.com") is None
    (event,) = await desk.rooms.happened("signin.refused")
    assert (event.actor, event.organization_id) == ("unauthenticated", desk.organization.id)


async def test_a_provider_may_change_its_keys_at_any_time(desk: Desk) -> None:
    await desk.go()
    desk.rooms.clock.advance(60)
    desk.provider.key, desk.provider.published = KEYS[1], [KEYS[1]]

    assert (await desk.go()).person.login == "ada@example.com"


async def test_keys_that_nobody_publishes_do_not_have_us_ask_without_end(desk: Desk) -> None:
    await desk.go()
    desk.provider.key = KEYS[1]
    desk.rooms.clock.advance(60)
    for _ in range(10):
        await desk.refused()

    assert desk.provider.asked.count("https://id.example.com/keys") == 2


def test_a_key_without_a_name_is_taken_if_there_is_but_one(provider: IdentityProvider) -> None:
    provider.header = {"kid": None}
    assert read(provider).subject == "00u-ada"

    provider.published = list(KEYS)
    with pytest.raises(SignInRefused):
        read(provider)


def test_rsa_is_taken_where_the_provider_names_it(provider: IdentityProvider) -> None:
    provider.key, provider.published, provider.alg = RSA, [RSA], "RS256"

    assert read(provider).subject == "00u-ada"


def test_keys_that_should_not_be_there_are_left_out() -> None:
    private, small = KEYS[0].as_dict(private=True), {"kty": "RSA", "n": "q" * 40, "e": "AQAB"}
    shared, for_secrets = {"kty": "oct", "k": "c2VjcmV0"}, {**KEYS[1].as_dict(private=False), "use": "enc"}
    odd = [private, small, shared, for_secrets, {"kty": "EC"}, {"kty": "AKP", "pub": "x"}, None, 7, "x"]

    assert read_keys(json.dumps({"keys": odd}).encode()).held == ()
    for none in (b"[]", b"{}", b'{"keys": 1}', b"x"):
        with pytest.raises(BadMetadata):
            read_keys(none)


# --- going and coming back --------------------------------------------------------------------------------------------


async def test_an_answer_is_good_once(desk: Desk) -> None:
    browser = new_token("vko")
    away = await desk.openid.sign_ins.begin_for("ada@example.com", browser=browser, to="/")
    query = desk.provider.approve(away, ADA)
    await desk.back(query, browser)

    with pytest.raises(BadInput):
        await desk.back(query, browser)


async def test_of_twenty_who_come_back_with_one_answer_one_gets_in(rooms: Rooms, keyring_database: Database) -> None:
    desk = await open_desk(rooms, keyring_database)
    browser = new_token("vko")
    away = await desk.openid.sign_ins.begin_for("ada@example.com", browser=browser, to="/")
    query = desk.provider.approve(away, ADA)

    answers = await asyncio.gather(*(desk.back(query, browser) for _ in range(20)), return_exceptions=True)

    assert sum(isinstance(one, Arrived) for one in answers) == 1
    assert sum(isinstance(one, BadInput) for one in answers) == 19


async def test_an_answer_is_good_in_the_browser_that_began_only(desk: Desk) -> None:
    """Login CSRF: Eve begins, signs in as herself, and has Ada's browser open the answer."""
    for other in (new_token("vko"), Secret(""), None):
        away = await desk.openid.sign_ins.begin_for("ada@example.com", browser=new_token("vko"), to="/")

        with pytest.raises(BadInput):
            await desk.back(desk.provider.approve(away, ADA), other)
    assert await desk.rooms.happened("signin.organization") == []


async def test_an_answer_is_too_late_after_ten_minutes_and_of_one_organization(desk: Desk) -> None:
    browser = new_token("vko")
    away = await desk.openid.sign_ins.begin_for("ada@example.com", browser=browser, to="/")
    query = desk.provider.approve(away, ADA)
    with pytest.raises(BadInput):
        await desk.openid.sign_ins.finish("org_other", parse_qsl(query), browser=browser, session=None)

    away = await desk.openid.sign_ins.begin_for("ada@example.com", browser=browser, to="/")
    query = desk.provider.approve(away, ADA)
    desk.rooms.clock.advance(600)
    with pytest.raises(BadInput):
        await desk.back(query, browser)


@pytest.mark.parametrize("issuer", ["https://evil.example", "", None])
async def test_an_answer_of_another_provider_is_a_mix_up(desk: Desk, issuer: str | None) -> None:
    """RFC 9207: neither the code nor the error of it is used."""
    browser = new_token("vko")
    away = await desk.openid.sign_ins.begin_for("ada@example.com", browser=browser, to="/")
    given = dict(parse_qsl(desk.provider.approve(away, ADA)))
    given |= {"iss": issuer} if issuer is not None else {}
    if issuer is None:
        del given["iss"]
    desk.provider.asked.clear()

    with pytest.raises(MixedUp):
        await desk.openid.sign_ins.finish(desk.organization.id, given.items(), browser=browser, session=None)

    assert desk.provider.asked == []


async def test_a_code_of_another_sign_in_is_of_no_use(desk: Desk) -> None:
    """Eve puts the code she saw of Ada's sign-in into her own: the verifier is not the one it was made for."""
    ada, eve = new_token("vko"), new_token("vko")
    hers = await desk.openid.sign_ins.begin_for("ada@example.com", browser=ada, to="/")
    eves = await desk.openid.sign_ins.begin_for("eve@example.com", browser=eve, to="/")
    seen = dict(parse_qsl(desk.provider.approve(hers, ADA)))
    own = dict(parse_qsl(desk.provider.approve(eves, Account("eve", "eve@example.com"))))

    with pytest.raises(SignInRefused) as refused:
        await desk.openid.sign_ins.finish(
            desk.organization.id, {**own, "code": seen["code"]}.items(), browser=eve, session=None
        )

    assert refused.value.reason == "no_token"


async def test_what_the_provider_declined_is_said_in_its_words_and_nothing_is_asked(desk: Desk) -> None:
    browser = new_token("vko")
    away = await desk.openid.sign_ins.begin_for("ada@example.com", browser=browser, to="/")
    state = dict(parse_qsl(away.partition("?")[2]))["state"]
    given = {"error": "access_denied\x1b[2J", "state": state, "iss": desk.provider.issuer}

    with pytest.raises(SignInRefused, match="access_denied") as refused:
        await desk.openid.sign_ins.finish(desk.organization.id, given.items(), browser=browser, session=None)

    assert "\x1b" not in str(refused.value)


async def test_the_database_holds_nothing_that_a_sign_in_could_be_finished_with(desk: Desk) -> None:
    browser = new_token("vko")
    away = await desk.openid.sign_ins.begin_for("ada@example.com", browser=browser, to="/")
    given = dict(parse_qsl(away.partition("?")[2]))

    async with desk.rooms.database.read() as tx:
        rows = repr((await tx.exec_driver_sql("select * from sign_in_attempt")).all())
        sealed = repr((await tx.exec_driver_sql("select * from secret")).all())

    assert given["state"] not in rows
    assert browser.reveal().decode() not in rows
    assert given["code_challenge"] not in rows
    assert desk.provider.client_secret not in sealed + repr(await desk.rooms.events())


async def test_attempts_are_bounded_and_swept_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.openid.sign_ins.begin_for("ada@example.com", browser=new_token("vko"), to="/")
    desk.rooms.clock.advance(601)
    await desk.rooms.sweeper.sweep()

    async with desk.rooms.database.read() as tx:
        assert (await tx.exec_driver_sql("select count(*) from sign_in_attempt")).scalar_one() == 0


# --- proving it again, and tying --------------------------------------------------------------------------------------


async def test_an_account_that_was_there_is_tied_by_who_holds_it(desk: Desk) -> None:
    bob = await desk.rooms.people.create(
        login="bob", display_name="Bob", organization_id=desk.organization.id, role=Role.MEMBER
    )
    await desk.rooms.passwords.set(bob.id, Secret("brass-lantern-otter"))
    session, browser = await desk.session(bob), new_token("vko")

    away = await desk.openid.sign_ins.begin_as(session, "link", browser=browser, to="/settings")
    tied = await desk.back(desk.provider.approve(away, Account("00u-bob", "robert@example.com")), browser, session)

    assert tied.person == bob
    assert (await desk.go(Account("00u-bob", "whatever@elsewhere.example", verified=False))).person == bob


async def test_nobody_ties_an_identity_that_is_tied_nor_for_somebody_else(desk: Desk) -> None:
    ada = (await desk.go()).person
    bob = await desk.rooms.people.create(
        login="bob", display_name="Bob", organization_id=desk.organization.id, role=Role.MEMBER
    )
    session, browser = await desk.session(bob), new_token("vko")
    away = await desk.openid.sign_ins.begin_as(session, "link", browser=browser, to="/settings")
    with pytest.raises(SignInRefused):  # Bob signs in there as Ada
        await desk.back(desk.provider.approve(away, ADA), browser, session)

    away = await desk.openid.sign_ins.begin_as(session, "link", browser=browser, to="/settings")
    query = desk.provider.approve(away, Account("00u-bob", "bob@example.com"))
    with pytest.raises(BadInput):  # Ada is signed in by now, in the same browser
        await desk.back(query, browser, await desk.session(ada, "openid"))
    assert await desk.openid.accounts.identity_of(bob.id) is None


async def test_proving_it_again_needs_the_same_person_and_the_provider_to_have_asked(desk: Desk) -> None:
    ada = (await desk.go()).person
    session, browser = await desk.session(ada, "openid"), new_token("vko")

    async def again(account: Account, auth_time: float | None) -> Arrived:
        desk.rooms.clock.advance(120)
        away = await desk.openid.sign_ins.begin_as(session, "again", browser=browser, to="/settings")
        assert "max_age=0" in away
        desk.provider.auth_time = auth_time
        return await desk.back(desk.provider.approve(away, account), browser, session)

    assert (await again(ADA, 0)).authenticated_at == desk.rooms.clock.now()
    for account, auth_time in ((ADA, 600.0), (ADA, None), (Account("00u-bob", "bob@example.com"), 0.0)):
        with pytest.raises(SignInRefused):
            await again(account, auth_time)


async def test_who_came_by_a_session_of_the_provider_has_not_just_proved_who_they_are(desk: Desk) -> None:
    for auth_time, is_fresh in ((0.0, True), (400.0, False), (None, False)):
        desk.provider.auth_time = auth_time
        arrived = await desk.go()
        cookie = await desk.rooms.sessions.begin(
            arrived.person, "openid", "Firefox", proved_at=arrived.authenticated_at
        )
        session = await desk.rooms.sessions.find(cookie)

        assert session is not None
        assert desk.rooms.sessions.is_fresh(session) is is_fresh
        assert desk.rooms.sessions.has_powers(session)


# --- what owners set --------------------------------------------------------------------------------------------------


async def test_where_it_is_the_only_way_in_others_are_shut_and_their_sessions_end(
    rooms: Rooms, keyring_database: Database
) -> None:
    desk = await open_desk(rooms, keyring_database)
    ada = (await desk.go()).person
    await rooms.passwords.set(ada.id, Secret("brass-lantern-otter"))
    by_password = await rooms.sessions.begin(ada, "password", "Firefox")
    by_provider = await rooms.sessions.begin(ada, "openid", "Firefox")
    owners = await rooms.sessions.begin(desk.owner, "password", "Firefox")

    await desk.set(is_required=True)

    assert await rooms.sessions.find(by_password) is None
    assert await rooms.sessions.find(by_provider) is not None
    assert await rooms.sessions.find(owners) is not None
    for method in ("password", "passkey", "link"):
        with pytest.raises(Forbidden):
            await rooms.sessions.begin(ada, method, "Firefox")
    assert await rooms.sessions.begin(desk.owner, "password", "Firefox")


async def test_more_proof_on_top_is_taken_and_prolongs_nothing(desk: Desk) -> None:
    ada = (await desk.go()).person
    await desk.set(is_required=True)
    cookie = await desk.rooms.sessions.begin(ada, "openid", "Firefox")
    before = await desk.rooms.sessions.find(cookie)
    desk.rooms.clock.advance(3600)

    after = await desk.rooms.sessions.find(await desk.rooms.sessions.begin(ada, "passkey", "Firefox", replacing=cookie))

    assert before is not None
    assert after is not None
    assert after.expires_at == before.expires_at


async def test_it_is_not_made_the_only_way_while_nobody_could_come_in(desk: Desk) -> None:
    await desk.openid.providers.remove_domain(desk.organization.id, "example.com", by="operator")

    with pytest.raises(Conflict):
        await desk.set(is_required=True)


async def test_a_domain_is_of_one_organization_and_of_who_publishes_its_line(desk: Desk) -> None:
    theirs = await desk.rooms.organizations.create("Theirs", "organization")
    providers = desk.openid.providers
    named = await providers.add_domain(theirs.id, "example.com", by="operator")

    with pytest.raises(BadInput):  # nothing is published there
        await providers.verify_domain(theirs.id, "example.com", by="operator")
    with pytest.raises(Conflict):
        await providers.verify_domain(theirs.id, "example.com", by="operator", vouched=True)
    assert named.challenge.startswith("valetkey-domain=")
    for bad in ("", "example", "-a.example", "a..example", "exa mple.com", "127.0.0.1", "ex/ample.com", "x" * 300):
        with pytest.raises(BadInput):
            await providers.add_domain(theirs.id, bad, by="operator")


async def test_a_personal_account_has_neither_provider_nor_domain(desk: Desk) -> None:
    own = await desk.rooms.organizations.create("Ada", "personal")

    with pytest.raises(Conflict):
        await desk.openid.providers.set(own.id, desk.wish(), by="operator")
    with pytest.raises(Conflict):
        await desk.openid.providers.add_domain(own.id, "ada.example", by="operator")


async def test_the_secret_goes_to_the_token_endpoint_it_was_given_for_and_no_other(desk: Desk) -> None:
    """Whoever can change the provider's metadata is not told our secret elsewhere."""
    desk.rooms.clock.advance(601)
    desk.provider.metadata = {"token_endpoint": "https://evil.example/token"}

    assert await desk.refused() == "moved"
    assert "https://evil.example/token" not in desk.provider.asked


async def test_another_issuer_does_not_inherit_the_secret_nor_the_people(desk: Desk) -> None:
    ada = (await desk.go()).person
    desk.provider.issuer = "https://new.example.com"
    await desk.set(client_secret=None)
    assert await desk.refused() == "no_token"  # it was not sent, and this provider wants it

    await desk.set()
    assert await desk.refused() == "account_held"  # whoever sets a provider does not become its members
    await desk.openid.accounts.untie(ada, by="operator")
    assert (await desk.go()).person == ada


async def test_metadata_of_another_issuer_or_without_keys_is_not_taken(desk: Desk) -> None:
    for wrong in ({"issuer": "https://evil.example"}, {"jwks_uri": None}, {"jwks_uri": "http://id.example.com/keys"}):
        desk.provider.metadata = wrong
        desk.rooms.clock.advance(601)

        with pytest.raises(BadMetadata):
            await desk.set()


async def test_removing_it_ends_what_is_under_way(desk: Desk) -> None:
    browser = new_token("vko")
    away = await desk.openid.sign_ins.begin_for("ada@example.com", browser=browser, to="/")
    query = desk.provider.approve(away, ADA)

    await desk.openid.providers.remove(desk.organization.id, by="operator")

    with pytest.raises(BadInput):
        await desk.back(query, browser)
    with pytest.raises(BadInput):
        await desk.openid.sign_ins.begin_for("ada@example.com", browser=browser, to="/")
    with pytest.raises(NotFound):
        await desk.openid.providers.remove(desk.organization.id, by="operator")


async def test_what_owners_set_is_in_the_trail_without_the_secret(desk: Desk) -> None:
    events = {event.event: event for event in await desk.rooms.events()}

    assert {"domain.added", "domain.verified", "sign_in.provider_set"} <= events.keys()
    assert events["domain.verified"].detail["how"] == "vouched"
    assert desk.provider.client_secret not in repr(events)
