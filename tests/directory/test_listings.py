"""Listings are data, checked when the hub starts; what is said of one is computed, and leads where it was read."""

from __future__ import annotations

from functools import partial

import pytest

from tests.conftest import FakeClock
from tests.directory.rows import add_person
from tests.directory.test_connectors import ADA, BOB, Somebody
from valetkey.directory.alone import Listed
from valetkey.directory.catalog import Catalog
from valetkey.directory.connectors import FEWEST, Connectors
from valetkey.directory.editing import Edit
from valetkey.directory.listings import Listing, Listings, load_listings, read_listing
from valetkey.directory.model import ReviewState
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.net.url import parse_url
from valetkey.policy.groups import InNoGroup
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

ENTRY = """
name = "Notes"
publisher = "Notes Company"
about = "Notes, kept."
url = "https://mcp.notes.example/mcp"
categories = ["documents"]
source = { url = "https://github.com/notes/mcp", date = 2026-08-01 }

[auth]
omit_resource = true
"""
PATTERN = 'url_pattern = "https://mcp.*.tenants.example/mcp"'
OURS = load_listings(parse_url=parse_url)

read = partial(read_listing, parse_url=parse_url)


def listing(slug: str = "notes", **instead: str) -> Listing:
    text = ENTRY
    for old, new in instead.items():
        text = "\n".join(new if line.startswith(f"{old} =") else line for line in text.splitlines())
    return read(slug, text)


def book(database: Database, clock: FakeClock, *listings: Listing) -> Connectors:
    return Connectors(database, Notifications(database), clock=clock, parse_url=parse_url, listings=Listings(listings))


@pytest.fixture
async def people(database: Database) -> tuple[Somebody, Somebody]:
    await add_person(database, "ada", organization_id="org_a")
    await add_person(database, "bob", organization_id="org_b")
    return ADA, BOB


def test_every_entry_says_where_its_endpoint_was_read_and_none_claims_a_review() -> None:
    """Nobody verified any of them, and an address from memory would send people's consent to a stranger."""
    assert len(OURS) >= 40
    for one in OURS:
        assert one.source.url.startswith("https://github.com/"), one.slug
        assert one.source.file, one.slug
        assert len(one.source.commit) == 40, one.slug
        assert one.review_state is ReviewState.COMMUNITY, one.slug
        assert bool(one.privacy_policy) == bool(one.source.privacy_policy_file), one.slug


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("url", 'url = "http://mcp.notes.example/mcp"'),
        ("url", 'url = "https://MCP.notes.example/mcp"'),
        ("url", 'url = "https://mcp.notes.example/mcp?api_key=abc"'),
        ("url", 'url = "https://10.0.0.1.nip/../mcp#x"'),
        ("url", 'url = "https://notes"'),
        ("url", 'url_pattern = "https://*.*.example/mcp"'),
        ("url", 'url_pattern = "https://notes.example/*/mcp"'),
        ("name", 'name = "No\\u200btes"'),
        ("name", 'nmae = "Notes"'),
        ("categories", 'categories = ["everything"]'),
        ("omit_resource", 'omit_resource = "yes"'),
        ("omit_resource", "no_registration = true"),
        ("omit_resource", 'client_id = "ours"'),
        ("source", 'source = { url = "https://github.com/notes/mcp", date = "yesterday" }'),
    ],
)
def test_an_entry_with_a_mistake_is_refused_by_name(old: str, new: str) -> None:
    with pytest.raises(BadInput, match="notes"):
        listing(**{old: new})


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://mcp.acme.tenants.example/mcp", True),
        ("https://MCP.Acme.tenants.example:443/mcp/", True),
        ("https://mcp.a.b.tenants.example/mcp", False),
        ("https://mcp.tenants.example/mcp", False),
        ("https://evil.example/.mcp.x.tenants.example/mcp", False),
        ("https://mcp.x.tenants.example.evil.example/mcp", False),
        ("https://mcp.x.tenants.example:8443/mcp", False),
        ("http://mcp.x.tenants.example/mcp", False),
        ("https://mcp.x.tenants.example/other", False),
        ("https://mcp.x.tenants.example/mcp?a=b", False),
        ("https://evil.example/.x.tenants.example/mcp", False),
        ("https://mcp.tenants.example.x/mcp", False),
    ],
)
def test_a_pattern_means_one_label_of_the_host_and_nothing_else(url: str, fits: bool) -> None:
    """CON-35."""
    assert listing(url=PATTERN).fits(parse_url(url)) is fits


