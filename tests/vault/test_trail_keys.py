"""The trail's keys lie sealed, sign what can be checked, and evolve without a way back."""

from __future__ import annotations

import pytest

from tests.vault.conftest import House
from valetkey.audit.note import Checkpoint, read_note, write_note
from valetkey.audit.watch import first_bad_step, mark_of, next_key, read_start
from valetkey.vault.trail_keys import TrailKeys


async def opened(house: House) -> TrailKeys:
    keys = TrailKeys(house.vault(), "hub_1")
    await keys.open()
    return keys


async def test_the_signing_key_is_made_once_and_survives_a_restart(house: House) -> None:
    first = await opened(house)
    again = TrailKeys(house.vault(), "hub_1")

    assert await again.open() == ""
    assert again.verifier_key == first.verifier_key


async def test_what_it_signs_its_public_key_confirms(house: House) -> None:
    keys = await opened(house)
    checkpoint = Checkpoint(keys.verifier_key.name, 3, bytes(32))

    note = write_note(checkpoint, keys.verifier_key, await keys.sign(checkpoint.text().encode()))

    assert keys.verifier_key.has_signed(read_note(note))


async def test_without_a_watch_there_is_no_mark(house: House) -> None:
    assert await (await opened(house)).step(b"note", after=("", 0)) is None


async def test_the_marks_of_a_watch_follow_from_its_first_value(house: House) -> None:
    keys = await opened(house)
    first = read_start((await keys.begin_watch()).reveal().decode())

    steps = []
    for number in range(3):
        note = b"note %d" % number
        step = await keys.step(note, after=("", 0))
        assert step is not None
        await keys.move_on(step)
        steps.append((step, note))

    assert [step.number for step, _ in steps] == [1, 2, 3]
    assert first_bad_step(first, steps) == (0, "")
    assert first_bad_step(first, steps[1:])[1] == "is missing"
    assert first_bad_step(first, [(steps[0][0], b"another"), *steps[1:]])[0] == 1


async def test_what_made_a_mark_is_gone_from_both_stores(house: House) -> None:
    """Forward security: who takes the host over finds the present value only."""
    keys = await opened(house)
    watch, first_key = read_start((await keys.begin_watch()).reveal().decode())
    step = await keys.step(b"note", after=("", 0))
    assert step is not None
    await keys.move_on(step)

    present = await keys._watch()

    assert present is not None
    assert (present.id, present.step, present.key) == (watch, 2, next_key(first_key))
    assert mark_of(present.key, b"note") != step.mark


@pytest.mark.parametrize("cut_off_at", [1, 2, 3])
async def test_a_crash_between_the_mark_and_moving_on_uses_no_step_twice(house: House, cut_off_at: int) -> None:
    keys = await opened(house)
    await keys.begin_watch()
    last = ("", 0)
    numbers = []
    for turn in range(1, 5):
        step = await keys.step(b"note", after=last)
        assert step is not None
        last = (step.watch, step.number)
        numbers.append(step.number)
        if turn == cut_off_at:
            keys = await opened(house)
        else:
            await keys.move_on(step)

    assert numbers == [1, 2, 3, 4]
