"""Bearer tokens: who presents one, and personal ones."""

from __future__ import annotations

import pytest

from tests.identity.rooms import Rooms
from valetkey.identity.model import Role
from valetkey.kernel.errors import BadInput, NotFound, NotSignedIn, TooMany

DAY = 86400.0


async def test_a_personal_token_says_who_and_for_what(rooms: Rooms) -> None:
    ada = await rooms.person()
    token, info = await rooms.tokens.create_personal(ada, "laptop", "/c/github/mcp", (), DAY)

    principal = await rooms.tokens.authenticate(token.reveal(), audience="/c/github/mcp")

    assert (principal.kind, principal.person_id, principal.organization_id) == ("personal", ada.id, ada.organization_id)
    assert (principal.audience, principal.scopes, principal.credential_id) == (
        "/c/github/mcp",
        frozenset({"mcp"}),
        info.id,
    )
    assert principal.client_name == "laptop"
    assert rooms.tokens.authenticate_now(token.reveal(), "/c/github/mcp") == principal


@pytest.mark.parametrize(
    "elsewhere", ["/mcp", "/c/github/work/mcp", "/c/githu/mcp", "/c/github/mcp/", "/C/github/mcp", "/api/v1", ""]
)
async def test_a_token_is_refused_at_every_other_resource(quick_rooms: Rooms, elsewhere: str) -> None:
    ada = await quick_rooms.person()
    token, _ = await quick_rooms.tokens.create_personal(ada, "laptop", "/c/github/mcp", (), DAY)
    await quick_rooms.tokens.authenticate(token.reveal(), audience="/c/github/mcp")  # now it is remembered

    assert quick_rooms.tokens.authenticate_now(token.reveal(), elsewhere) is None
    with pytest.raises(NotSignedIn):
        await quick_rooms.tokens.authenticate(token.reveal(), audience=elsewhere)


@pytest.mark.parametrize(
    "presented", [b"", b"vkt_", b"vkt_nonsense", b"Bearer x", b"\xff\xfe", b"vkt_" + b"a" * 5000, b"vkr_x", b"vks_x"]
)
async def test_what_is_no_token_is_refused(quick_rooms: Rooms, presented: bytes) -> None:
    with pytest.raises(NotSignedIn):
        await quick_rooms.tokens.authenticate(presented, audience="/mcp")


