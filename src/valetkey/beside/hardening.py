"""What a process that sees secrets gives up before it sees the first: core dumps, being read, new powers.

Of security.md 2.9 d. Where the platform has no such thing, `harden` says so in words for the log.
"""

from __future__ import annotations

import ctypes
import resource
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_READABLE: Final = "Another program of the same user may read this process's memory:"


def leave_no_dump() -> list[str]:
    """No core dump, and not readable by other processes of the same user (Linux): for whoever holds keys, and so for a
    hub with its vault inside, too. What could not be done, in sentences."""
    missing = []
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError) as error:
        missing.append(f"Core dumps could not be switched off: {error}.")
    if not sys.platform.startswith("linux"):
        return [*missing, f"{_READABLE} only Linux prevents that."]
    if not _prctl(_PR_SET_DUMPABLE, 0):
        missing.append(f"{_READABLE} the kernel did not prevent it.")
    return missing


def harden() -> list[str]:
    """`leave_no_dump`, and no new privileges through a program that has some: for who starts no other programs."""
    missing = leave_no_dump()
    if sys.platform.startswith("linux") and not _prctl(_PR_SET_NO_NEW_PRIVS, 1):
        missing.append("This process could gain privileges by starting a program: the kernel did not prevent it.")
    return missing


def what_is_missing() -> list[str]:
    """What `harden` could not do on this platform, without doing it."""
    if not sys.platform.startswith("linux"):
        return [f"{_READABLE} only Linux prevents that."]
    return []


def die_with_parent() -> None:
    """Be killed when the process that started this one is gone. Beside that, its end of the channel closes."""
    if sys.platform.startswith("linux"):
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> bool:
    try:
        return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False
