"""The tables of promises in the docs: every number that is asked for has its row, and its tests name it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).resolve().parent
_ROW: Final = re.compile(r"^\| ([A-Z]+-?\d\d[^|]*) \|[^|]*\| ([^|]*) \|", re.MULTILINE)


def of(kind: str, *numbers: int) -> set[str]:
    return {f"{kind}{number:02}" for number in numbers}


ASKED_FOR: Final = {
    "connectors": (
        of("S-", 5, 6, 7, 23, 24, 25, 29, 30)
        | of("DIR-", *range(1, 20))
        | of("CUS-", *range(1, 10))
        | of("CON-", 3, 32, 33, 34, 35, 40)
        | of("T", 20, 21, 22, 23, 24, 27, 40)
    ),
    "organizations": of("ORG-", 1, 2, 6, *range(8, 16), *range(17, 21)) | of("T", 33, 52),
    "data-handling": (
        of("S-", 4, 9, 10, 11, 22, 28) | {"CON-20"} | of("ORG-", 12, 13, 14) | of("DATA-", *range(1, 13))
    ),
    "permissions": (
        of("S-", 2, 8, 26, 27)
        | of("ORG-", 3, 4, 5, 7, 16, 21)
        | of("T", 34, *range(36, 42), 45)
        | of("PERM-", *range(1, 15))
        | of("CUS-", *range(10, 16))
    ),
    "vault": (
        of("T", 1, 2, 3, 4, 5, 6, 8, *range(11, 19), 42, 43, 49, 51, 54)
        | of("S-", 12, 13, 14, 15, 16, 20, 21, 22)
        | of("CON-", *range(21, 25))
        | of("VLT-", *range(1, 14))
    ),
}
"""By page of `docs/`."""


@pytest.mark.parametrize("page", ASKED_FOR)
def test_every_number_has_its_row(page: str) -> None:
    assert ASKED_FOR[page] - {number for cell, _ in rows(page) for number in numbers(cell)} == set()


@pytest.mark.parametrize("page", ASKED_FOR)
def test_every_row_names_tests_that_name_its_numbers(page: str) -> None:
    unnamed = []
    for cell, where in rows(page):
        text = "".join(path.read_text() for path in files(where))
        unnamed += [number for number in numbers(cell) if not re.search(rf"\b{number}\b", text)]

    assert unnamed == []


def rows(page: str) -> Iterable[tuple[str, str]]:
    """What stands in the first column of a table's row, and in the third."""
    found: list[tuple[str, str]] = _ROW.findall((TESTS.parent / f"docs/{page}.md").read_text())
    return found


def numbers(cell: str) -> list[str]:
    """`PERM-02, 03` are two of PERM."""
    kind, found = "", []
    for one in cell.split(", "):
        kind = one[: -len(one.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ-"))] or kind
        found.append(one if one.startswith(kind) else kind + one)
    return found


def files(cell: str) -> list[Path]:
    """`tests/web/test_a.py` and `web/test_a.py` are one; a name alone is in the folder of the one before it."""
    folder, found = TESTS, []
    for name in re.findall(r"`([^`]+\.py)`", cell):
        path = TESTS / name.removeprefix("tests/")
        if "/" not in name and not path.exists():
            path = folder / name
        folder = path.parent
        found.append(path)
    return found
