"""The published schema of listings' files: every entry keeps to it, and what it refuses the reader refuses by name."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from valetkey.directory.entry_schema import entry_schema
from valetkey.directory.listings import read_listing
from valetkey.kernel.errors import BadInput
from valetkey.net.url import parse_url

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = sorted((ROOT / "src/valetkey/directory/entries").glob("*.toml"))
CHECK = Draft202012Validator(entry_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
GOOD = """
name = "Notes"
publisher = "Notes Company"
about = "Notes, kept."
url = "https://mcp.notes.example/mcp"
categories = ["documents"]

[source]
url = "https://github.com/notes/mcp"
date = 2026-08-01
"""


def as_json(text: str) -> Any:
    """As the file would be in JSON, where a date is a text."""
    return json.loads(json.dumps(tomllib.loads(text), default=date.isoformat))


def test_the_schema_that_is_published_is_the_one_that_is_checked_by() -> None:
    Draft202012Validator.check_schema(entry_schema())

    assert json.loads((ROOT / "docs/listing.schema.json").read_text()) == entry_schema()


def test_every_entry_keeps_to_it_and_says_where_and_when_it_was_read() -> None:
    for file in ENTRIES:
        entry = as_json(file.read_text())

        assert [error.message for error in CHECK.iter_errors(entry)] == [], file.name
        assert entry["source"]["url"].startswith("https://"), file.name
        assert date(2025, 1, 1) < date.fromisoformat(entry["source"]["date"]) <= date(2026, 11, 29), file.name
    assert len(ENTRIES) >= 40


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('name = "Notes"', 'name = "Notes"\nnmae = "Notes"', "nmae"),
        ('name = "Notes"', 'name = ""', "name"),
        ('name = "Notes"', 'name = "Notes"\nslug = "other"', "slug"),
        ('name = "Notes"', 'name = "Notes"\nreview_state = "verified"', "review_state"),
        ('name = "Notes"', 'name = "Notes"\nicon = "0000"', "icon"),
        ('url = "https://mcp', 'url = "http://mcp', "https"),
        ('url = "https://mcp', 'url_pattern = "https://*.notes.example/mcp"\nurl = "https://mcp', "url"),
        ('["documents"]', "[]", "categories"),
        ('["documents"]', '["everything"]', "categories"),
        ("[source]", '[auth]\nclient_secret = "s3cret"\n[source]', "client_secret"),
        ("[source]", '[data]\nhealth_data = "perhaps"\n[source]', "health_data"),
        ("[source]", '[data]\nsold_to = "everybody"\n[source]', "sold_to"),
        ("date = 2026-08-01", "", "date"),
        ("date = 2026-08-01", 'date = "last week"', "date"),
        ("date = 2026-08-01", "date = 2026-08-01\nby = 'memory'", "by"),
    ],
)
def test_what_it_refuses_is_refused_by_the_reader_too_and_by_name(old: str, new: str, named: str) -> None:
    assert CHECK.is_valid(as_json(GOOD))
    text = GOOD.replace(old, new, 1)
    assert text != GOOD

    assert not CHECK.is_valid(as_json(text))
    with pytest.raises(BadInput, match=named) as refused:
        read_listing("notes", text, parse_url=parse_url)
    assert "notes" in refused.value.message
