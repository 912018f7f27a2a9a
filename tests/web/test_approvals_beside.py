"""What helps a person read a call: what differs from the last one they approved, long numbers and IBANs in groups."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.conftest import FakeClock
from tests.web.test_approvals import ask, at_home
from tests.web.world import World
from valetkey.policy.tool_class import ToolClass
from valetkey.web.differing import differing
from valetkey.web.pages import Pages
from valetkey.web.tree import read_whole


def call(**arguments: object) -> bytes:
    return json.dumps({"name": "delete_note", "arguments": arguments}).encode()


def beside(page: str) -> str:
    found = re.search(r"Beside the last one you approved.*?</section>", page, re.DOTALL)
    return re.sub(r"<[^>]*>", " ", found[0]) if found else ""


async def test_a_call_is_shown_beside_the_last_approved_one_of_its_tool_with_what_differs(world: World) -> None:
    """security.md 6.5; and a person's own words about what is sent stay whole above it."""
    browser, ada, connection, connector = await at_home(world)
    first = await ask(world, ada, connection, connector, kind=ToolClass.MEDIUM, call=call(amount=10, to="Bo", memo="x"))
    assert "Beside the last one" not in (await browser.open(first.path)).text
    await world.services.policy.approvals.approve(first, session_id="s_1")

    second = await ask(world, ada, connection, connector, call=call(amount=10000, to="Bo\u202e", cc="all"))
    page = (await browser.open(second.path)).text

    shown = " ".join(beside(page).split())
    assert "amount 10 10000 reads 10 000" in shown
    assert "to Bo Bo ⟦U+202E⟧" in shown
    assert "cc not there all" in shown
    assert "memo x not there" in shown
    assert '<span class="number">10000</span>' in page


async def test_what_was_denied_or_is_another_persons_or_another_tools_is_no_example(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    denied = await ask(world, ada, connection, connector, call=call(amount=1))
    await world.services.policy.approvals.deny(denied, session_id="s_1")
    _, bo, theirs, elsewhere = await at_home(world, "bo")
    other = await ask(world, bo, theirs, elsewhere, call=call(amount=2))
    await world.services.policy.approvals.approve(other, session_id="s_2")

    page = await browser.open((await ask(world, ada, connection, connector, call=call(amount=3))).path)

    assert beside(page.text) == ""


async def test_the_same_arguments_as_last_time_are_called_that(world: World) -> None:
    browser, ada, connection, connector = await at_home(world)
    first = await ask(world, ada, connection, connector, kind=ToolClass.MEDIUM, call=call(id="n1"))
    await world.services.policy.approvals.approve(first, session_id="s_1")
    again = await ask(world, ada, connection, connector, call=call(id="n1"), client_id="https://other.example/mcp.json")

    shown = beside((await browser.open(again.path)).text)

    assert "Nothing differs" in shown
    assert "asked by another assistant" in shown


@pytest.mark.parametrize(
    ("before", "now", "where"),
    [
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a › 2"]),
        ({"a": {"b": "x"}}, {"a": {"b": "x", "c": ""}}, ["a › c"]),
        ({"a": 1}, {"a": "1"}, ["a"]),
        ({"a": None}, {}, ["a"]),
        ({"a": {}}, {"a": []}, ["a"]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
    ],
)
def test_what_differs_is_named_by_its_place(before: dict[str, Any], now: dict[str, Any], where: list[str]) -> None:
    found = differing(read_whole(json.dumps(before).encode()), read_whole(json.dumps(now).encode()))

    assert [one.where for one in found] == where


def test_long_texts_are_shown_from_where_they_part() -> None:
    before, now = (read_whole(json.dumps({"text": "a" * 500 + end}).encode()) for end in ("one", "two"))

    (found,) = differing(before, now)

    assert found.begins == 460


@pytest.mark.parametrize(
    ("value", "reads"),
    [
        ("DE89370400440532013000", "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000"),
        (1234567, "1\u00a0234\u00a0567"),
        (-10000.5, "-10\u00a0000.5"),
        (9999, ""),
        ("DE8937040044\u200b0532013000", ""),
        ("hello", ""),
        (True, ""),
    ],
)
def test_an_iban_and_a_long_number_are_shown_in_groups_beside_what_is_sent(value: object, reads: str) -> None:
    """security.md 6.5: grouped *and* raw; what is not wholly one stays as it is."""
    shown = Pages(clock=FakeClock()).macro(
        "components.html", "exact_tree", read_whole(json.dumps({"v": value}).encode())
    )

    assert (f"reads {reads}</span>" in shown) == bool(reads)
    assert ("grouped" in shown) == bool(reads)
    if reads:
        assert f">{value}</span>" in shown
