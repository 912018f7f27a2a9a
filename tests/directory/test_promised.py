"""The table at the end of docs/connectors.md: every promise has its tests, and they name it."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROWS = re.findall(
    r"^\| ([A-Z]+-?\d\d[^|]*) \|[^|]*\| ([^|]*) \|", (TESTS.parent / "docs/connectors.md").read_text(), re.MULTILINE
)
ASKED_FOR = (
    {"S-05", "S-06", "S-07", "S-23", "S-24", "S-25", "S-29", "S-30"}
    | {f"DIR-{number:02}" for number in range(1, 20)}
    | {f"CUS-{number:02}" for number in range(1, 10)}
    | {f"CON-{number:02}" for number in (3, 32, 33, 34, 35, 40)}
    | {f"T{number}" for number in (20, 21, 22, 23, 24, 27, 40)}
)


def test_every_number_has_its_row() -> None:
    assert {number for numbers, _ in ROWS for number in numbers.split(", ")} >= ASKED_FOR


def test_every_row_names_tests_that_name_its_numbers() -> None:
    unnamed = []
    for numbers, where in ROWS:
        text = "".join((TESTS / name).read_text() for name in re.findall(r"`([^`]+\.py)`", where))
        unnamed += [number for number in numbers.split(", ") if not re.search(rf"\b{number}\b", text)]

    assert unnamed == []
