"""`valetkey demo`, as a person starts and stops it, and the story it can play."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import httpx2
import pytest

from valetkey.demo import run

DEMO = [sys.executable, "-m", "valetkey", "demo"]


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the demo keeps its data: a short path, since the control socket lies there."""
    with tempfile.TemporaryDirectory(prefix="vk-", dir="/tmp") as directory:
        yield Path(directory)


def test_every_step_of_the_story_is_seen(place: Path) -> None:
    played = subprocess.run(
        [*DEMO, "--check"],
        env={**os.environ, "TMPDIR": str(place)},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    steps = [line for line in played.stdout.splitlines() if line[:1] in "✓✗"]
    assert [step for step in steps if step.startswith("✗")] == []
    assert (played.returncode, len(steps)) == (0, 31), played.stdout + played.stderr
    assert list(place.iterdir()) == []


def test_it_says_what_to_do_and_ctrl_c_leaves_nothing_behind(place: Path) -> None:
    with subprocess.Popen(
        [*DEMO, "--no-browser"], env={**os.environ, "TMPDIR": str(place)}, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        said = "".join(takewhile(lambda line: "Ctrl-C" not in line, demo.stdout))
        urls = re.findall(r"http://[\w.:/-]+", said)

        demo.send_signal(signal.SIGINT)
        try:
            demo.communicate(timeout=30)
        finally:
            demo.kill()  # or leaving the block would wait for it
        code = demo.returncode

    assert code == 0, said
    assert any("/signin/link/" in url for url in urls)
    assert any(url.startswith("http://127.0.0.1:") and url.endswith("/mcp") for url in urls)
    assert list(place.iterdir()) == []
    for url in urls:
        with pytest.raises(httpx2.TransportError):
            httpx2.get(url, trust_env=False)


def test_a_hub_that_does_not_start_is_told_with_its_last_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho the disk is full >&2\nexit 3\n")
    broken.chmod(0o755)

    code = run.main(check=True, executable=str(broken), browser=False)

    assert code == 1
    assert "the disk is full" in capsys.readouterr().err
