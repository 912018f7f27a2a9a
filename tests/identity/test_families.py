"""Token families: codes once, refresh tokens rotated, copies noticed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable

import pytest
from sqlalchemy import select

from tests.identity.rooms import Rooms
from valetkey.identity.model import Client, GrantRefused, Issued, Person, Role
from valetkey.kernel.errors import NotFound, NotSignedIn
from valetkey.kernel.secret import Secret
from valetkey.store.schema import oauth_consent, person

REDIRECT = "http://127.0.0.1:33418/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
DAY = 86400.0


async def a_client(rooms: Rooms, name: str = "Cursor") -> Client:
    metadata = f'{{"redirect_uris":["{REDIRECT}"],"client_name":"{name}","token_endpoint_auth_method":"none"}}'
    return (await rooms.clients.register_dynamic(metadata.encode(), "192.0.2.1"))[0]


async def a_code(rooms: Rooms, person: Person, client: Client, resource: str = "/mcp") -> Secret:
    return await rooms.families.begin(
        person=person,
        client=client,
        resource=resource,
        scope="mcp",
        redirect_uri=REDIRECT,
        redirect_uri_given=True,
        code_challenge=CHALLENGE,
    )


async def redeem(rooms: Rooms, code: Secret, client: Client) -> Issued:
    return await rooms.families.redeem(
        code, client=client, redirect_uri=REDIRECT, code_verifier=VERIFIER, resource=None
    )


async def let_in(rooms: Rooms, person: Person, client: Client, resource: str = "/mcp") -> Issued:
    return await redeem(rooms, await a_code(rooms, person, client, resource), client)


async def works(rooms: Rooms, issued: Issued, audience: str = "/mcp") -> bool:
    try:
        await rooms.tokens.authenticate(issued.access.reveal(), audience=audience)
    except NotSignedIn:
        return False
    return True


async def why_ended(rooms: Rooms) -> list[object]:
    return [event.detail["because"] for event in await rooms.happened("grant.ended")]


async def test_a_code_becomes_tokens_for_its_person_and_resource(rooms: Rooms) -> None:
    ada, client = await rooms.person(), await a_client(rooms)
    issued = await let_in(rooms, ada, client, "/c/github/mcp")

    principal = await rooms.tokens.authenticate(issued.access.reveal(), audience="/c/github/mcp")

    assert (principal.kind, principal.person_id, principal.client_id) == ("mcp", ada.id, client.id)
    assert (principal.client_name, principal.scopes, issued.expires_in) == ("Cursor", frozenset({"mcp"}), 600)
    assert not await works(rooms, issued, "/mcp")
    assert [grant.resource for grant in await rooms.families.list(ada.id)] == ["/c/github/mcp"]


async def test_of_many_who_redeem_a_code_at_once_one_succeeds_and_the_rest_end_the_grant(rooms: Rooms) -> None:
    ada, client = await rooms.person(), await a_client(rooms)
    code = await a_code(rooms, ada, client)

    answers = await asyncio.gather(*(redeem(rooms, code, client) for _ in range(20)), return_exceptions=True)

    issued = [answer for answer in answers if isinstance(answer, Issued)]
    assert len(issued) == 1
    assert sum(isinstance(answer, GrantRefused) for answer in answers) == 19
    assert not await works(rooms, issued[0])
    assert await why_ended(rooms) == ["code_reused"]


async def test_a_second_use_of_a_code_ends_what_the_first_began_even_long_after(rooms: Rooms) -> None:
    ada, client = await rooms.person(), await a_client(rooms)
    code = await a_code(rooms, ada, client)
    issued = await redeem(rooms, code, client)
    assert await works(rooms, issued)
    rooms.clock.advance(DAY)
    await rooms.sweeper.sweep()
    issued = await rooms.families.refresh(issued.refresh, client=client, resource=None)

    with pytest.raises(GrantRefused):
        await redeem(rooms, code, client)

    assert not await works(rooms, issued)
    with pytest.raises(GrantRefused):
        await rooms.families.refresh(issued.refresh, client=client, resource=None)


async def test_many_refreshes_at_once_are_one_use_and_at_most_three_retries(rooms: Rooms) -> None:
    ada, client = await rooms.person(), await a_client(rooms)
    first = await let_in(rooms, ada, client)

    answers = await asyncio.gather(
        *(rooms.families.refresh(first.refresh, client=client, resource=None) for _ in range(4)),
        return_exceptions=True,
    )

    assert [type(answer) for answer in answers] == [Issued] * 4
    assert await why_ended(rooms) == []
    with pytest.raises(GrantRefused):
        await rooms.families.refresh(first.refresh, client=client, resource=None)
    assert await why_ended(rooms) == ["refresh_reused"]


async def test_the_old_refresh_token_is_honored_until_the_new_access_token_is_used(rooms: Rooms) -> None:
    ada, client = await rooms.person(), await a_client(rooms)
    first = await let_in(rooms, ada, client)
    await rooms.families.refresh(first.refresh, client=client, resource=None)
    second = await rooms.families.refresh(first.refresh, client=client, resource=None)

    assert await works(rooms, second)
    with pytest.raises(GrantRefused):
        await rooms.families.refresh(first.refresh, client=client, resource=None)

    assert not await works(rooms, second)
    assert await why_ended(rooms) == ["refresh_reused"]


async def test_an_older_access_token_still_in_use_says_nothing_about_the_new_refresh_token(rooms: Rooms) -> None:
    ada, client = await rooms.person(), await a_client(rooms)
    first = await let_in(rooms, ada, client)
    await rooms.families.refresh(first.refresh, client=client, resource=None)

    assert await works(rooms, first)
    retried = await rooms.families.refresh(first.refresh, client=client, resource=None)

    assert await works(rooms, retried)


async def test_of_two_successors_handed_out_to_retries_only_one_goes_on(rooms: Rooms) -> None:
    """A thief who replays the old token within the grace holds a sibling; the first to use one unmasks the other."""
    ada, client = await rooms.person(), await a_client(rooms)
    first = await let_in(rooms, ada, client)
    owners = await rooms.families.refresh(first.refresh, client=client, resource=None)
    thiefs = await rooms.families.refresh(first.refresh, client=client, resource=None)

    latest = await rooms.families.refresh(owners.refresh, client=client, resource=None)
    with pytest.raises(GrantRefused):
        await rooms.families.refresh(thiefs.refresh, client=client, resource=None)

    assert not await works(rooms, latest)
    assert await why_ended(rooms) == ["refresh_reused"]


async def test_grace_lasts_sixty_seconds(rooms: Rooms) -> None:
    ada, client = await rooms.person(), await a_client(rooms)
    first = await let_in(rooms, ada, client)
    await rooms.families.refresh(first.refresh, client=client, resource=None)
    rooms.clock.advance(60)
    await rooms.families.refresh(first.refresh, client=client, resource=None)
    rooms.clock.advance(1)

    with pytest.raises(GrantRefused):
        await rooms.families.refresh(first.refresh, client=client, resource=None)


async def test_thirty_idle_days_end_a_grant_and_a_hundred_and_eighty_end_any(quick_rooms: Rooms) -> None:
    ada, client = await quick_rooms.person(), await a_client(quick_rooms)
    idle = await let_in(quick_rooms, ada, client)
    busy = await let_in(quick_rooms, ada, client)
    for _ in range(9):
        quick_rooms.clock.advance(20 * DAY - 1)
        busy = await quick_rooms.families.refresh(busy.refresh, client=client, resource=None)
        await quick_rooms.sweeper.sweep()
    with pytest.raises(GrantRefused):
        await quick_rooms.families.refresh(idle.refresh, client=client, resource=None)

    assert busy.expires_in == 9  # what is left of the 180 days
    quick_rooms.clock.advance(10)
    with pytest.raises(GrantRefused):
        await quick_rooms.families.refresh(busy.refresh, client=client, resource=None)
    assert await quick_rooms.families.list(ada.id) == []


async def test_a_disabled_person_gets_no_tokens_for_code_or_refresh_token(rooms: Rooms) -> None:
    await rooms.person("owner")
    bob, client = await rooms.person("bob", Role.MEMBER), await a_client(rooms)
    issued = await let_in(rooms, bob, client)
    code = await a_code(rooms, bob, client)
    await rooms.people.disable(bob.id)

    for attempt in (
        rooms.families.refresh(issued.refresh, client=client, resource=None),
        redeem(rooms, code, client),
    ):
        with pytest.raises(GrantRefused):
            await attempt
    assert not await works(rooms, issued)


async def test_a_person_ends_their_own_grants_only_and_at_once(rooms: Rooms) -> None:
    ada, bob = await rooms.person(), await rooms.person("bob", Role.ADMIN)
    client = await a_client(rooms)
    issued = await let_in(rooms, ada, client)
    assert await works(rooms, issued)
    [grant] = await rooms.families.list(ada.id)

    with pytest.raises(NotFound):
        await rooms.families.end(bob.id, grant.id)
    assert await works(rooms, issued)
    await rooms.families.end(ada.id, grant.id)

    assert rooms.tokens.authenticate_now(issued.access.reveal(), "/mcp") is None
    assert not await works(rooms, issued)
    assert await rooms.families.list(ada.id) == []


async def test_nothing_that_opens_anything_is_in_the_database(rooms: Rooms) -> None:
    ada, client = await rooms.person(), await a_client(rooms)
    code = await a_code(rooms, ada, client)
    issued = await redeem(rooms, code, client)

    rows: list[object] = []
    async with rooms.database.read() as tx:
        for table in ("token_family", "authorization_code", "refresh_token", "access_token", "trail_event"):
            rows += (await tx.exec_driver_sql(f"select * from {table}")).all()

    for secret in (code, issued.access, issued.refresh):
        assert secret.reveal().decode() not in repr(rows)


async def test_codes_nobody_redeemed_are_swept_out(rooms: Rooms) -> None:
    ada, client = await rooms.person(), await a_client(rooms)
    await a_code(rooms, ada, client)
    kept = await let_in(rooms, ada, client)
    rooms.clock.advance(2 * 3600)

    await rooms.sweeper.sweep()

    async with rooms.database.read() as tx:
        assert (await tx.exec_driver_sql("select count(*) from token_family")).scalar_one() == 1
    await rooms.families.refresh(kept.refresh, client=client, resource=None)


# --- what is refused, and in which words ------------------------------------------------------------------------------


async def refused(rooms: Rooms, work: Awaitable[object]) -> tuple[str, str]:
    with pytest.raises(GrantRefused) as no:
        await work
    return no.value.message, no.value.error


async def test_a_code_or_token_that_nobody_gave_out_is_not_known(rooms: Rooms) -> None:
    client = await a_client(rooms)
    unknown = Secret("vkr_unknown")

    redeemed = rooms.families.redeem(
        unknown, client=client, redirect_uri=REDIRECT, code_verifier=VERIFIER, resource=None
    )  # fmt: skip
    assert await refused(rooms, redeemed) == ("The authorization code is not known.", "invalid_grant")
    refreshed = rooms.families.refresh(unknown, client=client, resource=None)
    assert await refused(rooms, refreshed) == ("The refresh token is not known.", "invalid_grant")
    await rooms.families.revoke(unknown, client=client)  # RFC 7009 2.2


async def test_for_another_resource_nothing_is_given_and_that_is_what_is_said(quick_rooms: Rooms) -> None:
    ada, client = await quick_rooms.person(), await a_client(quick_rooms)
    issued = await let_in(quick_rooms, ada, client)
    code = await a_code(quick_rooms, ada, client)

    redeemed = quick_rooms.families.redeem(
        code, client=client, redirect_uri=REDIRECT, code_verifier=VERIFIER, resource="/c/notes/mcp"
    )
    assert (await refused(quick_rooms, redeemed))[1] == "invalid_target"
    refreshed = quick_rooms.families.refresh(issued.refresh, client=client, resource="/c/notes/mcp")
    assert (await refused(quick_rooms, refreshed))[1] == "invalid_target"
    assert await quick_rooms.families.refresh(issued.refresh, client=client, resource="/mcp")
    assert await why_ended(quick_rooms) == ["wrong_resource"]


@pytest.mark.parametrize("verifier", ["v" * 42, "v" * 129, "w" * 43, "v" * 42 + "!"])
async def test_a_verifier_that_does_not_fit_is_refused_as_the_grant_is(quick_rooms: Rooms, verifier: str) -> None:
    client = await a_client(quick_rooms)
    code = await a_code(quick_rooms, await quick_rooms.person(), client)

    redeemed = quick_rooms.families.redeem(
        code, client=client, redirect_uri=REDIRECT, code_verifier=verifier, resource=None
    )
    assert (await refused(quick_rooms, redeemed))[1] == "invalid_grant"
    assert await why_ended(quick_rooms) == ["wrong_verifier"]


@pytest.mark.parametrize(
    ("given", "said", "fits"),
    [(True, REDIRECT, True), (True, None, False), (False, REDIRECT, True), (False, None, True), (False, "x:/", False)],
)
async def test_the_redirect_is_said_again_if_it_was_said_and_is_the_same(
    quick_rooms: Rooms, given: bool, said: str | None, fits: bool
) -> None:
    """RFC 6749 4.1.3."""
    client = await a_client(quick_rooms)
    code = await quick_rooms.families.begin(
        person=await quick_rooms.person(), client=client, resource="/mcp", scope="mcp", redirect_uri=REDIRECT,
        redirect_uri_given=given, code_challenge=CHALLENGE,
    )  # fmt: skip

    redeemed = quick_rooms.families.redeem(
        code, client=client, redirect_uri=said, code_verifier=VERIFIER, resource=None
    )
    if fits:
        assert await redeemed
    else:
        assert "redirect_uri" in (await refused(quick_rooms, redeemed))[0]


async def test_at_the_instant_it_ends_a_code_or_token_is_over(quick_rooms: Rooms) -> None:
    ada, client = await quick_rooms.person(), await a_client(quick_rooms)
    issued, code = await let_in(quick_rooms, ada, client), await a_code(quick_rooms, ada, client)

    quick_rooms.clock.advance(60)
    assert "expired" in (await refused(quick_rooms, redeem(quick_rooms, code, client)))[0]
    quick_rooms.clock.advance(30 * DAY - 60)
    refreshed = quick_rooms.families.refresh(issued.refresh, client=client, resource=None)

    assert "expired" in (await refused(quick_rooms, refreshed))[0]


async def test_who_gives_a_token_back_ends_what_hangs_on_it_and_nobody_elses(quick_rooms: Rooms) -> None:
    """RFC 7009: a refresh token takes the grant along, an access token goes alone."""
    ada, client, other = await quick_rooms.person(), await a_client(quick_rooms), await a_client(quick_rooms, "Zed")
    one, two = await let_in(quick_rooms, ada, client), await let_in(quick_rooms, ada, client)

    for token in (one.access, one.refresh):
        assert "another client" in (await refused(quick_rooms, quick_rooms.families.revoke(token, client=other)))[0]
    await quick_rooms.families.revoke(one.access, client=client)
    assert not await works(quick_rooms, one)
    assert await why_ended(quick_rooms) == []
    again = await quick_rooms.families.refresh(one.refresh, client=client, resource=None)
    for _ in range(2):  # given back twice, ended once
        await quick_rooms.families.revoke(again.refresh, client=client)

    assert await why_ended(quick_rooms) == ["revoked"]
    assert (await works(quick_rooms, again), await works(quick_rooms, two)) == (False, True)
    (event,) = await quick_rooms.happened("grant.ended")
    assert (event.actor, event.person_id) == (f"client:{client.id}", ada.id)
    ended = quick_rooms.families.refresh(again.refresh, client=client, resource=None)
    assert (await refused(quick_rooms, ended))[0] == "The grant has ended."


async def test_who_puts_an_assistant_out_is_asked_about_it_anew(quick_rooms: Rooms) -> None:
    ada, client = await quick_rooms.person(), await a_client(quick_rooms)
    await let_in(quick_rooms, ada, client)
    other = await a_client(quick_rooms, "Zed")
    async with quick_rooms.database.write() as tx:
        for agreed in (client, other):
            await tx.execute(
                oauth_consent.insert().values(
                    person_id=ada.id, client_id=agreed.id, resource="/mcp", scope="mcp", redirect_host="x",
                    document_hash="x", created_at=quick_rooms.clock.now(),
                )
            )  # fmt: skip
    (grant,) = await quick_rooms.families.list(ada.id)

    await quick_rooms.families.end(ada.id, grant.id)

    async with quick_rooms.database.read() as tx:
        assert list(await tx.scalars(select(oauth_consent.c.client_id))) == [other.id]
    assert await quick_rooms.families.list(ada.id) == []


async def test_nobody_whose_account_is_gone_goes_on(quick_rooms: Rooms) -> None:
    ada, client = await quick_rooms.person(), await a_client(quick_rooms)
    issued = await let_in(quick_rooms, ada, client)
    async with quick_rooms.database.write() as tx:
        await tx.execute(person.update().values(state="disabled"))

    refreshed = quick_rooms.families.refresh(issued.refresh, client=client, resource=None)

    assert "expired" in (await refused(quick_rooms, refreshed))[0]
