"""A tool is judged beside its connector's others and by its listing: what is unclear there counts up (S-27, T45)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import FakeClock
from tests.policy.test_classes import a_tool
from valetkey.directory.listings import Listing, Listings, ReviewedTool, Source
from valetkey.directory.model import Connector, ReviewState, Snapshot, Tool
from valetkey.policy.classed import Classed
from valetkey.policy.classes.classify import classify
from valetkey.policy.classes.surroundings import ALONE, Surroundings, surroundings
from valetkey.policy.tool_class import RANK, Classified, ToolClass

TRADES = [a_tool(name, "Acts for you.", "symbol") for name in ("place_stock_order", "cancel_trade", "close_position")]
NOTES = [a_tool(name) for name in ("list_notes", "create_note", "update_note", "add_comment")]
RECORDS = [
    a_tool(f"{verb}_patient_{what}") for verb, what in (("create", "visit"), ("update", "chart"), ("add", "dose"))
]
MACHINES = [a_tool(f"{verb}_server") for verb in ("reboot", "deploy", "destroy", "rebuild")]


def class_of(tool: Tool, around: Surroundings) -> Classified:
    return classify(
        tool, verified=False, reviewed=None, organization=None, raised_by_taint=False, around=around
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "beside", "alone", "counts_as"),
    [
        ("submit_it", TRADES, "H", "V"),
        ("go_ahead", TRADES, "H", "V"),
        ("list_things", TRADES, "R", "R"),
        ("add_comment", TRADES, "M", "M"),
        ("go_ahead", NOTES, "H", "H"),
        ("amend", RECORDS, "H", "V"),
        ("get_chart", RECORDS, "R", "R"),
    ],
)
def test_what_is_unclear_counts_up_among_payments_trades_and_records(
    name: str, beside: list[Tool], alone: str, counts_as: str
) -> None:
    """S-27 (d): a custom connector with payment-like tools gets the strict mode by detection."""
    tool = a_tool(name)

    assert class_of(tool, ALONE).counts_as == alone
    assert class_of(tool, surroundings(listed_as="", names=["Acme"], tools=[*beside, tool])).counts_as == counts_as


def test_what_is_not_known_counts_as_high_among_machines_even_if_nothing_can_be_put_into_it() -> None:
    tool = a_tool("frobnicate", "Frobnicates the level.", "level")

    assert class_of(tool, ALONE).counts_as == "M"
    among = class_of(tool, surroundings(listed_as="", names=["Acme"], tools=MACHINES))
    assert (among.tool_class, among.counts_as) == (ToolClass.UNKNOWN, ToolClass.HIGH)  # one may allow it still


@pytest.mark.parametrize(
    ("name", "vertical"),
    [("First Bank", "finance"), ("AcmePay", "finance"), ("Notarize Now", "law"), ("OpenClinic", "medicine"),
     ("Acme Insurance", "insurance"), ("Design Studio", ""), ("Payload", ""), ("Notes", "")],
)  # fmt: skip
def test_what_a_connector_is_called_says_what_it_is_about(name: str, vertical: str) -> None:
    assert surroundings(listed_as="", names=[name], tools=NOTES).vertical == vertical


@pytest.mark.parametrize(
    ("connector", "name", "counts_as"),
    [
        ("Acme", "put_document", "M"),
        ("DynamoDB", "put_document", "H"),  # a document of a database is a record
        ("neo4j", "put_document", "H"),
        ("Docker", "update_folder", "H"),
        ("Acme", "update_folder", "M"),
        ("HealthScan", "update_folder", "V"),  # a folder of somebody who is ill
        ("HealthScan", "add_comment", "M"),
        ("Coinbase", "create_document", "M"),
        ("GitHub MCP server", "create_document", "M"),
    ],
)
def test_what_people_write_together_elsewhere_is_a_record_where_a_connector_keeps_records(
    connector: str, name: str, counts_as: str
) -> None:
    tool = a_tool(name)

    assert class_of(tool, surroundings(listed_as="", names=[connector], tools=[tool])).counts_as == counts_as


def test_what_stands_beside_a_tool_never_lowers_its_class() -> None:
    tools = [*TRADES, *NOTES, *RECORDS, *MACHINES, a_tool("frobnicate"), a_tool("pay", "", "amount")]
    everywhere = [
        surroundings(listed_as=one, names=[], tools=()) for one in ("finance", "legal", "medical", "insurance")
    ]
    everywhere.append(surroundings(listed_as="", names=[], tools=MACHINES))

    assert all(
        RANK[class_of(tool, around).counts_as] >= RANK[class_of(tool, ALONE).counts_as]
        for tool in tools
        for around in everywhere
    )


class Seen:
    """The accepted tools of the one connection."""

    def __init__(self, *tools: Tool) -> None:
        now = FakeClock().now()
        self.snapshot = Snapshot("cn_1", tools, b"{}", now, now)

    def get_now(self, connection_id: str) -> Snapshot | None:
        return self.snapshot if connection_id == "cn_1" else None

    async def get(self, connection_id: str) -> Snapshot | None:
        return self.get_now(connection_id)


def connector(review_state: ReviewState = ReviewState.CUSTOM, listing: str = "") -> Connector:
    return Connector(
        "cr_1", "acme", "org_a", "ada", "Acme", "https://acme.example/mcp", "https://acme.example", review_state,
        "oauth", {}, "enabled", 1, FakeClock().now(), listing=listing,
    )  # fmt: skip


def listed(vertical: str = "", *tools: ReviewedTool) -> Listings:
    source = Source(url="https://acme.example/docs", date=FakeClock().now().date())
    return Listings([
        Listing(slug="acme", name="Acme", publisher="A", about="Things.", url="https://acme.example/mcp",
                categories=("documents",), vertical=vertical, tools=tools, source=source)
    ])  # fmt: skip


async def test_a_listing_declares_the_vertical_of_its_connector() -> None:
    """S-27 (d). Also where the connector has moved since, and is custom: it only raises."""
    tool = a_tool("submit_it")
    for declared, counts_as in (("finance", "V"), ("medical", "V"), ("media", "H"), ("", "H")):
        classed = Classed(listed(declared), Seen(tool))
        around = await classed.around("cn_1", connector(listing="acme"))
        assert classed.of(connector(listing="acme"), tool, around).counts_as == counts_as


async def test_random_letters_at_the_end_of_a_slug_say_nothing_of_what_a_connector_is_about() -> None:
    tool = a_tool("submit_it")

    for slug, vertical in (("notes-xk4pay", ""), ("notes-7xmydb", ""), ("mybank-x7k4qs", "finance")):
        around = await Classed(listed(), Seen(tool)).around("cn_1", replace(connector(), slug=slug))
        assert (around.vertical, around.runs_machines) == (vertical, False), slug


async def test_the_class_that_a_reviewer_gave_holds_for_exactly_that_definition_of_a_verified_connector() -> None:
    tool = a_tool("tidy_up", "Tidies.", "level")
    changed = a_tool("tidy_up", "Tidies well.", "level")
    classed = Classed(listed("", ReviewedTool(name="tidy_up", is_a="high", fingerprint=tool.fingerprint)), Seen(tool))
    verified = connector(ReviewState.VERIFIED, "acme")
    around = await classed.around("cn_1", verified)

    assert classed.of(verified, tool, around).tool_class is ToolClass.HIGH
    assert classed.of(verified, changed, around).tool_class is ToolClass.UNKNOWN
    assert classed.of(connector(listing="acme"), tool, around).tool_class is ToolClass.UNKNOWN


async def test_the_class_follows_the_tools_that_are_accepted_on_the_connection() -> None:
    seen, tool = Seen(*NOTES), a_tool("submit_it")
    classed, acme = Classed(listed(), seen), connector()
    before = await classed.around("cn_1", acme)
    seen.snapshot = replace(seen.snapshot, tools=(*NOTES, *TRADES))

    assert classed.of(acme, tool, before).counts_as == "H"
    assert classed.of(acme, tool, await classed.around("cn_1", acme)).counts_as == "V"
    assert classed.around_now("another", acme) is None
