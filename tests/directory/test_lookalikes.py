"""A custom connector that could be taken for a listing is warned of, and stays custom whatever it is called (S-05)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from valetkey.directory.listings import load_listings
from valetkey.directory.lookalikes import resembling, skeleton
from valetkey.directory.model import Connector, ReviewState
from valetkey.net.url import parse_url

AT = datetime(2026, 11, 22, tzinfo=UTC)
OURS = load_listings(parse_url=parse_url)


def custom(name: str, url: str) -> Connector:
    return Connector(
        "con_1", "x-abc123", "org_a", "ada", name, url, url, ReviewState.CUSTOM, "oauth", {}, "enabled", 1, AT
    )


@pytest.mark.parametrize(
    "name",
    [
        "Notion", "NOTION", "Nоtion", "N0tion", "Not1on", "Notion (official)", "Notiоn", "Ｎｏｔｉｏｎ", "Nótion",
        "Notiion",
        "Ntoion", "N o t i o n", "GіtHub", "Gıthub", "GitHub Enterprise", "Stripe Payments", "5tripe", "Cloudf1are",
    ],
)  # fmt: skip
def test_a_name_that_reads_like_a_listing_is_warned_of(name: str) -> None:
    added = custom(name=name, url="https://mcp.elsewhere.example/mcp")

    assert added.review_state is ReviewState.CUSTOM
    assert resembling(added, OURS)


@pytest.mark.parametrize(
    "url",
    [
        "https://mcp.notion.com.evil.example/mcp",
        "https://mcp-notion.example/mcp",
        "https://mcp.notlon.com/mcp",
        "https://mcp.xn--ntion-jye.com/mcp",
        "https://mcp.stripes.com/",
        "https://api.githubcopilot.co/mcp",
    ],
)
def test_a_host_that_reads_like_a_listings_is_warned_of(url: str) -> None:
    added = custom(name="Something", url=url)

    assert resembling(added, OURS)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("Our wiki", "https://wiki.corp.example/mcp"),
        ("Weather", "https://mcp.weather.example/mcp"),
        ("Linear", "https://mcp.linear.app/mcp"),
        ("Notes", "https://notes.example/mcp"),
        ("Notion staging", "https://mcp.notion.com/other"),
    ],
)
def test_an_ordinary_one_is_not(name: str, url: str) -> None:
    assert resembling(custom(name=name, url=url), OURS) == ()


def test_a_listing_is_not_warned_of_itself() -> None:
    added = replace(custom(name="Notion", url="https://elsewhere.example/mcp"), review_state=ReviewState.COMMUNITY)

    assert resembling(added, OURS) == ()


def test_what_cannot_be_seen_does_not_tell_two_names_apart() -> None:
    assert skeleton("No\u200bti\u202eon \u00a0") == skeleton("notion")
