"""A desk with its publisher, its reviewers and the outside: a real vault, a real linter, a server over TLS."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
import trustme

from tests.conftest import FakeClock
from tests.net.conftest import authority as authority  # fixtures, re-exported
from tests.net.conftest import ca_file as ca_file
from tests.net.conftest import names, server_context
from tests.net.servers import Upstream, response
from tests.review.servers import TOKEN, Connector
from tests.submissions.drawn import png
from tests.vault.conftest import House
from tests.vault.conftest import root as root
from valetkey.audit.trail import Trail
from valetkey.directory.connectors import Connectors
from valetkey.directory.listings import Listings
from valetkey.identity.model import Person, Role
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.kernel.secret import Secret
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.outbound import Outbound, open_outbound
from valetkey.net.url import parse_url
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.submissions.model import Submission
from valetkey.submissions.room import Submissions, open_submissions
from valetkey.submissions.under_way import ReviewsUnderWay
from valetkey.vault.broker import Vault
from valetkey.vault.release import AlsoForReviews, NothingLeaves

HOST = "mcp.marginalia.example"
PLAIN = b"content-type: text/plain\r\n"
DATA = {
    "api": "own", "collected": "notes", "purpose": "to show them", "recipients": "nobody", "retention": "until deleted",
    "regions": "world", "contact": "privacy@marginalia.example", "health_data": "no", "ads": "no",
}  # fmt: skip
POLICY = (
    "Marginalia keeps the notes you write. We collect what you write and your e-mail address, and use it to show your "
    "notes to you. Notes are stored in Europe. We share nothing with third parties but our processors. We keep notes "
    "until you delete them; retention of logs is thirty days. Contact us by e-mail. " * 5
)


class Frozen:
    """What was frozen for everybody; `tests/connections/test_kill.py` plays what that does."""

    def __init__(self) -> None:
        self.listings: dict[str, str] = {}

    async def of_listing(self, listing: str, *, reason: str, by: str) -> None:
        self.listings[listing] = reason

    async def put_listing_back(self, listing: str, *, by: str) -> None:
        del self.listings[listing]


class NameServer:
    """A resolver that speaks over TCP: TXT records as `records` has them, and nothing else."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.garbage = b""

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        query = dns.message.from_wire(await reader.readexactly(size))
        name = query.question[0].name
        self.asked.append(name.to_text(omit_final_dot=True))
        answer = dns.message.make_response(query)
        values = self.records.get(self.asked[-1], [])
        if values:
            quoted = [f'"{value}"' for value in values]
            answer.answer.append(dns.rrset.from_text(name, 60, dns.rdataclass.IN, dns.rdatatype.TXT, *quoted))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        said = self.garbage or answer.to_wire()
        writer.write(len(said).to_bytes(2, "big") + said)
        writer.close()


