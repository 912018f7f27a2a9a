"""Events to an OpenTelemetry collector (ORG-14): as its protocol has it, and what it is asked again."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.audit.siem import facts
from tests.audit.test_feeds import Watch, watch
from valetkey.audit.feed.model import Feed
from valetkey.audit.feed.otlp import request
from valetkey.audit.model import Everyone, TrailEvent
from valetkey.kernel.errors import BadInput
from valetkey.kernel.secret import Secret

__all__ = ["watch"]

COLLECTOR = "otlp+https://collector.example"


async def fed(watch: Watch, address: str = COLLECTOR) -> str:
    """An organization with a collector that has what there was so far."""
    ours = (await watch.organizations.create("Ours", "organization")).id
    await watch.feeds.add(ours, address, by="operator")
    await watch.feeds.deliver()
    watch.siem.collector.asked.clear()
    return ours


async def the_feed(watch: Watch, organization_id: str) -> Feed:
    [feed] = await watch.feeds.list(organization_id)
    return feed


def test_a_record_is_as_the_protocol_s_json_has_it_with_who_from_where_and_the_requirement_s_name() -> None:
    """Numbers of 64 bits are text, enumerations are numbers, names are in camel case, and nothing is said empty."""
    at = datetime(2026, 11, 29, 6, 7, 8, 123456, tzinfo=UTC)
    asked = {"ip": "192.0.2.7", "user_agent": "curl/8", "token": "tok_1"}
    detail = {"before": "ask", "setting": "block", "count": 3, "is": True, "tools": ["a", None], "of": {"x": 1}}
    event = TrailEvent(7, at, "ceiling.set", "person:person_1", "org_1", "", "x", detail, asked)

    [resource] = json.loads(request([event]))["resourceLogs"]

    assert resource["resource"] == {"attributes": [{"key": "service.name", "value": {"stringValue": "valetkey"}}]}
    [scope] = resource["scopeLogs"]
    [record] = scope["logRecords"]
    assert record["timeUnixNano"] == record["observedTimeUnixNano"] == "1795932428123456000"
    assert (record["severityNumber"], record["eventName"]) == (9, "valetkey.tool_policy_updated")
    assert facts(record) == {
        "valetkey.event.id": "7", "valetkey.event": "ceiling.set", "valetkey.actor.type": "api_key",
        "valetkey.actor.id": "person_1", "client.address": "192.0.2.7", "user_agent.original": "curl/8",
        "valetkey.token.id": "tok_1", "valetkey.organization.id": "org_1", "valetkey.object": "x",
    }  # fmt: skip
    assert record["body"]["kvlistValue"]["values"] == [
        {"key": "before", "value": {"stringValue": "ask"}},
        {"key": "setting", "value": {"stringValue": "block"}},
        {"key": "count", "value": {"intValue": "3"}},
        {"key": "is", "value": {"boolValue": True}},
        {"key": "tools", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {}]}}},
        {"key": "of", "value": {"kvlistValue": {"values": [{"key": "x", "value": {"intValue": "1"}}]}}},
    ]


async def test_it_is_posted_to_v1_logs_with_the_sealed_header_and_without_one_where_there_is_none(watch: Watch) -> None:
    ours = (await watch.organizations.create("Ours", "organization")).id
    await watch.feeds.add(ours, f"{COLLECTOR}:4318", by="operator")
    secret = Secret("Bearer CANARY-collector")
    feed, told = await watch.feeds.add(
        ours, f"{COLLECTOR}/otlp/logs", by="operator", header="Authorization", value=secret
    )

    await watch.feeds.deliver()

    assert not told
    assert [(url, line) for url, _, _, line in watch.siem.collector.asked] == [
        ("https://collector.example:4318/v1/logs", b""),
        ("https://collector.example/otlp/logs", b"authorization: Bearer CANARY-collector\r\n"),
    ]
    assert {headers[b"content-type"] for _, headers, _, _ in watch.siem.collector.asked} == {b"application/json"}
    assert "CANARY" not in repr(feed) + repr(await watch.trail.list(Everyone(), limit=100))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_what_may_be_asked_again_is_when_the_collector_says_and_nothing_is_lost(
    watch: Watch, status: int
) -> None:
    ours = await fed(watch)
    await watch.happens(ours, number=1)
    watch.siem.collector.status, watch.siem.collector.headers = status, {b"retry-after": b"120"}
    await watch.feeds.deliver()
    watch.siem.collector.status = 200

    watch.clock.advance(119)
    await watch.feeds.deliver()
    assert len(watch.siem.collector.asked) == 1
    watch.clock.advance(1)
    await watch.feeds.deliver()

    assert watch.siem.collector.names == ["policy.set", "policy.set", "feed.failing"]
    assert (await watch.names())[0] == "feed.recovered"


@pytest.mark.parametrize(("said", "seconds"), [
    (b"Sun, 29 Nov 2026 00:00:00 GMT", 0.0), (b"-3", 10.0), (b"soon", 10.0), (b"", 10.0), (b"9" * 40, 3600.0),
])  # fmt: skip
async def test_what_it_asks_for_is_read_with_bounds_and_else_the_wait_grows(
    watch: Watch, said: bytes, seconds: float
) -> None:
    ours = await fed(watch)
    await watch.happens(ours)
    watch.siem.collector.status, watch.siem.collector.headers = 503, {b"retry-after": said}

    await watch.feeds.deliver()

    next_at = (await the_feed(watch, ours)).next_at
    assert next_at is not None
    if said.startswith(b"Sun"):
        assert (next_at - watch.clock.now()).total_seconds() <= 3600
    else:
        assert 0.9 * seconds <= (next_at - watch.clock.now()).total_seconds() <= seconds


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 500])
async def test_what_is_refused_for_good_is_not_sent_again_and_the_gap_is_told_when_it_takes_something(
    watch: Watch, status: int
) -> None:
    """All other 4xx and 5xx must not be retried. The log of events still has them, page by page."""
    ours = await fed(watch)
    had = (await the_feed(watch, ours)).delivered
    await watch.happens(ours, number=1)
    watch.siem.collector.status = status
    for _ in range(5):
        await watch.feeds.deliver()
        watch.clock.advance(900)
    assert watch.siem.collector.names == ["policy.set", "feed.failing"]
    missed = (await the_feed(watch, ours)).delivered

    watch.siem.collector.status = 200
    await watch.happens(ours, number=2)
    await watch.feeds.deliver()
    await watch.feeds.deliver()

    assert watch.siem.collector.names[2:] == ["policy.set", "feed.recovered"]
    [recovered] = [one for one in watch.siem.collector.records if "feed.recovered" in facts(one).values()]
    told = {one["key"]: one["value"] for one in recovered["body"]["kvlistValue"]["values"]}
    assert told["missed_after"] == {"intValue": str(had)}
    assert told["missed_until"] == {"intValue": str(missed)}
    assert (await the_feed(watch, ours)).missed_after is None


async def test_nobody_there_is_asked_again_and_nothing_is_lost(watch: Watch) -> None:
    ours = await fed(watch)
    await watch.happens(ours)
    watch.siem.collector.is_down = True
    await watch.feeds.deliver()
    watch.siem.collector.is_down = False
    watch.clock.advance(10)

    await watch.feeds.deliver()

    assert watch.siem.collector.names == ["policy.set", "feed.failing"]


@pytest.mark.parametrize(("body", "said"), [
    (b'{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}', "2 were left out: too old"),
    (b'{"partialSuccess":{"rejectedLogRecords":3}}', "3 were left out."),
    (b'{"partialSuccess":{"rejectedLogRecords":"0","errorMessage":"use gzip"}}', "use gzip"),
    (b'{"partialSuccess":{}}', ""), (b"{}", ""), (b"", ""), (b"[" * 5000, ""), (b'{"partialSuccess":[1]}', ""),
])  # fmt: skip
async def test_what_was_taken_in_part_is_not_sent_again_and_said_once(watch: Watch, body: bytes, said: str) -> None:
    ours = await fed(watch)
    await watch.happens(ours)
    watch.siem.collector.body = body

    for _ in range(4):
        await watch.feeds.deliver()
        watch.clock.advance(900)

    told = ["feed.partly_taken"] if said else []
    assert watch.siem.collector.names == ["policy.set", *told]
    feed = await the_feed(watch, ours)
    assert (feed.reason, feed.failing_since) == (said, None)


@pytest.mark.parametrize(("address", "header", "value"), [
    ("otlp+http://collector.example", "", ""), ("otlp+https://", "", ""), ("otlp+https://a:b@c.example", "", ""),
    (COLLECTOR, "authorization", ""), (COLLECTOR, "", "Bearer x"), ("https://siem.example/", "authorization", "x"),
])  # fmt: skip
async def test_what_is_no_address_of_a_collector_or_no_whole_header_is_refused(
    watch: Watch, address: str, header: str, value: str
) -> None:
    ours = (await watch.organizations.create("Ours", "organization")).id

    with pytest.raises(BadInput):
        await watch.feeds.add(ours, address, by="operator", header=header, value=Secret(value) if value else None)

    assert await watch.feeds.list(ours) == []
    assert watch.siem.keys == {}
