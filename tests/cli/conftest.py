"""A real hub in a process of its own, for the commands to talk to."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PATIENCE = 60.0


@dataclass(frozen=True)
class RunningHub:
    """`environment` makes commands find it; `said` is what it printed at its start, by name."""

    environment: dict[str, str]
    said: dict[str, str]
    process: subprocess.Popen[str]


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """`valetkey serve` with its home, and so its data and key, in `home`."""
    return subprocess.Popen(
        [sys.executable, "-m", "valetkey", "serve", "--port", "0", *arguments],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VALETKEY_")}
    return kept | {"HOME": str(home), "VALETKEY_DATA": str(home / "data"), "COLUMNS": "80"}


def first_words(process: subprocess.Popen[str]) -> dict[str, str]:
    """What a starting hub prints, by name, up to `ready`. Fails with its last words if it ends instead."""
    said: dict[str, str] = {}
    until = time.monotonic() + PATIENCE
    assert process.stdout is not None
    while time.monotonic() < until:
        line = process.stdout.readline()
        if not line:
            _out, err = process.communicate(timeout=60)
            raise AssertionError(f"the hub ended with {process.returncode}: {err}")
        name, _, value = line.strip().partition(": ")
        said[name] = value
        if name == "ready":
            return said
    raise AssertionError("the hub did not get ready")


@pytest.fixture(scope="session")
def running_hub() -> Iterator[RunningHub]:
    # A short path: the control socket's must not be longer than 107 bytes.
    with tempfile.TemporaryDirectory(prefix="vk-cli-", dir="/tmp") as home:
        process = start(Path(home))
        try:
            yield RunningHub(environment(Path(home)), first_words(process), process)
        finally:
            process.terminate()
            process.communicate(timeout=60)
