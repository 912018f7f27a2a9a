"""docs/data-handling.md says nothing that no test plays."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = (TESTS.parent / "docs/data-handling.md").read_text().partition("\n## Where each promise is shown")[0]
NAMED = re.compile(r"`([a-z_/]+\.py)::(test_\w+)`")


def test_every_sentence_about_data_names_a_test_that_is_there() -> None:
    claims = re.findall(r"^- (.+(?:\n  .+)*)", PAGE, re.MULTILINE)
    assert len(claims) > 60

    for claim in claims:
        ends = [0, *(one.end() for one in NAMED.finditer(claim))]
        assert ends[-1] == len(claim), claim
        for start, end in pairwise(ends):  # one sentence, and the test that plays it
            said = NAMED.sub("", claim[start:end]).strip()
            assert len(re.findall(r"[.!?](?=\s|$)", said)) == 1, said
        for file, test in NAMED.findall(claim):
            assert f"def {test}(" in (TESTS / file).read_text(), claim


def test_nothing_is_said_on_that_page_beside_these_sentences() -> None:
    """But for its first lines, which say so."""
    rest = re.sub(r"^(- .+(?:\n  .+)*|## .+|)$", "", PAGE.partition("\n## ")[2], flags=re.MULTILINE)

    assert rest.strip() == "What people are told"
