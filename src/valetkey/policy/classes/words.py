"""A tool's texts and schema as words: what is compared with the lexicon."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from valetkey.policy.classes import lexicon

_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
_SENTENCE: Final = re.compile(r"[.!?;:\n\r•。!?;:]+|\s[-–—*]\s")
_ALTERNATIVES: Final = re.compile(r"(?<=[a-z])/(?=[A-Za-z])")
"""“Create/Update/Delete” is three verbs; `/path/to` and `a / b` are none."""
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")
_TEXT: Final = 4000
"""Characters of a description that are read. What is beyond them is not what the tool says first that it does."""
_DEEP: Final = 6
_KNOWN: Final = (
    lexicon.READS | lexicon.LOW | lexicon.MEDIUM | lexicon.HIGH | lexicon.FINANCE | lexicon.LEGAL
    | lexicon.MEDICAL | lexicon.INSURANCE
)  # fmt: skip
_LEADS_IN: Final = lexicon.vocabulary(
    "this tool tools the a an to use used using allows allow allowing you your lets let enables enable can will is for",
    " that it api endpoint action function method asynchronously safely permanently immediately irreversibly quickly",
    " first please easily beta deprecated new atomically optionally either user users and or also then one of",
)


def plain(text: str) -> str:
    """`text` as it reads: without what cannot be seen, accents, and letters of other fonts (`ⅾｅ​lete` is *delete*)."""
    if text.isascii():
        return text
    folded = unicodedata.normalize("NFKD", text)
    return "".join(char for char in folded if unicodedata.category(char) not in ("Mn", "Cf", "Cc"))


def of_name(name: str) -> tuple[str, ...]:
    """The words of `camelCase`, `snake_case`, `dotted.names` and kebab ones, each in its ground form."""
    return tuple(ground(part) for part in raw_of_name(name))


def raw_of_name(name: str) -> tuple[str, ...]:
    """The words of a name as they stand, in lower case."""
    return tuple(part.lower() for part in _PART.findall(plain(name)))


def ground(word: str) -> str:
    """An English word in its ground form, if that is one we know; any other word as it is."""
    if word in _KNOWN:
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and (stem := word.removesuffix(ending) + instead) in _KNOWN:
            return stem
        if ending in ("ed", "ing") and word.endswith(ending) and len(word) > len(ending) + 2:
            doubled = word.removesuffix(ending)
            if doubled[-1] == doubled[-2] and doubled[:-1] in _KNOWN:  # submitted, dropping
                return doubled[:-1]
    return word


_ENDINGS: Final = (("ies", "y"), ("es", ""), ("es", "e"), ("s", ""), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e"))


def sentences(text: str) -> Iterator[tuple[str, ...]]:
    """The sentences of `text`, as words in their ground form, without what leads in ("This tool allows you to …")."""
    for part in _SENTENCE.split(_ALTERNATIVES.sub(" or ", plain(text[:_TEXT]))):
        words = [ground(word.lower()) for word in _WORD.findall(part)]
        begin = 0
        while begin < len(words) - 1 and _leads_in(words, begin):
            begin += 1
        if words:
            yield tuple(words[begin:])


def _leads_in(words: list[str], at: int) -> bool:
    # “Enables you to …” leads in; “Enables backups” says what it does.
    return words[at] in _LEADS_IN and (words[at] != "enable" or words[at + 1] in ("you", "user", "users", "to", "the"))


def fields(raw: bytes) -> frozenset[str]:
    """The names of what a tool takes, however deep, in lower case with `_` between words, and its choices of action."""
    try:
        schema = json.loads(raw).get("inputSchema")
    except (ValueError, AttributeError, RecursionError):
        return frozenset()
    found: set[str] = set()
    _collect(schema, found, 0)
    return frozenset(found)


def _collect(schema: Any, found: set[str], depth: int) -> None:
    if not isinstance(schema, dict) or depth > _DEEP:
        return
    properties = schema.get("properties")
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        found.add(snake(name))
        _collect(inner, found, depth + 1)
    for key in ("items", "additionalProperties"):
        _collect(schema.get(key), found, depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        for inner in schema[key] if isinstance(schema.get(key), list) else ():
            _collect(inner, found, depth + 1)


def choices(raw: bytes) -> frozenset[str]:
    """What a tool that does several things lets one choose: the values of actions, methods and operations."""
    try:
        properties = json.loads(raw)["inputSchema"]["properties"]
        listed = [properties[name].get("enum") for name in properties if snake(name) in _ACTIONS]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return frozenset()
    return frozenset(
        value for values in listed if isinstance(values, list) for value in values if isinstance(value, str)
    )


_ACTIONS: Final = frozenset({"action", "method", "operation", "command", "mode", "op", "type_of_action"})


def snake(name: str) -> str:
    """`camelCase` and `kebab-case` as `snake_case`."""
    return "_".join(part.lower() for part in _PART.findall(plain(name)))
