"""The class of a tool: what a reviewer, an organization, its words, its fields and its hints say; the highest wins.

A hint of an unverified connector can only raise (D6, S-26); that one is missing means the worst it could say (PERM-03).
The heuristic is made to miss nothing of class H or V; that it asks once too often is the price (`tests/corpus/tools`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from valetkey.directory.model import Tool
from valetkey.policy.classes import field_words, lexicon, nouns, verbs, words
from valetkey.policy.classes.doubt import known_to_be_shared, parts, unknown
from valetkey.policy.classes.open_ended import left_open
from valetkey.policy.classes.surroundings import Surroundings
from valetkey.policy.classes.verticals import DOMAINS, INSIDE, vertical
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
    around: Surroundings,
) -> Classified:
    """The class of `tool`. Pure, and not made for the call path: who asks there remembers it by the fingerprint.

    `verified` says that its connector is; `reviewed` is the class that a reviewer gave exactly this definition, and
    `organization` the one that an owner gave it; `around` is what stands beside it. None lowers what its own words
    give away.
    """
    hints = _hints(tool)
    said = list(_heuristic(tool))
    said += _raised_by_surroundings(tool, said, around)
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
    return _weighed(tool, said, around, raised_by_taint=raised_by_taint)


def _weighed(tool: Tool, said: list[Reason], around: Surroundings, *, raised_by_taint: bool) -> Classified:
    known = sorted((one for one in said if one.tool_class is not X), key=lambda one: -RANK[one.tool_class])
    if known:
        kind = counts = known[0].tool_class
    else:
        kind, counts, why = X, *unknown(tool, around)
        known = [why]
    if raised_by_taint:
        counts = _RAISED[counts]
        kind = kind if kind is X else counts
        known.insert(0, Reason("taint", counts, "Text that nobody vouches for was read a while ago: one class higher."))
    return Classified(kind, counts, known[0].words, tuple(known))


# --- words and fields -------------------------------------------------------------------------------------------------


def _heuristic(tool: Tool) -> Iterator[Reason]:
    fields = words.fields(tool.raw)
    by_name = verbs.of_name(tool.name)
    if by_name is R and verbs.may_act(tool.name) and not _is_said_to_read(tool.description):
        by_name = None
    if by_name in (M, H) and verbs.asks_for_a_thing(tool.name) and _is_said_to_read(tool.description):
        by_name = R  # `get_refund`, “Retrieves a refund”
    said = [] if by_name is None else [Reason("name", by_name, f"Its name says that it {_SAYS[by_name]}.")]
    said += _of_title(tool.title)
    said += _of_description(tool.description, is_read=by_name is R, named=by_name is not None)
    if by_name is not R and (for_good := _FOR_GOOD.search(words.plain(tool.description[:_OF_THE_TEXT]))):
        said.append(Reason("description", H, f"Its description says “{for_good[0]}”."))
    said += _of_asian(tool, is_read=by_name is R)
    said += left_open(tool, fields, is_read=by_name is R)
    writes = by_name is not R or any(one.tool_class in (M, H) for one in said)
    said += _of_fields(fields, writes=writes)
    kinds = [kind for choice in words.choices(tool.raw) if (kind := verbs.of_name(choice)) not in (None, R)]
    kinds += [H for field in fields if by_name is not R and _is_an_act(field)]
    if (worst := verbs.highest([kind for kind in kinds if kind is not None])) is not None:
        said.append(Reason("schema field", worst, f"One of the actions it offers {_SAYS[worst]}."))
    if verbs.highest([one.tool_class for one in said]) is M and (
        fields & field_words.OF_MACHINES or not known_to_be_shared(tool)
    ):
        said.append(Reason("name", H, "It changes something, and nothing says that this is easily put right."))
    yield from said
    acts = not said or any(one.tool_class is not R for one in said)
    yield from vertical(tool, words.of_name(tool.name), fields, acts=acts)


def _of_title(title: str) -> Iterator[Reason]:
    for sentence in words.sentences(title):
        kind = verbs.of_words(sentence)
        if kind is not None and kind is not R:
            yield Reason("title", kind, f"Its title says that it {_SAYS[kind]}.")


def _of_description(description: str, *, is_read: bool, named: bool) -> Iterator[Reason]:
    """What sentences begin with, and what is joined to that: “Lists files and deletes them”."""
    for number, sentence in enumerate(words.sentences(description)):
        leading = _leading(sentence, is_read=is_read)
        if number == 0 and leading is not None and (leading is not R or not named):
            grave = nouns.ACCESS if sentence[0] in verbs.MILD else lexicon.WEIGHTY
            weighty = leading is M and bool(set(sentence[:_NEAR]) & grave)
            kind = H if weighty and not is_read else leading
            yield Reason("description", kind, f"Its description says that it {_SAYS[kind]}.")
        joined = [after for before, after in pairwise(sentence) if before in _JOINS and after in _DANGEROUS]
        dangerous = joined or ([sentence[0]] if number > 0 and not is_read and sentence[0] in _DANGEROUS else [])
        if dangerous:
            yield Reason("description", H, f"Its description says “{dangerous[0]}”.")


_FOR_GOOD: Final = re.compile(
    r"\b(?:(?:cannot|can't|can not) be (?:undone|reversed|recovered|restored|reverted)"
    r"|irreversibl|permanently|overwrit|irrevocabl"
    r"|(?:completely|entirely|fully) replace|replaces? (?:the )?(?:entire|whole|existing|all)|destructive"
    r"|high[- ]impact|soft[- ]delet|with caution|data loss|dangerous"
    r"|definitivement|endgultig|unwiderruflich|permanentemente|definitivamente|definitief)",
    re.IGNORECASE,
)


def _is_said_to_read(description: str) -> bool:
    """Whether the first sentence says so with a word that says nothing else: “Returns …”, not “Tests …”."""
    first = next(words.sentences(description), ("",))[0]
    return (first in lexicon.READS or first in lexicon.READS_SAID) and first not in lexicon.READS_MAYBE


def _leading(sentence: tuple[str, ...], *, is_read: bool) -> ToolClass | None:
    does_what = sentence[1:_NEAR] if is_read and sentence[0] in _DOES else ()
    if sentence[0] in lexicon.READS_SAID or lexicon.READS.intersection(does_what):
        return R  # “Executes a search”
    if verbs.issues(sentence) or verbs.files(sentence):
        return H
    if sentence[0] == "resolve" and not verbs.is_looked_up(sentence[:_NEAR], 0):
        return M
    if sentence[0] == "subscribe" and "webhook" in sentence[:_NEAR]:
        return H
    if sentence[0] == "remove" and set(sentence[:_NEAR]) & lexicon.SMALL:
        return W
    return verbs.kind_of(sentence[0]) if sentence[0] not in lexicon.READS_MAYBE else None


_OF_THE_TEXT: Final = 600
_DOES: Final = frozenset({"perform", "execute", "run", "do", "make"})
_NEAR: Final = 6
"""So many words after a sentence's verb are what it acts upon."""
_JOINS: Final = lexicon.vocabulary("and or then und oder dann et ou puis y o e ed en will wird also")
_DANGEROUS: Final = lexicon.HIGH - lexicon.NOUNS - lexicon.vocabulary("confirm confirmar confirmer confermare")
"""What sentences tell: not “Confirm with the user first.”"""


