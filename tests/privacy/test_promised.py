"""What is promised about data, id by id: each has its tests, and they name it."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
SECTION = (TESTS.parent / "docs/data-handling.md").read_text().partition("## Where each promise is shown")[2]
ROWS = re.findall(r"^\| ([A-Z]+-?\d\d[^|]*) \|[^|]*\| ([^|]*) \|", SECTION.partition("\n## ")[0], re.MULTILINE)
ASKED_FOR = (
    {"S-04", "S-09", "S-10", "S-11", "S-22", "S-28", "CON-20", "ORG-12", "ORG-13", "ORG-14"}
    | {f"DATA-{number:02}" for number in range(1, 13)}
)  # fmt: skip


def numbers(cell: str) -> list[str]:
    """`DATA-02, 03` are two of DATA."""
    kind, found = "", []
    for one in cell.split(", "):
        kind = one[: -len(one.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ-"))] or kind
        found.append(one if one.startswith(kind) else kind + one)
    return found


def files(cell: str) -> list[Path]:
    """`tests/web/test_a.py`, `test_b.py` are both in `web`."""
    folder, found = TESTS, []
    for name in re.findall(r"`([^`]+\.py)`", cell):
        path = TESTS.parent / name if name.startswith("tests/") else folder / name
        folder = path.parent
        found.append(path)
    return found


def test_every_number_has_its_row() -> None:
    assert {number for cell, _ in ROWS for number in numbers(cell)} >= ASKED_FOR


def test_every_row_names_tests_that_name_its_numbers() -> None:
    unnamed = []
    for cell, where in ROWS:
        for number in numbers(cell):
            unnamed += [
                (number, path.name) for path in files(where) if not re.search(rf"\b{number}\b", path.read_text())
            ]

    assert unnamed == []
