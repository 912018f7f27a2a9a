"""Redirect URIs: which ones a client may register, and which registered one a presented one is.

Compared as text, exactly (OAuth 2.1 2.3.1). One relaxation: a native app listens on a port it cannot know beforehand,
so on loopback the port does not count (RFC 8252 7.3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from valetkey.kernel.errors import BadInput
from valetkey.net.url import parse_url

LONGEST = 2000

# Private-use URIs of clients in the field whose schemes have no dot. The scheme is first come, first served on a
# person's machine; PKCE is what keeps a code safe there.
KNOWN_PRIVATE = frozenset({"cursor://anysphere.cursor-mcp/oauth/callback"})

_DANGEROUS = frozenset(
    {
        "javascript",
        "data",
        "file",
        "vbscript",
        "blob",
        "about",
        "ws",
        "wss",
        "ftp",
        "filesystem",
        "view-source",
        "mailto",
    }
)
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(?::([1-9][0-9]{0,4}))?((?:/[^?]*)?(?:\?.*)?)")
# RFC 8252 7.1: reverse domain name notation, so the scheme has a dot.
_PRIVATE = re.compile(r"([a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+):(/{0,2}[^\s]*)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_PLAIN = re.compile(
    r"[A-Za-z0-9\-._~:/?\[\]@!$&'()+,;=%]+"
)  # RFC 3986 without “#”, and without “*”, which asks for all


class RedirectKind(StrEnum):
    WEB = "web"
    LOOPBACK = "loopback"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect URI that passed. `host` is what the consent page shows; `origin` what a CSP source can say."""

    uri: str
    kind: RedirectKind
    host: str
    origin: str


class UnknownScheme(BadInput):
    """A private-use URI that is not accepted, in a registration that may well have others."""


def read_redirect(uri: str) -> Redirect:
    """A redirect URI a client may have. Raises `BadInput`; `UnknownScheme` for a harmless private-use one."""
    if not uri or len(uri) > LONGEST or not _PLAIN.fullmatch(uri):
        raise _refused(f"has 1 to {LONGEST} plain URL characters, no fragment and no “*”")
    scheme_found = _SCHEME.match(uri)
    scheme = scheme_found[1] if scheme_found else ""
    if scheme.lower() in _DANGEROUS or scheme != scheme.lower() or not scheme:
        raise _refused("is https, loopback http, or a private-use scheme of an app")
    if uri in KNOWN_PRIVATE:
        return Redirect(uri, RedirectKind.PRIVATE, uri.split("/")[2], f"{scheme}:")
    if scheme == "https":
        return _read_web(uri)
    if scheme == "http":
        return _read_loopback(uri)
    private = _PRIVATE.fullmatch(uri)
    if private is None:
        raise UnknownScheme(
            "A private-use redirect URI has a scheme in reverse domain notation, like com.example.app:/callback.",
            field="redirect_uris",
        )
    if _has_dot_segments(private[2]) or "@" in private[2]:
        raise _refused("has no “.” or “..” in its path, and no user name")
    return Redirect(uri, RedirectKind.PRIVATE, scheme, f"{scheme}:")


def _read_web(uri: str) -> Redirect:
    url = parse_url(uri, what="redirect_uris", private_names=True)
    if not uri.startswith((url.origin + "/", url.origin + "?")) and uri != url.origin:
        # Upper case, a written default port, another spelling of an address: two texts for one place.
        raise _refused("is written canonically: lower-case host, no default port")
    return Redirect(uri, RedirectKind.WEB, url.host, url.origin)


def _read_loopback(uri: str) -> Redirect:
    found = _LOOPBACK.fullmatch(uri)
    if found is None or (found[2] and int(found[2]) > 65535):
        raise _refused("is https, unless the host is 127.0.0.1, [::1] or localhost")
    if _has_dot_segments(found[3]):
        raise _refused("has no “.” or “..” in its path")
    return Redirect(uri, RedirectKind.LOOPBACK, found[1], f"http://{found[1]}" + (f":{found[2]}" if found[2] else ""))


def match_redirect(registered: tuple[str, ...], presented: str) -> Redirect | None:
    """The presented URI, if the client registered it: the same text, or on loopback the same but for the port."""
    try:
        redirect = read_redirect(presented)
    except BadInput:
        return None
    if presented in registered:
        return redirect
    if redirect.kind is not RedirectKind.LOOPBACK:
        return None
    return redirect if _without_port(presented) in {_without_port(uri) for uri in registered} else None


def _without_port(uri: str) -> tuple[str, str] | None:
    found = _LOOPBACK.fullmatch(uri)
    return (found[1], found[3]) if found else None


def _has_dot_segments(path: str) -> bool:
    plain = re.sub("%2e", ".", path.partition("?")[0], flags=re.IGNORECASE)
    return any(segment in (".", "..") for segment in re.split(r"/|%2f|%5c", plain, flags=re.IGNORECASE))


def _refused(rule: str) -> BadInput:
    return BadInput(f"A redirect URI {rule}.", field="redirect_uris")
