"""One catalogue for pages, API and command line: what a person can connect, found by words and by category (DIR-01).

A listing and the connector that was made from it are one entry, and so are two sources of one URL (CON-40). Which
listings there are besides the organization's connectors, only those see who may add connectors: the others see what
was switched on for them, and no search, link or identifier reaches more (S-30).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from valetkey.directory.connectors import Adder, Connectors, Member
from valetkey.directory.endpoint import endpoint_key
from valetkey.directory.listings import Listing
from valetkey.directory.model import AuthKind, Connector, ReviewState
from valetkey.kernel.errors import NotFound


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the catalogue: a connector of the organization, a listing that is none yet, or both."""

    connector: Connector | None
    listing: Listing | None
    rank: int = 0
    """Among the listings: 1 for those that most organizations have, and so on. What is there already comes before."""

    @property
    def place(self) -> tuple[int, str, str]:
        """What the catalogue is ordered by, on every surface the same (DIR-01)."""
        return self.rank, self.name.lower(), self.slug

    @property
    def slug(self) -> str:
        return self.connector.slug if self.connector else self.of_listing.slug

    @property
    def name(self) -> str:
        return self.connector.name if self.connector else self.of_listing.name

    @property
    def url(self) -> str:
        """The endpoint; of a listing for many customers that is not used yet, its pattern."""
        return self.connector.url if self.connector else self.of_listing.url or self.of_listing.url_pattern

    @property
    def host(self) -> str:
        return self.connector.origin.partition("://")[2] if self.connector else self.of_listing.host

    @property
    def review_state(self) -> ReviewState:
        return self.connector.review_state if self.connector else self.of_listing.review_state

    @property
    def auth_kind(self) -> AuthKind:
        return self.connector.auth_kind if self.connector else self.of_listing.auth.kind

    @property
    def state(self) -> str:
        """A connector has the state it has in the organization; what is none yet is `listed`."""
        return self.connector.state if self.connector else "listed"

    @property
    def of_listing(self) -> Listing:
        """The listing of an entry that has no connector yet."""
        assert self.listing is not None  # an entry is at least one of the two
        return self.listing

    def fits(self, query: str, category: str) -> bool:
        if category and (self.listing is None or category not in self.listing.categories):
            return False
        own = f"{self.name} {self.host} {self.slug}".casefold()
        listed = self.listing is not None and self.listing.has_words(query)
        return listed or all(word in own for word in query.casefold().split())


class Groups(Protocol):
    """The groups of the organization that somebody is in."""

    async def of(self, person_id: str) -> frozenset[str]: ...


class Catalog:
    """Joins the organization's connectors with the listings."""

    def __init__(self, connectors: Connectors, groups: Groups) -> None:
        self._connectors = connectors
        self._groups = groups
        self._listings = connectors.listings

    async def list(self, person: Adder, *, whole: bool, query: str = "", category: str = "") -> Sequence[Entry]:
        """What fits: the organization's own first, by name; then, for who may add (`whole`), the other listings, those

        that most organizations of this hub have first (DIR-01), and by name where few do.
        """
        there = await self._connectors.list_for(person)
        if not whole:
            groups = await self._groups.of(person.id)
            there = [one for one in there if one.state == "enabled" and one.audience.has(groups)]
        entries = [Entry(one, self._connectors.listing_of(one)) for one in there]
        taken = {one.listing for one in there} | {one.slug for one in self._twins(there)}
        if whole:
            used = await self._connectors.used()
            ranks = {count: rank for rank, count in enumerate(sorted({0, *used.values()}, reverse=True), 1)}
            others = [one for one in self._listings if one.slug not in taken]
            entries += [Entry(None, one, ranks[used.get(one.slug, 0)]) for one in others]
        return sorted((one for one in entries if one.fits(query, category)), key=lambda one: one.place)

    async def get(self, slug: str, person: Adder, *, whole: bool) -> Entry:
        """Raises `NotFound`, in the same words for what does not exist and for what was not switched on for them."""
        try:
            found = await self._connectors.get(slug, person)
        except NotFound:
            listing = self._listings.find(slug)
            if listing is None or not whole:
                raise
            return Entry(None, listing)
        is_theirs = found.state == "enabled" and found.audience.has(await self._groups.of(person.id))
        if not is_theirs and not whole:
            raise NotFound("There is no such connector.", hint="`valetkey connector list` shows those there are.")
        return Entry(found, self._connectors.listing_of(found))

    async def open(self, slug: str, person: Adder, *, whole: bool, url: str = "") -> Connector:
        """The connector to connect, made from its listing if there is none yet. Raises as `get` and `add_listed`."""
        entry = await self.get(slug, person, whole=whole)
        return entry.connector or await self._connectors.add_listed(person, slug, url=url)

    def connector_of(self, entry: Entry, person: Member) -> Connector:
        """The entry's connector, or what it would be, for people to look at before there is one."""
        return entry.connector or self._connectors.preview(entry.of_listing, person)

    def categories(self) -> Sequence[str]:
        """Those that any listing has, by name."""
        return sorted({category for one in self._listings for category in one.categories})

    def _twins(self, there: Iterable[Connector]) -> Sequence[Listing]:
        """Listings that somebody added by URL before: the one that is there wins."""
        keys = {(endpoint_key(one.origin, one.url), one.auth_kind) for one in there}
        return [
            one
            for one in self._listings
            if one.url and (endpoint_key(f"https://{one.host}", one.url), one.auth.kind) in keys
        ]
