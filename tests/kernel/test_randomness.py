"""Random pieces: each is given once, also to a child of `fork`."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from valetkey.kernel.randomness import Pieces


def test_no_two_callers_get_the_same_piece() -> None:
    draw = Pieces(12)

    with ThreadPoolExecutor(4) as threads:
        drawn = [piece for some in threads.map(lambda _: [draw() for _ in range(2000)], range(4)) for piece in some]

    assert len(set(drawn)) == 8000
    assert {len(piece) for piece in drawn} == {12}


def test_a_child_of_fork_does_not_go_on_with_its_parents_pieces() -> None:
    draw = Pieces(12)
    draw()
    read, write = os.pipe()

    child = os.fork()
    if not child:
        os.write(write, draw())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(read, 12) != draw()
    os.close(read)
    os.close(write)
