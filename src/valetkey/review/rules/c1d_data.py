"""1.D Only the data it needs: no parameter collects the conversation, and free text has a purpose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from valetkey.review.model import Crawl, Finding, Rule, Severity, Stage
from valetkey.review.texts import folded, named
from valetkey.review.words import Parameter, parameters, words_of

_COLLECTING: Final = frozenset(
    {
        "conversation", "conversation history", "chat history", "history", "messages", "transcript", "user message",
        "user messages", "full prompt", "user prompt", "original prompt", "system prompt", "context", "reasoning",
        "chain of thought", "thoughts", "summary of chat", "chat summary", "conversation summary", "chat log",
        "original request", "user query verbatim", "model context", "assistant message", "conversation context",
    }
)  # fmt: skip
_DESCRIBED: Final = re.compile(
    r"\b(?:user|person|human)(?:'s)? (?:original|exact|full|complete|verbatim|entire|last) "
    r"(?:request|message|prompt|question|words|input)\b|"
    r"\b(?:full|entire|whole|complete) (?:chat|conversation|dialogue|prompt|transcript)\b|"
    r"\b(?:conversation|chat) (?:so far|history|summary|transcript)\b|"
    r"\byour (?:reasoning|thoughts|chain of thought|thought process)\b"
)
_LONG: Final = 4000


def _conversation(crawl: Crawl) -> Iterator[Finding]:
    justified: Mapping[str, str] = crawl.listing.justified if crawl.listing is not None else {}
    for tool in crawl.tools:
        for parameter in parameters(tool):
            if not _collects(parameter):
                continue
            why = justified.get(f"{tool.name}.{parameter.path}", "")
            yield Finding(
                Severity.HOLD if why else Severity.BLOCK,
                f"tool {named(tool.name)}, parameter {named(parameter.path)}",
                "It takes the conversation, or what the model thinks, rather than what the task needs."
                + (" The listing says why." if why else ""),
                "Take it away, or say under `justified` in the listing why the task cannot be done without.",
                why or parameter.description,
            )


def _collects(parameter: Parameter) -> bool:
    takes_text = parameter.schema.get("type") not in ("integer", "number", "boolean") and "enum" not in parameter.schema
    name = " ".join(words_of(folded(parameter.name) if not parameter.name.isascii() else parameter.name))
    return takes_text and (name in _COLLECTING or _DESCRIBED.search(folded(parameter.description)) is not None)


def _free_text(crawl: Crawl) -> Iterator[Finding]:
    for tool in crawl.tools:
        for parameter in parameters(tool):
            length = parameter.schema.get("maxLength")
            bounded = isinstance(length, int) and length <= _LONG
            if parameter.is_text and not bounded and not parameter.description:
                yield Finding(
                    Severity.WARN,
                    f"tool {named(tool.name)}, parameter {named(parameter.path)}",
                    "It takes any text of any length, and does not say what for.",
                    "Describe what it is for, and give it a maxLength.",
                )


RULES = (
    Rule("L-106", "1.D", "No parameter collects the conversation", Stage.LISTS, _conversation),
    Rule("L-107", "1.D", "Free text has a purpose", Stage.LISTS, _free_text),
)
