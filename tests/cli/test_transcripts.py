"""The commands, as transcripts against a real hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import RunningHub
from tests.cli.transcript import play

HERE = Path(__file__).parent


@pytest.mark.parametrize("transcript", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_the_commands_answer_as_written(transcript: Path, running_hub: RunningHub) -> None:
    play(transcript, running_hub.environment)
