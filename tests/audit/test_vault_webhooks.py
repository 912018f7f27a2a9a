"""VLT-06: what becomes of credentials is sent on: connected, disconnected, removed, not renewable any more."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass

from tests.audit.siem import Siem
from tests.conftest import FakeClock
from valetkey.audit.feed.feeds import Feeds
from valetkey.audit.trail import Trail
from valetkey.identity.organizations import Organizations
from valetkey.net.url import parse_url
from valetkey.store.database import Database
from valetkey.store.leases import Leases

LIFE = {
    "connection.connected": "user_connected",
    "connection.reconnect_needed": "user_disconnected",
    "connection.disconnected": "user_disconnected",
    "connection.removed": "user_disconnected",
}
"""Created, refresh_failed, archived, deleted: as events of ours, and as an organization's security people know them."""


@dataclass
class Receiver:
    """What whoever gets the webhooks does with one, by Standard Webhooks: the mark, the age, and whether it is new."""

    key: bytes
    seen: set[str]
    now: float

    def takes(self, body: bytes, headers: dict[str, str]) -> bool:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mark = base64.b64encode(hmac.digest(self.key, signed, "sha256")).decode()
        is_ours = hmac.compare_digest(headers["webhook-signature"], f"v1,{mark}")
        is_new = headers["webhook-id"] not in self.seen and abs(int(headers["webhook-timestamp"]) - self.now) < 300
        self.seen.add(headers["webhook-id"])
        return is_ours and is_new


async def test_the_life_of_a_credential_is_sent_signed_again_until_it_is_taken_and_with_no_secret(
    sqlite_database: Database, clock: FakeClock
) -> None:
    siem, trail = Siem(), Trail(sqlite_database, clock)
    ours = (await Organizations(sqlite_database, clock=clock).create("Ours", "organization")).id
    feeds = Feeds(
        sqlite_database, Leases(sqlite_database, clock=clock), web=siem, calls=siem.collector, streams=siem, keys=siem,
        parse_url=parse_url, clock=clock, trail=trail, window=50,
    )  # fmt: skip
    _, told = await feeds.add(ours, "https://siem.example/hook", by="operator")
    for event in LIFE:
        await trail.write(event, actor="system", organization_id=ours, person_id="person_1", object="cn_1")

    siem.status = 500
    await feeds.deliver()
    siem.status, siem.posted = 204, []
    clock.advance(900)
    await feeds.deliver()

    key = base64.b64decode(told.reveal().decode().removeprefix("whsec_"))
    receiver = Receiver(key, set(), clock.now().timestamp())
    sent = [event for event in siem.events if event["event"] in LIFE]
    assert {event["event"]: event["kind"] for event in sent} == LIFE
    for _, body, headers in siem.posted:
        assert set(json.loads(body.splitlines()[0])) >= {"event", "kind", "at"}
        assert not Receiver(key, set(), receiver.now).takes(body.replace(b"cn_1", b"cn_2") + b" ", headers)  # tampered
        assert not Receiver(b"another", set(), receiver.now).takes(body, headers)
        assert not Receiver(key, set(), receiver.now + 3600).takes(body, headers)  # kept back
        assert receiver.takes(body, headers)
        assert not receiver.takes(body, headers)  # played again
        # By which token it was asked is told by its id; nobody asked here, and nothing else speaks of tokens.
        assert b"token" not in body.replace(b'"token":""', b"")
