"""The doctor finds what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import RunningHub, environment
from valetkey.cli.main import run

Examine = Callable[..., tuple[int, dict[str, dict[str, Any]]]]


@pytest.fixture
def examine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Examine:
    """Runs `valetkey doctor`: exit code, and findings by what they are about."""

    def run_doctor(surroundings: dict[str, str], *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        for name in ("VALETKEY_DATA", "HOME", "VALETKEY_PORT"):
            monkeypatch.delenv(name, raising=False)
        for name, value in surroundings.items():
            monkeypatch.setenv(name, value)
        code = run(["doctor", "--json", *arguments])
        told = json.loads(capsys.readouterr().out)
        assert told["is_well"] == (code == 0)
        return code, {finding["about"]: finding for finding in told["findings"]}

    return run_doctor


def states(findings: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {about: finding["state"] for about, finding in findings.items()}


def test_before_the_first_start_there_is_nothing_wrong_and_nothing_is_made(tmp_path: Path, examine: Examine) -> None:
    code, findings = examine(environment(tmp_path))

    assert code == 0
    assert states(findings) == {"configuration": "good", "clock": "good", "vault": "note", "data": "note"}
    assert list(tmp_path.iterdir()) == []


def test_a_running_hub_is_found_well(running_hub: RunningHub, examine: Examine) -> None:
    code, findings = examine(running_hub.environment)

    assert code == 0
    assert set(states(findings).values()) <= {"good", "note"}
    assert {about for about, state in states(findings).items() if state == "good"} == {
        "configuration", "clock", "data", "database", "keyring", "keys", "hub",
    }  # fmt: skip
    assert findings["keys"]["says"].startswith(running_hub.said["root key"])
    assert "copy" in findings["keys"]["hint"]


def test_another_root_key_is_found_out(running_hub: RunningHub, examine: Examine, tmp_path: Path) -> None:
    key = Path(running_hub.said["root key"])
    tmp_path.chmod(0o700)
    other = tmp_path / "root.key"
    other.touch(mode=0o600)
    other.write_bytes(bytes(reversed(key.read_bytes())))

    code, findings = examine(running_hub.environment, "--root-key", str(other))

    assert code == 1
    assert states(findings)["keys"] == "bad"
    assert findings["keys"]["hint"]


def test_a_missing_root_key_is_found_out_and_none_is_made(
    running_hub: RunningHub, examine: Examine, tmp_path: Path
) -> None:
    code, findings = examine(running_hub.environment, "--root-key", str(tmp_path / "root.key"))

    assert code == 1
    assert "missing" in findings["keys"]["says"]
    assert list(tmp_path.iterdir()) == []


def test_a_data_directory_open_to_others_is_found_out(tmp_path: Path, examine: Examine) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)

    code, findings = examine(environment(tmp_path))

    assert code == 1
    assert states(findings)["data"] == "bad"
    assert findings["data"]["hint"] == f"chmod 700 {tmp_path / 'data'}"


def test_a_configuration_that_cannot_work_is_told_in_the_words_of_the_start(tmp_path: Path, examine: Examine) -> None:
    code, findings = examine(environment(tmp_path) | {"VALETKEY_PORT": "http"})

    assert code == 1
    assert states(findings) == {"configuration": "bad"}
    assert "is not a number" in findings["configuration"]["says"]


def test_a_port_in_use_and_a_hub_that_does_not_run_are_told(tmp_path: Path, examine: Examine) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        code, findings = examine(environment(tmp_path) | {"VALETKEY_PORT": port})

    assert code == 1
    assert states(findings)["port"] == "bad"
    assert states(findings)["hub"] == "note"


def test_a_database_that_does_not_answer_is_told(tmp_path: Path, examine: Examine) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data/valetkey.db").write_bytes(b"this is not a database, whatever its name says" * 100)

    code, findings = examine(environment(tmp_path) | {"VALETKEY_PORT": "0"})

    assert code == 1
    assert states(findings)["database"] == "bad"


def test_people_get_one_line_for_each_finding(
    running_hub: RunningHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in running_hub.environment.items():
        monkeypatch.setenv(name, value)

    assert run(["doctor"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(("✓ ", "– ")) for line in lines) == 10
