"""What becomes of a custom connector when it is edited: which parts may change, and which make it another one (CUS-05).

The name is a label and changes freely. Where it is and how one signs in are what people agreed to: a connector that
differs in these is another version, which nobody has agreed to yet. Another origin is another connector altogether:
what was granted for one place has no business at the other (U07).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from valetkey.directory.custom import read_auth, read_name
from valetkey.directory.listings import Listing, ParsedUrl, ParseUrl
from valetkey.directory.model import Connector
from valetkey.kernel.errors import BadInput, Conflict


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is to be another. `None` leaves it as it is; of the facts in `auth`, an empty one is taken away."""

    name: str | None = None
    url: str | None = None
    auth_kind: str | None = None
    auth: Mapping[str, Any] | None = None
    follow_listing: bool = False
    """Go where its listing is now, which nobody is taken to unasked (CUS-08)."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A connector before and after. Of another version, if people must agree anew."""

    before: Connector
    after: Connector

    @property
    def asks_anew(self) -> bool:
        return self.after.version != self.before.version


def edited(stored: Connector, edit: Edit, *, parse_url: ParseUrl) -> Edited:
    """Raises `BadInput` naming the field, `Conflict` for what is not said here."""
    if stored.is_local:
        raise Conflict("Which programs there are is said in the hub's settings.")
    if stored.listing and (edit.name, edit.url, edit.auth_kind) != (None, None, None):
        raise Conflict("Its name, its address and how one signs in are said by its listing.")
    name = stored.name if edit.name is None else read_name(edit.name)
    place = parse_url(stored.url) if edit.url is None else _same_origin(stored, parse_url(edit.url))
    kind, auth = stored.auth_kind, dict(stored.auth)
    if edit.auth_kind not in (None, kind) or edit.auth:
        kept = auth if edit.auth_kind in (None, kind) else {}
        if edit.auth and stored.listing and set(edit.auth) - {"client_id", "scope"}:
            raise Conflict(
                "Of how one signs in to a listing, only our client there can be said here.", hint="client_id"
            )
        if edit.auth and "client_id" in edit.auth and (edit.auth_kind or kind) != "oauth" and edit.auth["client_id"]:
            raise BadInput("Only a connector with a sign-in has a client id.", field="client_id")
        wanted = {**kept, **(edit.auth or {})}
        kind, auth = read_auth(edit.auth_kind or kind, {fact: value for fact, value in wanted.items() if value})
    new = replace(stored, name=name, url=place.text, auth_kind=kind, auth=auth)
    agreed, now = (stored.url, stored.auth_kind, dict(stored.auth)), (new.url, new.auth_kind, dict(new.auth))
    return Edited(stored, new if agreed == now else replace(new, version=stored.version + 1))


def moved(stored: Connector, listing: Listing | None, *, parse_url: ParseUrl) -> Edited:
    """The connector of a listing that has another address now, at that address. Raises `Conflict`."""
    if listing is None or not listing.url or listing.fits(parse_url(stored.url)):
        raise Conflict("It is where its listing says.")
    place = parse_url(listing.url)
    after = replace(
        stored, url=place.text, origin=place.origin, auth_kind=listing.auth.kind, auth={}, version=stored.version + 1
    )
    return Edited(stored, after)


def _same_origin(stored: Connector, place: ParsedUrl) -> ParsedUrl:
    if place.origin != stored.origin:
        raise BadInput(
            "An address at another host is another connector.", field="url", hint="Add it by its URL, and remove this."
        )
    return place
