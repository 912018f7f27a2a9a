"""Finance, law, medicine and insurance: acts there are confirmed with everything in sight, each time (S-27, DIR-19)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Final

from valetkey.directory.model import Tool
from valetkey.policy.classes import field_words, lexicon, verbs, words
from valetkey.policy.tool_class import Reason, Source, ToolClass

DOMAINS: Final = {
    "finance": lexicon.FINANCE, "law": lexicon.LEGAL, "medicine": lexicon.MEDICAL, "insurance": lexicon.INSURANCE,
}  # fmt: skip
INSIDE: Final = {
    # What everybody writes elsewhere is a record of the vertical inside of a connector that is about it.
    "finance": lexicon.vocabulary(
        "account accounts balance ledger statement plan plans quote quotes product products beneficiary contact limit"
        " limits link links request requests reversal batch schedule card cards token tokens customer-payment entry"
    ),
    "law": lexicon.vocabulary(
        "document documents form forms clause clauses matter matters case cases template field fields party parties"
    ),
    "medicine": lexicon.vocabulary(
        "note notes appointment appointments record records chart problem problems document documents report reports"
        " result results visit visits history order orders booking schedule slot resource resources task tasks"
    ),
    "insurance": lexicon.vocabulary(
        "driver drivers vehicle vehicles property renewal renewals endorsement cancellation certificate binder"
    ),
}
_CONTEXT: Final = {
    # Words that only go with a domain make an everyday one of it (“order” beside “stock”) belong to it.
    "finance": lexicon.vocabulary(
        "bank broker brokerage equity equities crypto cryptocurrency currency blockchain merchant customer payment",
        "accounts",
        "payments portfolio trading stripe paypal square money invoice invoices account price market limit symbol usd",
        "stock stocks option options contract contracts shares bitcoin solana token tokens wallet billing refund",
        "refunds margin shorting leverage payer upi sepa ach payable paid installment",
    ),
    "law": lexicon.vocabulary(
        "signature signatures signer signers signing document documents docusign esign lawyer attorney counterparty",
        "clause party parties binding",
    ),
    "medicine": lexicon.vocabulary(
        "patient patients clinical fhir ehr doctor clinician medical health hospital practitioner drug diagnosis",
    ),
    "insurance": lexicon.vocabulary(
        "insurance insured insurer policyholder underwriting premium claimant damage adjuster fnol bordereau indemnity",
        "reserve reserves deductible underwriter reinsurance referral referrals renewal endorsement binder quote",
        "quotes",
        "settlement loss",
    ),
}
_WEAK_AS_FIELDS: Final = lexicon.vocabulary(
    # As the name of an argument these say nothing: a token opens a session, a document is a file.
    "token tokens document documents account option options limit market contract contracts symbol party parties",
    "quote quotes reserve loss health",
)
_BANKED: Final = lexicon.vocabulary("margin trading brokerage broker bank leverage shorting iban")
_OF_ITS_OWN: Final = lexicon.vocabulary(
    # Everyday words too; but who takes the number of one, and changes it, changes one.
    "contract claim prescription encounter observation envelope agreement episode mandate qr",
)
_ACTED_UPON: Final = {
    # Everyday words as verbs and beside others; but whoever acts upon one (`create_transfer`, `close_position`) moves
    # money, or binds somebody.
    "finance": lexicon.vocabulary(
        "order orders position positions trade trades transfer transfers deposit deposits withdrawal withdrawals",
        "transaction transactions payment payments fund funds wallet wallets checkout checkouts collateral loan loans",
        "receipt receipts sale sales subscription subscriptions coupon coupons price prices bill bills billing credit",
        "credits bid bids bond bonds auction auctions treasury mandate mandates dispute disputes tax taxes stake",
        "promotion promotions discount discounts ad ads budget budgets voucher vouchers reward rewards",
        "money cash crypto donation donations bet bets payable payables receivable receivables securities settlement",
    ),
    "law": lexicon.vocabulary(
        "contract contracts agreement agreements envelope envelopes consent consents deed deeds lease leases patent",
        "patents filing filings motion motions waiver waivers",
    ),
    "medicine": lexicon.vocabulary(
        "prescription prescriptions encounter encounters dose doses referral referrals treatment treatments admission",
        "admissions specimen specimens vitals symptom symptoms consultation consultations surgery therapy",
    ),
    "insurance": lexicon.vocabulary("claim claims coverage coverages premium premiums"),
}
_ON_POLICIES: Final = lexicon.vocabulary("bind rebind reinstate lapse renew endorse surrender cancel quote")
"""Who does one of these to a policy does it to one of insurance: those of access are set and deleted."""
_OF_DATABASES: Final = lexicon.vocabulary("begin commit rollback start abort")
"""A transaction that is begun is one of a database."""
_READ: Final = 20
"""So many words of a description's first two sentences say what it is about."""


