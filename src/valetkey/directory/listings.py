"""The listings of the directory: data in `entries/<slug>.toml`, checked when the hub starts.

A listing says who publishes a connector, where it is, how it is signed in to, what becomes of people's data there, and
in which public page each of that was read. It gives no trust by itself: its label is computed from whether somebody
reviewed it under a version of the policy (DIR-02), and none of its words can change that.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from functools import cached_property
from importlib import resources
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlsplit

import msgspec

from valetkey.directory.custom import CREDENTIAL_HEADERS, HEADER_LIMIT, read_name
from valetkey.directory.endpoint import endpoint_key
from valetkey.directory.model import AuthKind, ReviewState
from valetkey.kernel.errors import BadInput, NotFound, StartRefused, printable

CATEGORIES: Final = (
    "code", "data", "design", "documents", "infrastructure", "mail and calendar", "maps", "money", "monitoring",
    "project work", "sales", "search", "web sites",
)  # fmt: skip
VERTICALS: Final = (
    "finance", "legal", "medical", "insurance", "employment", "housing", "education testing", "media",
)  # fmt: skip

_SLUG = re.compile(r"(?!local-)[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ONE_LABEL = "*"
_LINKS = ("docs", "privacy_policy", "terms", "revocation")
_MAIL = re.compile(r"mailto:[^\s@?&<>\"]{1,64}@[A-Za-z0-9.-]{3,253}")

Claim = Literal["yes", "no", "not known"]
Class = Literal["read", "low write", "medium", "high", "vertical"]


class ParsedUrl(Protocol):
    """What is needed of `net`'s strictly parsed URL; we are handed its parser, since we cannot reach `net`."""

    @property
    def text(self) -> str: ...

    @property
    def host(self) -> str: ...

    @property
    def origin(self) -> str: ...


ParseUrl = Callable[[str], ParsedUrl]


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one signs in, and in what this service differs from the standards (requirements 4.4): data, not branches."""

    kind: AuthKind = "oauth"
    scope: str = ""
    headers: tuple[str, ...] = ()
    optional_headers: tuple[str, ...] = ()
    omit_resource: bool = False
    omit_prompt: bool = False
    scope_separator: Literal[" ", ","] = " "
    no_registration: bool = False
    """It registers no client by itself: somebody does that by hand, as `console_steps` say."""
    console_url: str = ""
    console_steps: tuple[str, ...] = ()


class DataHandling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the publisher declares of people's data (DIR-06), as far as it was read anywhere."""

    api: Literal["own", "proxied", "third party", "not known"] = "not known"
    collected: str = ""
    purpose: str = ""
    recipients: str = ""
    retention: str = ""
    regions: str = ""
    contact: str = ""
    health_data: Claim = "not known"
    ads: Claim = "not known"


class ReviewedTool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool as a reviewer saw it: its class, and the fingerprint of the definition that was looked at."""

    name: str
    is_a: Class
    fingerprint: str
    confirm_each_time: bool = False
    """It has consequences: nobody can always allow it (PERM-12)."""


class Reviewed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That somebody reviewed the listing, when, and under which version of the policy."""

    on: date
    policy_version: str


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the endpoint was read: a page, or a file in its publisher's own repository, as of a date."""

    url: str
    file: str = ""
    commit: str = ""
    date: date
    privacy_policy_file: str = ""
    """Where, in the same repository, the privacy policy was read."""
    proved: bool = False
    """Its publisher proved at the desk that the domain is theirs (DIR-03)."""


