"""ORG-05: a ceiling or a rule names connectors, tools and scopes to the letter; no name of a service is a pattern."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.policy.test_decide import ceiling, facts
from valetkey.directory.access.model import NamedTool, Rules, ScopeRule
from valetkey.directory.fingerprint import read_tool
from valetkey.directory.model import Choice, Tool
from valetkey.policy.decide import Facts, decide
from valetkey.policy.model import ANY, Effect, Limits, Setting

ODD = [
    "a/b", "a/*", "*/b", "del*", "*", "**", "?", "[a-z]", "a:b", ":", "a|b", "a%2Fb", "%", "_", "a_b", "A", "a ",
    "löschen", "削除", "a\u0308", "\u00e4", "..", "../a", "a\\b", "a'b", 'a"b', "a;b", "a,b", "a\tb",
]  # fmt: skip
"""Names that would mean more than themselves to a path, a query, a shell, SQL, a glob or an expression."""


def tool(name: str) -> Tool:
    return replace(read_tool(b'{"name":"list_notes","description":"Lists notes."}'), name=name)


def called(name: str, *, connector: str = "notes", role: str = "member") -> Facts:
    return replace(facts(), tool=tool(name), connector=connector, roles=frozenset({role}), is_verified=True)


def blocked(**where: str) -> Limits:
    return Limits((ceiling(Setting.BLOCK, **where),))


def is_denied(what: Facts, limits: Limits) -> bool:
    return decide(replace(what, limits=limits)).effect is Effect.DENY


@pytest.mark.parametrize("role", [ANY, "member"])
@pytest.mark.parametrize("name", [one for one in ODD if one != ANY])
def test_a_ceiling_for_a_tool_with_an_odd_name_is_for_that_tool_alone(name: str, role: str) -> None:
    limits = blocked(tool=name, role=role)

    assert [other for other in (*ODD, "list_notes") if is_denied(called(other), limits)] == [name]


def test_a_tool_that_calls_itself_every_tool_makes_nothing_wider() -> None:
    """`*` is said by owners alone. What is said of the others is not said of it, and no *allow* for it is for them."""
    assert is_denied(called("*"), blocked(tool="list_notes")) is False
    assert is_denied(called("*"), blocked(tool="*"))
    both = Limits((ceiling(Setting.ALLOW, tool="*"), *blocked(tool="list_notes").ceilings))
    assert is_denied(called("list_notes"), both)
    assert not Choice("cn_1", whole=False, tools=frozenset({"*"})).has("list_notes")


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ({}, ["notes", "mail"]),
        ({"connector": "notes"}, ["notes"]),
        ({"connector": "notes", "tool": "list_notes"}, ["notes"]),
        ({"connector": "note"}, []),
        ({"connector": "notes-*"}, []),
        ({"role": "admin"}, []),
    ],
)
def test_a_role_is_limited_at_all_connectors_at_one_or_at_one_tool(where: dict[str, str], holds: list[str]) -> None:
    limits = blocked(**{"role": "member", **where})

    assert [one for one in ("notes", "mail") if is_denied(called("list_notes", connector=one), limits)] == holds


SCOPES = ["repo", "repo:status", "repo*", "*", "read,write", "https://x.example/auth/a.b", "a|b", "REPO", ".default"]


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_is_granted_to_a_role_by_its_whole_name(scope: str) -> None:
    rules = Rules(scopes=(ScopeRule("notes", "member", frozenset({scope})),))

    limit = rules.scope_limit("notes", "member")

    assert [one for one in SCOPES if not limit.beyond([one])] == [scope]
    assert not rules.scope_limit("notes", "admin").is_limited
    assert not rules.scope_limit("mail", "member").is_limited


@settings(max_examples=25, deadline=None)
@given(said=st.text(min_size=1, max_size=8), asked=st.text(min_size=1, max_size=8))
def test_whatever_is_written_it_means_itself(said: str, asked: str) -> None:
    reads: list[Callable[[str, str], bool]] = [
        lambda said, asked: is_denied(called(asked), blocked(tool=said)),
        lambda said, asked: is_denied(called("x", connector=asked), blocked(connector=said)),
        lambda said, asked: Rules(text_only=frozenset({NamedTool("notes", said)})).is_text_only("notes", asked),
    ]

    assert {read(said, asked) for read in reads} == {said in (ANY, asked)}
