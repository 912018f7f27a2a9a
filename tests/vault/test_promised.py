"""The table of docs/vault.md: every promise has its tests, and they name it."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROWS = re.findall(
    r"^\| ([A-Z]+-?\d\d[^|]*) \|[^|]*\| ([^|]*) \|", (TESTS.parent / "docs/vault.md").read_text(), re.MULTILINE
)
ASKED_FOR = (
    {f"T{number:02}" for number in (1, 2, 3, 4, 5, 6, 8, *range(11, 19), 42, 43, 49, 51, 54)}
    | {"S-12", "S-13", "S-14", "S-15", "S-16", "S-20", "S-21", "S-22"}
    | {f"CON-{number}" for number in range(21, 25)}
    | {f"VLT-{number:02}" for number in range(1, 14)}
)


def test_every_number_has_its_row() -> None:
    assert {number for numbers, _ in ROWS for number in numbers.split(", ")} >= ASKED_FOR


def test_every_row_names_tests_that_name_its_numbers() -> None:
    unnamed = []
    for numbers, where in ROWS:
        text = "".join((TESTS / name).read_text() for name in re.findall(r"`([^`]+\.py)`", where))
        unnamed += [number for number in numbers.split(", ") if not re.search(rf"\b{number}\b", text)]

    assert unnamed == []