def _of_asian(tool: Tool, *, is_read: bool) -> Iterator[Reason]:
    text = f"{tool.name} {tool.title} {tool.description[:400]}"
    if text.isascii():
        return
    for kind, listed in ((H, lexicon.CJK_HIGH), (M, lexicon.CJK_MEDIUM), (R, lexicon.CJK_READ)):
        found = next((word for line in listed for word in line.split() if _says(text, word, is_read=is_read)), None)
        if found is not None:
            yield Reason("description", kind, f"Its text says “{found}”: it {_SAYS[kind]}.")
            return


def _says(text: str, word: str, *, is_read: bool) -> bool:
    """Whether `word` stands in `text`; where a name says that it reads, joined to something, as “获取并删除” is."""
    at = text.find(word)
    return at >= 0 and (not is_read or (at > 0 and text[at - 1] in "并並且及和与與て"))


def _of_fields(fields: frozenset[str], *, writes: bool) -> Iterator[Reason]:
    for field in sorted(fields):
        named = parts(field)
        opens = field in _OPENS or named & field_words.RIGHTS
        always = field in _ALWAYS_BY_FIELD or named & _ALWAYS
        if always or (writes and (opens or field in field_words.HIGH)):
            yield Reason("schema field", H, f"It takes “{field}”.")
        elif writes and named & {"url", "uri", "amount", "to", "force", "email", "emails"}:
            yield Reason("schema field", M, f"It takes “{field}”.")