@dataclass
class World:
    """Ada of *Ours* submits, Rea of *Theirs* reviews; `server` is the connector."""

    room: Submissions
    connectors: Connectors
    vault: Vault
    clock: FakeClock
    server: Connector
    upstream: Upstream
    ada: Person
    rea: Person
    url: str
    trail: Trail
    frozen: Frozen
    names: NameServer
    out: Outbound

    def fields(self, **others: object) -> dict[str, object]:
        pages = f"https://{HOST}:{self.upstream.port}"
        return {
            "name": "Marginalia", "publisher": "Marginalia Ltd", "about": "Notes in the margin.",
            "description": "Reads the notes of one's own notebooks.", "url": self.url, "categories": ["documents"],
            "docs": f"{pages}/docs", "privacy_policy": f"{pages}/privacy", "support": f"{pages}/support",
            "security_contact": "mailto:security@marginalia.example",
            "example_prompts": ["What did I note?", "And before?", "And on wolves?"],
            "test_instructions": "It has one notebook.", "data": DATA,
        } | others  # fmt: skip

    def show_proof(self, one: Submission) -> None:
        self.server.pages["/.well-known/valetkey-challenge"] = response(one.proof.encode(), headers=PLAIN)

    async def with_icon(self, one: Submission) -> Submission:
        return await self.room.pictures.hand_in(self.ada, one.id, "icon", png(), revision=one.revision, by="person:ada")

    async def agree(self, one: Submission) -> None:
        terms = self.room.drafts.terms
        hashes = {text: terms.hash_of(text) for text in terms.texts}
        await self.room.drafts.agree(self.ada, one.id, hashes, by="person:ada")

    async def review(self, one: Submission) -> str:
        """Reviews it to its end; the version that was seen then."""
        run = await self.room.reviews.of_submission(one, person_id="")
        await self.room.reviews.settled(run.id)
        return (await self.room.drafts.get(self.ada, one.id)).version

    async def ready(self, slug: str = "marginalia", **others: object) -> tuple[Submission, str]:
        """A submission with every step done, and the version to say when it is submitted."""
        drafts = self.room.drafts
        one = await self.with_icon(await drafts.begin(self.ada, slug, self.fields(**others), by="person:ada"))
        self.show_proof(one)
        await drafts.prove(self.ada, one.id, by="person:ada")
        one = await drafts.set_account(self.ada, one.id, Secret(TOKEN), by="person:ada")
        await self.agree(one)
        return one, await self.review(one)

    async def submitted(self) -> Submission:
        one, seen = await self.ready()
        return await self.room.drafts.submit(self.ada, one.id, seen=seen, by="person:ada")


@pytest.fixture
async def world(
    sqlite_database: Database, keyring_database: Database, root: object, clock: FakeClock, authority: trustme.CA,
    ca_file: Path,
) -> AsyncIterator[World]:  # fmt: skip
    database = sqlite_database
    house = House(database, keyring_database, root, clock)  # type: ignore[arg-type]  # the fixture's own type
    trail, notifications = Trail(database, clock), Notifications(database)
    organizations = Organizations(database, clock=clock)
    people = People(database, clock=clock, notifications=notifications, trail=trail)
    found = []
    for login, name in (("ada", "Ours"), ("rea", "Theirs")):
        of = await organizations.create(name, "organization")
        found.append(
            await people.create(login=login, display_name=login.title(), organization_id=of.id, role=Role.OWNER)
        )
    vault = house.vault()
    vault.release_by(AlsoForReviews(ReviewsUnderWay(database, clock=clock), NothingLeaves()))
    server = Connector(
        pages={
            "/privacy": response(POLICY.encode(), headers=PLAIN),
            "/docs": response(b"Marginalia: list_notes lists notes. Troubleshooting: sign in again.", headers=PLAIN),
            "/support": response(b"Write to us.", headers=PLAIN),
        }
    )
    upstream = Upstream(server, tls=server_context(authority, HOST))
    await upstream.start()
    server.origin = f"https://{HOST}:{upstream.port}"
    policy = AddressPolicy((ipaddress.ip_network("127.0.0.1/32"),))
    name_server = NameServer()
    asked_at = ("127.0.0.1", await name_server.start())
    resolve = names(mcp_marginalia_example=["127.0.0.1"], elsewhere_example=["127.0.0.1"])
    out = open_outbound(policy, clock, ca_file, resolve=resolve, resolvers=lambda: [asked_at])
    listings, frozen = Listings(()), Frozen()
    room = open_submissions(
        database, notifications, organizations, vault=vault, freezes=frozen, out=out, listings=listings,
        parse=parse_url, trail=trail, clock=clock,
    )  # fmt: skip
    connectors = Connectors(database, notifications, clock=clock, parse_url=parse_url, listings=listings)
    yield World(
        room, connectors, vault, clock, server, upstream, found[0], found[1], f"{server.origin}/mcp", trail, frozen,
        name_server, out,
    )  # fmt: skip
    await room.stop()
    await out.close()
    await upstream.stop()
    await name_server.stop()
