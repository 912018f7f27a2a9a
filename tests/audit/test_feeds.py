"""Feeds: an organization's events where its security people look, signed, in order, and nobody else's."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import re

import pytest

from tests.audit.siem import Siem
from tests.conftest import FakeClock
from valetkey.audit.feed.feeds import Feeds
from valetkey.audit.model import Everyone
from valetkey.audit.trail import Trail
from valetkey.identity.organizations import Organizations
from valetkey.kernel.errors import BadInput, NotFound, TooMany
from valetkey.net.url import parse_url
from valetkey.store.database import Database
from valetkey.store.leases import Leases

HOOK = "https://siem.example/hook"


class Watch:
    """Feeds of two organizations on one database."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.clock, self.siem = clock, Siem()
        self.trail = Trail(database, clock)
        self.organizations = Organizations(database, clock=clock)
        self.feeds = self.replica(database)

    def replica(self, database: Database) -> Feeds:
        return Feeds(
            database, Leases(database, clock=self.clock), web=self.siem, calls=self.siem.collector, streams=self.siem,
            keys=self.siem, parse_url=parse_url, clock=self.clock, trail=self.trail, window=4,
        )  # fmt: skip

    async def happens(self, organization_id: str, event: str = "policy.set", **detail: object) -> None:
        await self.trail.write(
            event, actor="person:person_1", organization_id=organization_id, object="x", detail=detail
        )

    async def names(self) -> list[str]:
        return [event.event for event in await self.trail.list(Everyone(), limit=100)]


@pytest.fixture
async def watch(database: Database, clock: FakeClock) -> Watch:
    return Watch(database, clock)


async def test_what_happens_is_there_in_one_round_once_in_order_and_only_ones_own(watch: Watch) -> None:
    ours = (await watch.organizations.create("Ours", "organization")).id
    theirs = (await watch.organizations.create("Theirs", "organization")).id
    await watch.happens(ours, "before.it")
    await watch.feeds.add(ours, HOOK, by="operator")
    for number in range(3):
        await watch.happens(ours, number=number)
        await watch.happens(theirs, secret="theirs")

    await watch.feeds.deliver()
    await watch.feeds.deliver()

    assert [event["event"] for event in watch.siem.events] == ["feed.added", *["policy.set"] * 3]
    assert [event["detail"].get("number") for event in watch.siem.events[1:]] == [0, 1, 2]
    assert {event["organization"] for event in watch.siem.events} == {ours}
    assert watch.siem.events[1]["actor_type"] == "user"
    assert watch.siem.events[0]["actor_type"] == "operator"
    (feed,) = await watch.feeds.list(ours)
    assert feed.delivered_at == watch.clock.now()


async def test_what_happens_is_at_the_place_within_a_minute_of_the_clock(watch: Watch) -> None:
    """ORG-13: told by the round that runs by itself."""
    ours = (await watch.organizations.create("Ours", "organization")).id
    await watch.feeds.add(ours, HOOK, by="operator")
    await watch.feeds.start()
    began = watch.clock.now()

    await watch.happens(ours)
    async with asyncio.timeout(10):
        while not any(event["event"] == "policy.set" for event in watch.siem.events):
            await asyncio.sleep(0.001)

    assert (watch.clock.now() - began).total_seconds() <= 60
    await watch.feeds.stop()


async def test_a_webhook_knows_us_by_the_key_that_was_told_once(watch: Watch) -> None:
    """Standard Webhooks: the mark is over id, time and body, none of which can be changed or moved."""
    ours = (await watch.organizations.create("Ours", "organization")).id
    _, told = await watch.feeds.add(ours, HOOK, by="operator")
    await watch.feeds.deliver()

    (address, body, headers), key = watch.siem.posted[0], told.reveal().decode()
    assert (address, headers["content-type"]) == (HOOK, "application/x-ndjson")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mark = hmac.digest(base64.b64decode(key.removeprefix("whsec_")), signed, "sha256")
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(mark).decode()}"
    assert int(headers["webhook-timestamp"]) == int(watch.clock.now().timestamp())


