"""What the verb of a name or of a sentence says: which word of it acts, and upon what."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from valetkey.policy.classes import lexicon, nouns, words
from valetkey.policy.tool_class import RANK, ToolClass

R, W, M, H = ToolClass.READ, ToolClass.LOW_WRITE, ToolClass.MEDIUM, ToolClass.HIGH
_JOINING: Final = frozenset({"and", "or", "then"})
_PHRASES: Final = frozenset(
    (verb, particle)
    for particle, those in (
        ("in", "check opt clock trade cash"), ("out", "check opt cash pay sell bail close"),
        ("off", "turn switch sign pay lay power write sell"), ("on", "turn switch sign power"), ("up", "top give"),
        ("over", "hand take fail"), ("down", "take shut tear scale"), ("back", "roll give pay claw"),
        ("away", "give throw"),
    )
    for verb in those.split()
)  # fmt: skip
"""Two words that act, whatever the first does alone: `check_in_guest`, `top_up_card`."""
_OF_PURPOSE: Final = frozenset({"to", "by", "for", "before", "after", "last", "can", "is", "was"})


def kind_of(word: str) -> ToolClass | None:
    """The class of one word, if it is a verb we know."""
    if word in lexicon.HIGH:
        return H
    if word in lexicon.READS:
        return R
    if word in lexicon.LOW:
        return W
    return M if word in lexicon.MEDIUM else None


def highest(kinds: Sequence[ToolClass]) -> ToolClass | None:
    """The weightiest of them."""
    return max(kinds, key=lambda kind: RANK[kind], default=None)


def of_name(name: str) -> ToolClass | None:
    """What the verb of a name says: `list_refunds` reads, `refund_list` too; `get_and_delete`, `list_delete` do not."""
    *before, last = name.split(".")
    if before and of_words(words.of_name(last), words.raw_of_name(last)) is R:
        return R  # `mail.user.query`: what stands before the dots says where, not what
    told = f"{before[-1]}_{last}" if before else name
    return of_words(words.of_name(told), words.raw_of_name(told))


def may_act(name: str) -> bool:
    """Whether the word by which a name reads is one that acts as often."""
    known = [word for word in words.of_name(name.rpartition(".")[2]) if kind_of(word) is not None]
    return (
        bool(known)
        and known[0] in lexicon.READS_MAYBE
        and not lexicon.READS.difference(lexicon.READS_MAYBE) & set(known)
    )


def asks_for_a_thing(name: str) -> bool:
    """Whether the first verb of a name does nothing but read, and nothing is joined to it: `get_refund`."""
    told = words.of_name(name.rpartition(".")[2])
    return first_of(name.rpartition(".")[2]) in _ONLY_READS and not _JOINING & set(told)


def first_of(name: str) -> str:
    """The first word of a name that is a verb we know, in its ground form; empty for none."""
    return next((word for word in words.of_name(name) if kind_of(word) is not None), "")


def of_words(grounded: Sequence[str], raw: Sequence[str] = ()) -> ToolClass | None:
    """The same of words in their ground form; `raw` are those words as they stand, where they come from a name."""
    if issues(grounded) or files(grounded) or _PHRASES.intersection(pairwise(grounded)):
        return H
    at = [number for number, word in enumerate(grounded) if _acts(number, word, raw)]
    if not at:
        return None
    first = at[0]
    kind = kind_of(grounded[first])
    if kind is R:
        return _after_reading(grounded, raw, at)
    if kind is H and _reads_in_the_end(grounded, first):
        return R
    about = _object(grounded, first)
    if kind is M and about & (nouns.ACCESS if grounded[first] in MILD else lexicon.WEIGHTY):
        return H
    if (grounded[first] == "comment" and about & nouns.PUBLIC) or (grounded[first] == "open" and about & nouns.DOORS):
        return H
    if kind is W or grounded[first] in _SEEN_IN_THE_REST:
        return _small(grounded, at, about)
    return highest([found for number in at if (found := kind_of(grounded[number])) is not None])


def issues(grounded: Sequence[str]) -> bool:
    """Whether something is issued (`issue_refund`, `quotes_issue`), which an issue of a tracker is not."""
    if len(grounded) < 2 or "issue" not in (grounded[0], grounded[-1]):
        return False
    what = grounded[1:4] if grounded[0] == "issue" else grounded[-2:-1]
    return bool(lexicon.ISSUED.intersection(what))


def files(grounded: Sequence[str]) -> bool:
    """Whether something is filed with somebody (`file_claim`), which a file is not."""
    return len(grounded) > 1 and grounded[0] in ("file", "lodge") and bool(nouns.FILED.intersection(grounded[1:4]))


def is_looked_up(grounded: Sequence[str], verb: int) -> bool:
    """Whether what is resolved is a name or an address: a dispute, an alert or an escrow is settled by it."""
    about = _object(grounded, verb)
    return bool(about & nouns.LOOKED_UP) and not about & nouns.SETTLED


def _acts(number: int, word: str, raw: Sequence[str]) -> bool:
    if kind_of(word) is None or (raw and number > 0 and raw[number].endswith("ing") and raw[number] != word):
        return False  # `setup_monitoring`: what is set up is monitoring
    # `conversations_replies`, `users_open`: a word in the plural, or an adjective at the end, is no verb.
    plural = bool(raw) and word in lexicon.NOUNS and number > 0 and raw[number].endswith("s") and raw[number] != word
    return not plural and not (raw and number > 0 and number == len(raw) - 1 and word in lexicon.ADJECTIVES)


def _after_reading(grounded: Sequence[str], raw: Sequence[str], at: Sequence[int]) -> ToolClass:
    """What reads first may act all the same: what is joined to it, and any verb that is nothing but one."""
    found = [kind_of(after) for before, after in pairwise(grounded) if before in _JOINING]
    is_thing = grounded[at[0]] in _THINGS
    for number in at[1:] if raw else ():
        word = grounded[number]
        certain = word not in lexicon.NOUNS and raw[number] == word and grounded[number - 1] not in _OF_PURPOSE
        if certain and (kind_of(word) is H or is_thing or number == len(raw) - 1):
            found.append(kind_of(word))
    if grounded[at[0]] == "resolve" and not is_looked_up(grounded, at[0]):
        found.append(M)  # a thread is resolved; a name is looked up
    return highest([kind for kind in found if kind is not None]) or R


def _reads_in_the_end(grounded: Sequence[str], first: int) -> bool:
    return first == 0 and len(grounded) > 1 and grounded[-1] in _READS_LAST and grounded[0] in lexicon.NOUNS


def _small(grounded: Sequence[str], at: Sequence[int], about: frozenset[str]) -> ToolClass:
    """What is little by itself, unless something weightier is joined to it: a label is removed, a mail is drafted."""
    first = at[0]
    joined = [kind for before, word in pairwise(grounded) if before in _JOINING and (kind := kind_of(word)) is not None]
    if grounded[first] == "remove":
        return highest([W, *joined]) or W if about & lexicon.SMALL else H
    others = [kind_of(grounded[number]) for number in at[1:] if grounded[number] not in lexicon.NOUNS]
    own = kind_of(grounded[first]) or M
    if grounded[first] == "subscribe" and about & {"webhook", "webhooks"}:
        return H  # what happens is told to an address from then on
    return highest([own, *joined, *(kind for kind in others if kind is not None)]) or own


def _object(grounded: Sequence[str], verb: int) -> frozenset[str]:
    """What the verb acts upon: what follows it, and what stands right before it, as in `vm_create`."""
    return frozenset([*grounded[max(0, verb - 2) : verb], *grounded[verb + 1 :]])


_THINGS: Final = (lexicon.NOUNS | lexicon.READS_MAYBE | {"info", "compute", "top", "can", "stat"}) & lexicon.READS
"""What reads, or is a thing: `map_create_marker`, `compute_start_instance`."""
_READS_LAST: Final = frozenset({"list", "get", "search", "status", "count", "history", "show", "view", "find", "read"})
_ONLY_READS: Final = frozenset({"get", "list", "search", "find", "fetch", "show", "describe", "retrieve", "read"})
MILD: Final = frozenset({"comment", "new", "generate", "process", "format", "index", "request", "log"})
_SEEN_IN_THE_REST: Final = MILD | {"remove", "modify", "edit", "update", "rename"}
"""What these do to a mail or a post is seen in what is joined to them, not in the word for it."""