@pytest.mark.parametrize(
    "url",
    [
        "https://mcp.x.tenants.example\n/mcp",
        "https://mcp.x.tenants.example/mcp\r\nx: y",
        "https://u:p@mcp.x.tenants.example/mcp",
        "https://mcp.evil.example\\@mcp.x.tenants.example/mcp",
        "https://mcp.evil。tenants.example/mcp",
        "https://mcp.evil．tenants.example/mcp",
        "https://mcp.x.tenants.example./mcp",
        "https://mcp..tenants.example/mcp",
        "https://mcp.%78.tenants.example/mcp",
        "https://mcp.x.tenants.example/a/../mcp",
    ],
)
async def test_what_two_readers_take_for_different_hosts_is_no_address_of_a_pattern(
    database: Database, clock: FakeClock, people: object, url: str
) -> None:
    """CON-35: line breaks, names before an @, full stops of other scripts, and paths that lead up."""
    connectors = book(database, clock, listing(url=PATTERN))

    with pytest.raises(BadInput) as refused:
        await connectors.add_listed(ADA, "notes", url=url)

    assert refused.value.field == "url"
    assert await connectors.list_for(ADA) == []


async def test_no_key_of_the_organizations_goes_with_a_pattern(
    database: Database, clock: FakeClock, people: object
) -> None:
    """CON-35: what an owner enters for everybody is for one address, which the listing's own words do not give."""
    connectors = book(database, clock, listing(url=PATTERN))
    added = await connectors.add_listed(ADA, "notes", url="https://mcp.acme.tenants.example/mcp")

    with pytest.raises(Conflict, match="listing"):
        await connectors.edited(added.id, Edit(auth_kind="header", auth={"identity": "organization"}))
    with pytest.raises(Conflict, match="only our client"):
        await connectors.edited(added.id, Edit(auth={"identity": "organization"}))


@pytest.mark.parametrize(
    "url",
    [
        "https://MCP.notes.example/mcp", "https://mcp.notes.example:443/mcp/", "HTTPS://mcp.notes.example/mcp",
        "https://mcp.notes.example/mcp//", "https://mcp.notes.example/mcp?", "https://mcp.notes.example/%6d%63p",
    ],
)  # fmt: skip
async def test_the_url_of_a_listing_is_offered_as_that_listing_and_makes_nothing_custom(
    database: Database, clock: FakeClock, people: object, url: str
) -> None:
    """S-05 (d), CON-40; and of two who add it by hand where it is not listed, one does."""
    connectors, unlisted = book(database, clock, listing()), book(database, clock)

    with pytest.raises(Listed, match="notes"):
        await connectors.add_custom(ADA, name="My notes", url=url)

    assert await connectors.list_for(ADA) == []
    await unlisted.add_custom(ADA, name="Notes", url="https://mcp.notes.example/mcp")
    with pytest.raises(Conflict, match="already there"):
        await unlisted.add_custom(ADA, name="My notes", url=url)


async def test_a_listing_is_one_connector_in_each_organization_with_its_own_name_there(
    database: Database, clock: FakeClock, people: object
) -> None:
    connectors = book(database, clock, listing())

    one = await connectors.add_listed(ADA, "notes")
    again = await connectors.add_listed(ADA, "notes")
    other = await connectors.add_listed(BOB, "notes")

    assert one == again == await connectors.get("notes", ADA) == await connectors.by_id(one.id)
    assert (one.slug, one.review_state, one.auth) == ("notes", ReviewState.COMMUNITY, {"omit_resource": True})
    assert other.id != one.id
    assert other.slug == "notes"
    assert connectors.get_now("notes", ADA) == one


