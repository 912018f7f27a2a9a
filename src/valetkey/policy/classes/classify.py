"""The class of a tool: what a reviewer, an organization, its words, its fields and its hints say; the highest wins.

A hint of an unverified connector can only raise (D6, S-26); that one is missing means the worst it could say (PERM-03).
The heuristic is made to miss nothing of class H or V; that it asks once too often is the price (`tests/corpus/tools`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from valetkey.directory.model import Tool
from valetkey.policy.classes import lexicon, words
from valetkey.policy.classes.verticals import vertical
from valetkey.policy.tool_class import RANK, Classified, Reason, Source, ToolClass

R, W, M, H, V, X = (
    ToolClass.READ, ToolClass.LOW_WRITE, ToolClass.MEDIUM, ToolClass.HIGH, ToolClass.VERTICAL, ToolClass.UNKNOWN,
)  # fmt: skip
_RAISED: Final = {R: W, W: M, M: H, H: V, V: V}
_SAYS: Final = {
    R: "reads",
    W: "changes something small that can be taken back",
    M: "changes something",
    H: "does something hard to take back",
}


def classify(
    tool: Tool,
    *,
    verified: bool,
    reviewed: ToolClass | None,
    organization: ToolClass | None,
    raised_by_taint: bool,
) -> Classified:
    """The class of `tool`. Pure, and not made for the call path: who asks there remembers it by the fingerprint.

    `verified` says that its connector is; `reviewed` is the class that a reviewer gave exactly this definition, and
    `organization` the one that an owner gave it. Neither lowers what its own words give away.
    """
    hints = _hints(tool)
    said = list(_heuristic(tool))
    trusted = verified and reviewed is not None
    if trusted and hints.get("readOnlyHint") is True and not any(_is(one, H, V) for one in said):
        said = [Reason("annotation", R, "The reviewed definition says that it only reads.")]
    said += _raised_by_hints(hints, said, verified=verified)
    if reviewed is not None:
        said.append(Reason("listing", reviewed, f"A reviewer put it into the class {reviewed.word}."))
    if organization is not None:
        said.append(
            Reason("organization", organization, f"Your organization put it into the class {organization.word}.")
        )
    return _weighed(tool, said, raised_by_taint=raised_by_taint)


def _weighed(tool: Tool, said: list[Reason], *, raised_by_taint: bool) -> Classified:
    known = sorted((one for one in said if one.tool_class is not X), key=lambda one: -RANK[one.tool_class])
    if known:
        kind = counts = known[0].tool_class
    else:
        kind, counts, why = X, *_unknown(tool)
        known = [why]
    if raised_by_taint:
        counts = _RAISED[counts]
        kind = kind if kind is X else counts
        known.insert(0, Reason("taint", counts, "Text that nobody vouches for was read a while ago: one class higher."))
    return Classified(kind, counts, known[0].words, tuple(known))


def _unknown(tool: Tool) -> tuple[ToolClass, Reason]:
    """What a tool counts as of which nothing is known: by what could be put into it."""
    fields = words.fields(tool.raw)
    free = sorted(field for field in fields if _parts(field) & lexicon.FIELDS_FREE)
    if free or _takes_anything(tool.raw):
        what = f"it takes free text (“{free[0]}”)" if free else "it takes anything"
        return H, Reason("schema field", H, f"Nothing says what it does, and {what}.")
    return M, Reason("name", M, "Nothing says what it does.")


def _takes_anything(raw: bytes) -> bool:
    """Whether the schema does not say what it takes: none at all, or an object without members named."""
    try:
        schema = json.loads(raw).get("inputSchema")
    except (ValueError, AttributeError, RecursionError):
        return True
    return not isinstance(schema, dict) or ("properties" not in schema and schema.get("additionalProperties") is True)


# --- words and fields -------------------------------------------------------------------------------------------------


def _heuristic(tool: Tool) -> Iterator[Reason]:
    name = words.of_name(tool.name)
    fields = words.fields(tool.raw)
    by_name = _of_name(name)
    if by_name is not None:
        yield Reason("name", by_name, f"Its name says that it {_SAYS[by_name]}.")
    yield from _of_title(tool.title)
    yield from _of_description(tool.description, is_read=by_name is R, named=by_name is not None)
    yield from _of_asian(tool)
    yield from _of_fields(fields, is_read=by_name is R)
    chosen = words.choices(tool.raw)
    if (worst := _highest(chosen)) is not None:
        yield Reason("schema field", worst, f"One of the actions it offers {_SAYS[worst]}.")
    acts = by_name is not R or bool(chosen & (lexicon.MEDIUM | lexicon.HIGH))
    yield from vertical(tool, name, fields, acts=acts)


def _of_name(name: tuple[str, ...]) -> ToolClass | None:
    """By the first verb: `list_refunds` reads, `refund_list` too, and `get_and_delete` does not."""
    found = [(word, kind) for word in name if (kind := _kind(word)) is not None]
    if not found:
        return None
    verbs = [kind for word, kind in found]
    first = verbs[0]
    if first is R:
        joined = [_kind(after) for before, after in pairwise(name) if before in ("and", "or", "then")]
        return max((kind for kind in joined if kind), key=lambda kind: RANK[kind], default=R)
    if first in (H, W):
        ends_reading = len(name) > 1 and name[-1] in _NOUN_READS and name[0] == found[0][0] and found[0][0] in _NOUNS
        return R if ends_reading else max(verbs, key=lambda kind: RANK[kind]) if first is W else H
    weighty = [word for word in name if word in lexicon.WEIGHTY]
    worst = max(verbs, key=lambda kind: RANK[kind])
    return H if weighty and first is M and found[0][0] not in _MILD else worst


_NOUN_READS: Final = frozenset({"list", "get", "search", "status", "count", "history", "show", "view", "find", "read"})
_NOUNS: Final = lexicon.vocabulary(
    "message email mail post order deploy release commit run notify label tag share merge call sms book job draft star",
    " pipeline transfer",
)
_MILD: Final = frozenset({"comment", "new", "generate", "process", "format", "index", "request", "log"})


def _kind(word: str) -> ToolClass | None:
    if word in lexicon.HIGH:
        return H
    if word in lexicon.READS:
        return R
    if word in lexicon.LOW:
        return W
    return M if word in lexicon.MEDIUM else None


def _highest(found: Iterable[str]) -> ToolClass | None:
    kinds = [kind for word in found if (kind := _kind(word)) is not None and kind is not R]
    return max(kinds, key=lambda kind: RANK[kind], default=None)


def _of_title(title: str) -> Iterator[Reason]:
    for sentence in words.sentences(title):
        kind = _of_name(sentence)
        if kind is not None and kind is not R:
            yield Reason("title", kind, f"Its title says that it {_SAYS[kind]}.")


def _of_description(description: str, *, is_read: bool, named: bool) -> Iterator[Reason]:
    """What sentences begin with, and what is joined to that: “Lists files and deletes them”."""
    for number, sentence in enumerate(words.sentences(description)):
        leading = _kind(sentence[0])
        if number == 0 and leading is not None and (leading is not R or not named):
            weighty = leading is M and bool(set(sentence[:6]) & lexicon.WEIGHTY)
            kind = H if weighty and not is_read else leading
            yield Reason("description", kind, f"Its description says that it {_SAYS[kind]}.")
        joined = [after for before, after in pairwise(sentence) if before in _JOINS and after in lexicon.HIGH]
        dangerous = joined or ([sentence[0]] if leading is H and number > 0 and not is_read else [])
        if dangerous:
            yield Reason("description", H, f"Its description says “{dangerous[0]}”.")


_JOINS: Final = lexicon.vocabulary("and or then und oder dann et ou puis y o e ed en will wird also")


def _of_asian(tool: Tool) -> Iterator[Reason]:
    text = f"{tool.name} {tool.title} {tool.description[:400]}"
    if text.isascii():
        return
    for kind, listed in ((H, lexicon.CJK_HIGH), (M, lexicon.CJK_MEDIUM), (R, lexicon.CJK_READ)):
        found = next((word for line in listed for word in line.split() if word in text), None)
        if found is not None:
            yield Reason("description", kind, f"Its text says “{found}”: it {_SAYS[kind]}.")
            return


def _of_fields(fields: frozenset[str], *, is_read: bool) -> Iterator[Reason]:
    for field in sorted(fields):
        if field in lexicon.FIELDS_HIGH or (_parts(field) & _ALWAYS):
            yield Reason("schema field", H, f"It takes “{field}”.")
        elif not is_read and _parts(field) & {"url", "uri", "amount", "to", "force", "email", "emails"}:
            yield Reason("schema field", M, f"It takes “{field}”.")


_ALWAYS: Final = frozenset({"sql", "iban", "delete", "destroy", "recipients", "bcc"})


def _parts(field: str) -> frozenset[str]:
    return frozenset(field.split("_")) | {field}


# --- hints ------------------------------------------------------------------------------------------------------------


def _hints(tool: Tool) -> dict[str, Any]:
    try:
        hints = json.loads(tool.raw).get("annotations")
    except (ValueError, AttributeError, RecursionError):
        return {}
    return hints if isinstance(hints, dict) else {}


def _raised_by_hints(hints: dict[str, Any], said: list[Reason], *, verified: bool) -> Iterator[Reason]:
    """What the hints raise. They lower nothing here."""
    source: Source = "annotation"
    worst = max((RANK[one.tool_class] for one in said if one.tool_class is not X), default=-1)
    if hints.get("destructiveHint") is True:
        yield Reason(source, H, "It says itself that it may destroy something.")
    elif hints.get("readOnlyHint") is False and worst == RANK[R]:
        yield Reason(source, W, "It says itself that it does not only read.")
    elif hints.get("readOnlyHint") is not True and worst == RANK[W] and hints.get("destructiveHint") is not False:
        yield Reason(source, M, "It does not say that it destroys nothing.")
    elif verified and hints.get("readOnlyHint") is not True and worst == RANK[R]:
        yield Reason(source, W, "It does not say that it only reads.")


def _is(reason: Reason, *kinds: ToolClass) -> bool:
    return reason.tool_class in kinds
