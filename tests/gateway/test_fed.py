"""What an organization's security people are sent of calls: that they were, and nothing of what they held (ORG-14)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from tests.audit.siem import Siem
from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Seen, Service
from valetkey.audit.feed.feeds import Feeds
from valetkey.audit.model import Everyone
from valetkey.net.url import parse_url
from valetkey.store.leases import Leases

CANARY = "CANARY-of-a-call"


@pytest.fixture
def front() -> Front:
    return "fast"


async def test_ORG_14_no_argument_result_or_token_is_in_what_is_sent_to_a_siem(hub: Hub, modern: Service) -> None:
    """A call that works, one that asks first, one that is refused and one that fails, each with something to hide."""
    siem = Siem()
    feeds = Feeds(
        hub.database, Leases(hub.database, clock=hub.clock), web=siem, calls=siem.collector, streams=siem,
        keys=siem, parse_url=parse_url, clock=hub.clock, trail=hub.trail,
    )  # fmt: skip
    await feeds.add(hub.organization_id, "https://siem.example/hook", by="operator")
    await feeds.add(hub.organization_id, "syslog://siem.example", by="operator")
    await feeds.add(hub.organization_id, "otlp+https://siem.example", by="operator")
    ada = await hub.person("ada")
    await hub.connect(ada, modern, f"token-{CANARY}", on=("echo",))

    async def says_it(_seen: Seen, _params: Any) -> bytes:
        return b'{"content":[{"type":"text","text":"%b"}],"isError":true}' % CANARY.encode()

    client = await hub.client(ada, modern)
    await client.call("echo", {"text": CANARY})
    await client.call("delete_all", {"text": CANARY})
    await client.call(f"no_{CANARY}"[:40], {"text": CANARY})
    modern.on_call = says_it
    await client.call("echo", {"text": CANARY})
    await hub.records(ada)

    await feeds.deliver()

    assert (bool(siem.events), bool(siem.streamed), bool(siem.collector.records)) == (True, True, True)
    assert siem.collector.names == [event["event"] for event in siem.events][2:]  # it was added third
    assert CANARY not in repr(siem.posted) + repr(siem.streamed) + repr(siem.collector.asked)
    assert CANARY not in repr([asdict(one) for one in await hub.trail.list(Everyone(), limit=1000)])
