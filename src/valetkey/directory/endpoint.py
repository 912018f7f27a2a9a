"""When two URLs are one endpoint (CON-40)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_WRITTEN_OUT = re.compile(r"%([0-9A-Fa-f]{2})")


def endpoint_key(origin: str, text: str) -> str:
    """What makes two URLs one endpoint (CON-40): scheme and host in small letters, no default port, no last slash,

    and no character written as `%…` that can stand there as it is (RFC 3986, 6.2.2).
    """
    parts = urlsplit(text)
    return _WRITTEN_OUT.sub(_as_it_is, origin + parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else ""))


def _as_it_is(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if char.isascii() and (char.isalnum() or char in "-._~") else found[0].upper()
