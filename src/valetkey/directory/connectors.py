"""The connectors there are: from the listings or added by URL, each seen by the organization it was added in.

What is kept of one that was made from a listing is which, and where people were connected. Its name, its label and how
one signs in are the listing's of today, as long as that still stands for the same endpoint (DIR-02, CUS-08).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, Literal, Protocol

from sqlalchemy.exc import IntegrityError

from valetkey.directory import repository
from valetkey.directory.access.model import Audience, Reach, Rules
from valetkey.directory.access.repository import find_hosts, find_rules, put_audience
from valetkey.directory.alone import Listed, check_alone, is_within, of_listing
from valetkey.directory.custom import new_slug, read_auth, read_name, read_url
from valetkey.directory.disclosure import Disclosure, disclose
from valetkey.directory.editing import Edit, Edited, edited, moved
from valetkey.directory.listings import NO_LISTINGS, Listing, Listings, ParsedUrl, ParseUrl
from valetkey.directory.lookalikes import resembling
from valetkey.directory.model import AuthKind, Connector, ReviewState
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, Forbidden, NotFound, TooMany
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.store.notify import EVERYTHING, Notifications
from valetkey.store.remembered import Remembered

TOPIC = "connectors"
"""Announced twice for a connector that changed: with its id, and with its name (`name_of`)."""

LIMIT = 500
"""Connectors in one organization."""


FEWEST: Final = 5
"""Organizations that have a listing, for it to be told that they do."""


class Member(Protocol):
    """Whoever looks: a person or a principal of `identity`, our neighbour. An operator is in no organization."""

    @property
    def organization_id(self) -> str: ...


class Adder(Member, Protocol):
    """The person who adds."""

    @property
    def id(self) -> str: ...


class Connectors:
    """Adds, finds and removes connectors. `parse_url` refuses what is no safe endpoint (CON-03)."""

    def __init__(
        self,
        database: Database,
        notifications: Notifications,
        *,
        clock: Clock,
        parse_url: ParseUrl,
        listings: Listings = NO_LISTINGS,
    ) -> None:
        self._database = database
        self._notifications = notifications
        self._clock = clock
        self._parse_url = parse_url
        self.listings = listings
        self._memory: Remembered[str, Connector] = Remembered(notifications, TOPIC, clock=clock)

    async def add_custom(
        self,
        person: Adder,
        *,
        name: str,
        url: str,
        auth_kind: str = "oauth",
        auth: Mapping[str, Any] | None = None,
    ) -> Connector:
        """A new connector, *Custom – unverified* whatever its name says (S-05).

        `auth` as in `Connector.auth`. Raises `BadInput` naming the field, `Conflict` when the organization has the same
        one already, `Listed` when it is a listing's endpoint, `TooMany`.
        """
        return await self._add(await self.draft(person, name=name, url=url, auth_kind=auth_kind, auth=auth))

    async def add_own(
        self, person: Adder, *, name: str, url: str, auth_kind: str = "oauth", auth: Mapping[str, Any] | None = None
    ) -> Connector:
        """As `add_custom`, for the person alone, where their organization lets members do that (ORG-09).

        Raises `Forbidden` where it does not, and for what only owners and admins decide on.
        """
        async with self._database.read() as tx:
            rules = (await find_rules(tx, person.organization_id)).rules
        if not rules.own_connectors:
            raise Forbidden(
                "Only owners and admins add and remove connectors in this organization.", hint="Ask one of them."
            )
        try:
            draft = await self.draft(person, name=name, url=url, auth_kind=auth_kind, auth=auth)
        except Listed as listed:  # which listings there are, members see when one is switched on (S-30)
            raise Forbidden("This service is not for members to add.", hint="Ask for it.") from listed
        own = replace(draft, audience=Audience(is_everybody=False, groups=frozenset({person.id})))
        if own.acts_as_organization or not own.has_room:
            raise Forbidden("Your organization does not let members add this kind of connector.", hint="Ask for it.")
        return await self._add(own)

    async def draft(
        self, person: Adder, *, name: str, url: str, auth_kind: str = "oauth", auth: Mapping[str, Any] | None = None
    ) -> Connector:
        """As `add_custom`, and kept nowhere."""
        shown_name = read_name(name)
        endpoint = self._read_endpoint(url)
        reach, rules = await self._narrowed(person, endpoint)
        kind, facts = read_auth(auth_kind, auth or {})
        listing = self.listings.for_url(endpoint)
        if listing is not None and listing.auth.kind == kind and not facts:
            raise Listed(listing)  # S-05d: offered as what it is, and never made into it silently
        slug = new_slug(shown_name, host=endpoint.host)
        return self._new(person, slug, shown_name, endpoint, kind, facts, reach=reach, rules=rules)

    async def add_listed(self, person: Adder, slug: str, *, url: str = "") -> Connector:
        """The organization's connector for a listing, made if it is not there. `url` is for one that has a pattern.

        Raises `NotFound`, `BadInput` for a URL that is not one of the listing's, `TooMany`.
        """
        listing = self.listings.get(slug)
        with suppress(NotFound):
            return await self.get(slug, person)
        endpoint = self._read_endpoint(listing.url or url)
        if not listing.fits(endpoint):
            raise BadInput(
                f"This is not an address of {listing.name}.", field="url", hint=f"They look like {listing.url_pattern}"
            )
        try:
            reach, rules = await self._narrowed(person, endpoint)
            kind = listing.auth.kind
            new = self._new(person, slug, listing.name, endpoint, kind, {}, reach=reach, rules=rules, listing=slug)
            return await self._add(new)
        except IntegrityError:  # somebody else of the organization was faster
            return await self.get(slug, person)

    def listing_of(self, connector: Connector) -> Listing | None:
        """The listing, as long as it still stands for this connector's endpoint."""
        moved = connector.review_state is ReviewState.CUSTOM
        return None if moved else self.listings.find(connector.listing)

    def disclosure(self, connector: Connector) -> Disclosure:
        """What people are told of it before they connect."""
        alike = resembling(connector, self.listings)
        return disclose(connector, self.listing_of(connector), alike)

    def preview(self, listing: Listing, person: Member) -> Connector:
        """What the connector of this listing would be; it is kept nowhere."""
        return of_listing(listing, person.organization_id, at=self._clock.now())

    def _new(
        self, person: Adder, slug: str, name: str, endpoint: ParsedUrl, kind: AuthKind, auth: Mapping[str, Any], *,
        reach: Reach, rules: Rules, listing: str = "",
    ) -> Connector:  # fmt: skip
        return Connector(
            id=new_id("con"),
            slug=slug,
            organization_id=person.organization_id,
            added_by=person.id,
            name=name,
            url=endpoint.text,
            origin=endpoint.origin,
            review_state=ReviewState.CUSTOM,
            auth_kind=kind,
            auth=auth,
            state="enabled",
            version=1,
            created_at=self._clock.now(),
            listing=listing,
            reach=reach,
            rules=rules,
        )

    async def _narrowed(self, person: Adder, endpoint: ParsedUrl) -> tuple[Reach, Rules]:
        """Where the person's organization lets connectors go, and its rules. Raises `BadInput` for a host elsewhere."""
        async with self._database.read() as tx:
            reach = (await find_hosts(tx, person.organization_id)).reach
            rules = (await find_rules(tx, person.organization_id)).rules
        if not reach.permits(endpoint.host):
            raise BadInput(
                f"Your organization does not let connectors reach {endpoint.host}.",
                field="url", hint="An owner can put it on the list of hosts.",
            )  # fmt: skip
        return reach, rules

    async def _add(self, new: Connector) -> Connector:
        async with self._database.write() as tx:
            there = await repository.list_connectors(tx, new.organization_id)
            check_alone(there, new)
            if len(there) >= LIMIT:
                raise TooMany(f"There are {LIMIT} connectors already.", hint="Remove one that nobody uses.")
            await repository.insert_connector(tx, new)
            await put_audience(tx, new.id, new.audience, by=f"person:{new.added_by}", at=new.created_at)
        return self._as_of_today(new)

    def get_now(self, slug: str, person: Member) -> Connector | None:
        """The connector if it is in memory and of the person's organization; `None` says nothing but "ask `get`"."""
        return self._memory.now(name_of(person.organization_id, slug))

    async def get(self, slug: str, person: Member) -> Connector:
        """The connector of the person's organization. Raises `NotFound`, for another organization's too."""
        found = await self._memory.get(name_of(person.organization_id, slug), self._look_up)
        if found is None:
            raise NotFound("There is no such connector.", hint="`valetkey connector list` shows those there are.")
        return found

    async def by_id(self, connector_id: str) -> Connector:
        """The connector with this id, which a connection holds. Raises `NotFound`."""
        found = await self._memory.get(connector_id, self._look_up)
        if found is None:
            raise NotFound("There is no such connector.")
        return found

    def by_id_now(self, connector_id: str) -> Connector | None:
        """As `by_id`, if it is in memory."""
        return self._memory.now(connector_id)

    async def list_for(self, person: Member) -> list[Connector]:
        """The connectors of the person's organization, by name."""
        async with self._database.read() as tx:
            there = await repository.list_connectors(tx, person.organization_id)
        shown = [self._as_of_today(one) for one in there]
        return sorted(shown, key=lambda one: (one.name.lower(), one.slug))

    async def used(self) -> Mapping[str, int]:
        """Listings, and how many organizations have each: of what only a few have, nobody is told."""
        async with self._database.read() as tx:
            return await repository.organizations_by_listing(tx, fewest=FEWEST)

    async def set_state(self, connector_id: str, state: Literal["enabled", "blocked", "delisted"]) -> None:
        """Raises `NotFound`."""
        async with self._database.write() as tx:
            changed = await repository.set_connector_state(tx, connector_id, state)
        await self._announce(changed)

    async def set_quarantine(self, connector_id: str, on: bool) -> None:
        """Whatever its state: that is the same again when the quarantine is lifted. Raises `NotFound`."""
        async with self._database.write() as tx:
            changed = await repository.set_quarantine(tx, connector_id, self._clock.now() if on else None)
        await self._announce(changed)

    async def set_raised(self, connector_id: str, tool: str, to: str) -> None:
        """What `tool` is at least from now on, everywhere; see `raising`. Raises `NotFound`."""
        async with self._database.write() as tx:
            changed = await repository.set_raised(tx, connector_id, tool, to)
        await self._announce(changed)

    async def take_down(self, listing: str, reason: str) -> None:
        """Delists every connector of a listing, and those made later (DIR-15); the directory need not have it today."""
        async with self._database.write() as tx:
            await repository.take_down(tx, listing, reason, self._clock.now())
        await self._notifications.publish(TOPIC, EVERYTHING)

    async def put_back(self, listing: str) -> None:
        """Raises `NotFound` for what was not taken down."""
        async with self._database.write() as tx:
            was = await repository.put_back(tx, listing)
        if not was:
            raise NotFound("This listing was not taken down.")
        await self._notifications.publish(TOPIC, EVERYTHING)

    async def edited(self, connector_id: str, edit: Edit) -> Edited:
        """What the connector would be; nothing is kept of it yet. Raises `NotFound`, `BadInput`, `Conflict`."""
        async with self._database.read() as tx:
            stored = await repository.find_by_id(tx, connector_id)
        if stored is None:
            raise NotFound("There is no such connector.")
        if edit.follow_listing:
            return moved(stored, self.listings.find(stored.listing), parse_url=self._read_endpoint)
        return edited(stored, edit, parse_url=self._read_endpoint)

    def moved_to(self, connector: Connector) -> str:
        """Where the directory has it now, if that is elsewhere; empty if it has not moved."""
        listing = self.listings.find(connector.listing)
        return listing.url if listing is not None and connector.review_state is ReviewState.CUSTOM else ""

    async def keep(self, edited: Edited) -> Connector:
        """Writes what `edited` gave. Raises `Conflict` when it was changed meanwhile, or its address is another's."""
        async with self._database.write() as tx:
            check_alone(await repository.list_connectors(tx, edited.after.organization_id), edited.after)
            changed = await repository.set_edited(tx, edited.after, was=edited.before.version)
        if changed is None:
            raise Conflict("Somebody else changed this connector meanwhile.", hint="Look at it again.")
        await self._announce(changed)
        return self._as_of_today(changed)

    async def remove(self, connector_id: str) -> None:
        """Deletes the connector. Raises `NotFound`, and `Conflict` while anyone has a connection to it."""
        try:
            async with self._database.write() as tx:
                gone = await repository.delete_connector(tx, connector_id)
        except IntegrityError as error:
            hint = "Each person's connections must be removed first."
            raise Conflict("Somebody is still connected to this connector.", hint=hint) from error
        await self._announce(gone)

    def _read_endpoint(self, url: str) -> ParsedUrl:
        try:
            return self._parse_url(read_url(url))
        except BadInput as error:
            raise BadInput(error.message, field="url", hint=error.hint) from error

    async def _announce(self, changed: Connector | None) -> None:
        if changed is None:
            raise NotFound("There is no such connector.")
        await self._notifications.publish(TOPIC, changed.id)
        await self._notifications.publish(TOPIC, name_of(changed.organization_id, changed.slug))

    async def _look_up(self, key: str) -> Connector | None:
        organization_id, is_name, slug = key.partition("/")  # no id holds a slash, so one memory serves both
        async with self._database.read() as tx:
            if is_name:
                found = await repository.find_by_slug(tx, organization_id, slug)
            else:
                found = await repository.find_by_id(tx, key)
        return self._as_of_today(found) if found is not None else None

    def _as_of_today(self, stored: Connector) -> Connector:
        """What is said of it is computed here, never kept: the label, and with it name and sign-in of the listing."""
        if stored.state == "enabled" and not is_within(stored):
            stored = replace(stored, state="outside")
        elif stored.state == "enabled" and not stored.has_room:
            stored = replace(stored, state="ruled_out")
        listing = self.listings.find(stored.listing)
        if listing is None or listing.auth.kind != stored.auth_kind or not listing.fits(self._parse_url(stored.url)):
            return replace(stored, review_state=ReviewState.CUSTOM)
        auth = {**listing.facts, **stored.auth}
        return replace(stored, name=listing.name, review_state=listing.review_state, auth=auth)


def name_of(organization_id: str, slug: str) -> str:
    """A connector's name in the memory of all organizations' connectors, and in what is announced."""
    return f"{organization_id}/{slug}"
