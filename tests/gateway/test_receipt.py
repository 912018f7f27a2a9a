"""What a person can see of one call, against what was on the wire; and what leaves for others, which has none of it."""

from __future__ import annotations

import json

import pytest

from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Service
from valetkey.audit.feed.messages import lines
from valetkey.audit.feed.otlp import request as otlp
from valetkey.audit.feed.syslog import messages as syslog
from valetkey.audit.model import Everyone, OfOrganization
from valetkey.audit.repository import CallRecords
from valetkey.audit.trail import Trail

SENT, CAME = "CANARY-argument-4711", "CANARY-result-4712"


@pytest.fixture
def front() -> Front:
    """The record is made behind either of them."""
    return "fast"


async def test_a_record_says_what_left_where_to_and_when_as_the_wire_saw_it(hub: Hub, modern: Service) -> None:
    """DATA-11, DATA-01; S-09 (d): the arguments are in the record, and the token is not."""
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")
    client = await hub.client(ada, modern)
    began = hub.clock.now()

    await client.call("echo", {"text": SENT})

    [record], [seen] = await hub.records(ada), modern.calls
    request = await hub.payload(record, "request")
    assert json.loads(request)["arguments"] == json.loads(seen.body)["params"]["arguments"] == {"text": SENT}
    assert record.origin == f"http://127.0.0.1:{modern.port}"
    assert seen.token == "adas-token"
    assert b"adas-token" not in request + await hub.payload(record, "response") + repr(record).encode()
    assert record.started_at == began
    assert (record.request_bytes, record.client, record.tool) == (len(request), "test", "echo")


async def test_nothing_that_was_sent_or_came_back_is_in_a_feed_or_in_an_organizations_listing(
    hub: Hub, modern: Service
) -> None:
    """ORG-14: what leaves by default has no arguments and no results, and nothing adds them."""
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")

    async def on_call(_seen: object, _params: object) -> bytes:
        return b'{"content":[{"type":"text","text":"%b"}]}' % CAME.encode()

    modern.on_call = on_call
    got = await (await hub.client(ada, modern)).call("echo", {"text": SENT})
    assert got.text == CAME
    await hub.call_log.flush()

    events = await Trail(hub.database, hub.clock).list(Everyone(), limit=1000)
    listed = await CallRecords(hub.database).list(OfOrganization(ada.organization_id), limit=1000)

    assert len(events) > 1
    assert len(listed) == 1
    told = lines(events) + syslog(events) + otlp(events) + repr(listed).encode()
    assert [one for one in (SENT, CAME) if one.encode() in told] == []