def vertical(tool: Tool, name: Sequence[str], fields: frozenset[str], *, acts: bool) -> Iterator[Reason]:
    """A reason for class V where the tool acts in a vertical; nothing where it only reads there."""
    if not acts:
        return
    if (found := _acts_in(tool, name, fields)) is not None:
        yield found[1]
    elif taken := sorted(fields & field_words.VERTICAL):
        yield Reason("schema field", ToolClass.VERTICAL, f"It takes “{taken[0]}”, as payments and signatures do.")
    elif amounts := sorted(field for field in fields if field_words.SPENT & set(field.split("_"))):
        yield Reason("schema field", ToolClass.VERTICAL, f"It takes “{amounts[0]}”, and does not only read.")
    elif text := _asian(tool):
        yield Reason("description", ToolClass.VERTICAL, f"Its text says “{text}”.")


def domain_of(tool: Tool) -> str:
    """The vertical in which the tool would act if it acts at all; empty for none."""
    found = _acts_in(tool, words.of_name(tool.name), words.fields(tool.raw))
    return found[0] if found is not None else ""


def _acts_in(tool: Tool, name: Sequence[str], fields: frozenset[str]) -> tuple[str, Reason] | None:
    told = _with_compounds(name)
    first = [word for sentence in islice(words.sentences(tool.description), 2) for word in sentence][:_READ]
    about = told | _with_compounds(words.of_name(tool.title)) | frozenset(first)
    parts = frozenset(part for field in fields for part in field.split("_"))
    for domain, vocabulary in DOMAINS.items():
        maybe = vocabulary & lexicon.UNCERTAIN & about
        beside = _CONTEXT[domain] & (about | (parts - _WEAK_AS_FIELDS))
        has_field = bool(fields & field_words.VERTICAL) or (domain == "finance" and bool(_money(fields, parts)))
        certain = (vocabulary - lexicon.UNCERTAIN) & about | _owned(maybe & told, fields)
        certain |= _acted_upon(name, _ACTED_UPON[domain])
        if domain == "law":
            certain |= _to_be_signed(tool, told, parts)
        if domain == "insurance" and _ON_POLICIES & told:
            certain |= told & {"policy", "policies"}
        if domain == "finance" and _BANKED & (about | parts):
            certain |= about & {"account", "accounts"}
        if certain or (maybe and (has_field or beside - maybe or len(maybe) > 1)):
            word = min(certain or maybe)
            where: Source = "name" if word in told else "description"
            return domain, Reason(where, ToolClass.VERTICAL, f"It acts in {domain}: “{word}”.")
    return None


def _with_compounds(name: Sequence[str]) -> frozenset[str]:
    """The words of a name, and what neighbors make together: `CarePlan`, `EpisodeOfCare`."""
    pairs = ["".join(two) for two in pairwise(name)]
    return frozenset([*name, *pairs, *(one + word for one, word in zip(pairs, name[2:], strict=False))])


def _to_be_signed(tool: Tool, told: frozenset[str], parts: frozenset[str]) -> frozenset[str]:
    """The document that an act is about, where its text or its arguments speak of signing."""
    papers = told & {"document", "documents", "template", "envelope", "form", "pdf"}
    if not papers:
        return frozenset()
    spoken = frozenset(word for sentence in words.sentences(tool.description) for word in sentence)
    return (
        papers if (spoken | parts) & {"signature", "signatures", "signer", "signers", "sign", "esign"} else frozenset()
    )


def _owned(nouns: frozenset[str], fields: frozenset[str]) -> frozenset[str]:
    return frozenset(noun for noun in nouns & _OF_ITS_OWN if {f"{noun}_id", f"{noun}_code_id"} & fields)


def _acted_upon(name: Sequence[str], nouns: frozenset[str]) -> frozenset[str]:
    """The nouns of a name that another word acts upon: `create_transfer`, `orders_cancel`, not `transfer_issue`."""
    acting = [at for at, word in enumerate(name) if verbs.kind_of(word) not in (None, ToolClass.READ)]
    if _OF_DATABASES & {name[at] for at in acting} and not nouns & {"order", "orders"} & set(name):
        return frozenset()
    return frozenset(
        word
        for at, word in enumerate(name)
        if word in nouns and any(other != at and _before(other, at) for other in acting)
    )


def _before(verb: int, noun: int) -> bool:
    """Whether a verb stands where it acts upon the noun: anywhere before it, or right after it."""
    return verb < noun or verb == noun + 1


def _money(fields: frozenset[str], parts: frozenset[str]) -> frozenset[str]:
    return fields & field_words.MONEY | parts & {"amount", "currency"}


def _asian(tool: Tool) -> str:
    text = f"{tool.name} {tool.title} {tool.description[:400]}"
    if text.isascii():
        return ""
    return next((word for line in lexicon.CJK_VERTICAL for word in line.split() if word in text), "")
