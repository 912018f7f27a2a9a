"""The classifier against real tools of public servers, each labelled by a person (security.md 6.6, T45)."""

from __future__ import annotations

import json
from itertools import product
from typing import Final

import pytest

from tests.corpus.tool_definitions import FOLDER, Labelled, Part, labelled
from tests.corpus.tool_figures import FILE, class_of, figures, report
from valetkey.policy.tool_class import RANK

TOOLS: Final = labelled()
HELD_OUT: Final = [tool for tool in TOOLS if tool.part != "chosen by"]
KNOWN: Final = [tool for tool in TOOLS if tool.part == "chosen by"]


def test_the_corpus_is_large_and_says_where_each_server_was_read_and_under_which_license() -> None:
    heads = [json.loads(path.read_text()) for path in FOLDER.glob("*.json")]

    assert len(KNOWN) >= 300
    assert len(HELD_OUT) >= 300
    assert sum(tool.label in "HV" for tool in TOOLS) >= 400
    assert {tool.language for tool in TOOLS} >= {"en", "fr", "es", "ja", "zh"}
    assert {head["license"] for head in heads} <= {"MIT", "Apache-2.0", "Apache-2.0 AND MIT", "MPL-2.0"}
    assert all(head["repository"].startswith("https://github.com/") and len(head["commit"]) == 12 for head in heads)


@pytest.mark.parametrize(
    ("part", "recall", "asked"), [("chosen by", 0.99, 0.11), ("looked at since", 0.99, 0.15), ("held out", 0.99, 0.3)]
)
def test_what_is_hard_to_take_back_is_not_missed(part: Part, recall: float, asked: float) -> None:
    """Recall first; asking once too often is the price, and that has a limit too."""
    found = figures(part)

    assert found.recall() >= recall, found
    assert found.behind_passkey() >= recall, found
    assert found.precision() >= 0.55, found
    assert found.grave() <= 0.62, found
    assert found.over("R") <= asked, found


def test_strangers_are_of_many_servers_and_many_of_them_are_hard_to_take_back() -> None:
    """What T45 asks for: tools of servers by which no word was chosen."""
    strangers = [tool for tool in TOOLS if tool.part == "held out"]

    assert len({tool.server for tool in strangers}) >= 12
    assert len(strangers) >= 300
    assert sum(tool.label in "HV" for tool in strangers) >= 120


def test_the_figures_that_are_kept_are_those_of_today() -> None:
    """`python -m tests.corpus.tool_figures` writes them anew: a change of the words shows what it does."""
    print(report())

    assert FILE.read_text() == report()


LIES: Final = [
    {key: value for key, value in zip(("readOnlyHint", "destructiveHint", "openWorldHint"), said, strict=True) if value}
    | ({"destructiveHint": False} if harmless else {})
    for said in product((True, False), (False,), (True, False))
    for harmless in (True, False)
]


def test_no_hint_of_an_unverified_server_moves_a_tool_downward() -> None:
    lowered = [
        (tool.server, tool.definition["name"], lie)
        for tool in TOOLS[::20]
        for lie in LIES
        if RANK[class_of(tool, lie).counts_as] < RANK[class_of(tool).counts_as]
    ]

    assert lowered == []


@pytest.mark.parametrize(
    "also",
    [
        {"description": "Reads one thing, and deletes everything."},
        {"fields": ["sql"]},
        {"fields": ["bcc"]},
        {"choices": {"action": ["list", "delete"]}},
    ],
    ids=["a sentence", "sql", "bcc", "an action"],
)
def test_one_dangerous_word_more_raises_whatever_stands_beside_it(also: dict[str, object]) -> None:
    """Forty real tools that read, each with one thing in it that does not."""
    readers = [tool for tool in TOOLS if class_of(tool).counts_as == "R"][::30]
    worse = [
        Labelled(
            tool.server,
            tool.part,
            tool.language,
            tool.label,
            tool.definition | also | {"fields": [*tool.definition["fields"], *also.get("fields", [])]},  # type: ignore[misc]  # a list, by the table above
        )
        for tool in readers
    ]

    assert len(worse) >= 40
    assert {class_of(tool).counts_as.value for tool in worse} <= {"H", "V"}
