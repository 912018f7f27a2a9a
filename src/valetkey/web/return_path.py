"""Where to go after signing in: only a path of this hub, whatever the address bar said."""

from __future__ import annotations

import re
from urllib.parse import quote

# A closed alphabet, not a list of known tricks: no scheme, no second slash, no backslash, no control character.
_OWN_PATH = re.compile(r"/(?:[A-Za-z0-9_~.-]+(?:/[A-Za-z0-9_~.-]+)*/?)?(?:\?[A-Za-z0-9_~.!$&'()*+,;=:@/?%-]*)?")
_LONGEST = 6000


def local_path(text: str, *, otherwise: str = "/") -> str:
    """`text` if it is a path (and query) of this hub that is safe to redirect to, else `otherwise`."""
    if len(text) > _LONGEST or not _OWN_PATH.fullmatch(text):
        return otherwise
    segments = text.partition("?")[0].split("/")
    if "." in segments or ".." in segments:
        return otherwise
    # Going back to sign-in after signing in would be a loop, signing out a trick.
    return otherwise if segments[1] in ("signin", "signout") else text


def with_return(path: str, to: str) -> str:
    """`path?to=…`, or just `path` when there is nowhere in particular to go."""
    return path if to in ("", "/") else f"{path}?to={quote(to, safe='/')}"
