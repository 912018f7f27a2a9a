"""What a connector is about, from its listing, its name and all its tools: an unclear tool counts up there (S-27).

`submit` among tools that place and cancel orders is an order; among those that file notes it is a note. Only raises:
a tool beside which nothing stands is what its own words say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from valetkey.directory.model import Tool
from valetkey.policy.classes import lexicon, verbs, words
from valetkey.policy.classes.verticals import DOMAINS, domain_of
from valetkey.policy.tool_class import ToolClass

_DECLARED: Final = {"finance": "finance", "legal": "law", "medical": "medicine", "insurance": "insurance"}
"""The verticals of listings (DIR-19), by the words we use."""
_FEW: Final = 3
_SHARE: Final = 4
"""A fourth of the tools that act, and three of them, say what a connector is about; of few tools two do."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`vertical` is what the connector is about, if it is one of those; `is_grave` says that most of what acts on it is
    hard to take back, as with machines, networks, databases and access.
    """

    vertical: str = ""
    because: str = ""
    is_grave: bool = False


ALONE: Final = Surroundings()
"""Nothing is known of what stands beside it."""


def surroundings(*, listed_as: str, names: Iterable[str], tools: Collection[Tool]) -> Surroundings:
    """What is known of a connector: the vertical of its listing (empty: none), what it is called, what it can do."""
    kinds = {tool: verbs.of_name(tool.name) for tool in tools}
    acting = [tool for tool, kind in kinds.items() if kind is not ToolClass.READ]
    high = sum(kinds[tool] is ToolClass.HIGH for tool in acting)
    is_grave = high >= _FEW and 2 * high >= sum(kinds[tool] is not None for tool in acting)
    if domain := _DECLARED.get(listed_as, ""):
        return Surroundings(domain, f"Its listing says that it is about {domain}", is_grave)
    called = frozenset(word for name in names for word in words.of_name(name))
    for domain, stems in _IN_BRANDS.items():
        if brands := sorted(word for word in called - _OTHERWISE if word.startswith(stems) or word.endswith(stems)):
            return Surroundings(domain, f"The connector is called “{brands[0]}”", is_grave)
    for domain, vocabulary in DOMAINS.items():
        if found := (vocabulary - lexicon.UNCERTAIN - _IN_NAMES) & called:
            return Surroundings(domain, f"The connector is called “{min(found)}”", is_grave)
    counted = Counter(domain for tool in acting if (domain := domain_of(tool)))
    for domain, number in counted.most_common(1):
        if number >= min(_FEW, max(2, len(acting) // 2)) and number * _SHARE >= len(acting):
            return Surroundings(domain, f"Other tools of the connector are about {domain}", is_grave)
    return Surroundings(is_grave=is_grave)


_IN_BRANDS: Final = {
    "finance": ("bank", "broker", "brokers", "trading", "wallet", "crypto", "coin", "pay", "payments", "invoic",
                "billing", "payroll", "accounting", "bookkeep"),
    "law": ("esign", "docusign", "legal", "lawyer", "lawfirm", "notar"),
    "medicine": ("health", "clinic", "pharma", "medic", "hospital", "patient", "fhir", "ehr", "dental"),
    "insurance": ("insur", "insurance", "versicherung", "assurance", "seguros"),
}  # fmt: skip
"""What names of companies begin or end with."""
_OTHERWISE: Final = lexicon.vocabulary("design redesign codesign databank memorybank healthcheck payload payloads")
_IN_NAMES: Final = lexicon.vocabulary("sign signature policy policies charge charges capture coin coins transfer")
"""In the name of a connector these are as often something else."""
