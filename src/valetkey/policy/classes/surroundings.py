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
_OF_ALL: Final = 3
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
    runs_machines: bool = False
    """It is about machines, networks and databases: what people elsewhere write together is there a record of one."""


ALONE: Final = Surroundings()
"""Nothing is known of what stands beside it."""


def surroundings(*, listed_as: str, names: Iterable[str], tools: Collection[Tool], raised_to: str = "") -> Surroundings:
    """What is known of a connector: the vertical of its listing (empty: none) or that an owner raised it to, what it is
    called, what it can do.
    """
    names = tuple(names)
    kinds = {tool: verbs.of_name(tool.name) for tool in tools}
    acting = [tool for tool, kind in kinds.items() if kind is not ToolClass.READ]
    high = sum(kinds[tool] is ToolClass.HIGH for tool in acting)
    spoken = [_spoken(tool) for tool in tools]
    of_machines = sum(bool(one & _MACHINES) for one in spoken)
    called = frozenset(word for name in names for word in words.of_name(name))
    told = [*called, *(name.lower() for name in names)]
    runs_machines = any(map(_is_a_store, told)) or (of_machines >= _FEW and 2 * of_machines >= len(tools))
    is_grave = runs_machines or (high >= _FEW and 2 * high >= sum(kinds[tool] is not None for tool in acting))
    if domain := _DECLARED.get(listed_as, ""):
        return Surroundings(domain, f"Its listing says that it is about {domain}", is_grave, runs_machines)
    if domain := _DECLARED.get(raised_to, ""):
        return Surroundings(domain, f"Your organization says that it is about {domain}", is_grave, runs_machines)
    for domain, stems in _IN_BRANDS.items():
        if brands := sorted(word for word in called - _OTHERWISE if word.startswith(stems) or word.endswith(stems)):
            return Surroundings(domain, f"The connector is called “{brands[0]}”", is_grave, runs_machines)
    for domain, vocabulary in DOMAINS.items():
        if found := (vocabulary - lexicon.UNCERTAIN - _IN_NAMES) & called:
            return Surroundings(domain, f"The connector is called “{min(found)}”", is_grave, runs_machines)
    counted = Counter(domain for tool in acting if (domain := domain_of(tool)))
    for domain, number in counted.most_common(1):
        if number >= min(_FEW, max(2, len(acting) // 2)) and number * _SHARE >= len(acting):
            return Surroundings(domain, f"Other tools of the connector are about {domain}", is_grave, runs_machines)
    for domain, vocabulary in DOMAINS.items():
        about = sum(bool(one & (vocabulary - lexicon.UNCERTAIN - _IN_NAMES)) for one in spoken)
        if about >= _FEW and about * _OF_ALL >= len(tools):
            return Surroundings(domain, f"Tools of the connector speak of {domain}", is_grave, runs_machines)
    named = frozenset(word for tool in tools for word in words.of_name(tool.name))
    for domain, spoken_of in _SPOKEN_OF.items():
        if len({word.removesuffix("s") for word in spoken_of & named}) >= _FEW:
            return Surroundings(domain, f"Tools of the connector speak of {domain}", is_grave, runs_machines)
    return Surroundings(is_grave=is_grave, runs_machines=runs_machines)


def _spoken(tool: Tool) -> frozenset[str]:
    first = next(words.sentences(tool.description), ())
    return frozenset([*words.of_name(tool.name), *first[:_READ]])


def _is_a_store(name: str) -> bool:
    """Whether a connector is called as databases and machines are: an item is a record of one there."""
    return name.endswith(_STORES) or name in _HOSTS


_STORES: Final = ("db", "sql", "database", "kube")
_HOSTS: Final = lexicon.DATABASES | lexicon.vocabulary(
    "docker container containers kubernetes firewall dns hypervisor vm vms cluster proxmox vmware terraform ansible"
)
_READ: Final = 12
_MACHINES: Final = lexicon.vocabulary(
    "server servers vm vms machine machines instance instances cluster clusters node nodes pod pods container docker",
    "containers deployment deployments database databases db sql mongodb postgres postgresql mysql redis bucket",
    "buckets firewall firewalls dns network networks subnet vpc volume volumes disk kubernetes namespace schema",
    "droplet droplets router switch vlan hypervisor daemon systemd",
)
_SPOKEN_OF: Final = {
    # What tools read says as much of what a connector is for as what they change.
    "finance": lexicon.vocabulary(
        "payment payments payout payouts refund refunds invoice invoices balance ledger loan"
    ),
    "law": lexicon.vocabulary("contract contracts signer signers envelope envelopes clause clauses nda litigation"),
    "medicine": lexicon.vocabulary(
        "patient patients encounter encounters medication medications allergy allergies diagnosis vitals prescription"
    ),
    "insurance": lexicon.vocabulary("insured insureds policy policies claim claims quote quotes premium underwriting"),
}


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
