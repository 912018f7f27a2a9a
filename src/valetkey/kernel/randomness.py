"""Random bytes that everybody may see, nonces and identifiers, drawn from the system in blocks.

A system call for each would cost more than what is made of it. Keys and tokens are not made here: what is secret does
not wait in memory for its turn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

_PIECES: Final = 256  # drawn at once


class Pieces:
    """Random pieces of `size` bytes, each given to one caller only, whatever thread it is in."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._left: Iterator[bytes] = iter(())
        # A child of `fork` would go on with its parent's bytes, and use each nonce a second time.
        os.register_at_fork(after_in_child=self._forget)

    def __call__(self) -> bytes:
        try:
            return next(self._left)  # one step of the interpreter: no two threads get the same piece
        except StopIteration:
            size, block = self._size, os.urandom(self._size * _PIECES)
            left = iter([block[at : at + size] for at in range(0, len(block), size)])
            piece = next(left)
            self._left = left
            return piece

    def _forget(self) -> None:
        self._left = iter(())
