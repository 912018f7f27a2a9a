"""Which connectors an organization has beside each other, where they may be, and what a listing would be as one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

from valetkey.directory.endpoint import endpoint_key
from valetkey.directory.listings import Listing
from valetkey.directory.model import Connector
from valetkey.kernel.errors import Conflict


class Listed(Conflict):
    """The URL is that of a listing, which is offered instead (S-05d)."""

    code = "listed"

    def __init__(self, listing: Listing) -> None:
        super().__init__(
            f"This is {listing.name}, which the directory lists as {listing.slug}.",
            hint=f"Connect {listing.slug} instead.",
        )
        self.listing = listing


def check_alone(there: Iterable[Connector], new: Connector) -> None:
    """CON-40: the same URL from two sources is one. Raises `Conflict`.

    What a member added for themself nobody else sees, so it stands in nobody's way.
    """
    key = endpoint_key(new.origin, new.url)
    for one in there:
        if one.id == new.id or endpoint_key(one.origin, one.url) != key:
            continue
        if one.is_personal and (one.added_by != new.added_by or not new.is_personal):
            continue
        if new.is_personal and not one.is_personal:
            # ORG-10: what was decided for the organization is not undone under another name.
            raise Conflict("Your organization has said for whom this service is.", hint="Ask for it.")
        if one.auth_kind == new.auth_kind:
            raise Conflict(f"This URL is already there as {one.slug}.", hint=f"Connect {one.slug} instead.")


def is_within(stored: Connector) -> bool:
    """Whether its organization lets it go where it is. A program on the hub's host is the operator's own."""
    return stored.is_local or stored.reach.permits(urlsplit(stored.origin).hostname or "")


def of_listing(listing: Listing, organization_id: str, *, at: datetime) -> Connector:
    """The connector that would be made of a listing, for people to look at before there is one."""
    return Connector(
        id="",
        slug=listing.slug,
        organization_id=organization_id,
        added_by="",
        name=listing.name,
        url=listing.url or listing.url_pattern,
        origin=f"https://{listing.host}",
        review_state=listing.review_state,
        auth_kind=listing.auth.kind,
        auth=listing.facts,
        state="enabled",
        version=0,
        created_at=at,
        listing=listing.slug,
    )
