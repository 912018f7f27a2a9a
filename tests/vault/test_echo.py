"""T18, the search itself: whatever way a value is written in an answer, it is found there, and nothing else is."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.vault.echo import SHORTEST, TooAlike, _written, echo_of

TOKEN = b"gho_16C7e42F292c6912E7710c838347Ae178B4a+/=~"
PRINTABLE = st.integers(0x21, 0x7E)
VALUES = st.lists(PRINTABLE, min_size=SHORTEST, max_size=90).map(bytes)

WAYS: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda value: value,
    "base64, alone": base64.b64encode,
    "base64, one byte in": lambda value: base64.b64encode(b"x" + value + b"yz"),
    "base64, two bytes in": lambda value: base64.b64encode(b"ab" + value + b"c"),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(b"Bearer " + value).rstrip(b"="),
    "hex": lambda value: value.hex().encode(),
    "hex in capitals": lambda value: value.hex().upper().encode(),
    "percent": lambda value: quote(value, safe="").encode(),
    "percent, small digits": lambda value: quote(value, safe="").lower().encode() if value.islower() else b"",
    "percent, every byte": lambda value: b"".join(b"%%%02x" % byte for byte in value),
    "percent, every byte, capitals": lambda value: b"".join(b"%%%02X" % byte for byte in value),
    "JSON by number": lambda value: b"".join(b"\\u%04x" % byte for byte in value),
    "JSON by number, now and then": lambda value: b"".join(
        b"\\u%04X" % byte if place % 3 == 0 or byte in b'"\\' else bytes([byte]) for place, byte in enumerate(value)
    ),
    "JSON with escaped slashes": lambda value: json.dumps(value.decode())[1:-1].encode().replace(b"/", b"\\/"),
    "JSON": lambda value: json.dumps(value.decode())[1:-1].encode(),
}


def trace_of(value: bytes, text: bytes) -> bool:
    """Whether the value can still be read out of `text`, by whoever tries everything."""
    seen = [text, text.replace(b"\\/", b"/")]
    for one in list(seen):
        try:
            seen.append(json.loads(b'"' + one + b'"').encode("latin-1", "replace"))
        except ValueError:
            continue
    decoded = []
    for one in seen:
        for cut in range(4):
            for alphabet in (None, b"-_"):
                piece = one[cut : cut + (len(one) - cut) // 4 * 4]
                try:
                    decoded.append(base64.b64decode(piece, altchars=alphabet))
                except ValueError:
                    continue
    return any(value in one or value.hex().encode() in one.lower() for one in seen + decoded)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("around", [(b"", b""), (b'{"a":"', b'"}'), (b'["' + b"x" * 5000 + b" ", b' gho_"]')])
def test_a_value_is_taken_out_however_it_is_written(way: str, around: tuple[bytes, bytes]) -> None:
    written = WAYS[way](TOKEN)
    answer = around[0] + written + around[1]

    masked = echo_of(bytearray(TOKEN)).masked(answer)

    if written:
        assert masked != answer
        assert not trace_of(TOKEN, masked)
        assert TOKEN[8:32] not in masked
    if around[0]:
        json.loads(masked)


@given(value=VALUES, way=st.sampled_from(sorted(WAYS)), before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_any_value_is_taken_out(value: bytes, way: str, before: bytes, after: bytes) -> None:
    written = WAYS[way](value)
    echo = echo_of(bytearray(value))

    if written and b'"' not in before and not before.endswith(b"\\"):
        assert echo.masked(before + written + after) != before + written + after


def test_each_time_it_stands_there_it_is_taken_out() -> None:
    echo = echo_of(bytearray(TOKEN))

    masked = echo.masked(b"|".join([TOKEN, TOKEN.hex().encode(), TOKEN, base64.b64encode(TOKEN), TOKEN]))

    assert masked.count(b"[removed]") == 3
    assert masked.count(b"|") == 4


@given(data=st.binary(max_size=300), value=VALUES)
def test_what_does_not_hold_the_value_is_the_very_same_object(data: bytes, value: bytes) -> None:
    if value not in data:
        assert echo_of(bytearray(value)).masked(data) is data


def test_a_value_that_differs_in_one_place_is_left_alone() -> None:
    """Another person's token, or the one before: no secret of this call."""
    other = bytearray(TOKEN)
    other[3] ^= 1
    answer = b'{"token":"%b"}' % bytes(other)

    assert echo_of(bytearray(TOKEN)).masked(answer) is answer


