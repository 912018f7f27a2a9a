"""The table of docs/permissions.md: every promise has its tests, and they name it."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
SECTION = (TESTS.parent / "docs/permissions.md").read_text().partition("## Where each promise is shown")[2]
ROWS = re.findall(r"^\| ([A-Z]+-?\d\d[^|]*) \|[^|]*\| ([^|]*) \|", SECTION.partition("\n## ")[0], re.MULTILINE)
ASKED_FOR = (
    {"S-02", "S-08", "S-26", "S-27", "ORG-03", "ORG-04"}
    | {f"T{number}" for number in (34, *range(36, 42), 45)}
    | {f"PERM-{number:02}" for number in range(1, 15)}
    | {f"CUS-{number}" for number in range(10, 16)}
)


def numbers(cell: str) -> list[str]:
    """`PERM-02, 03` are two of PERM."""
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
        text = "".join(path.read_text() for path in files(where))
        unnamed += [number for number in numbers(cell) if not re.search(rf"\b{number}\b", text)]

    assert unnamed == []
