"""A fingerprint stays when only the order of keys changes, and changes with anything a model or a schema can see."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.directory.fingerprint import read_tool
from valetkey.kernel.errors import BadInput

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
DEFINITIONS = st.fixed_dictionaries(
    {"name": st.text(min_size=1, max_size=20)},
    optional={
        "title": st.text(max_size=10),
        "description": st.text(max_size=20),
        "inputSchema": st.dictionaries(st.text(max_size=6), JSON_VALUES, max_size=4),
        "outputSchema": st.dictionaries(st.text(max_size=6), JSON_VALUES, max_size=4),
        "annotations": st.dictionaries(st.sampled_from(["readOnlyHint", "title", "x"]), JSON_VALUES, max_size=3),
        "execution": JSON_VALUES,
        "_meta": st.dictionaries(st.text(max_size=6), JSON_VALUES, max_size=3),
        "vendor": JSON_VALUES,
    },
)


def fingerprint(definition: dict[str, Any], **how: Any) -> str:
    return read_tool(json.dumps(definition, **how).encode()).fingerprint


def turned_around(value: Any) -> Any:
    """The same JSON value with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: turned_around(value[key]) for key in reversed(value)}
    return [turned_around(item) for item in value] if isinstance(value, list) else value


@given(DEFINITIONS)
def test_order_of_keys_and_white_space_do_not_matter(definition: dict[str, Any]) -> None:
    assert fingerprint(turned_around(definition), indent=3) == fingerprint(definition)


@given(DEFINITIONS, DEFINITIONS)
def test_two_definitions_share_a_fingerprint_only_if_they_are_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

    assert (fingerprint(one) == fingerprint(other)) == same


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where, in a JSON value, something stands that is neither object nor list."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path for key, item in inner for path in paths(item, (*here, key))]
    return found if isinstance(value, dict | list) else [here]


def with_change(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_change(value[path[0]], path[1:], new)
    return copy


@given(DEFINITIONS, st.data())
def test_any_one_visible_change_changes_it(definition: dict[str, Any], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(paths(definition)))
    changed = with_change(definition, path, "something else entirely, 21+ characters")

    assert fingerprint(changed) != fingerprint(definition)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"name":"t","inputSchema":{"maximum":1}}', '{"name":"t","inputSchema":{"maximum":1.0}}'),
        ('{"name":"t","x":100000000000000000000001}', '{"name":"t","x":100000000000000000000002}'),
        ('{"name":"t","x":1}', '{"name":"t","x":"1"}'),
        ('{"name":"t","x":["a","b"]}', '{"name":"t","x":["b","a"]}'),
        ('{"name":"t","x":["a,b"]}', '{"name":"t","x":["a","b"]}'),
        ('{"name":"t"}', '{"name":"t","description":""}'),
        ('{"name":"t","description":"a"}', '{"name":"t","description":"a\\u200b"}'),
        ('{"name":"t","x":true}', '{"name":"t","x":"true"}'),
    ],
)
def test_changes_that_parsers_like_to_lose_are_seen(before: str, after: str) -> None:
    assert read_tool(before.encode()).fingerprint != read_tool(after.encode()).fingerprint


def test_icons_are_for_people_and_do_not_count() -> None:
    assert fingerprint({"name": "t", "icons": [{"src": "https://h/1?signed=a"}]}) == fingerprint({"name": "t"})


def test_the_raw_bytes_are_kept_as_they_came() -> None:
    raw = b'{ "name": "t",\n "x": 1.50 }'

    assert read_tool(raw).raw == raw


@pytest.mark.parametrize(
    ("annotations", "reads", "destroys"),
    [
        (None, False, True),
        ("readOnlyHint", False, True),
        ({}, False, True),
        ({"readOnlyHint": True}, True, False),
        ({"readOnlyHint": "true"}, False, True),
        ({"readOnlyHint": 1}, False, True),
        ({"readonlyhint": True}, False, True),
        ({"destructiveHint": False}, False, False),
        ({"readOnlyHint": True, "destructiveHint": True}, False, True),
    ],
)
def test_missing_or_odd_annotations_mean_the_worst(annotations: Any, reads: bool, destroys: bool) -> None:
    tool = read_tool(json.dumps({"name": "t", "annotations": annotations}).encode())

    assert (tool.says_read_only, tool.says_destructive) == (reads, destroys)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"[]", b'"t"', b"{", b'{"name":1}', b'{"name":""}', b"{}", b'{"name":"t","x":NaN}', b'{"name":"\xff"}',
        b'{"name":"a","name":"b"}', b'{"name":"t","x":{"y":1,"y":2}}', b'{"name":"' + b"n" * 256 + b'"}',
        b'{"name":"t","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)  # fmt: skip
def test_what_cannot_be_pinned_is_refused(raw: bytes) -> None:
    with pytest.raises(BadInput):
        read_tool(raw)
