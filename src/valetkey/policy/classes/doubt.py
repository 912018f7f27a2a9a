"""What counts where words leave it open: a verb nobody knows, and a change of which nothing says how grave it is."""

from __future__ import annotations

import json
from typing import Final

from valetkey.directory.model import Tool
from valetkey.policy.classes import field_words, lexicon, nouns, verbs, words
from valetkey.policy.classes.surroundings import Surroundings
from valetkey.policy.classes.verticals import DOMAINS
from valetkey.policy.tool_class import Reason, ToolClass

M, H = ToolClass.MEDIUM, ToolClass.HIGH
_NEAR: Final = 6
"""So many words after a sentence's verb are what it acts upon."""


def unknown(tool: Tool, around: Surroundings) -> tuple[ToolClass, Reason]:
    """What a tool counts as of which nothing is known: by what could be put into it, and by what stands beside it."""
    fields = words.fields(tool.raw)
    free = sorted(field for field in fields if parts(field) & field_words.FREE)
    if free or _takes_anything(tool.raw) or not tool.description.strip():
        what = f"it takes free text (“{free[0]}”)" if free else "it says not one word of it"
        return H, Reason("schema field", H, f"Nothing says what it does, and {what}.")
    if kept := sorted(field for field in fields if parts(field) & nouns.REFERS):
        return H, Reason("schema field", H, f"Nothing says what it does to what “{kept[0]}” stands for.")
    if any(char.isalpha() and not char.isascii() for char in tool.description):
        return H, Reason("description", H, "What it says of itself is in no language that is read here.")
    if about := sorted(_named_or_said(tool) & _CONSEQUENTIAL):
        return H, Reason("name", H, f"Nothing says what it does, and it is about “{about[0]}”.")
    if around.is_grave:
        return H, Reason("connector", H, "Nothing says what it does, and most other tools are hard to take back.")
    return M, Reason("name", M, "Nothing says what it does.")


def _named_or_said(tool: Tool) -> frozenset[str]:
    """The words of its name and title, and those with which its description begins."""
    first = next(words.sentences(tool.description), ())[: 2 * _NEAR]
    return frozenset([*words.of_name(tool.name), *words.of_name(tool.title), *first])


_CONSEQUENTIAL: Final = (lexicon.WEIGHTY | frozenset().union(*DOMAINS.values())) - lexicon.SHARED
"""Money, law, health, insurance, access, code, machines: what a word that nobody knows does to these may be grave."""


def _takes_anything(raw: bytes) -> bool:
    """Whether the schema does not say what it takes: none at all, or an object without members named."""
    try:
        schema = json.loads(raw).get("inputSchema")
    except (ValueError, AttributeError, RecursionError):
        return True
    return not isinstance(schema, dict) or ("properties" not in schema and schema.get("additionalProperties") is True)


def known_to_be_shared(tool: Tool) -> bool:
    """Whether it says that what it changes is of the kind that people write together, or is only made for the caller.

    To *create* a page and to *create* a server are the same verb. What is neither known to be harmless nor known to be
    grave counts as grave.
    """
    verb, told = verbs.first_of(tool.name), words.raw_of_name(tool.name.rpartition(".")[2])
    what = frozenset(word for word in told if len(word) > 1 and verbs.kind_of(word) is None)
    text = f"{tool.title} {tool.description[:400]}"
    fields = words.fields(tool.raw)
    if frozenset(told) & nouns.TALKS and fields & nouns.SAID:
        return False  # `start_thread`: whoever begins a talk with something says that
    if verb == "request" and any(parts(field) & nouns.REACHES for field in fields):
        return False  # `request_verification`: somebody is written to
    if verb in nouns.SETS_GOING and not frozenset(told) & nouns.TRACKED:
        return False
    asian = not text.isascii() and any(word in text for line in lexicon.CJK_SHARED for word in line.split())
    # A name says itself what is changed; what else its sentence names is where, for whom and by what.
    said = frozenset(told) - {verb} if what else _named_or_said(tool)
    return verb in verbs.MILD or asian or bool(said & lexicon.SHARED)


def parts(field: str) -> frozenset[str]:
    """The words of an argument's name, and the whole."""
    return frozenset(field.split("_")) | {field}
