"""Control of a domain: by a file or by a TXT record, and again every year (DIR-03)."""

from __future__ import annotations

import pytest

from tests.net.servers import response
from tests.submissions.conftest import HOST, PLAIN, World
from valetkey.kernel.errors import BadInput, Conflict
from valetkey.net.dialer import system_resolvers
from valetkey.net.model import Unreachable

RECORD = f"_valetkey-challenge.{HOST}"


async def test_a_txt_record_proves_a_domain_as_well_as_a_file(world: World) -> None:
    """DIR-03: what is asked is the record below the endpoint's own host, at the operator's own resolver."""
    one = await world.room.drafts.begin(world.ada, "marginalia", world.fields(), by="person:ada")
    with pytest.raises(Conflict, match=r"cannot be read.*is not there"):
        await world.room.drafts.prove(world.ada, one.id, by="person:ada")
    world.names.records[RECORD] = ["v=spf1 -all", "something else"]
    with pytest.raises(Conflict, match=rf"TXT record {RECORD} says something else"):
        await world.room.drafts.prove(world.ada, one.id, by="person:ada")
    world.names.records[RECORD].append(one.proof)
    proved = await world.room.drafts.prove(world.ada, one.id, by="person:ada")

    assert proved.proved_at == world.clock.now()
    assert set(world.names.asked) == {RECORD}


async def test_a_resolver_that_says_rubbish_proves_nothing(world: World) -> None:
    one = await world.room.drafts.begin(world.ada, "marginalia", world.fields(), by="person:ada")
    world.server.pages["/.well-known/valetkey-challenge"] = response(b"no", headers=PLAIN)
    world.names.garbage = b"\xff" * 40

    with pytest.raises(Conflict, match="could not be looked up"):
        await world.room.drafts.prove(world.ada, one.id, by="person:ada")
    with pytest.raises(Unreachable):
        await world.out.txt.look_up(RECORD)
    with pytest.raises(BadInput, match="no name"):
        await world.out.txt.look_up("a" * 70 + ".example")


def test_the_resolvers_of_this_system_are_addresses_at_the_usual_port() -> None:
    assert system_resolvers()
    assert {port for _, port in system_resolvers()} == {53}
