"""Finance, law, medicine and insurance: acts there are confirmed with everything in sight, each time (S-27, DIR-19)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from valetkey.directory.model import Tool
from valetkey.policy.classes import lexicon, words
from valetkey.policy.tool_class import Reason, ToolClass

_DOMAINS: Final = {
    "finance": lexicon.FINANCE, "law": lexicon.LEGAL, "medicine": lexicon.MEDICAL, "insurance": lexicon.INSURANCE,
}  # fmt: skip
_CONTEXT: Final = {
    # Words that only go with a domain make an everyday one of it (“order” beside “stock”) belong to it.
    "finance": lexicon.vocabulary(
        "bank broker brokerage equity equities crypto cryptocurrency currency blockchain merchant customer payment",
        "payments portfolio trading stripe paypal square money invoice invoices account price market limit symbol usd",
        "stock stocks option options contract contracts shares bitcoin solana token tokens wallet billing refund",
        "refunds",
    ),
    "law": lexicon.vocabulary("signature signatures signer signers document documents docusign esign lawyer attorney"),
    "medicine": lexicon.vocabulary("patient patients clinical fhir ehr doctor clinician medical health hospital"),
    "insurance": lexicon.vocabulary("insurance insured insurer policyholder underwriting premium claimant damage"),
}


def vertical(tool: Tool, name: tuple[str, ...], fields: frozenset[str], *, acts: bool) -> Iterator[Reason]:
    """A reason for class V where the tool acts in a vertical; nothing where it only reads there."""
    if not acts:
        return
    told = set(name)
    first = next(words.sentences(tool.description), ())
    about = told | set(words.of_name(tool.title)) | set(first[:12])
    for domain, vocabulary in _DOMAINS.items():
        certain = (vocabulary - lexicon.UNCERTAIN) & about
        maybe = vocabulary & lexicon.UNCERTAIN & about
        beside = _CONTEXT[domain] & about
        has_field = bool(fields & lexicon.FIELDS_VERTICAL) or (domain == "finance" and bool(_money(fields)))
        if certain or (maybe and (has_field or beside - maybe or len(maybe) > 1)):
            word = min(certain or maybe)
            yield Reason(
                "name" if word in told else "description", ToolClass.VERTICAL, f"It acts in {domain}: “{word}”."
            )
            return
    if found := sorted(fields & lexicon.FIELDS_VERTICAL):
        yield Reason("schema field", ToolClass.VERTICAL, f"It takes “{found[0]}”, as payments and signatures do.")
    elif text := _asian(tool):
        yield Reason("description", ToolClass.VERTICAL, f"Its text says “{text}”.")


def _money(fields: frozenset[str]) -> frozenset[str]:
    return fields & lexicon.FIELDS_MONEY


def _asian(tool: Tool) -> str:
    text = f"{tool.name} {tool.title} {tool.description[:400]}"
    if text.isascii():
        return ""
    return next((word for line in lexicon.CJK_VERTICAL for word in line.split() if word in text), "")
