"""1.A Lawful and allowed uses: fields of work that need care are declared, and so are regions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from valetkey.review.model import CannotSay, Crawl, Finding, Rule, Severity, Stage
from valetkey.review.texts import word_set
from valetkey.review.words import words_of

VERTICALS: Final[Mapping[str, frozenset[str]]] = {
    "finance": word_set(
        "payment payments invoice invoices iban bank banking ledger brokerage portfolio loan mortgage stock "
        "stocks crypto wallet ticker dividend trade trades trading payout refund"
    ),
    "legal": word_set("lawsuit litigation attorney contract contracts legal court statute clause plaintiff"),
    "medical": word_set(
        "patient patients diagnosis prescription medication medical clinical hospital symptom symptoms fhir "
        "icd10 healthcare dosage"
    ),
    "insurance": word_set("insurance policyholder premium underwriting insured claimant actuarial"),
    "employment": word_set("applicant applicants resume resumes hiring payroll salary candidate candidates"),
    "housing": word_set("tenant tenants lease landlord rental eviction"),
    "education testing": word_set("exam exams grading proctor transcript admission admissions"),
    "media": word_set("newsroom journalist journalism headline broadcast editorial"),
}
_ENOUGH: Final = 2


def _verticals(crawl: Crawl) -> Iterator[Finding]:
    """Two different words of a field in names, or in descriptions of parameters and tools, are taken for a sign."""
    declared = crawl.listing.verticals if crawl.listing is not None else ()
    used = {word for text in crawl.texts for word in words_of(text.plain)}
    used |= {word for tool in crawl.tools for word in words_of(tool.name)}
    for vertical, words in VERTICALS.items():
        seen = sorted(words & used)
        if len(seen) >= _ENOUGH and vertical not in declared:
            yield Finding(
                Severity.HOLD,
                "names and descriptions of tools",
                f"It seems to work in the field of {vertical}, which is not declared.",
                f'Declare it (vertical = "{vertical}"), or use other words.',
                ", ".join(seen[:8]),
            )


def _regions(crawl: Crawl) -> Iterator[Finding]:
    if crawl.listing is None:
        raise CannotSay("there is no listing")
    if not crawl.listing.regions:
        yield Finding(
            Severity.HOLD, "listing: regions", "It does not say where it is offered.", 'Name the regions, or ["world"].'
        )


RULES = (
    Rule("L-101", "1.A", "Fields of work that need care are declared", Stage.LISTS, _verticals),
    Rule("L-102", "1.A", "Regions are declared", Stage.LISTING, _regions),
)
