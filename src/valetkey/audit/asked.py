"""From where it was asked: the address, the program and the token of whoever is at the door (ORG-12).

The doors say it once for a request, and the trail writes it beside what was done. What the hub does by itself was asked
from nowhere. It says something about a person, so the log has the hash of it only, and it goes when the event goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from valetkey.audit.redact import redact_text
from valetkey.kernel.errors import printable

ADDRESS, PROGRAM, TOKEN = "ip", "user_agent", "token"
_LONGEST: Final = {ADDRESS: 45, PROGRAM: 200, TOKEN: 40}
_asked: ContextVar[Mapping[str, str] | None] = ContextVar("asked", default=None)


def asked_from() -> Mapping[str, str] | None:
    """From where what this task does was asked, as far as it is known; a program's name may hold what looks secret."""
    asked = _asked.get()
    if asked is None or PROGRAM not in asked:
        return asked
    return {**asked, PROGRAM: redact_text(asked[PROGRAM])}


@contextmanager
def asking(scope: Mapping[str, Any], *, token: str = "") -> Iterator[None]:
    """Everything within was asked by the request of this ASGI scope, with the token of this public id, if with one."""
    client = scope.get("client")
    program = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"user-agent"), "")
    known = {ADDRESS: str(client[0]) if client else "", PROGRAM: program, TOKEN: token}
    said = {name: printable(text, limit=_LONGEST[name]) for name, text in known.items() if text}
    before = _asked.set(said or None)
    try:
        yield
    finally:
        _asked.reset(before)
