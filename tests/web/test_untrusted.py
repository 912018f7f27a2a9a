"""Text from outside is shown as it is: every character of it, and none of it as markup."""

from __future__ import annotations

import html
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.web.hosts import shown_host
from valetkey.web.tree import Node, read_tree
from valetkey.web.untrusted import is_hidden, oddities, reveal, untrusted


@pytest.mark.parametrize(
    "char",
    ["\u202e", "\u200b", "\u200d", "\u2066", "\ufeff", "\u00ad", "\x00", "\x1b", "\x7f", "\u2028", "\u3164", "\u2800",
     "\U000e0041", "\U000e0101", "\ue000", "\u180e", "\u034f"],
    ids=lambda char: f"U+{ord(char):04X}",
)  # fmt: skip
def test_what_cannot_be_seen_is_shown_by_its_number(char: str) -> None:
    assert f"⟦U+{ord(char):04X}⟧" in reveal(f"a{char}b")
    assert char not in reveal(f"a{char}b")


@given(st.text())
def test_nothing_that_is_revealed_is_markup_or_hidden(text: str) -> None:
    shown = str(untrusted(text, limit=10_000))
    inside = shown.removeprefix('<bdi class="outside">').removesuffix("</bdi>")

    assert re.fullmatch(r'(?:[^<>"\']|<span class="revealed">⟦U\+[0-9A-F]{4,6}⟧</span>)*', inside)
    assert not any(is_hidden(char) for char in inside)


@given(st.text())
def test_nothing_is_lost_in_revealing(text: str) -> None:
    shown = re.sub(
        r'<span class="revealed">⟦U\+([0-9A-F]+)⟧</span>',
        lambda found: chr(int(found[1], 16)),
        str(reveal(text, limit=10**6)),
    )

    assert html.unescape(shown) == text


def test_long_text_says_how_much_is_missing() -> None:
    assert str(reveal("a" * 30, limit=10)).endswith("… 20 more characters</span>")


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("GіtHub", "mixes alphabets"),
        ("ѕсоре", "another alphabet"),
        ("GitHub\u200b", "invisible"),
        ("\u202ebuHtiG", "invisible"),
        ("Verified ✓", "claim"),
        ("Official Notes", "claim"),
        ("Git  Hub", "spaces"),
        ("ＧｉｔＨub", "mixes alphabets"),
    ],
)
def test_a_name_made_to_deceive_is_said_to_be_odd(name: str, sign: str) -> None:
    assert any(sign in oddity for oddity in oddities(name))


@pytest.mark.parametrize(
    "name", ["GitHub", "Notes", "Ärzte-Kalender", "Календарь", "日本語メモ", "Tareas (España)", "Ημερολόγιο"]
)
def test_an_ordinary_name_in_any_language_is_not(name: str) -> None:
    assert oddities(name) == ()


def test_an_international_host_is_shown_in_both_forms() -> None:
    assert (shown_host("https://xn--80ak6aa92e.com/mcp").wire, shown_host("xn--80ak6aa92e.com").reading) == (
        "xn--80ak6aa92e.com",
        "аррӏе.com",
    )
    assert (shown_host("bücher.example").wire, shown_host("bücher.example").reading) == (
        "xn--bcher-kva.example",
        "bücher.example",
    )
    assert shown_host("https://mcp.example.com:8443").reading == ""


@pytest.mark.parametrize("text", ["", "[", "//[", "xn--", "http://[::1", "a@b@c", "\x00"])
def test_no_host_is_too_strange_to_show(text: str) -> None:
    shown_host(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


@given(JSON)
def test_a_tree_shows_every_leaf(value: object) -> None:
    def leaves(node: Node) -> int:
        return sum(leaves(child) for child in node.children) if node.children else 1

    def count(inner: object) -> int:
        children = list(inner.values()) if isinstance(inner, dict) else inner if isinstance(inner, list) else []
        return sum(count(child) for child in children) if children else 1

    assert leaves(read_tree(json.dumps(value).encode())) == count(value)


def test_numbers_are_shown_as_they_were_sent() -> None:
    tree = read_tree(b"[12345678901234567890123, 1.10, 1e999]")

    assert [child.text for child in tree.children] == ["12345678901234567890123", "1.10", "1e999"]


def test_a_member_sent_twice_is_shown_twice() -> None:
    tree = read_tree(b'{"amount": 1, "amount": 1000}')

    assert [(child.label, child.text) for child in tree.children] == [("amount", "1"), ("amount", "1000")]


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"{", b"[" * 100_000, b'"\\ud800"', b"[" * 500 + b"]" * 500, b"[" + b"1," * 50_000 + b"1]"],
    ids=["empty", "not utf-8", "broken", "deep and broken", "surrogate", "deep", "wide"],
)
def test_a_tree_of_anything_is_bounded(body: bytes) -> None:
    def size(node: Node) -> int:
        return 1 + sum(size(child) for child in node.children)

    assert size(read_tree(body)) <= 2100
