"""Pictures as people hand them in, and as others do."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def head(width: int, height: int, *, depth: int = 8, color: int = 2, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))


def pixels(width: int, height: int, *, shade: int = 120) -> bytes:
    """Lines of a plain color, with their filters in front."""
    return chunk(b"IDAT", zlib.compress((b"\0" + bytes([shade, 90, 200]) * width) * height, 1))


def png(width: int = 64, height: int = 0, *, shade: int = 120, more: bytes = b"", behind: bytes = b"") -> bytes:
    """A picture; `more` are chunks before its pixels, `behind` is what follows its end."""
    height = height or width
    whole = SIGNATURE + head(width, height) + more + pixels(width, height, shade=shade)
    return whole + chunk(b"IEND", b"") + behind
