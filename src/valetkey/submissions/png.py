"""A picture that somebody handed in, made anew: nothing of the file is kept but the pixels.

What a stranger sends as a picture may be a page, a program, a bomb, or two things at once. It is read by what it *is*
and never by what it is called: PNG (ISO/IEC 15948) alone, each chunk's sum checked, as many pixels as its head says and
not one more; what is written is a new file with head, palette, transparency and pixels. SVG is a program, and refused
with everything else.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from valetkey.kernel.errors import BadInput

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Color type → samples of a pixel (11.2.1)."""
_DEPTHS: Final = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_MOST_CHUNKS: Final = 4096
_FILTERS: Final = frozenset(range(5))


@dataclass(frozen=True, slots=True)
class Shape:
    """What a picture must be like, for people to read: `says` is what is answered to any other."""

    says: str
    most_bytes: int
    narrowest: int
    widest: int
    is_square: bool = False
    most_pixels: int = 8_000_000


ICON: Final = Shape("An icon is a square PNG of 64 to 512 pixels and at most 256 KiB.", 256 * 1024, 64, 512, True)
SCREENSHOT: Final = Shape(
    "A screenshot is a PNG, 1000 to 4000 pixels wide, of at most 8 million pixels and 700 KiB.", 700 * 1024, 1000, 4000
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it was made anew."""

    png: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Head:
    width: int
    height: int
    depth: int
    color: int

    @property
    def line(self) -> int:
        """Bytes of one line of pixels, with the byte in front that names its filter."""
        return 1 + (self.width * self.samples * self.depth + 7) // 8

    @property
    def samples(self) -> int:
        return _SAMPLES[self.color]

    def written(self) -> bytes:
        return struct.pack(">IIBBBBB", self.width, self.height, self.depth, self.color, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture's parts, its pixels unpacked; each line still as its filter left it."""

    head: Head
    palette: bytes
    alpha: bytes
    pixels: bytes


def opened(content: bytes) -> Opened:
    """Raises `BadInput`."""
    chunks = list(_chunks(content))
    head = _head(chunks)
    palette, alpha, pixels = (_joined(chunks, kind) for kind in (b"PLTE", b"tRNS", b"IDAT"))
    return Opened(head, palette, alpha, _inflated(pixels, head))


def made_anew(content: bytes, shape: Shape) -> Picture:
    """The picture in `content`. Raises `BadInput`, whatever `content` is. It takes up to a second: not on the loop."""
    if len(content) > shape.most_bytes:
        raise BadInput(shape.says, field="picture", hint=f"This file has {len(content)} bytes.")
    if not content.startswith(_SIGNATURE):
        raise BadInput("This is no PNG, whatever it is called.", field="picture", hint=shape.says)
    chunks = list(_chunks(content))
    head = _head(chunks)
    _demand(head, shape)
    palette, alpha, pixels = (_joined(chunks, kind) for kind in (b"PLTE", b"tRNS", b"IDAT"))
    if head.color == 3 and not (3 <= len(palette) <= 768 and len(palette) % 3 == 0 and len(alpha) <= 256):
        raise _broken("its palette is not one")
    kept = [_chunk(b"IHDR", head.written())]
    if head.color == 3:
        kept.append(_chunk(b"PLTE", palette))
        kept += [_chunk(b"tRNS", alpha)] if alpha else []
    kept += [_chunk(b"IDAT", zlib.compress(_inflated(pixels, head), 6)), _chunk(b"IEND", b"")]
    return Picture(_SIGNATURE + b"".join(kept), head.width, head.height)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk up to the end, its sum checked. What stands behind the end is nobody's, and not kept."""
    place = len(_SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        size, kind = struct.unpack_from(">I4s", content, place) if place + 12 <= len(content) else (0, b"")
        if not kind or place + 12 + size > len(content):
            raise _broken("it breaks off")
        data = content[place + 8 : place + 8 + size]
        (told,) = struct.unpack_from(">I", content, place + 8 + size)
        if zlib.crc32(kind + data) != told:
            raise _broken("a sum in it is wrong")
        if kind[0] & 0x20 == 0 and kind not in (b"IHDR", b"PLTE", b"IDAT", b"IEND"):
            raise _broken("there is something in it that no PNG has")
        yield kind, data
        if kind == b"IEND":
            return
        place += 12 + size
    raise _broken("it is in too many pieces")


def _joined(chunks: list[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    return b"".join(data for kind, data in chunks if kind == wanted)


def _head(chunks: list[tuple[bytes, bytes]]) -> Head:
    heads = [data for kind, data in chunks if kind == b"IHDR"]
    if len(heads) != 1 or chunks[0][0] != b"IHDR" or len(heads[0]) != 13:
        raise _broken("it has no head")
    width, height, depth, color, packing, filtering, interlace = struct.unpack(">IIBBBBB", heads[0])
    if depth not in _DEPTHS.get(color, ()) or packing or filtering:
        raise _broken("its head is none")
    if interlace:
        raise BadInput("It is interlaced, which is not read here.", field="picture", hint="Save it without that.")
    return Head(width, height, depth, color)


def _demand(head: Head, shape: Shape) -> None:
    fits = shape.narrowest <= head.width <= shape.widest and 1 <= head.height <= shape.widest
    if not fits or head.width * head.height > shape.most_pixels or (shape.is_square and head.width != head.height):
        raise BadInput(shape.says, field="picture", hint=f"This one is {head.width} by {head.height}.")


def _inflated(packed: bytes, head: Head) -> bytes:
    """Exactly as many bytes as the head says: a bomb is not unpacked beyond them."""
    wanted = head.line * head.height
    unpacking = zlib.decompressobj()
    try:
        pixels = unpacking.decompress(packed, wanted + 1)
    except zlib.error as error:
        raise _broken("its pixels cannot be unpacked") from error
    if len(pixels) != wanted or not unpacking.eof:
        raise _broken("it has more or fewer pixels than its head says")
    if not _FILTERS.issuperset(pixels[:: head.line]):
        raise _broken("a line of it has no known filter")
    return pixels


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _broken(why: str) -> BadInput:
    return BadInput(f"This PNG cannot be read: {why}.", field="picture")
