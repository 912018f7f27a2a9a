"""The commands, as transcripts against a real hub."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.cli.conftest import RunningHub, environment, first_words, start
from tests.cli.transcript import play

HERE = Path(__file__).parent


@pytest.mark.parametrize("transcript", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_the_commands_answer_as_written(transcript: Path, running_hub: RunningHub) -> None:
    play(transcript, running_hub.environment)


def test_the_commands_that_a_hub_does_not_come_back_from_answer_as_written() -> None:
    """Sealing lasts until the hub is started anew, so this hub is nobody else's."""
    with tempfile.TemporaryDirectory(prefix="vk-cli-", dir="/tmp") as home:
        process = start(Path(home))
        try:
            first_words(process)
            play(HERE / "apart/vault_seal.txt", environment(Path(home)))
        finally:
            process.terminate()
            process.communicate(timeout=60)
