"""Passkeys, with an authenticator in software that also lies."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.conftest import FakeClock
from tests.identity.authenticator import Authenticator
from tests.identity.rooms import PUBLIC_URL, Rooms
from valetkey.identity.model import Person, Role
from valetkey.kernel.errors import BadInput, Conflict, NotFound, NotSignedIn
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database


async def enroll(rooms: Rooms, person: Person, authenticator: Authenticator) -> str:
    options, token = await rooms.passkeys.registration(person)
    return (await rooms.passkeys.register(person, token, authenticator.create(options), "Phone")).id


async def sign_in(rooms: Rooms, authenticator: Authenticator, **lies: Any) -> Person:
    options, token = await rooms.passkeys.assertion()
    return await rooms.passkeys.authenticate(token, authenticator.get(options, **lies))


async def test_a_registered_passkey_signs_its_person_in(rooms: Rooms) -> None:
    ada = await rooms.person()
    phone = Authenticator(PUBLIC_URL)
    await enroll(rooms, ada, phone)

    assert await sign_in(rooms, phone) == ada
    assert await sign_in(rooms, phone) == ada
    assert [(key.name, key.sign_count) for key in await rooms.passkeys.list(ada.id)] == [("Phone", 2)]


async def test_a_synced_passkey_that_does_not_count_signs_in_again_and_again(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    synced = Authenticator(PUBLIC_URL, counts=0)
    await enroll(quick_rooms, ada, synced)

    assert [await sign_in(quick_rooms, synced) for _ in range(3)] == [ada, ada, ada]


async def test_the_browser_is_asked_for_a_verified_person_and_a_passkey_it_can_find_by_itself(
    quick_rooms: Rooms,
) -> None:
    ada = await quick_rooms.person()
    options = json.loads((await quick_rooms.passkeys.registration(ada))[0])

    assert options["rp"]["id"] == "hub.example.com"
    assert options["attestation"] == "none"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    asked = json.loads((await quick_rooms.passkeys.assertion())[0])
    assert (asked["userVerification"], asked.get("allowCredentials", [])) == ("required", [])


@pytest.mark.parametrize(
    "lies",
    [
        {"origin": "https://hub.example.com.evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "http://hub.example.com"},
        {"origin": "https://hub.example.com:8443"},
        {"challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"challenge": ""},
        {"type": "webauthn.create"},
        {"user_handle": b"person_somebody_else"},
    ],
)
async def test_an_answer_made_for_another_place_does_not_sign_in(quick_rooms: Rooms, lies: dict[str, Any]) -> None:
    phone = Authenticator(PUBLIC_URL)
    await enroll(quick_rooms, await quick_rooms.person(), phone)

    with pytest.raises(NotSignedIn):
        await sign_in(quick_rooms, phone, **lies)


@pytest.mark.parametrize("lies", [{"origin": "https://evil.example"}, {"challenge": "AAAA"}, {"type": "webauthn.get"}])
async def test_an_answer_made_for_another_place_does_not_register(quick_rooms: Rooms, lies: dict[str, Any]) -> None:
    ada = await quick_rooms.person()
    options, token = await quick_rooms.passkeys.registration(ada)

    with pytest.raises(BadInput):
        await quick_rooms.passkeys.register(ada, token, Authenticator(PUBLIC_URL).create(options, **lies), "Phone")

    assert await quick_rooms.passkeys.list(ada.id) == []


async def test_a_passkey_of_another_site_is_worth_nothing_here(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    options, token = await quick_rooms.passkeys.registration(ada)
    with pytest.raises(BadInput):
        await quick_rooms.passkeys.register(
            ada, token, Authenticator(PUBLIC_URL, rp_id="evil.example").create(options), "Phone"
        )

    phone = Authenticator(PUBLIC_URL)
    await enroll(quick_rooms, ada, phone)
    phone.rp_id = "evil.example"
    with pytest.raises(NotSignedIn):
        await sign_in(quick_rooms, phone)


async def test_somebody_who_merely_holds_the_phone_does_not_get_in(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    options, token = await quick_rooms.passkeys.registration(ada)
    unverified = Authenticator(PUBLIC_URL, verifies_user=False)
    with pytest.raises(BadInput):
        await quick_rooms.passkeys.register(ada, token, unverified.create(options), "Phone")

    phone = Authenticator(PUBLIC_URL)
    await enroll(quick_rooms, ada, phone)
    phone.verifies_user = False
    with pytest.raises(NotSignedIn):
        await sign_in(quick_rooms, phone)


async def test_another_key_under_a_known_credential_id_is_a_forgery(quick_rooms: Rooms) -> None:
    phone = Authenticator(PUBLIC_URL)
    await enroll(quick_rooms, await quick_rooms.person(), phone)
    forged = Authenticator(PUBLIC_URL, credential_id=phone.credential_id, user_handle=phone.user_handle)

    with pytest.raises(NotSignedIn):
        await sign_in(quick_rooms, forged)


async def test_a_challenge_is_answered_once(rooms: Rooms) -> None:
    ada = await rooms.person()
    phone = Authenticator(PUBLIC_URL, counts=0)
    await enroll(rooms, ada, phone)
    options, token = await rooms.passkeys.assertion()
    answer = phone.get(options)

    answers = await asyncio.gather(
        *(rooms.passkeys.authenticate(token, answer) for _ in range(10)), return_exceptions=True
    )

    assert answers.count(ada) == 1
    assert sum(isinstance(one, NotSignedIn) for one in answers) == 9


async def test_a_wrong_answer_uses_the_challenge_up(quick_rooms: Rooms) -> None:
    phone = Authenticator(PUBLIC_URL)
    await enroll(quick_rooms, await quick_rooms.person(), phone)
    options, token = await quick_rooms.passkeys.assertion()
    with pytest.raises(NotSignedIn):
        await quick_rooms.passkeys.authenticate(token, "{}")

    with pytest.raises(NotSignedIn):
        await quick_rooms.passkeys.authenticate(token, phone.get(options))


async def test_a_challenge_expires_and_serves_its_own_purpose_and_person_only(quick_rooms: Rooms) -> None:
    ada, bob = await quick_rooms.person(), await quick_rooms.person("bob", Role.MEMBER)
    phone = Authenticator(PUBLIC_URL)
    options, token = await quick_rooms.passkeys.registration(ada)
    with pytest.raises(BadInput):  # Bob cannot finish Ada's registration
        await quick_rooms.passkeys.register(bob, token, phone.create(options), "Phone")
    await enroll(quick_rooms, ada, phone)
    options, token = await quick_rooms.passkeys.registration(ada)
    challenge = json.dumps({"challenge": json.loads(options)["challenge"], "rpId": "hub.example.com"})
    with pytest.raises(NotSignedIn):  # nor can anybody sign in with a challenge that is for registering
        await quick_rooms.passkeys.authenticate(token, phone.get(challenge))
    options, token = await quick_rooms.passkeys.registration(ada)
    quick_rooms.clock.advance(300)
    with pytest.raises(BadInput):
        await quick_rooms.passkeys.register(ada, token, Authenticator(PUBLIC_URL).create(options), "Phone")


async def test_a_copied_authenticator_is_noticed_by_its_counter_and_refused(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    phone = Authenticator(PUBLIC_URL)
    await enroll(quick_rooms, ada, phone)
    await sign_in(quick_rooms, phone)
    copy = Authenticator(
        PUBLIC_URL, credential_id=phone.credential_id, user_handle=phone.user_handle, key=phone.key, sign_count=0
    )
    copy.rp_id = phone.rp_id

    with pytest.raises(NotSignedIn):
        await sign_in(quick_rooms, copy)

    assert [event.person_id for event in await quick_rooms.happened("passkey.counter_regressed")] == [ada.id]


async def test_a_forgery_does_not_pass_for_a_copied_authenticator_in_the_trail(quick_rooms: Rooms) -> None:
    phone = Authenticator(PUBLIC_URL)
    await enroll(quick_rooms, await quick_rooms.person(), phone)
    await sign_in(quick_rooms, phone)
    forged = Authenticator(PUBLIC_URL, credential_id=phone.credential_id, user_handle=phone.user_handle)

    with pytest.raises(NotSignedIn):
        await sign_in(quick_rooms, forged)

    assert await quick_rooms.happened("passkey.counter_regressed") == []


@pytest.mark.parametrize(
    "answer", ["", "null", "[]", "{", "{}", '{"id": 1}', '{"id":"AA","rawId":"AA","type":"public-key","response":{}}',
               "x" * 40_000, '{"id":"AA","rawId":"AA","response":{"clientDataJSON":"AA","authenticatorData":"AA",'
               '"signature":"AA"},"type":"public-key","clientExtensionResults":{}}'],
)  # fmt: skip
async def test_nonsense_is_refused_in_the_same_words(quick_rooms: Rooms, answer: str) -> None:
    ada = await quick_rooms.person()
    _, token = await quick_rooms.passkeys.assertion()
    with pytest.raises(NotSignedIn, match="did not sign you in"):
        await quick_rooms.passkeys.authenticate(token, answer)

    _, token = await quick_rooms.passkeys.registration(ada)
    with pytest.raises(BadInput, match="not valid here"):
        await quick_rooms.passkeys.register(ada, token, answer, "Phone")


async def test_a_disabled_persons_passkey_does_not_sign_in(quick_rooms: Rooms) -> None:
    await quick_rooms.person("owner")
    bob = await quick_rooms.person("bob", Role.MEMBER)
    phone = Authenticator(PUBLIC_URL)
    await enroll(quick_rooms, bob, phone)
    await quick_rooms.people.disable(bob.id)

    with pytest.raises(NotSignedIn):
        await sign_in(quick_rooms, phone)


async def test_one_authenticator_is_registered_once(rooms: Rooms) -> None:
    ada, bob = await rooms.person(), await rooms.person("bob", Role.MEMBER)
    phone = Authenticator(PUBLIC_URL)
    await enroll(rooms, ada, phone)

    with pytest.raises(Conflict):
        await enroll(rooms, bob, phone)
    options = json.loads((await rooms.passkeys.registration(ada))[0])
    assert len(options["excludeCredentials"]) == 1


async def test_the_last_way_to_sign_in_is_not_removed(quick_rooms: Rooms) -> None:
    ada, bob = await quick_rooms.person(), await quick_rooms.person("bob", Role.MEMBER)
    passkey_id = await enroll(quick_rooms, ada, Authenticator(PUBLIC_URL))
    with pytest.raises(Conflict):
        await quick_rooms.passkeys.remove(ada.id, passkey_id)
    with pytest.raises(NotFound):
        await quick_rooms.passkeys.remove(bob.id, passkey_id)

    await quick_rooms.passwords.set(ada.id, Secret("brass-lantern-otter"))
    await quick_rooms.passkeys.remove(ada.id, passkey_id)

    assert await quick_rooms.passkeys.list(ada.id) == []


@pytest.mark.parametrize("public_url", ["http://127.0.0.1:8484", "https://192.0.2.7", "http://[::1]:8484"])
async def test_at_an_ip_address_passkeys_say_that_they_need_a_name(
    sqlite_database: Database, clock: FakeClock, public_url: str
) -> None:
    rooms = Rooms(sqlite_database, clock, public_url=public_url)

    assert not rooms.passkeys.available
    with pytest.raises(BadInput, match="host name"):
        await rooms.passkeys.assertion()
    with pytest.raises(BadInput, match="host name"):
        await rooms.passkeys.registration(await rooms.person())


async def test_passkeys_work_at_localhost(sqlite_database: Database, clock: FakeClock) -> None:
    rooms = Rooms(sqlite_database, clock, public_url="http://localhost:8484")
    ada = await rooms.person()
    laptop = Authenticator("http://localhost:8484")
    await enroll(rooms, ada, laptop)

    assert await sign_in(rooms, laptop) == ada