class Listing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry. Exactly one of `url` and `url_pattern` is given."""

    slug: str
    name: str
    publisher: str
    about: str
    description: str = ""
    icon: str = ""
    """The hash of a picture that the desk has (`submissions.pictures`), as each of `screenshots` is."""
    screenshots: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    """Where it may send people (`directory.links`)."""
    url: str = ""
    url_pattern: str = ""
    """An endpoint that each customer has under their own name; `*` stands for one label of the host (CON-35)."""
    categories: tuple[str, ...]
    vertical: str = ""
    docs: str = ""
    privacy_policy: str = ""
    terms: str = ""
    support: str = ""
    revocation: str = ""
    auth: SignIn = SignIn()
    data: DataHandling = DataHandling()
    tools: tuple[ReviewedTool, ...] = ()
    review: Reviewed | None = None
    source: Source

    @property
    def review_state(self) -> ReviewState:
        """Computed: a review under a version of the policy makes it verified, and nothing else does."""
        return ReviewState.VERIFIED if self.review is not None else ReviewState.COMMUNITY

    @property
    def host(self) -> str:
        """The host as it is shown, a pattern's with its `*`."""
        return urlsplit(self.url or self.url_pattern).hostname or ""

    @property
    def facts(self) -> Mapping[str, Any]:
        """How to sign in, as `Connector.auth` holds it: what is not the usual way."""
        auth = msgspec.to_builtins(self.auth)
        told = {name: value for name, value in auth.items() if name != "kind" and value and value != " "}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}

    def fits(self, url: ParsedUrl) -> bool:
        """Whether this is the listing's endpoint, or one of those that its pattern means."""
        if self.url:
            return endpoint_key(url.origin, url.text) == _key_of(self.url)
        wanted, given = urlsplit(self.url_pattern), urlsplit(url.text)
        pairs = zip((wanted.hostname or "").split("."), url.host.split("."), strict=False)
        return (
            url.origin == f"https://{url.host}"
            and not given.query
            and given.path.rstrip("/") == wanted.path.rstrip("/")
            and len((wanted.hostname or "").split(".")) == len(url.host.split("."))
            and all(_LABEL.fullmatch(one) if label == _ONE_LABEL else label == one for label, one in pairs)
        )

    def has_words(self, query: str) -> bool:
        """Whether each word of a search is found in what people see of it."""
        text = " ".join((self.name, self.publisher, self.about, self.host, *self.categories)).casefold()
        return all(word in text for word in query.casefold().split())


def _key_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


class Listings:
    """All listings, by slug: those that come with this version, and those that the hub's desk published."""

    def __init__(self, listings: Iterable[Listing]) -> None:
        self._shipped = tuple(listings)
        self._by_slug: dict[str, Listing] = {}
        self.publish(())

    def publish(self, listings: Iterable[Listing], *, held: Collection[str] = ()) -> None:
        """What the desk published is this, and no longer what it was. What comes with the hub wins of the same slug or

        address: nobody is moved to a stranger by an entry of the database. What is `held` is offered to nobody, of
        both.
        """
        keys = {_key_of(one.url) for one in self._shipped if one.url}
        found = {one.slug: one for one in listings if _key_of(one.url) not in keys} | {
            one.slug: one for one in self._shipped
        }
        found = {slug: one for slug, one in found.items() if slug not in held}
        self._by_slug = dict(sorted(found.items(), key=lambda pair: (pair[1].name.casefold(), pair[0])))
        for derived in ("_by_key", "_patterns"):
            self.__dict__.pop(derived, None)

    @property
    def shipped(self) -> tuple[Listing, ...]:
        """Those that come with this version."""
        return self._shipped

    def __iter__(self) -> Iterator[Listing]:
        return iter(self._by_slug.values())

    def __len__(self) -> int:
        return len(self._by_slug)

    def find(self, slug: str) -> Listing | None:
        """The listing, or `None` for a slug that has none."""
        return self._by_slug.get(slug)

    def get(self, slug: str) -> Listing:
        """Raises `NotFound`."""
        if (found := self._by_slug.get(slug)) is None:
            raise NotFound("There is no such connector.", hint="`valetkey connector list` shows those there are.")
        return found

    def for_url(self, url: ParsedUrl) -> Listing | None:
        """The listing whose endpoint this is (S-05d)."""
        exact = self._by_key.get(endpoint_key(url.origin, url.text))
        return exact or next((one for one in self._patterns if one.fits(url)), None)

    @cached_property
    def _by_key(self) -> Mapping[str, Listing]:
        return {_key_of(one.url): one for one in self if one.url}

    @cached_property
    def _patterns(self) -> tuple[Listing, ...]:
        return tuple(one for one in self if one.url_pattern)


NO_LISTINGS: Final = Listings(())
"""For who knows none; nothing is ever published into it."""


