"""How a picture looks, in a few bits: two that share most of them look alike to people (L-108).

The picture becomes a grid of nine by nine shades on white, and the bits say from which cell to the next it grows
lighter, and from which darker. That stays when a picture is made larger, is given another hue, or is saved anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from valetkey.submissions.png import Opened, opened

_CELLS: Final = 9
_SAMPLES: Final = 4
"""Pixels of a cell that are looked at, each way."""
_STEP: Final = 6
"""Shades of 256 by which one cell is lighter than another."""
_WHITE: Final = 255.0


def likeness(png: bytes) -> int:
    """The bits of a picture that `png.made_anew` made; 0 for one of a single shade. Takes up to half a second of

    the largest icon there can be: not on the loop.
    """
    return _bits(_grid(opened(png)))


def _bits(grid: list[list[float]]) -> int:
    found, place = 0, 1
    for lines in (grid, [list(column) for column in zip(*grid, strict=True)]):
        for line in lines:
            for one, other in pairwise(line):
                found |= place * (other - one > _STEP) | (place << 1) * (one - other > _STEP)
                place <<= 2
    return found


def _grid(picture: Opened) -> list[list[float]]:
    head = picture.head
    rows = {_at(number, head.height) for number in range(_CELLS * _SAMPLES)}
    columns = [_at(number, head.width) for number in range(_CELLS * _SAMPLES)]
    lines = {y: line for y, line in enumerate(_lines(picture)) if y in rows}
    shade = _Shades(picture)
    grid = []
    for cell in range(_CELLS):
        ys = [_at(number, head.height) for number in range(cell * _SAMPLES, (cell + 1) * _SAMPLES)]
        row = []
        for place in range(0, _CELLS * _SAMPLES, _SAMPLES):
            seen = [shade.of(lines[y], x) for y in ys for x in columns[place : place + _SAMPLES]]
            row.append(sum(seen) / len(seen))
        grid.append(row)
    return grid


def _at(number: int, size: int) -> int:
    return (2 * number + 1) * size // (2 * _CELLS * _SAMPLES)


def _lines(picture: Opened) -> Iterator[bytes]:
    """The lines of pixels, their filters undone (ISO/IEC 15948, 9.2). Whoever waits for the interpreter has it between

    two lines: the largest icon there can be has two million bytes, and each depends on the one before.
    """
    head, pixels = picture.head, picture.pixels
    apart, before = max(1, head.samples * head.depth // 8), bytes(head.line - 1)
    for place in range(0, len(pixels), head.line):
        before = _undone(pixels[place], pixels[place + 1 : place + head.line], before, apart)
        yield before
        time.sleep(0)


def _undone(kind: int, line: bytes, above: bytes, apart: int) -> bytes:
    match kind:
        case 1:
            return _by_left(line, apart)
        case 2:
            return bytes((one + other) & 255 for one, other in zip(line, above, strict=True))
        case 3:
            return _by_mean(bytearray(line), above, apart)
        case 4:
            return _by_nearest(bytearray(line), above, apart)
    return line


def _by_left(line: bytes, apart: int) -> bytes:
    found = bytearray(len(line))
    for start in range(apart):
        found[start::apart] = bytes(one & 255 for one in accumulate(line[start::apart]))
    return bytes(found)


def _by_mean(line: bytearray, above: bytes, apart: int) -> bytes:
    for at, up in enumerate(above):
        left = line[at - apart] if at >= apart else 0
        line[at] = (line[at] + (left + up) // 2) & 255
    return bytes(line)


def _by_nearest(line: bytearray, above: bytes, apart: int) -> bytes:
    """Paeth's: whichever of left, above and the corner is nearest to left and above less the corner."""
    for at, up in enumerate(above[:apart]):
        line[at] = (line[at] + up) & 255
    for at, (up, corner) in enumerate(zip(above[apart:], above, strict=False), apart):
        left = line[at - apart]
        by_left, by_up = up - corner, left - corner
        by_corner = abs(by_left + by_up)
        by_left, by_up = abs(by_left), abs(by_up)
        if by_up < by_left or by_corner < by_left:
            left = up if by_up <= by_corner else corner
        line[at] = (line[at] + left) & 255
    return bytes(line)


@dataclass(frozen=True, slots=True)
class _Shades:
    """Reads pixels as shades on white."""

    picture: Opened

    def of(self, line: bytes, x: int) -> float:
        head = self.picture.head
        samples = [self._sample(line, x * head.samples + number) for number in range(head.samples)]
        if head.color == 3:
            index = int(samples[0])
            entry = self.picture.palette[3 * index : 3 * index + 3]
            clear = self.picture.alpha[index] if index < len(self.picture.alpha) else 255
            return _on_white([float(one) for one in entry.ljust(3, b"\0")], float(clear))
        top = (1 << head.depth) - 1
        whole = [one * _WHITE / top for one in samples]
        return _on_white(whole[:-1], whole[-1]) if head.color in (4, 6) else _on_white(whole, _WHITE)

    def _sample(self, line: bytes, number: int) -> int:
        depth = self.picture.head.depth
        if depth >= 8:
            return int.from_bytes(line[number * depth // 8 : (number + 1) * depth // 8])
        byte, shift = divmod(number * depth, 8)
        return line[byte] >> (8 - depth - shift) & ((1 << depth) - 1)


def _on_white(colors: list[float], clear: float) -> float:
    shade = 0.299 * colors[0] + 0.587 * colors[1] + 0.114 * colors[2] if len(colors) == 3 else colors[0]
    return (shade * clear + _WHITE * (_WHITE - clear)) / _WHITE
