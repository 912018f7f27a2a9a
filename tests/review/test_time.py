"""No text of a connector's holds the hub up: rules take time in proportion to what they read, whatever it is (T28).

The hub reviews in its own process, for whoever asks, what anybody serves: a pattern that looks back over what it read
would be everybody's standstill.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.review.corpus import GOOD, Change, interactive, parameter, tool
from valetkey.review.judge import judge
from valetkey.review.model import Crawl, Trial

LONG = 30_000


def answers(text: str) -> Change:
    trial = Trial(tool="list_notes", kind="valid", answered=True, text=text, size=len(text), structured={})

    def change(crawl: Crawl) -> Crawl:
        assert crawl.trials is not None
        return replace(crawl, trials=replace(crawl.trials, calls=(*crawl.trials.calls, trial)))

    return change


@pytest.mark.parametrize(
    ("place", "piece"),
    [
        (lambda text: tool(description=text, inputSchema=parameter("sql")), "A-"),
        (answers, "\n"),
        (lambda text: interactive(html=text), f"<img src={' ' * 1900}x>"),
    ],
)
def test_a_rule_takes_time_in_proportion_to_what_it_reads(place: Callable[[str], Change], piece: str) -> None:
    """Each of these took ten times as long and more, and with the square of its length."""
    hostile = place(piece * (LONG // len(piece)))(GOOD)
    began = time.process_time()

    judge(hostile)

    assert time.process_time() - began < 4.0