async def test_a_token_ends_when_it_says_even_where_it_is_remembered(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    token, _ = await quick_rooms.tokens.create_personal(ada, "laptop", "/mcp", (), 60)
    quick_rooms.clock.advance(55)
    await quick_rooms.tokens.authenticate(token.reveal(), audience="/mcp")

    quick_rooms.clock.advance(5)

    assert quick_rooms.tokens.authenticate_now(token.reveal(), "/mcp") is None
    with pytest.raises(NotSignedIn):
        await quick_rooms.tokens.authenticate(token.reveal(), audience="/mcp")


async def test_a_revoked_token_is_refused_at_once_where_it_was_remembered(rooms: Rooms) -> None:
    ada = await rooms.person()
    token, info = await rooms.tokens.create_personal(ada, "laptop", "/mcp", (), DAY)
    await rooms.tokens.authenticate(token.reveal(), audience="/mcp")

    await rooms.tokens.revoke(ada.id, info.id)

    assert rooms.tokens.authenticate_now(token.reveal(), "/mcp") is None
    with pytest.raises(NotSignedIn):
        await rooms.tokens.authenticate(token.reveal(), audience="/mcp")
    assert await rooms.tokens.list(ada.id) == []


async def test_nobody_revokes_or_sees_anothers_token(rooms: Rooms) -> None:
    ada, bob = await rooms.person(), await rooms.person("bob", Role.ADMIN)
    token, info = await rooms.tokens.create_personal(ada, "laptop", "/mcp", (), DAY)

    with pytest.raises(NotFound):
        await rooms.tokens.revoke(bob.id, info.id)

    assert await rooms.tokens.list(bob.id) == []
    await rooms.tokens.authenticate(token.reveal(), audience="/mcp")


async def test_the_database_holds_no_token(rooms: Rooms) -> None:
    token, _ = await rooms.tokens.create_personal(await rooms.person(), "laptop", "/mcp", (), DAY)

    async with rooms.database.read() as tx:
        rows = (await tx.exec_driver_sql("select * from access_token")).all()

    assert token.reveal().decode() not in repr(rows)
    assert token.digest() in repr(rows)


async def test_when_a_token_was_last_used_is_written_in_one_go_and_later(rooms: Rooms) -> None:
    ada = await rooms.person()
    token, info = await rooms.tokens.create_personal(ada, "laptop", "/mcp", (), DAY)
    await rooms.tokens.authenticate(token.reveal(), audience="/mcp")
    first = rooms.clock.now()
    rooms.clock.advance(5)
    rooms.tokens.authenticate_now(token.reveal(), "/mcp")

    assert [one.last_used_at for one in await rooms.tokens.list(ada.id)] == [first]
    await rooms.tokens.write_used()
    assert [one.last_used_at for one in await rooms.tokens.list(ada.id)] == [rooms.clock.now()]
    assert info.last_used_at is None


@pytest.mark.parametrize("audience", ["", "/", "/mcp/", "/api", "/api/v2", "https://hub.example.com/mcp"])
async def test_a_token_is_for_a_resource_of_this_hub(quick_rooms: Rooms, audience: str) -> None:
    with pytest.raises(BadInput) as refused:
        await quick_rooms.tokens.create_personal(await quick_rooms.person(), "laptop", audience, ("mcp",), DAY)

    assert refused.value.field == "resource"


@pytest.mark.parametrize(
    ("audience", "scopes"),
    [
        ("/mcp", ("mcp", "calls:run")),
        ("/mcp", ("calls:run",)),
        ("/api/v1", ()),
        ("/api/v1", ("Calls",)),
        ("/api/v1", ("a b",)),
        ("/api/v1", ("",)),
        ("/api/v1", tuple(f"scope_{'x' * 20}:{'abcdefghijklmnopqrstuvwxyz'[n]}" for n in range(26))),
    ],
)
async def test_scopes_fit_the_resource(quick_rooms: Rooms, audience: str, scopes: tuple[str, ...]) -> None:
    with pytest.raises(BadInput) as refused:
        await quick_rooms.tokens.create_personal(await quick_rooms.person(), "laptop", audience, scopes, DAY)

    assert refused.value.field == "scopes"


async def test_a_token_for_the_api_carries_its_scopes(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    token, info = await quick_rooms.tokens.create_personal(ada, "script", "/api/v1", {"calls:run", "calls:read"}, DAY)

    principal = await quick_rooms.tokens.authenticate(token.reveal(), audience="/api/v1")

    assert principal.scopes == {"calls:run", "calls:read"}
    assert info.scope == "calls:read calls:run"


@pytest.mark.parametrize("ttl", [0, -1, 59, 90 * DAY + 1, float("inf"), float("nan")])
async def test_a_token_lives_from_one_minute_to_ninety_days(quick_rooms: Rooms, ttl: float) -> None:
    with pytest.raises(BadInput) as refused:
        await quick_rooms.tokens.create_personal(await quick_rooms.person(), "laptop", "/mcp", (), ttl)

    assert refused.value.field == "ttl"


async def test_there_is_an_end_to_how_many_tokens_one_has(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    for number in range(100):
        await quick_rooms.tokens.create_personal(ada, f"token {number}", "/mcp", (), DAY)

    with pytest.raises(TooMany):
        await quick_rooms.tokens.create_personal(ada, "one more", "/mcp", (), DAY)


async def test_expired_tokens_are_swept_out_after_their_owner_could_see_them_for_a_month(rooms: Rooms) -> None:
    ada = await rooms.person()
    await rooms.tokens.create_personal(ada, "laptop", "/mcp", (), DAY)
    rooms.clock.advance(2 * DAY)
    await rooms.sweeper.sweep()
    assert len(await rooms.tokens.list(ada.id)) == 1

    rooms.clock.advance(30 * DAY)
    await rooms.sweeper.sweep()

    assert await rooms.tokens.list(ada.id) == []
