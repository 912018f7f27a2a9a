"""Host names as people must see them: as they are, and, if not plain ASCII, in both forms with a warning (S-07)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import idna


@dataclass(frozen=True, slots=True)
class ShownHost:
    """`wire` is what is dialed; `reading` is its Unicode form when that differs."""

    wire: str
    reading: str = ""


def shown_host(text: str) -> ShownHost:
    """The host of a URL, or a bare host (with or without port), in the forms a person should compare."""
    try:
        parts = urlsplit(text if "//" in text else f"//{text}")
    except ValueError:  # an unbalanced bracket: nothing to read it as
        return ShownHost(text)
    wire = parts.netloc.rpartition("@")[2] or text
    if "xn--" in wire.lower():
        return ShownHost(wire, _decoded(parts.hostname or ""))
    if not wire.isascii():
        return ShownHost(_encoded(parts.hostname or "") or wire, wire)
    return ShownHost(wire)


def _decoded(host: str) -> str:
    try:
        return idna.decode(host)
    except idna.IDNAError:
        return "not a valid international name"


def _encoded(host: str) -> str:
    try:
        return idna.encode(host).decode()
    except idna.IDNAError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a redirect host is the person's own device."""
    try:
        name = urlsplit(f"//{host}").hostname or host
    except ValueError:
        return False
    return name in ("localhost", "127.0.0.1", "::1") or name.startswith("127.")
