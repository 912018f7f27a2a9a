"""The table at the end of docs/organizations.md: every promise has its tests, and they name it."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROWS = re.findall(
    r"^\| ([A-Z]+-?\d\d[^|]*) \|[^|]*\| ([^|]*) \|", (TESTS.parent / "docs/organizations.md").read_text(), re.MULTILINE
)
ASKED_FOR = {f"ORG-{number:02}" for number in (1, 2, 6, *range(8, 16), *range(17, 21))} | {"T33", "T52"}
"""The others stand in docs/permissions.md."""


def test_every_number_has_its_row() -> None:
    assert {number for numbers, _ in ROWS for number in numbers.split(", ")} >= ASKED_FOR


def test_every_row_names_tests_that_name_its_numbers() -> None:
    unnamed = []
    for numbers, where in ROWS:
        text = "".join((TESTS / name).read_text() for name in re.findall(r"`([^`]+\.py)`", where))
        unnamed += [number for number in numbers.split(", ") if not re.search(rf"\b{number}\b", text)]

    assert unnamed == []
