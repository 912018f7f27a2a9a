"""The hub's own log: lines on standard error, where they do not mix with what commands print."""

from __future__ import annotations

import sys

import structlog


def write_log_to_stderr() -> None:
    """For the whole process. Tracebacks are plain: the library's own would show variables, and so secrets."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
