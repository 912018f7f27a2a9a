"""What a service says of its tools, without what no person could see (U01, T40): a model would read that all the same.

Only texts are touched, and only where something is hidden in them: any other definition passes as the bytes it is.
People see each hidden character where they look at a tool, and are told of it (`gateway.unusual`).
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

from valetkey.review.texts import is_invisible, may_join

_SUSPICIOUS: Final = re.compile(rb"[\x7f-\xff]|\\[ubf]")
_PIECE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\x00-\x7e]"
)
_JOINERS: Final = frozenset("\u200c\u200d\ufe0e\ufe0f")


def visible(raw: bytes) -> bytes:
    """JSON without what is hidden in its texts."""
    if not _SUSPICIOUS.search(raw):
        return raw
    text = raw.decode()
    kept: list[str] = []
    end = 0
    before = ""
    for match in _PIECE.finditer(text):
        if match.start() > end:
            kept.append(text[end : match.start()])
            before = kept[-1][-1]
        piece, end = match[0], match.end()
        char = _read(piece)
        if not _is_hidden(char, before):
            kept.append(piece)
            before = char
    return "".join([*kept, text[end:]]).encode("utf-8", "surrogatepass")


def is_visible(name: str) -> bool:
    """Whether a name shows all that it is: one that does not could be taken for another."""
    return not any(_is_hidden(char, before) for before, char in zip("." + name, name, strict=False))


def shown(text: str) -> str:
    """`text` without what is hidden in it."""
    return "".join(char for before, char in zip("." + text, text, strict=False) if not _is_hidden(char, before))


def _read(piece: str) -> str:
    return str(json.loads(f'"{piece}"')) if piece.startswith("\\") else piece


def _is_hidden(char: str, before: str) -> bool:
    if char in _JOINERS and before and may_join(before):
        return False  # part of a picture, or of how a word is written
    return is_invisible(char) and unicodedata.category(char) != "Cn"  # a letter newer than our tables is drawn as one
