"""What is printed is pretty on a terminal, plain in a pipe, and never what somebody else wrote for the terminal."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from valetkey.cli import hub_client
from valetkey.cli.hub_client import Hub
from valetkey.cli.main import run
from valetkey.cli.printing import print_facts, print_json, print_table

ROWS: list[dict[str, Any]] = [
    {"name": "[red]GitHub[/red]", "at": "2026-11-22T12:00:00.5Z"},
    {"name": "a\x1b[2J\nb\u202ec", "at": None},
]
COLUMNS = {"name": "name", "at": "last used"}


def test_in_a_pipe_a_table_is_lines_of_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(ROWS, COLUMNS, empty="")

    assert capsys.readouterr().out.splitlines() == [
        "NAME               LAST USED",
        "[red]GitHub[/red]  2026-11-22 12:00:00Z",
        "a�[2J�b�c          –",
    ]


def test_on_a_terminal_what_a_name_says_is_neither_markup_nor_an_order_to_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    print_table(ROWS, COLUMNS, empty="")
    print_json({"name": "b\u202ec"})

    shown = capsys.readouterr().out
    assert "[red]GitHub[/red]" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


def test_an_empty_table_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([], COLUMNS, empty="There is nobody.")

    assert capsys.readouterr().out == "There is nobody.\n"


def test_facts_stand_one_to_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts({"on": True, "scopes": ["a", "b"], "none": None, "empty": []})

    assert capsys.readouterr().out == "on:     yes\nscopes: a b\nnone:   –\nempty:  –\n"


def call(number: int, tool: str) -> dict[str, Any]:
    return {
        "id": f"call_{number}", "started_at": "2026-11-22T12:00:00Z", "connector": "github", "label": "main",
        "tool": tool, "outcome": "ok", "client": "Claude", "duration_us": 1500,
    }  # fmt: skip


def test_tail_prints_each_call_once_when_it_ends_a_long_one_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call is listed when it ends: one that began before the newest may come after it."""
    answers = [[call(1, "before")], [call(3, "short")], [call(3, "short"), call(2, "long\x1b[2J")]]

    def send(method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        if not answers:
            raise KeyboardInterrupt
        return 200, json.dumps({"items": answers.pop(0)}).encode()

    monkeypatch.setattr(hub_client, "open_hub", lambda **_where: Hub(send))
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)

    assert run(["call", "tail", "-f"]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[3] for line in lines] == ["before", "short", "long�[2J"]


def test_tail_ends_with_the_last_calls_oldest_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = json.dumps({"items": [call(3, "third"), call(2, "second"), call(1, "first")]}).encode()
    monkeypatch.setattr(hub_client, "open_hub", lambda **_where: Hub(lambda *_asked: (200, said)))

    assert run(["call", "tail", "-n", "2", "--json"]) == 0

    assert [json.loads(line)["tool"] for line in capsys.readouterr().out.splitlines()] == ["second", "third"]


@pytest.mark.parametrize("token", ["CANARY\n", "CANARY x", "CANARY\u00e4", "x" * 201])
def test_a_token_that_is_none_is_refused_without_being_shown(
    token: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALETKEY_TOKEN", token)

    assert run(["user", "list"]) == 2

    said = capsys.readouterr()
    assert "CANARY" not in said.out + said.err


@pytest.mark.parametrize(
    ("status", "body"), [(502, b"<html>Bad Gateway</html>"), (200, b"<html>"), (500, b"[]"), (500, b'{"detail": 7}')]
)
def test_an_answer_that_is_not_a_hubs_is_an_error_in_words(
    status: int, body: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_client, "open_hub", lambda **_where: Hub(lambda _method, _path, _body: (status, body)))

    assert run(["org", "list"]) == 1

    assert capsys.readouterr().err.startswith("valetkey: ")
