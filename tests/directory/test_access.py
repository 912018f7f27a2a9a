"""Which hosts an organization lets connectors reach, and for whom one is: as plain functions (ORG-10)."""

from __future__ import annotations

import asyncio
import functools

import pytest

from tests.conftest import FakeClock
from valetkey.directory.access.model import ANYWHERE, EVERYBODY, Audience, Reach, Rules
from valetkey.directory.access.saying import Access, read_pattern
from valetkey.kernel.errors import BadInput
from valetkey.net.url import parse_url
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.schema import organization

read = functools.partial(read_pattern, field="allowed", parse_url=parse_url)


@pytest.mark.parametrize(("reach", "host", "permits"), [
    (ANYWHERE, "mcp.example.com", True),
    (Reach(is_limited=True), "mcp.example.com", False),  # an empty list is none; a missing one is all
    (Reach(True, frozenset({"mcp.example.com"})), "mcp.example.com", True),
    (Reach(True, frozenset({"mcp.example.com"})), "mcp.example.com.", True),
    (Reach(True, frozenset({"mcp.example.com"})), "evil-mcp.example.com", False),
    (Reach(True, frozenset({"mcp.example.com"})), "a.mcp.example.com", False),
    (Reach(True, frozenset({"*.example.com"})), "mcp.example.com", True),
    (Reach(True, frozenset({"*.example.com"})), "a.b.example.com", True),
    (Reach(True, frozenset({"*.example.com"})), "example.com", False),
    (Reach(True, frozenset({"*.example.com"})), "badexample.com", False),
    (Reach(True, frozenset({"*.example.com"})), "example.com.evil.net", False),
    (Reach(True, frozenset({"*.example.com"}), frozenset({"b.example.com"})), "b.example.com", False),  # deny wins
    (Reach(True, frozenset({"b.example.com"}), frozenset({"*.example.com"})), "b.example.com", False),
    (Reach(False, frozenset(), frozenset({"*.example.com"})), "b.example.com", False),
    (Reach(False, frozenset(), frozenset({"*.example.com"})), "b.example.net", True),
    (Reach(True, frozenset({"10.0.0.1"})), "10.0.0.1", True),
])  # fmt: skip
def test_ORG_10_a_host_is_permitted_by_whole_labels_and_denying_wins(reach: Reach, host: str, permits: bool) -> None:
    assert reach.permits(host) is permits


@pytest.mark.parametrize(("entered", "kept"), [
    ("MCP.Example.COM", "mcp.example.com"), (" *.Example.com ", "*.example.com"),
    ("bücher.example", "xn--bcher-kva.example"), ("*.bücher.example", "*.xn--bcher-kva.example"),
    ("10.0.0.1", "10.0.0.1"), ("[2001:db8::1]", "2001:db8::1"),
])  # fmt: skip
def test_a_host_is_kept_as_it_is_compared_with(entered: str, kept: str) -> None:
    assert read(entered) == kept


@pytest.mark.parametrize("entered", [
    "", "*", "*.", "**.example.com", "a.*.example.com", "mcp.*", "https://mcp.example.com", "mcp.example.com/mcp",
    "mcp.example.com:8443", "mcp.example.com:443", "user@mcp.example.com", "mcp.example.com?x", "mcp.exa mple.com",
    "mcp.example.com#x", "example.com.", "mcp%2eexample.com", "0x7f.1", "ｍcp.example.com", "a" * 300,
])  # fmt: skip
def test_what_is_no_host_is_refused_and_the_list_named(entered: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(entered)
    assert caught.value.field == "allowed"


def test_a_connector_for_groups_is_for_their_members_and_for_nobody_when_they_are_gone() -> None:
    audience = Audience(is_everybody=False, groups=frozenset({"group_1", "group_2"}))

    assert EVERYBODY.has(frozenset())
    assert audience.has({"group_2"})
    assert not audience.has({"group_3"})
    assert not audience.has(frozenset())
    assert not Audience(is_everybody=False).has({"group_1"})


async def test_of_two_who_say_it_at_once_both_are_heard_and_one_holds(database: Database, clock: FakeClock) -> None:
    """On another replica, or with a second press of the button: neither is a failure of the hub."""
    told: list[str] = []

    class Told:
        async def write(self, event: str, **_others: object) -> None:
            told.append(event)

    access = Access(database, Notifications(database), parse_url=parse_url, clock=clock, trail=Told())
    async with database.write() as tx:
        await tx.execute(
            organization.insert().values(id="org_1", name="O", kind="organization", created_at=clock.now())
        )

    await asyncio.gather(
        *(access.set_rules("org_1", Rules(own_clients=bool(n % 2)), by=f"person:{n}") for n in range(6)),
        *(access.set_hosts("org_1", is_limited=True, allowed=[], denied=[], by=f"person:{n}") for n in range(6)),
    )

    assert sorted(told) == ["hosts.set"] * 6 + ["rules.set"] * 6
    assert (await access.rules("org_1")).set_by
    assert (await access.hosts("org_1")).reach.is_limited
