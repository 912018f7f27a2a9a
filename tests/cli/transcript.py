"""Runs the transcripts in this folder: what is typed, what must come back.

    # a remark
    $ valetkey user add grace        a command, run in this process against a real hub
    < text                           a line of its standard input
    added: grace                     a line of its output
    ! Next: …                        a line of its standard error
    [exit 1]                         its exit code, if not 0

`{word}` in an expected line stands for any piece without spaces: the first time it is remembered, from then on it must
be the same, in commands too. `{…}` stands for whatever is there, and a line `…` for any lines.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from valetkey.cli.main import run

_PLACE = re.compile(r"\{(\w+|…)\}")


@dataclass
class Step:
    """One command of a transcript, with what must come of it."""

    command: str
    line: int
    stdin: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)


def read(path: Path) -> list[Step]:
    steps: list[Step] = []
    for number, text in enumerate(path.read_text().splitlines(), 1):
        if text.startswith("$ "):
            steps.append(Step(text[2:], number))
        elif text.startswith("#") and not text.startswith("#  "):  # "#  " is the title of a table's column
            continue
        elif text.startswith("< "):
            steps[-1].stdin.append(text[2:])
        elif steps:
            steps[-1].expected.append(text)
    for step in steps:
        while step.expected and not step.expected[-1]:
            step.expected.pop()
    return steps


def play(path: Path, environment: Mapping[str, str], **known: str) -> None:
    """Runs every command of the transcript; `known` are words that it takes as given.

    Raises `AssertionError` at the first that does not answer as written.
    """
    for step in read(path):
        said = _run(_filled(step.command, known), step.stdin, environment)
        _compare(step, said, known, f"{path.name}:{step.line}: $ {step.command}")


def _filled(text: str, known: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: known.get(found[1], found[0]), text)


def _run(command: str, stdin: list[str], environment: Mapping[str, str]) -> list[str]:
    words = shlex.split(command)
    given = dict(environment)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        given[name] = value
    assert words[0] == "valetkey"
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict("os.environ", given),
        mock.patch("sys.stdin", io.StringIO("".join(f"{line}\n" for line in stdin))),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run(words[1:])
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    lines += [f"! {line}".rstrip() for line in err.getvalue().splitlines()]
    return [*lines, *([f"[exit {code}]"] if code else [])]


def _compare(step: Step, said: list[str], known: dict[str, str], where: str) -> None:
    everything = "\n".join(said)
    left = list(said)
    for expected in step.expected:
        if expected == "…":
            # Whatever comes before the line that is expected next.
            following = step.expected[step.expected.index("…") + 1]
            while left and not _match(following, left[0], known):
                left.pop(0)
            continue
        line = left.pop(0) if left else "(nothing more)"
        found = _match(expected, line, known)
        assert found, f"{where}\nexpected: {expected}\nbut said: {line}\n\nin all:\n{everything}"
        known.update(found.groupdict())
    assert not left, f"{where}\nnot expected: {left}\n\nin all:\n{everything}"


def _match(expected: str, line: str, known: Mapping[str, str]) -> re.Match[str] | None:
    # How many spaces stand between columns depends on what is in them.
    expected, line = (re.sub(r"(?<=\S) {2,}", "  ", text) for text in (expected, line))
    return re.fullmatch("".join(_pattern(expected, known)), line)


def _pattern(expected: str, known: Mapping[str, str]) -> Iterator[str]:
    named: set[str] = set()
    for index, piece in enumerate(_PLACE.split(expected)):
        if index % 2 == 0:
            yield re.escape(piece)
        elif piece == "…":
            yield ".*"
        elif piece in known:
            yield re.escape(known[piece])
        elif piece in named:
            yield f"(?P={piece})"
        else:
            named.add(piece)
            yield rf"(?P<{piece}>\S+)"
