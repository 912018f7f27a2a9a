"""`valetkey data export` against a hub that answers part by part."""

from __future__ import annotations

import json
import stat
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from valetkey.cli.data import write_archive
from valetkey.cli.hub_client import Hub, HubRefused, Sends

NOW = datetime(2026, 11, 28, tzinfo=UTC)
PARTS = {
    "": {"file": "person", "lines": [{"login": "ada"}], "next_after": "1/calls"},
    "1/calls": {"file": "calls", "lines": [{"id": "2"}], "next_after": "1/calls/2"},
    "1/calls/2": {"file": "calls", "lines": [{"id": "1"}], "next_after": ""},
}


def answering(fails_at: str | None = None) -> Sends:
    def send(method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        after = path.partition("?after=")[2].replace("%2F", "/")
        if after == fails_at:
            return 409, b'{"detail":"the log is broken","code":"conflict"}'
        return 200, json.dumps(PARTS[after]).encode()

    return send


def test_an_archive_is_written_for_its_person_only_and_says_how_far_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.zip"

    counts = write_archive(Hub(answering()), out, NOW)

    assert counts == {"person": 1, "calls": 2}
    assert capsys.readouterr().err == "reading person …\nreading calls …\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert zipfile.ZipFile(out).read("calls.jsonl") == b'{"id": "2"}\n{"id": "1"}\n'


def test_nothing_is_written_over(tmp_path: Path) -> None:
    out = tmp_path / "mine.zip"
    out.write_text("older")

    with pytest.raises(click.ClickException, match="there already"):
        write_archive(Hub(answering()), out, NOW)

    assert out.read_text() == "older"


@pytest.mark.parametrize("place", list(PARTS))
def test_half_an_archive_is_not_left_behind(tmp_path: Path, place: str) -> None:
    out = tmp_path / "mine.zip"

    with pytest.raises(HubRefused, match="broken"):
        write_archive(Hub(answering(fails_at=place)), out, NOW)

    assert not out.exists()
