"""From where an assistant asked is in what is written of it, as with every other door (ORG-12)."""

from __future__ import annotations

import ipaddress

import pytest

from tests.gateway.conftest import Hub
from tests.gateway.service import Service
from valetkey.audit.feed.messages import as_object
from valetkey.audit.model import Everyone
from valetkey.gateway.caller import address_of
from valetkey.policy.approval_model import State

OURS = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128")]


@pytest.mark.parametrize(("peer", "forwarded", "address"), [
    ("192.0.2.1", "", "192.0.2.1"),
    ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # said by a stranger
    ("10.1.1.1", "203.0.113.9", "203.0.113.9"),
    ("10.1.1.1", "198.51.100.6, 203.0.113.9", "203.0.113.9"),  # the first was written by whoever asked
    ("10.1.1.1", "203.0.113.9, 10.2.2.2", "203.0.113.9"),
    ("::1", "2001:db8::7", "2001:db8::7"),
    ("10.1.1.1", "", "10.1.1.1"),
    ("10.1.1.1", "10.3.3.3", "10.3.3.3"),
    ("10.1.1.1", "unknown, 10.2.2.2", "unknown"),
    ("", "203.0.113.9", ""),
])  # fmt: skip
def test_a_proxy_of_ours_says_where_it_came_from_and_nobody_else_does(peer: str, forwarded: str, address: str) -> None:
    assert address_of(peer, forwarded, OURS) == address


async def test_what_an_assistant_does_too_often_says_from_where_it_asked(hub: Hub, modern: Service) -> None:
    """By either front, behind a proxy of ours, and without what is secret in what an assistant calls itself."""

    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token", on=("delete_all",))
    said = [("User-Agent", "Claude/1 Bearer ghp_" + "c" * 36), ("X-Forwarded-For", "203.0.113.9")]
    client = await hub.client(ada, modern, extra=said)

    for number in range(21):
        await client.call("delete_all", {"number": number})
        for one in await hub.policy.approvals.list(ada.id):
            if one.state is State.PENDING:
                await hub.policy.approvals.deny(one, session_id="s_1")

    [told] = [as_object(one) for one in await hub.trail.list(Everyone(), limit=100) if one.event == "approval.too_many"]
    assert (told["ip"], told["user_agent"]) == ("203.0.113.9", "Claude/1 Bearer [redacted]")
    assert told["token"].startswith("token_")
