"""Identifiers."""

from __future__ import annotations

import time

from valetkey.kernel.ids import new_id

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def test_an_id_holds_the_time_in_front_and_80_random_bits_behind() -> None:
    before = time.time_ns() // 1_000_000

    made = new_id("call")

    digits = made.removeprefix("call_")
    assert len(digits) == 26
    number = 0
    for digit in digits:
        number = number * 32 + _DIGITS.index(digit)
    assert before <= number >> 80 <= time.time_ns() // 1_000_000


def test_ids_sort_by_time_and_do_not_repeat() -> None:
    first = new_id("x")
    time.sleep(0.002)
    made = [new_id("x") for _ in range(10_000)]

    assert all(first < later for later in made)
    assert len(set(made)) == len(made)
