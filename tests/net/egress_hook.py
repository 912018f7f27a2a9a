"""A socket audit hook: proves that nothing but `net.dialer` connects to an internet address (security.md T23).

Use it in any test through the fixture `egress` (import it into a `conftest.py`, or load this module as a plugin):

    async def test_…(egress): …          # fails at the end when something else connected

Allowed are unix sockets, the dialer, the store's PostgreSQL driver, and what the test itself does as the outside world:
`with outside_world(): client.get(…)`. A child process calls `watch(strict=True)` first, which makes the connect fail.

The hook sees what goes through Python's `socket`; libuv's own connects do not. Hence
`test_only_the_dialer_uses_the_words_that_connect` reads the sources besides.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from types import FrameType

import pytest

import valetkey.net.dialer

_DIALER = str(Path(valetkey.net.dialer.__file__))
_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_as_outside_world: ContextVar[bool] = ContextVar("as_outside_world", default=False)


class Egress:
    """What was seen: `dialed` by the dialer, `violations` by anything else, each `host:port` (and by whom)."""

    def __init__(self) -> None:
        self.dialed: list[tuple[str, int]] = []
        self.violations: list[str] = []
        self.watching = False
        self.strict = False

    def _see(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.watching or event not in _EVENTS:
            return
        sock, address = arguments[0], arguments[-1]
        if not isinstance(sock, socket.socket) or sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        if not isinstance(address, tuple) or _as_outside_world.get():
            return
        files = list(_callers(sys._getframe()))
        if event == "socket.connect" and _DIALER in files:
            self.dialed.append((str(address[0]), int(address[1])))
            return
        if any("/asyncpg/" in file for file in files):
            return
        violation = f"{event} to {address[0]}:{address[1]} by {_first_outside(files)}"
        self.violations.append(violation)
        if self.strict:
            raise PermissionError(violation)


def _callers(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back


def _first_outside(files: list[str]) -> str:
    return next(
        (file for file in files if file != __file__ and "/asyncio/" not in file and "/socket.py" not in file), "?"
    )


_EGRESS = Egress()
_installed = False


def watch(*, strict: bool = False) -> Egress:
    """Start watching in this process, for good: audit hooks cannot be removed, only told to look away."""
    global _installed
    if not _installed:
        sys.addaudithook(_EGRESS._see)
        _installed = True
    _EGRESS.watching, _EGRESS.strict = True, strict
    return _EGRESS


@contextlib.contextmanager
def outside_world() -> Iterator[None]:
    """Inside, connects are the test's own: it plays a browser, an assistant or a service."""
    token = _as_outside_world.set(True)
    try:
        yield
    finally:
        _as_outside_world.reset(token)


@pytest.fixture
def egress() -> Iterator[Egress]:
    """Watches one test; fails it when anything but the dialer connected."""
    seen = watch()
    seen.dialed.clear()
    seen.violations.clear()
    yield seen
    seen.watching = False
    assert seen.violations == []
