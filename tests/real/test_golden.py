"""What a person sees of a call is what was looked at and committed: thirty calls, drawn by Chromium (T37)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.conftest import FakeClock
from tests.real.golden import CASES, FILE, MEASURE, drawn, pages_of
from tests.real.test_browser import ARGUMENTS, CHROMIUM
from valetkey.web.pages import Pages

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]

GOLDEN: Final[dict[str, Any]] = json.loads(FILE.read_text())
_INDENT: Final = 3
"""Pixels by which a line may stand elsewhere."""
_MEAN, _MOST = 14, 90
"""How much lighter or darker a picture may be, in all and in any of its 64 parts, of 255: another font is no change."""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield from pages_of(chromium)
        chromium.close()


@pytest.fixture(scope="module")
def pages() -> Pages:
    return Pages(clock=FakeClock())


def test_there_are_thirty_of_them() -> None:
    assert len(CASES) == 30
    assert GOLDEN.keys() == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_call_is_seen_as_it_was_when_it_was_looked_at(page: Page, pages: Pages, name: str) -> None:
    now, then = drawn(page, pages, CASES[name]), GOLDEN[name]

    assert [one[:2] + one[3:] for one in now["pieces"]] == [one[:2] + one[3:] for one in then["pieces"]]
    assert all(seen for *_, seen in now["pieces"])
    for one, other in zip(now["pieces"], then["pieces"], strict=True):
        assert abs(one[2] - other[2]) <= _INDENT, one
    differences = [abs(one - other) for one, other in zip(now["shades"], then["shades"], strict=True)]
    assert sum(differences) <= _MEAN * max(len(differences), 1), differences
    assert max(differences, default=0) <= _MOST, differences


@pytest.mark.parametrize("how", ["opacity: 0", "color: #fff", "font-size: 1px", "position: absolute; left: -9999px"])
def test_a_value_that_is_drawn_but_cannot_be_seen_is_noticed(page: Page, pages: Pages, how: str) -> None:
    """The measure measures: each way to hide text is one it finds."""
    drawn(page, pages, CASES["nested"])
    then = GOLDEN["nested"]["pieces"]

    page.add_style_tag(content=f".tree .text {{ {how} }}")

    assert page.evaluate(MEASURE) != then
