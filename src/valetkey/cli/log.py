"""The hub's own log: lines on standard error, where they do not mix with what commands print.

On a terminal for people, else one JSON object a line for whatever collects them. Either way an event is one line and
stays one: values are bounded and made printable, so that nothing from outside can begin another, or paint the screen.
"""

from __future__ import annotations

import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from valetkey.kernel.errors import printable

_LONGEST = 2000
_LONGEST_TRACEBACK = 20_000


def write_log_to_stderr() -> None:
    """For the whole process. Tracebacks are plain: the library's own would show variables, and so secrets."""
    on_terminal = sys.stderr.isatty()
    people = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    programs = [structlog.processors.format_exc_info, _bounded_traceback, structlog.processors.JSONRenderer()]
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _one_line,
        *(people if on_terminal else programs),
    ]
    structlog.configure(processors=processors, logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def _one_line(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {printable(name, limit=60): _plain(value, depth=0) for name, value in event.items()}


def _bounded_traceback(_logger: Any, _method: str, event: EventDict) -> EventDict:
    if len(event.get("exception", "")) > _LONGEST_TRACEBACK:
        event["exception"] = event["exception"][:_LONGEST_TRACEBACK] + "…"
    return event


def _plain(value: Any, *, depth: int) -> Any:
    """A value as a line can hold it. Numbers, and what stands for a traceback, stay what they are."""
    if isinstance(value, str):
        return printable(value, limit=_LONGEST)
    if isinstance(value, (list, tuple)) and depth < 2 and not any(isinstance(one, type) for one in value):
        return [_plain(one, depth=depth + 1) for one in value[:50]]
    if isinstance(value, dict) and depth < 2:
        return {printable(key, limit=60): _plain(one, depth=depth + 1) for key, one in list(value.items())[:50]}
    if value is None or isinstance(value, (bool, int, float, BaseException, tuple)):
        return value
    return printable(repr(value), limit=_LONGEST)
