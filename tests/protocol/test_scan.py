"""The one look over JSON from outside."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.protocol.scan import MAX_COMMAS, MAX_CONTAINERS, MAX_MEMBERS, BadJson, mend_surrogates, scan

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=40,
)


@given(JSON, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_json_within_bounds_passes(value: object, ascii_only: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    try:
        body = text.encode()
    except UnicodeEncodeError:
        body = json.dumps(value).encode()

    scan(b" \r\n" + body + b"\n")


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b'{"a":1', b'{"a":1}}', b'{"a":1} x', b"[1,]", b'{"a":1,}', b"{'a':1}", b'{"a" 1}', b"tru",
        b"-", b"01", b"1.", b"+1", b".5", b'"\x01"', b'"\\x"', b'"\\u12"', b"\xef\xbb\xbf{}", b'{"a":1}\x00',
        b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":NaN}', b"[Infinity]", b"[-Infinity]", b"\xff\xfe{\x00}\x00",
    ],
)  # fmt: skip
def test_what_is_no_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadJson):
        scan(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}',
        b'{"x":[{"y":{"a":1,"b":2,"a":3}}]}',
        b'{"a":1,"\\u0061":2}',  # the same key, spelled in two ways
        b'{"":1,"":2}',
    ],
)
def test_a_duplicate_key_is_refused_wherever_it_is(body: bytes) -> None:
    """Two readers of such an object could see two different things."""
    with pytest.raises(BadJson, match="duplicate"):
        scan(body)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_64_levels_pass_and_65_do_not(opening: bytes, closing: bytes) -> None:
    levels = 64 // sum(opening.count(bracket) for bracket in (b"[", b"{"))

    scan(opening * levels + b"1" + closing * levels)
    with pytest.raises(BadJson, match="deep"):
        scan(b"[" + opening * levels + b"1" + closing * levels + b"]")


def test_brackets_in_strings_and_beside_each_other_are_not_depth() -> None:
    scan(json.dumps(["[" * 500, '{"\\"' * 100, *([[]] * 200)]).encode())


@pytest.mark.parametrize("body", [b"[" * 4_000_000, b'{"a":' * 800_000, b"[" * 5000 + b"]" * 5000])
def test_endless_depth_ends_early(body: bytes) -> None:
    began = time.perf_counter()

    with pytest.raises(BadJson):
        scan(body)
    assert time.perf_counter() - began < 2


def test_a_million_tiny_objects_are_refused_without_reading_them() -> None:
    began = time.perf_counter()

    with pytest.raises(BadJson, match="too many"):
        scan(b"[" + b"{}," * 1_000_000 + b"{}]")
    assert time.perf_counter() - began < 0.5
    scan(b"[" + b"{}," * (MAX_CONTAINERS - 2) + b"{}]")


def test_more_members_or_values_than_anybody_reads_are_refused_without_reading_them() -> None:
    names = [b'"k%d" : 1' % number for number in range(MAX_MEMBERS + 1)]
    for body in (b"{%b}" % b",".join(names), b"[%b1]" % (b"1," * (MAX_COMMAS + 1))):
        with pytest.raises(BadJson, match="too many"):
            scan(body)
    scan(b"{%b}" % b",".join(names[:-2]))
    scan(b"[%b1]" % (b"1," * MAX_COMMAS))
    scan(b'["%b"]' % (b"12:34:56 it says: nothing\\n" * 100_000))


def test_numbers_are_not_converted() -> None:
    """A number of a million digits would cost seconds to convert, and nobody asked for its value."""
    scan(b"[" + b"9" * 1_000_000 + b", -0, 1e999, 0.1000000000000000055511151231257827]")


def test_a_lone_surrogate_is_mended_and_everything_else_stays() -> None:
    body = rb'{"a":"x\ud83d","b":"\ud83d\ude00","c":"\\ud83d","d":"\udc00\ud83d\n","e":"\\\ud83d"}'

    mended = mend_surrogates(body)

    assert mended == rb'{"a":"x\ufffd","b":"\ud83d\ude00","c":"\\ud83d","d":"\ufffd\ufffd\n","e":"\\\ufffd"}'
    assert mend_surrogates(mended) == mended


@given(st.text(st.characters()))
def test_mending_changes_nothing_in_well_formed_text(text: str) -> None:
    body = json.dumps(text).encode()

    assert json.loads(mend_surrogates(body)) == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
