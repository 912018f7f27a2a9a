"""What a tool leaves open: a request, a query or an action that is typed and not chosen, and what its text lists of it.

Such a tool does what one types into it, whatever its name says first. Everything here only raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from valetkey.directory.model import Tool
from valetkey.policy.classes import lexicon, verbs, words
from valetkey.policy.tool_class import Reason, ToolClass

R, H = ToolClass.READ, ToolClass.HIGH
_ADDRESS: Final = lexicon.vocabulary("url request_url path endpoint uri api_path route resource_path")
_METHOD: Final = lexicon.vocabulary("method http_method verb")
_TYPED: Final = lexicon.vocabulary("query queries q statement cypher gql graphql pipeline expression ql")
_LANGUAGES: Final = lexicon.DATABASES | lexicon.vocabulary(
    "sql cypher gremlin graphql mutation mutations ddl dml plsql tsql psql cql sparql aql partiql database databases"
    " warehouse keyspace lakehouse"
)
"""What a query is written in, or runs against, that can as well change what it finds."""
_WHERE: Final = lexicon.vocabulary("database databases catalog schema warehouse keyspace dbname db")
"""Arguments that say in which database: what is typed beside one is a query of its language, whatever that is."""
_ONLY_READS: Final = re.compile(
    r"read[-_ ]?only|\bselect\b|no writes|lecture seule|solo lectura|só leitura", re.IGNORECASE
)
_LISTED: Final = re.compile(
    r"\b(?:actions?|operations?|commands?|modes?|acciones|aktionen)\b[^.:=]{0,40}[:=]\s*(.{3,400})",
    re.IGNORECASE | re.DOTALL,
)
_VERBS_AT_FIRST: Final = re.compile(r"\W*([A-Za-z]+(?:\s*(?:,\s*(?:and|or)\b|[,/&]|\s(?:and|or)\s)\s*[A-Za-z]+)+)")
_BEFORE_A_STOP: Final = re.compile(r"[^.!?;:\n]{0,400}")
_OPEN: Final = lexicon.vocabulary("action operation op")


def left_open(tool: Tool, fields: frozenset[str], *, is_read: bool) -> Iterator[Reason]:
    """Why the tool counts as H for what can be typed into it, or for an action that its text lists."""
    if fields & _METHOD and fields & _ADDRESS:
        yield Reason("schema field", H, "It takes a method and an address: any request can be made with it.")
    said = f"{tool.name} {tool.title} {tool.description[:600]}"
    if (
        (typed := sorted(fields & _TYPED))
        and not _ONLY_READS.search(said)
        and (_speaks_of_a_language(tool) or (fields & _WHERE and verbs.first_of(tool.name) == "query"))
    ):
        yield Reason("schema field", H, f"It takes “{typed[0]}”, and nothing says that this can only read.")
    if not tool.description.strip() and is_read and verbs.first_of(tool.name) == "query":
        yield Reason("name", H, "It runs a query, and it says not one word of which.")
    if listed := sorted(_acts_listed(tool.description)):
        yield Reason("description", verbs.highest([_grave(verb) for verb in listed]) or H, f"It lists “{listed[0]}”.")
    elif fields & _OPEN and not is_read and not words.choices(tool.raw):
        yield Reason("schema field", H, f"What it does is typed into “{min(fields & _OPEN)}”.")


def _speaks_of_a_language(tool: Tool) -> bool:
    first = _BEFORE_A_STOP.match(tool.description.lower())
    said = re.findall(r"[a-z0-9]+", f"{tool.title} {first[0] if first else ''}".lower())
    return bool(frozenset([*words.raw_of_name(tool.name), *words.raw_of_name(tool.title), *said]) & _LANGUAGES)


def _acts_listed(description: str) -> set[str]:
    """The verbs of “List, create, delete …” at the beginning, and of “Actions: list | create | delete”."""
    found: list[str] = []
    if at_first := _VERBS_AT_FIRST.match(description[:200]):
        found += words.raw_of_name(at_first[1])
    if listed := _LISTED.search(description[:1500]):
        found += [
            part
            for piece in re.split(r"[,|/\n]|\s-\s|\s•\s|\bor\b", listed[1])
            for part in words.raw_of_name(piece)[:1]
        ]
    return {
        word
        for word in found
        if verbs.kind_of(word) not in (None, R) and word not in lexicon.NOUNS | lexicon.ADJECTIVES
    }


def _grave(verb: str) -> ToolClass:
    return verbs.kind_of(verb) or H
