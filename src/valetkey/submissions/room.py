"""The room put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from valetkey.audit.tally_repository import Tallies
from valetkey.audit.trail import Trail
from valetkey.directory.listings import Listings
from valetkey.identity.organizations import Organizations
from valetkey.kernel.clock import Clock
from valetkey.net.limits import KIB, Limits
from valetkey.net.model import Unreachable, Url
from valetkey.net.outbound import Outbound
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.store.notify import Notifications
from valetkey.submissions.contacts import Contacts, SendsMail
from valetkey.submissions.desk import Desk, Freezes
from valetkey.submissions.drafts import Drafts, SealsAccounts
from valetkey.submissions.ground import Ground, ShredsSecrets, Whole
from valetkey.submissions.health import Health, Healths
from valetkey.submissions.looks import Looks
from valetkey.submissions.pictures import Pictures
from valetkey.submissions.proofs import Proofs
from valetkey.submissions.published import Published
from valetkey.submissions.reviews import GivesTickets, Reviews
from valetkey.submissions.terms import IN_FORCE, Terms
from valetkey.submissions.upkeep import KnowsAccounts, Scope, Upkeep

_PROOF = Limits(connect=5.0, first_byte=10.0, idle=5.0, total=15.0, max_body=1 * KIB)


class Vault(SealsAccounts, ShredsSecrets, GivesTickets, KnowsAccounts, Protocol):
    """What this room needs of the vault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submissions:
    """The verbs, for the doors."""

    drafts: Drafts
    pictures: Pictures
    contacts: Contacts
    desk: Desk
    reviews: Reviews
    published: Published
    healths: Healths
    upkeep: Upkeep

    async def start(self) -> None:
        await self.published.read()
        await self.upkeep.start()

    async def health_of(self, whole: Whole) -> Health:
        """How what is listed of a submission does."""
        one = whole.submission
        return await self.healths.of(one.slug, is_live=one.is_listed and not whole.look.why_held)

    async def stop(self) -> None:
        await self.upkeep.stop()
        await self.reviews.stop()
        await self.published.stop()


def open_submissions(
    database: Database,
    notifications: Notifications,
    organizations: Organizations,
    *,
    vault: Vault,
    freezes: Freezes,
    out: Outbound,
    listings: Listings,
    parse: Callable[[str], Url],
    trail: Trail,
    clock: Clock,
    rescan: Scope = "off",
    terms: Terms = IN_FORCE,
    send: SendsMail | None = None,
) -> Submissions:
    published = Published(database, notifications, listings, clock)
    ground = Ground(
        database, vault=vault, published=published, listings=listings, parse_url=parse, trail=trail, clock=clock,
        terms=terms, sends_mail=send is not None,
    )  # fmt: skip

    async def fetch_proof(address: str) -> str:
        fetched = await out.web.get(parse(address), limits=_PROOF)
        if fetched.status != 200:
            raise Unreachable(f"it answers HTTP {fetched.status}.")
        return fetched.body.decode("ascii", "replace")

    async def look_up(name: str) -> Sequence[str]:
        return await out.txt.look_up(name)

    proofs = Proofs(fetch=fetch_proof, look_up=look_up)
    healths = Healths(Tallies(database), clock=clock)
    looks = Looks(out=out, listings=listings, healths=healths, parse=parse, clock=clock)
    drafts = Drafts(ground, organizations, vault, proofs)
    return Submissions(
        drafts=drafts,
        pictures=Pictures(ground, drafts),
        contacts=Contacts(ground, drafts, send),
        desk=Desk(ground, freezes),
        reviews=Reviews(
            database, out=out, vault=vault, listings=listings, parse=parse, healths=healths, clock=clock
        ),
        published=published,
        healths=healths,
        upkeep=Upkeep(
            ground, published, looks=looks, proofs=proofs, vault=vault, leases=Leases(database, clock=clock),
            scope=rescan,
        ),
    )  # fmt: skip