def test_an_escaped_backslash_is_not_misread() -> None:
    """`\\\\u0067` is a backslash and five letters, not a letter."""
    answer = b'{"a":"\\\\u0067' + TOKEN[1:] + b'"}'

    assert echo_of(bytearray(TOKEN)).masked(answer) is answer


def test_what_stands_around_a_value_that_is_written_by_number_stays_as_it_is() -> None:
    answer = b'{"a":"one\\ntwo\\\\ \\"three\\"","b":"' + WAYS["JSON by number"](TOKEN) + b'"}'

    masked = echo_of(bytearray(TOKEN)).masked(answer)

    assert masked == b'{"a":"one\\ntwo\\\\ \\"three\\"","b":"[removed]"}'


BASIC = b"Basic " + base64.b64encode(b"ada:correct-horse-battery")


@pytest.mark.parametrize(
    ("value", "said", "left"),
    [
        (TOKEN, TOKEN, b""),
        (b"Bearer " + TOKEN, b"Bearer " + TOKEN, b"Bearer "),
        (b"token  " + TOKEN, TOKEN, b""),
        (b"Bearer 123456789012", b"123456789012", b""),
        (b"Bearer 12345678901", b"Bearer 12345678901", b""),
        (BASIC, BASIC, b"Basic "),
        (BASIC, b"ada:correct-horse-battery", b""),
        (BASIC, b"correct-horse-battery", b""),
        (BASIC, b"Correct-horse-battery", b"Correct-horse-battery"),
        (b"basic " + base64.b64encode(b"a:123456789012"), b"123456789012", b""),
        (b"Basic " + base64.b64encode(b"a-long-name:short"), b"short", b"short"),
        (b"Basic " + base64.b64encode(b"a-long-name:short"), b"a-long-name:short", b""),
        (b"Basic ****" + BASIC[6:], b"correct-horse-battery", b"correct-horse-battery"),
        (b"Other " + BASIC[6:], b"correct-horse-battery", b"correct-horse-battery"),
    ],
)  # fmt: skip
def test_of_a_header_s_value_exactly_the_secret_is_taken_out(value: bytes, said: bytes, left: bytes) -> None:
    """Without its scheme, if what is left is long enough; of Basic what it says, and the password alone."""
    masked = left if left == said else left + b"[removed]"

    for before, after in ((b"", b""), (b'{"echo":"', b'"}')):
        assert echo_of(bytearray(value)).masked(before + said + after) == before + masked + after