async def test_syslog_gets_one_message_to_an_event(watch: Watch) -> None:
    ours = (await watch.organizations.create("Ours", "organization")).id
    _, key = await watch.feeds.add(ours, "syslog://siem.example", by="operator")
    await watch.happens(ours, words="one\ntwo")

    await watch.feeds.deliver()

    ((address, data),) = watch.siem.streamed
    assert address == "https://siem.example:6514"
    assert not key
    said = []
    while data:
        length, _, rest = data.partition(b" ")
        said.append(rest[: int(length)].decode())
        data = rest[int(length) :]
    assert len(said) == 2
    assert re.match(r"<109>1 \d{4}-\d\d-\d\dT[\d:.]+Z - valetkey - policy\.set - \{", said[1])
    assert "\n" not in said[1]
    assert json.loads(said[1][said[1].index("{") :])["detail"] == {"words": "one\ntwo"}


async def test_what_is_not_taken_is_kept_and_told_once(watch: Watch) -> None:
    ours = (await watch.organizations.create("Ours", "organization")).id
    await watch.feeds.add(ours, HOOK, by="operator")
    watch.siem.status = 500
    for _ in range(5):
        await watch.feeds.deliver()
        watch.clock.advance(5)
    assert len(watch.siem.posted) == 2  # not asked again at once
    assert (await watch.names()).count("feed.failing") == 1
    (feed,) = await watch.feeds.list(ours)
    assert "500" in feed.reason

    watch.siem.status, watch.siem.posted = 204, []
    watch.clock.advance(900)
    await watch.feeds.deliver()

    assert [event["event"] for event in watch.siem.events] == ["feed.added", "feed.failing"]
    assert (await watch.names())[0] == "feed.recovered"
    (feed,) = await watch.feeds.list(ours)
    assert (feed.failing_since, feed.reason) == (None, "")


async def test_two_replicas_do_not_send_it_twice(watch: Watch, database: Database) -> None:
    ours = (await watch.organizations.create("Ours", "organization")).id
    await watch.feeds.add(ours, HOOK, by="operator")

    await asyncio.gather(*(watch.replica(database).deliver() for _ in range(5)))

    assert len(watch.siem.events) == 1


async def test_what_happens_to_others_in_between_is_passed_over(watch: Watch) -> None:
    """ORG-13, in small: what is between is passed over window by window, and nothing is lost or repeated."""
    ours = (await watch.organizations.create("Ours", "organization")).id
    await watch.feeds.add(ours, HOOK, by="operator")
    for number in range(30):
        await watch.happens(ours if number % 10 == 9 else "org_other", number=number)

    await watch.feeds.deliver()

    assert [event["detail"].get("number") for event in watch.siem.events] == [None, 9, 19, 29]


async def test_a_place_is_one_over_tls_and_a_feed_is_removed_with_its_key(watch: Watch) -> None:
    ours = (await watch.organizations.create("Ours", "organization")).id
    for bad in ("", "siem.example", "ftp://siem.example", "http://siem.example", "https://a:b@siem.example/",
                "syslog://", "file:///etc/passwd", "https://" + "x" * 300):  # fmt: skip
        with pytest.raises(BadInput):
            await watch.feeds.add(ours, bad, by="operator")
    made = [await watch.feeds.add(ours, f"{HOOK}/{number}", by="operator") for number in range(5)]
    with pytest.raises(TooMany):
        await watch.feeds.add(ours, HOOK, by="operator")
    with pytest.raises(NotFound):
        await watch.feeds.remove("org_other", made[0][0].id, by="operator")

    for feed, _ in made:
        await watch.feeds.remove(ours, feed.id, by="operator")
    await watch.feeds.deliver()

    assert watch.siem.keys == {}
    assert watch.siem.posted == []