async def test_a_listing_that_moved_leaves_connections_where_they_are_and_calls_them_custom(
    database: Database, clock: FakeClock, people: object
) -> None:
    """CUS-08: an old token never goes to a new host."""
    before = await book(database, clock, listing()).add_listed(ADA, "notes")
    moved = listing(url='url = "https://elsewhere.example/mcp"', name='name = "Other"')

    after = await book(database, clock, moved).get("notes", ADA)

    assert (after.url, after.name, after.auth) == (before.url, "Notes", {})
    assert after.review_state is ReviewState.CUSTOM


async def test_what_somebody_added_by_url_before_it_was_listed_stays_one_entry(
    database: Database, clock: FakeClock, people: object
) -> None:
    """CON-40: the one that is there wins, and is not silently promoted."""
    added = await book(database, clock).add_custom(ADA, name="Mine", url="https://mcp.notes.example/mcp/")
    connectors = book(database, clock, listing())

    entries = await Catalog(connectors, InNoGroup()).list(ADA, whole=True)

    assert [(one.slug, one.review_state) for one in entries] == [(added.slug, ReviewState.CUSTOM)]
    with pytest.raises(Conflict, match=added.slug):
        await connectors.add_listed(ADA, "notes")


async def test_an_address_for_each_customer_is_asked_for_and_must_fit(
    database: Database, clock: FakeClock, people: object
) -> None:
    connectors = book(database, clock, listing(url=PATTERN))

    with pytest.raises(BadInput, match="not an address of Notes"):
        await connectors.add_listed(ADA, "notes", url="https://mcp.evil.example/mcp")

    added = await connectors.add_listed(ADA, "notes", url="https://mcp.acme.tenants.example/mcp")
    assert added.origin == "https://mcp.acme.tenants.example"


async def test_who_may_not_add_finds_what_was_switched_on_and_nothing_more(
    database: Database, clock: FakeClock, people: object
) -> None:
    """S-30: two listings and three custom connectors are five, by list, search and name."""
    others = [listing(f"other-{n}", url=f'url = "https://other{n}.example/mcp"') for n in range(3)]
    connectors = book(database, clock, listing(), *others)
    catalog = Catalog(connectors, InNoGroup())
    for slug in ("notes", "other-1"):
        await connectors.add_listed(ADA, slug)
    for n in range(3):
        await connectors.add_custom(ADA, name=f"Custom {n}", url=f"https://custom{n}.example/mcp")
    blocked = await connectors.add_listed(ADA, "other-2")
    await connectors.set_state(blocked.id, "blocked")

    assert len(await catalog.list(ADA, whole=False)) == 5
    assert len(await catalog.list(ADA, whole=True)) == 7
    assert await catalog.list(ADA, whole=False, query="other0") == []
    assert await catalog.list(BOB, whole=False) == []
    for slug in ("other-0", "other-2"):
        with pytest.raises(NotFound):
            await catalog.open(slug, ADA, whole=False)


def test_words_and_categories_find_listings() -> None:
    found = [one.slug for one in OURS if one.has_words("issues github")]

    assert "github" in found
    assert "stripe" not in found


async def test_what_many_organizations_have_comes_first_and_of_few_nobody_is_told(
    database: Database, clock: FakeClock, people: object
) -> None:
    """DIR-01: ranked by use, and by nothing that anybody could pay for."""
    zebra = listing("zebra", name='name = "Zebra"', url='url = "https://mcp.zebra.example/mcp"')
    connectors = book(database, clock, listing(), zebra)
    orders = []
    for number in range(FEWEST):
        one = Somebody(f"p{number}", f"org_{number}")
        await add_person(database, one.id, organization_id=one.organization_id)
        await connectors.add_listed(one, "zebra")
        entries = await Catalog(connectors, InNoGroup()).list(ADA, whole=True)
        orders.append([entry.slug for entry in entries])

    assert orders == [["notes", "zebra"]] * (FEWEST - 1) + [["zebra", "notes"]]
