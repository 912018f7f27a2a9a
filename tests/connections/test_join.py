"""Somebody moves into an organization: nothing moves with them, in silence or otherwise, and they know it before."""

from __future__ import annotations

import pytest

from tests.connections.conftest import Hub
from tests.connections.outside import AuthServer, Service
from tests.connections.test_leave import DAY, House, _connect
from valetkey.audit.model import OfOrganization
from valetkey.audit.repository import CallRecords
from valetkey.identity.invitations import Invitations
from valetkey.identity.model import Role
from valetkey.kernel.errors import BadInput, Conflict, NotFound, NotSignedIn, VaultFailed
from valetkey.privacy.consent import TEXT_HASH
from valetkey.privacy.join import Joining
from valetkey.privacy.room import open_privacy
from valetkey.privacy.yes_keys import YesKeys


@pytest.fixture
def engine() -> str:
    return "sqlite"


async def test_who_joins_takes_nothing_along_and_the_organization_sees_nothing_of_before(
    hub: Hub, service: Service, server: AuthServer
) -> None:
    """Issue 7, 1: connections, tokens, contents and a yes to training end; the account stays; each is told before."""
    house = House(hub)
    privacy = open_privacy(
        hub.main, hub.notifications, house.people, house.organizations, CallRecords(hub.main), house.days,
        clock=hub.clock, trail=hub.trail, yes_keys=YesKeys(hub.vault),
    )  # fmt: skip
    invitations = Invitations(
        hub.main, people=house.people, organizations=house.organizations, clock=hub.clock, trail=hub.trail
    )
    joining = Joining(
        house.people, invitations, hub.room.connections, house.days, privacy.consents, house.holds, hub.trail
    )
    company = (await house.organizations.create("Engines", "organization")).id
    boss = await house.member("boss", company, Role.OWNER)
    own = (await house.organizations.create("Ada", "personal")).id
    ada = await house.member("ada", own, Role.OWNER)
    mine = await _connect(house, ada, service, server)
    await house.days.key(ada.id, own, DAY)
    token, _ = await house.tokens.create_personal(ada, "laptop", "/mcp", (), 3600.0)
    await privacy.policies.accept(actor="operator")
    await privacy.consents.give(ada, text_hash=TEXT_HASH, actor=f"person:{ada.id}")

    other = (await house.organizations.create("Others", "organization")).id
    with pytest.raises(Conflict, match="in an organization"):  # nobody is taken out of another one
        await invitations.invite(other, "boss", Role.MEMBER, by="x")
    with pytest.raises(Conflict, match="has no members"):
        await invitations.invite(own, "boss", Role.MEMBER, by="x")
    with pytest.raises(BadInput, match="as an owner"):
        await invitations.invite(company, "ada", Role.OWNER, by=f"person:{boss.id}")
    invitation = await invitations.invite(company, "ada", Role.ADMIN, by=f"person:{boss.id}")
    ahead = await joining.ahead(ada.id)
    untouched = (await house.people.get(ada.id), await hub.now(mine))
    with pytest.raises(NotFound):
        await joining.join(boss.id, invitation.id, by=f"person:{boss.id}")
    moved = await joining.join(ada.id, invitation.id, by=f"person:{ada.id}")

    assert (ahead.connections, ahead.allows_training) == (1, True)
    assert untouched[0] == ada
    assert untouched[1].state == "connected"
    assert (moved.left.connections, moved.left.days) == (1, 1)
    assert (moved.person.id, moved.person.login, moved.person.organization_id, moved.person.role) == (
        ada.id, "ada", company, Role.ADMIN,
    )  # fmt: skip
    assert {hint for hint, _ in server.revoked} == {"refresh_token", "access_token"}
    with pytest.raises(NotFound):
        await hub.now(mine)
    with pytest.raises(NotSignedIn):
        await house.tokens.authenticate(token.reveal(), audience="/mcp")
    with pytest.raises(VaultFailed):
        await house.days.existing(ada.id, own, DAY)
    assert [one.ended_at is not None for one in await privacy.consents.history(ada.id)] == [True]
    assert await privacy.consents.of(moved.person) is None
    # what the organization has of it: who came, and as what
    seen = await hub.trail.list(OfOrganization(company))
    [joined] = [one for one in seen if one.event == "organization.joined"]
    assert joined.detail == {"role": "admin", "invited_by": f"person:{boss.id}"}
    assert not any(one.event.startswith(("connection.", "training.", "token.")) for one in seen)
    # once, and today's calls have a key of the new place
    with pytest.raises(NotFound):
        await joining.join(ada.id, invitation.id, by=f"person:{ada.id}")
    key = await house.days.key(ada.id, company, DAY)
    assert key.open(key.seal(b"x", about="a"), about="a") == b"x"
    assert await _connect(house, moved.person, service, server)


async def test_an_invitation_is_withdrawn_declined_or_runs_out_and_nothing_has_happened(hub: Hub) -> None:
    house = House(hub)
    invitations = Invitations(
        hub.main, people=house.people, organizations=house.organizations, clock=hub.clock, trail=hub.trail
    )
    company = (await house.organizations.create("Engines", "organization")).id
    own = (await house.organizations.create("Ada", "personal")).id
    ada = await house.member("ada", own, Role.OWNER)

    first = await invitations.invite(company, "ada", Role.MEMBER, by="x")
    second = await invitations.invite(company, "ada", Role.AUDITOR, by="x")
    assert [one.id for one in await invitations.to(ada.id)] == [second.id]
    with pytest.raises(NotFound):
        await invitations.get(ada.id, first.id)
    await invitations.decline(ada.id, second.id, by=f"person:{ada.id}")
    third = await invitations.invite(company, "ada", Role.MEMBER, by="x")
    with pytest.raises(NotFound):
        await invitations.withdraw(own, third.id, by="x")
    await invitations.withdraw(company, third.id, by="x")
    await invitations.invite(company, "ada", Role.MEMBER, by="x")
    hub.clock.advance(15 * 86400.0)

    assert await invitations.to(ada.id) == []
    assert await house.people.get(ada.id) == ada