@pytest.mark.parametrize("value", [b"~~~abc???~~~def???~~~", b"???abc???abc???abc???", b"~~~abc~~~abc~~~abc~~~"])
@pytest.mark.parametrize("before", [b"", b"x", b"xy"])
def test_in_base64_for_urls_it_is_taken_out_wherever_it_begins(value: bytes, before: bytes) -> None:
    echo = echo_of(bytearray(value))

    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        written = encode(before + value + b"z")
        masked = echo.masked(b'"' + written + b'"')
        assert len(masked) == len(written) + 2
        assert value not in base64.b64decode(
            masked[1:-1], altchars=b"-_" if encode is base64.urlsafe_b64encode else None
        )
        assert masked.count(b"A" * (8 * len(value) // 6 - 2)) == 1


def test_percent_is_read_in_capitals_and_small_and_only_its_digits_are() -> None:
    value = b"ABCdef/+=GHIjkl/MNO"
    echo = echo_of(bytearray(value))
    small = b"ABCdef%2f%2b%3dGHIjkl%2fMNO"

    assert echo.masked(small) == echo.masked(b"ABCdef%2F%2B%3DGHIjkl%2FMNO") == b"[removed]"
    assert echo.masked(small.lower()) == small.lower()  # another value
    assert echo.masked(b"100% " + TOKEN) == b"100% " + TOKEN


def test_what_is_kept_of_a_value_is_six_bytes_of_it_and_the_value_is_wiped() -> None:
    value = bytearray(TOKEN)

    echo = echo_of(value)

    begin = (len(TOKEN) - 6) // 2
    assert value == TOKEN  # the caller's, to wipe
    for form in echo.forms:
        assert len(form.needle) <= 3 * 6
        for at in range(len(TOKEN) - 3):
            if not begin - 3 <= at <= begin + 6:
                assert TOKEN[at : at + 4] not in form.needle
    assert TOKEN[10:20] not in repr(echo).encode()
    in_base64 = [form.needle for form in echo_of(bytearray(b"~~~abc???~~~def???~~~")).forms if form.instead[:1] == b"A"]
    assert sorted(map(len, in_base64)) == [6] * 6  # of five bytes


def test_short_values_are_not_looked_for_and_of_longer_ones_a_quarter_is_kept() -> None:
    assert echo_of(bytearray(b"x" * 11)).forms == ()
    for length, kept in ((12, 3), (16, 4), (24, 6), (90, 6)):
        forms = echo_of(bytearray(range(33, 33 + length))).forms
        assert (len(forms[0].needle), forms[0].length) == (kept, length)
        assert max(len(form.needle) for form in forms) <= 6 * kept


def test_what_is_made_on_the_way_is_wiped() -> None:
    """White box: what is written down to find out how a value looks is not left lying in memory."""
    made: list[bytearray] = []

    def write(view: memoryview) -> bytearray:
        made.append(bytearray(view))
        return made[-1]

    _written(b"k" * 16, bytearray(TOKEN), 4, 8, write, b"")

    assert [bytes(one) for one in made] == [bytes(len(TOKEN)), bytes(4), bytes(4)]


def test_an_answer_made_to_cost_time_is_refused_in_time() -> None:
    """Who knows the value can repeat its middle, and nothing else."""
    echo = echo_of(bytearray(TOKEN))
    trap = echo.forms[0].needle * 300_000
    began = time.perf_counter()

    with pytest.raises(TooAlike):
        echo.masked(trap)

    assert time.perf_counter() - began < 1.0


def test_ten_thousand_looks_in_vain_are_the_most() -> None:
    """In one message, over all ways to write the value."""
    value = b"abcdefghijklmnopqrstuvwx"
    echo = echo_of(bytearray(value))
    trap = b" ".join([echo.forms[0].needle] * 10_000)

    assert echo.masked(trap) is trap
    assert echo.masked(value + trap) == b"[removed]" + trap
    with pytest.raises(TooAlike):
        echo.masked(trap + b" " + echo.forms[0].needle)


def test_an_answer_that_holds_nothing_costs_microseconds() -> None:
    """The bound is far above what it takes (a few microseconds), for machines that are busy."""
    chance = random.Random(1)
    answer = json.dumps({"text": [chance.randbytes(9).hex() for _ in range(100)]}).encode()
    echo = echo_of(bytearray(TOKEN))

    began = time.perf_counter()
    for _ in range(1000):
        assert echo.masked(answer) is answer

    assert (time.perf_counter() - began) / 1000 < 200e-6


def test_nothing_that_is_kept_depends_on_the_rest_of_the_value() -> None:
    """Two values that share the six bytes in the middle: whoever reads what is kept learns nothing else of either."""
    begin = (len(TOKEN) - 6) // 2
    other = bytes(b"Zq"[at % 2] for at in range(begin)) + TOKEN[begin : begin + 6]
    other += b"x" * (len(TOKEN) - len(other))

    kept = [[form.needle for form in echo_of(bytearray(value)).forms] for value in (TOKEN, other)]

    usual = {needle for needle in kept[1] if len(needle) < 18}
    assert usual <= set(kept[0])
    assert {len(needle) for needle in kept[1]} == {6, 7, 8, 12, 18}  # raw; Base64 thrice; hex; percent