def read_listing(slug: str, text: str, *, parse_url: ParseUrl) -> Listing:
    """An entry, checked in every part. Raises `BadInput` that names the entry and the field."""
    try:
        said = tomllib.loads(text)
        if "slug" in said:
            raise BadInput(f"The listing {printable(slug, limit=40)}: its slug is the file's name.", field="listing")
        listing = msgspec.convert({**said, "slug": slug}, Listing)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadInput(f"The listing {printable(slug, limit=40)} cannot be read: {error}", field="listing") from error
    if listing.icon or listing.screenshots or listing.source.proved:
        what = f"The listing {printable(slug, limit=40)}: icon, screenshots and proof of a domain are for the desk."
        raise BadInput(what, field="listing")
    for problem in problems_of(listing, parse_url):
        raise BadInput(f"The listing {printable(slug, limit=40)}: {problem}", field="listing")
    return listing


def load_listings(*, parse_url: ParseUrl) -> Listings:
    """The entries that come with this version. Raises `StartRefused`: a hub with a wrong address listed is not run."""
    found: dict[str, Listing] = {}
    for file in resources.files("valetkey.directory").joinpath("entries").iterdir():
        if not file.name.endswith(".toml"):
            continue
        try:
            listing = read_listing(file.name.removesuffix(".toml"), file.read_text("utf-8"), parse_url=parse_url)
        except BadInput as error:
            raise StartRefused(error.message) from error
        twin = next((one.slug for one in found.values() if one.url and one.url == listing.url), "")
        if twin:
            raise StartRefused(f"The listings {twin} and {listing.slug} have one URL.")
        found[listing.slug] = listing
    return Listings(found.values())


def problems_of(listing: Listing, parse_url: ParseUrl) -> Iterator[str]:
    """What keeps it from being an entry, in sentences."""
    if not _SLUG.fullmatch(listing.slug):
        yield "its slug must be [a-z0-9-]{1,24}, not beginning with local-."
    yield from _names(listing)
    yield from _places(listing, parse_url)
    yield from _signing_in(listing)
    unknown = set(listing.categories) - set(CATEGORIES)
    if unknown or not 1 <= len(listing.categories) <= 5:
        yield "it needs 1 to 5 of the known categories."
    if listing.vertical and listing.vertical not in VERTICALS:
        yield f"{listing.vertical} is no known vertical."


def _names(listing: Listing) -> Iterator[str]:
    for field, text, most in (("name", listing.name, 100), ("about", listing.about, 200)):
        if not 1 <= len(text) <= most:
            yield f"its {field} must have 1 to {most} characters."
    try:
        read_name(listing.name)
        read_name(listing.publisher, field="publisher")
    except BadInput as error:
        yield error.message


def _places(listing: Listing, parse_url: ParseUrl) -> Iterator[str]:
    if bool(listing.url) == bool(listing.url_pattern):
        yield "it must have either a url or a url_pattern."
    fixed = listing.url or listing.url_pattern.replace(_ONE_LABEL, "x")
    if listing.url_pattern.count(_ONE_LABEL) > 1 or f"/{_ONE_LABEL}" in listing.url_pattern.partition("://")[2]:
        yield "a pattern has one `*`, which stands for one label of the host."
    links = _LINKS if _MAIL.fullmatch(listing.support) else (*_LINKS, "support")
    said = (("url", fixed), ("source", listing.source.url), *((one, getattr(listing, one)) for one in links))
    for field, text in said:
        if not text and field in links:
            continue
        try:
            parsed = parse_url(text)
        except BadInput as error:
            yield f"its {field} is no URL to go to: {error.message}"
            continue
        # Compared with the text: what a resolver would read otherwise than a person does not stand in the directory.
        if not text.startswith(f"https://{parsed.host}"):
            yield f"its {field} must be https, its host in small letters."
        if field == "url" and "." not in parsed.host:
            yield "its host is no public name."


def _signing_in(listing: Listing) -> Iterator[str]:
    auth = listing.auth
    headers = (*auth.headers, *auth.optional_headers)
    if auth.kind == "header" and not auth.headers:
        yield "one that takes a key names the header for it."
    if len(headers) > HEADER_LIMIT or any(name.lower() not in CREDENTIAL_HEADERS for name in headers):
        yield f"it may name at most {HEADER_LIMIT} headers that take a key."
    if auth.no_registration and not auth.console_steps:
        yield "one that registers no client says how that is done by hand."
