"""Sentences that orders to a model are made of. Looked for in every reading of a text, in lower case.

Lists of this kind are never complete. They find what people copy from each other; what they do not know, the reviewer
reads. No pattern repeats within a repetition, so that no text takes long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from valetkey.review.texts import Text

Phrases = tuple[re.Pattern[str], ...]


def _any(*patterns: str) -> Phrases:
    return tuple(re.compile(pattern) for pattern in patterns)


_EARLIER = r"(?:previous|prior|above|earlier|preceding|other|system|all|any|your|the|former|existing)"

AROUND_SAFEGUARDS: Final = _any(
    rf"\b(?:ignore|disregard|forget|override) (?:{_EARLIER} ){{1,4}}"
    r"(?:instructions?|rules|prompts?|guidelines|directions|policies|constraints|restrictions)\b",
    r"\b(?:developer|god|dan|unrestricted|jailbreak|admin|debug) mode (?:is |now )?(?:on|enabled|activated)\b",
    r"\b(?:enter|enable|activate|switch to|you are (?:now )?in) (?:developer|god|dan|unrestricted|jailbreak) mode\b",
    r"\bdo anything now\b",
    r"\bjailbreak(?:ed|ing)?\b",
    r"\b(?:bypass|circumvent|evade|disable|turn off|get around) (?:the |any |all |your |its )?"
    r"(?:safety|safeguards?|guardrails?|content (?:filters?|policy)|restrictions|sandbox|moderation|approvals?|"
    r"confirmations?|permission (?:checks?|prompts?))\b",
    r"\b(?:do not|don't|never|without) (?:tell|telling|inform|informing|mention|mentioning|reveal|revealing|notify|"
    r"notifying|alert|alerting|warn|warning|show|showing) (?:this |that |it |anything |about this )?(?:to )?"
    r"(?:the )?(?:user|human|person)s?\b",
    r"\b(?:hide|conceal|keep) (?:this|it|that|these) (?:secret |hidden )?from (?:the )?(?:user|human|person)s?\b",
    r"\bwithout (?:the )?user(?:'s)? (?:knowledge|knowing|consent|noticing|permission)\b",
    r"</?(?:important|system|secret|hidden|instructions?|admin)>",
    r"\[(?:system|inst|important)\]",
)

MEMORY_AND_FILES: Final = _any(
    r"\b(?:your|the user's|user|the model's|the assistant's|saved|stored|long-term|chat) memor(?:y|ies)\b",
    r"\b(?:previous|prior|earlier|past|other|all|entire|whole|full|complete|current|this) "
    r"(?:chats?|conversations?|chat history|conversation history|dialogues?)\b(?! (?:id|ids|channel|list|object)s?\b)",
    r"\b(?:your|the user's|the current|our) (?:chat|conversation|message) history\b",
    r"\b(?:the user's|user-)?uploaded (?:files?|documents?|images?)\b",
    r"\bfiles? (?:that )?the user (?:has )?(?:uploaded|attached|shared)\b",
    r"\b(?:the user's|user's) (?:other )?(?:files|documents|projects|home directory)\b",
    r"~/\.(?:ssh|aws|config|cursor|claude|netrc|gnupg)\b|\bid_rsa\b|\bmcp\.json\b",
)
ASKING: Final = _any(
    r"\b(?:read|recall|include|attach|send|pass|provide|copy|summari[sz]e|search|retrieve|access|collect|append|"
    r"supply|fetch|look (?:at|up|through|into)|check|use|add|put|paste|load|give|forward|share|open)\b"
)

_BUILT_IN = (
    r"(?:the |your |any |its )?(?:built-?in |native |standard |default |other )?"
    r"(?:web ?search|web ?fetch|bash|shell|terminal|code interpreter|computer use|file (?:search|reader)|browser|"
    r"memory|python|gmail|slack|github|notion|google drive|outlook|jira|linear|salesforce|filesystem)"
)
ORDERS: Final = _any(
    r"\balways (?:call|use|run|invoke|execute|prefer|start with) (?:this|the following)(?: tool| function)?"
    r"(?: \w+){0,2}? (?:first|before)\b",
    r"\b(?:must|should|always|need to|have to|has to) (?:first )?(?:be )?(?:call|called|use|used|run|invoke|invoked)"
    r"(?: this| this tool)? (?:first|before (?:any|every|each|all|using any|calling any))\b",
    r"\b(?:call|use|run|invoke) this (?:tool )?(?:first|before (?:any|every|each|all|using|calling))\b",
    r"\bbefore (?:you )?(?:use|using|call|calling|run|running|invoke|invoking) (?:any|every|each|another|all)\b",
    rf"\b(?:then|also|next|first|must|always|please|now|and|immediately) (?:call|use|run|invoke|execute|open) "
    rf"{_BUILT_IN}\b",
    rf"^(?:call|use|run|invoke|execute|open) {_BUILT_IN}\b|[.!:;] (?:call|use|run|invoke|execute|open) {_BUILT_IN}\b",
    rf"\binstead of (?:using |calling |running )?{_BUILT_IN}\b",
    rf"\b(?:send|forward|copy|post|e-?mail) (?:\w+ ){{1,6}}(?:with|via|using|through) {_BUILT_IN}\b",
    r"\binstead of (?:using |calling )?(?:any |the |all )?other (?:tools?|connectors?|servers?|functions?)\b",
)

AGAINST_OTHERS: Final = _any(
    r"\b(?:do not|don't|never|avoid|stop|refrain from) (?:use|using|call|calling|invoke|invoking|run|running|consult) "
    r"(?:\w+ ){0,3}?(?:other|another|different|competing|built-?in) (?:\w+ )?"
    r"(?:tools?|connectors?|servers?|functions?|services?|search)\b",
    rf"\b(?:do not|don't|never|avoid) (?:use|using|call|calling|invoke|run) {_BUILT_IN}\b",
    r"\bprefer this (?:tool |connector |server )?(?:over|to|above|instead)\b",
    r"\b(?:other|all other|competing) (?:tools?|connectors?|servers?) (?:are|is) (?:not |un|in|out|de|less )",
    r"\bthis is the only (?:tool|connector|server) (?:you|to|that should)\b",
    r"\b(?:use|choose|pick) (?:only )?this (?:tool |connector )?(?:over|rather than|and no other|exclusively)\b",
)

FROM_OUTSIDE: Final = _any(
    r"\b(?:fetch|load|read|open|visit|get|download|retrieve) (?:\S+ ){0,8}?(?:and|then) "
    r"(?:follow|obey|execute|carry out|do what|apply|act on|comply)\b",
    r"\b(?:follow|obey|execute|apply) (?:the |all |any |its |these )?(?:latest |current |remote )?"
    r"(?:instructions|steps|commands|orders|rules|directions) "
    r"(?:at|from|in|on|found|given|returned|provided|contained)\b",
    r"\b(?:instructions|rules|prompt) (?:are|is|will be) (?:loaded|fetched|downloaded|updated|found) (?:from|at)\b",
)

SELLING: Final = _any(
    r"\bsponsored\b(?! (?:by the user|link check))",
    r"\b(?:advertisement|paid partner|affiliate link|promo(?:tion)? code|coupon code)\b",
    r"[?&](?:utm_(?:source|medium|campaign)|aff(?:iliate)?(?:_id|id)?|ref_?id)=",
    r"\b(?:upgrade (?:now|today|to (?:pro|premium|plus|business))|buy now|limited[- ]time offer|special offer|"
    r"subscribe (?:now|today)|start your free trial|\d+ ?% off)\b",
)


def found(phrases: Phrases, texts: Iterable[Text], *, and_also: Phrases = ()) -> Iterator[tuple[Text, str]]:
    """The first match in each text, with its surroundings; with `and_also` one of those must stand nearby before it."""
    for text in texts:
        for reading in text.readings:
            if (match := _first(phrases, reading, and_also)) is not None:
                yield text, around(reading, match.start(), match.end())
                break


def around(text: str, start: int, end: int, *, more: int = 30) -> str:
    """A piece of `text` with what stands before and after it."""
    before, after = max(0, start - more), min(len(text), end + more)
    return f"{'…' if before else ''}{text[before:after]}{'…' if after < len(text) else ''}"


def _first(phrases: Phrases, reading: str, and_also: Phrases) -> re.Match[str] | None:
    for phrase in phrases:
        for match in phrase.finditer(reading):
            nearby = reading[max(0, match.start() - 60) : match.start()].rpartition(". ")[2]
            if not and_also or any(pattern.search(nearby) for pattern in and_also):
                return match
    return None