def _is_an_act(field: str) -> bool:
    """Whether an argument is named like an act it does: `run_workflow`, `send_reminders`, and not `deleted_after`."""
    verb, *what = field.split("_")
    upon = frozenset(what)
    acts = verb in _DANGEROUS or (verb in lexicon.HIGH and bool(upon & lexicon.WEIGHTY))
    return acts and bool(upon) and not upon & _ABOUT_AN_ACT


_ABOUT_AN_ACT: Final = lexicon.vocabulary(
    "id ids at by on date time after before from until since name type kind status state count number url key mode to"
)
_OPENS: Final = field_words.OPENING | field_words.OF_RECORDS
_ALWAYS_BY_FIELD: Final = field_words.RUN | field_words.OF_A_CODE | field_words.OF_AN_ACT
_ALWAYS: Final = frozenset({"sql", "iban", "delete", "destroy", "bcc"})


def _raised_by_surroundings(tool: Tool, said: list[Reason], around: Surroundings) -> Iterator[Reason]:
    """What is unclear, or hard to take back, counts up where the whole connector is about something grave.

    What people write together (a contact, a comment) stays what it is there too.
    """
    worst = verbs.highest([one.tool_class for one in said])
    if around.vertical and (worst in (None, H) or (worst is M and _is_of(around.vertical, tool))):
        yield Reason("connector", V, f"{around.because}, and this is hard to take back or not known.")
    elif around.runs_machines and worst is M and not _is_talk(tool):
        yield Reason("connector", H, "It changes something, and most other tools are about machines or databases.")


def _is_talk(tool: Tool) -> bool:
    return bool(frozenset(words.of_name(tool.name)) & _TALK)


_TALK: Final = lexicon.vocabulary(
    "comment issue ticket incident alert label tag note task project annotation dashboard"
)


def _is_of(vertical: str, tool: Tool) -> bool:
    """Whether a name says no more than that something of the vertical is changed: none that people write together."""
    name = frozenset(words.of_name(tool.name))
    kept = lexicon.SHARED if vertical == "finance" else _TALK
    return bool(name & (DOMAINS[vertical] | INSIDE[vertical])) or not name & kept


# --- hints ------------------------------------------------------------------------------------------------------------


def _hints(tool: Tool) -> dict[str, Any]:
    try:
        hints = json.loads(tool.raw).get("annotations")
    except (ValueError, AttributeError, RecursionError):
        return {}
    return hints if isinstance(hints, dict) else {}


def _raised_by_hints(hints: dict[str, Any], said: list[Reason], *, verified: bool) -> Iterator[Reason]:
    """What the hints raise. They lower nothing: a hint of an unverified connector means at least what silence does."""
    source: Source = "annotation"
    worst = max((RANK[one.tool_class] for one in said if one.tool_class is not X), default=-1)
    only_reads, harmless = hints.get("readOnlyHint"), hints.get("destructiveHint") is False
    if hints.get("destructiveHint") is True:
        yield Reason(source, H, "It says itself that it may destroy something.")
    elif only_reads is False and worst == RANK[R]:
        yield Reason(source, W, "It says itself that it does not only read.")
    elif worst == RANK[W] and not (verified and (harmless or only_reads is True)):
        yield Reason(source, M, "Nobody who is believed says that it destroys nothing.")
    elif verified and only_reads is not True and worst == RANK[R]:
        yield Reason(source, W, "It does not say that it only reads.")


def _is(reason: Reason, *kinds: ToolClass) -> bool:
    return reason.tool_class in kinds
