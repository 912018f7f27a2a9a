"""What a fuzzer found once is found no more, and each reader stands what is almost right: seeds, cut and changed."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.fuzz.targets import CORPUS, TARGETS

CHANGED = 150


def changed(seed: bytes, words: tuple[bytes, ...], chance: random.Random) -> Iterator[bytes]:
    """The seed, its beginnings, and itself with a few bytes replaced, dropped, doubled or a known word put in."""
    yield seed
    yield from (seed[:end] for end in range(0, len(seed), max(1, len(seed) // 20)))
    for _ in range(CHANGED):
        made = bytearray(seed)
        for _ in range(chance.randint(1, 4)):
            at = chance.randint(0, len(made))
            match chance.randint(0, 3):
                case 0:
                    made[at : at + 1] = bytes([chance.randint(0, 255)])
                case 1:
                    del made[at : at + chance.randint(1, 8)]
                case 2:
                    made[at:at] = made[at : at + chance.randint(1, 40)]
                case _:
                    made[at:at] = chance.choice(words) if words else b"\0"
        yield bytes(made)


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_stands_whatever_it_is_fed(name: str) -> None:
    target = TARGETS[name]
    chance = random.Random(name)

    for seed in target.seeds:
        for data in changed(seed, tuple(target.dictionary), chance):
            target.read(data)


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_once_is_found_no_more(name: str) -> None:
    for found in sorted((CORPUS / name).glob("*")):
        TARGETS[name].read(found.read_bytes())


def test_everything_that_is_kept_is_kept_for_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir() if folder.is_dir()} <= TARGETS.keys()
