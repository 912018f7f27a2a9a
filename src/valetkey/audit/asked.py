"""From where it was asked: the address, the program and the token of whoever is at the door (ORG-12).

The doors say it once for a request, and the trail writes it beside what was done. What the hub does by itself was asked
from nowhere. It says something about a person, so the log has the hash of it only, and it goes when the event goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from valetkey.audit.redact import redact_text
from valetkey.kernel.errors import printable

ADDRESS, PROGRAM, TOKEN = "ip", "user_agent", "token"
_LONGEST: Final = {ADDRESS: 45, PROGRAM: 200, TOKEN: 40}
Told = Callable[[], tuple[str, str, str]]
"""Address, program and token id, each empty where there is none."""
_asked: ContextVar[Told | None] = ContextVar("asked", default=None)


def asked_from() -> Mapping[str, str] | None:
    """From where what this task does was asked, as far as it is known; a program's name may hold what looks secret."""
    tell = _asked.get()
    if tell is None:
        return None
    known = zip((ADDRESS, PROGRAM, TOKEN), tell(), strict=True)
    asked = {name: printable(text, limit=_LONGEST[name]) for name, text in known if text}
    if PROGRAM not in asked:
        return asked or None
    return {**asked, PROGRAM: redact_text(asked[PROGRAM])}


def asked_by(tell: Told) -> None:
    """What this task does, and whatever it begins, was asked by whom `tell` says. Nobody asks for most requests."""
    _asked.set(tell)


@contextmanager
def asking(scope: Mapping[str, Any], *, token: str = "") -> Iterator[None]:
    """Everything within was asked by the request of this ASGI scope, with the token of this public id, if with one."""
    client = scope.get("client")
    program = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"user-agent"), "")
    before = _asked.set(lambda: (str(client[0]) if client else "", program, token))
    try:
        yield
    finally:
        _asked.reset(before)
