"""docs/data-handling.md says nothing that no test plays."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs/data-handling.md"


def test_every_sentence_about_data_names_a_test_that_is_there() -> None:
    sentences = re.findall(r"^- (.+(?:\n  .+)*)", PAGE.read_text(), re.MULTILINE)
    assert sentences

    for sentence in sentences:
        named = re.search(r"`([a-z_/]+\.py)::(test_\w+)`$", sentence)
        assert named, sentence
        assert f"def {named[2]}(" in (TESTS / named[1]).read_text(), sentence
