"""One-time links."""

from __future__ import annotations

import asyncio

import pytest

from tests.identity.rooms import Rooms
from valetkey.identity.model import LinkPurpose, Redeemed, Role
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.kernel.secret import Secret


async def test_of_fifty_who_redeem_a_link_at_once_one_gets_in(rooms: Rooms) -> None:
    ada = await rooms.person()
    token = await rooms.links.issue(ada.id, purpose="first")

    answers = await asyncio.gather(*(rooms.links.redeem(token) for _ in range(50)), return_exceptions=True)

    assert [answer for answer in answers if isinstance(answer, Redeemed)] == [Redeemed(ada, "first")]
    assert sum(isinstance(answer, BadInput) for answer in answers) == 49


async def test_a_link_works_for_fifteen_minutes(rooms: Rooms) -> None:
    ada = await rooms.person()
    token = await rooms.links.issue(ada.id, purpose="first")
    rooms.clock.advance(15 * 60)

    with pytest.raises(BadInput):
        await rooms.links.redeem(token)


async def test_a_new_link_replaces_the_one_before(rooms: Rooms) -> None:
    ada = await rooms.person()
    old = await rooms.links.issue(ada.id, purpose="first")
    new = await rooms.links.issue(ada.id, purpose="first")

    with pytest.raises(BadInput):
        await rooms.links.redeem(old)
    assert (await rooms.links.redeem(new)).person == ada


@pytest.mark.parametrize("purpose", ["first", "invite"])
async def test_a_first_link_dies_when_the_person_sets_a_credential(quick_rooms: Rooms, purpose: LinkPurpose) -> None:
    ada = await quick_rooms.person()
    token = await quick_rooms.links.issue(ada.id, purpose=purpose)
    await quick_rooms.passwords.set(ada.id, Secret("brass-lantern-otter"))

    with pytest.raises(BadInput):
        await quick_rooms.links.redeem(token)
    with pytest.raises(Conflict):
        await quick_rooms.links.issue(ada.id, purpose=purpose)


async def test_a_recovery_works_beside_a_credential_and_is_recorded(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    await quick_rooms.passwords.set(ada.id, Secret("brass-lantern-otter"))
    token = await quick_rooms.links.issue(ada.id, purpose="recovery", by="operator")

    redeemed = await quick_rooms.links.redeem(token)

    assert redeemed == Redeemed(ada, "recovery")
    assert [event.person_id for event in await quick_rooms.happened("signin.recovery")] == [ada.id]
    assert [event.actor for event in await quick_rooms.happened("signin_link.issued")] == ["operator"]


async def test_a_refused_link_is_used_up_all_the_same(quick_rooms: Rooms) -> None:
    await quick_rooms.person("owner")
    bob = await quick_rooms.person("bob", Role.MEMBER)
    token = await quick_rooms.links.issue(bob.id, purpose="invite")
    await quick_rooms.people.disable(bob.id)
    with pytest.raises(BadInput):
        await quick_rooms.links.redeem(token)
    await quick_rooms.people.enable(bob.id)

    with pytest.raises(BadInput):
        await quick_rooms.links.redeem(token)


async def test_every_reason_for_refusing_a_link_reads_the_same(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    expired = await quick_rooms.links.issue(ada.id, purpose="first")
    quick_rooms.clock.advance(3600)

    said = set()
    for token in (expired, Secret("vkl_nonsense"), Secret("")):
        with pytest.raises(BadInput) as refused:
            await quick_rooms.links.redeem(token)
        said.add(str(refused.value))

    assert len(said) == 1


async def test_no_link_for_nobody_and_none_for_the_disabled(quick_rooms: Rooms) -> None:
    await quick_rooms.person("owner")
    bob = await quick_rooms.person("bob", Role.MEMBER)
    await quick_rooms.people.disable(bob.id)

    with pytest.raises(NotFound):
        await quick_rooms.links.issue("person_none", purpose="invite")
    with pytest.raises(Conflict):
        await quick_rooms.links.issue(bob.id, purpose="recovery")


async def test_the_database_holds_no_link_that_could_be_used(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    token = await quick_rooms.links.issue(ada.id, purpose="first")

    async with quick_rooms.database.read() as tx:
        rows = (await tx.exec_driver_sql("select * from signin_link")).all()

    assert token.reveal().decode() not in repr(rows)
    assert token.digest() in repr(rows)
