"""The values of review: what a crawl saw, what a rule is and finds, what a report says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any, Literal

from valetkey.directory.listings import ReviewedTool
from valetkey.directory.model import Tool
from valetkey.net.certificate import Certificate
from valetkey.oauth.model import AuthorizationServer, ProtectedResource
from valetkey.review.app_pages import AppPage
from valetkey.review.records import NOTHING_RECORDED, Records
from valetkey.review.texts import Text, definition_texts, result_texts


class Stage(IntEnum):
    """The four looks that a crawl takes, each seeing more than the one before."""

    LISTING = 0  # what the publisher says
    PROBE = 1  # what the network shows to somebody unknown
    LISTS = 2  # what the server says of itself and its tools
    TRIALS = 3  # what tools do, with a test account

    @property
    def title(self) -> str:
        return ("listing", "probe", "lists", "trials")[self]


class Severity(StrEnum):
    """What a finding means for being listed."""

    BLOCK = "block"  # not like this
    HOLD = "hold"  # a reviewer decides
    WARN = "warn"  # advice


# --- what was seen ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the publisher says about the connector (DIR-05, DIR-06, S-23). Empty where nothing is said."""

    name: str
    url: str
    one_liner: str = ""
    about: str = ""
    publisher: str = ""
    categories: tuple[str, ...] = ()
    verticals: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    privacy_policy: str = ""
    docs: str = ""
    support: str = ""
    example_prompts: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    """Hosts of others that it uses, as declared."""
    screenshots: tuple[str, ...] = ()
    justified: Mapping[str, str] = field(default_factory=dict)
    """`tool.parameter` → why it is needed."""
    proof: str = ""
    """What the file on its domain must say (DIR-03)."""
    wants_verified: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP exchange: the status and headers (lower case), or `problem`, why there was none. No body."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    moved_to: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A public page: where it was found in the end, and its words, without markup."""

    url: str
    status: int = 0
    words: str = ""
    redirects: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """What a service publishes about signing in. A `None` with its `…_problem` empty was not there at all."""

    resource: ProtectedResource | None = None
    resource_problem: str = ""
    bearer_methods: tuple[str, ...] = ()
    server: AuthorizationServer | None = None
    server_problem: str = ""
    grants: tuple[str, ...] = ()
    bad_refresh: Exchange | None = None
    """How the token endpoint answered a refresh token that never was."""
    bad_refresh_error: str = ""
    strange_redirect: Exchange | None = None
    """How the authorization endpoint answered a client and an address it cannot know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Stage 1. `opening` is the answer to a handshake without credentials."""

    opening: Exchange
    stream: Exchange
    preflight: Exchange
    strange_origin: Exchange
    certificate: Certificate | None = None
    certificate_problem: str = ""
    sign_in: SignIn = SignIn()
    pages: Mapping[str, Page] = field(default_factory=dict)
    """`privacy_policy`, `docs`, `support`, `security`, `proof`: those that were looked for."""

    @property
    def is_guarded(self) -> bool:
        return self.opening.status in (401, 403)


@dataclass(frozen=True, slots=True)
class SeenTool:
    """A tool as its server describes it. `fingerprint` as in the directory: over all that a model can see."""

    name: str
    title: str
    description: str
    fingerprint: str
    definition: Mapping[str, Any] = field(repr=False)
    tool: Tool | None = field(default=None, repr=False)
    """The same as the directory has it, for its class to be told."""

    @property
    def annotations(self) -> Mapping[str, Any]:
        found = self.definition.get("annotations")
        return found if isinstance(found, dict) else {}

    @property
    def reads_only(self) -> bool:
        """It says that it only reads, and says nothing against it."""
        return self.annotations.get("readOnlyHint") is True and self.annotations.get("destructiveHint") is not True

    @property
    def schema(self) -> Mapping[str, Any]:
        found = self.definition.get("inputSchema")
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Stage 2. Definitions are parsed JSON objects; `unreadable` says why others could not be."""

    versions: tuple[str, ...]
    server: Mapping[str, Any]
    tools: tuple[SeenTool, ...]
    prompts: tuple[Mapping[str, Any], ...] = ()
    resources: tuple[Mapping[str, Any], ...] = ()
    apps: tuple[AppPage, ...] = ()
    unreadable: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Lists that are longer than what was read of them, by what is in them."""
    again: Lists | None = None
    """The same as a visitor who came anew was shown it; `None` where that one was shown nothing."""
    unknown_session: Exchange | None = None
    """How a session that never was is answered; not asked of servers without sessions."""
    answered: Exchange = Exchange()

    @property
    def instructions(self) -> str:
        found = self.server.get("instructions")
        return found if isinstance(found, str) else ""


Kind = Literal["valid", "missing", "wrong type", "unknown id", "oversize", "empty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One call of a read-only tool, with generated arguments. `failed`: the tool or the protocol said error."""

    tool: str
    kind: Kind
    answered: bool
    failed: bool = False
    text: str = ""
    beside: str = ""
    """What else of it a model reads: structured content, and what is embedded or linked."""
    is_cut: bool = False
    """It says more than is kept here."""
    media: tuple[str, ...] = ()
    size: int = 0
    structured: Any = None
    problem: str = ""
    """Why no answer came, when none did."""
    forbidden: bool = False
    """The account may not call it: HTTP 403."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What a tool said twice before the trials, and once after."""

    tool: str
    before: str
    again: str
    after: str


@dataclass(frozen=True, slots=True)
class Trials:
    """Stage 3. `left_out` are read-only tools that time did not suffice for."""

    calls: tuple[Trial, ...]
    witnesses: tuple[Witness, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class Crawl:
    """Everything that was seen, stage by stage. A stage that is `None` was not reached: `missing` says why."""

    url: str
    host: str
    scheme: str
    seen_at: datetime
    listing: Listing | None = None
    probe: Probe | None = None
    lists: Lists | None = None
    trials: Trials | None = None
    missing: Mapping[Stage, str] = field(default_factory=dict)
    records: Records = NOTHING_RECORDED
    allowances: tuple[str, ...] = ()
    """What this crawl permitted that a hub would not, in sentences."""
    on_private_network: bool = False
    account_refused: bool = False
    """A test account was given, and the connector did not take it."""

    @cached_property
    def texts(self) -> tuple[Text, ...]:
        """Every string that a model or a person is shown of the definitions."""
        return definition_texts(self.listing, self.lists)

    @cached_property
    def results(self) -> tuple[Text, ...]:
        """What tools answered."""
        return result_texts(self.trials)

    @property
    def tools(self) -> tuple[SeenTool, ...]:
        return self.lists.tools if self.lists is not None else ()

    def has(self, stage: Stage) -> bool:
        return (self.listing, self.probe, self.lists, self.trials)[stage] is not None


# --- what is found ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. `says` and `do` are our words; `quote` is the server's, still raw."""

    severity: Severity
    where: str
    says: str
    do: str
    quote: str = ""


Check = Callable[[Crawl], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the clause it is for, what it asks in a sentence, the stage it needs, and how it looks."""

    id: str
    clause: str
    asks: str
    needs: Stage
    check: Check
    but: str = ""
    """What the clause asks besides that no program can see here, and why."""


@dataclass(frozen=True, slots=True)
class UnrunRule:
    """A rule that no program can follow here: it needs a person, a model, mail or a database."""

    id: str
    clause: str
    asks: str
    why: str


class CannotSay(Exception):
    """Raised by a rule whose question does not arise, or cannot be answered from this crawl; its text says why.

    What it found before that stays found.
    """


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one rule: findings, or why it was not run. `but` is what it left to others, and why."""

    rule: str
    clause: str
    asks: str
    findings: tuple[Finding, ...] = ()
    not_run: str = ""
    but: str = ""

    @property
    def unrun(self) -> str:
        """Why it was not run, or not in every part; empty if it was."""
        return self.not_run or (f"in part: {self.but}" if self.but else "")


@dataclass(frozen=True, slots=True)
class Report:
    """The whole answer to *is it fit to be listed?* `notes` say under which allowances, and what was not reached."""

    url: str
    name: str
    policy: str
    seen_at: datetime
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]
    tools: int
    reviewed: tuple[ReviewedTool, ...] = ()
    """The tools as they were seen, with their classes, where whoever asked for the review gives them any."""

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for outcome in self.outcomes for finding in outcome.findings)

    @property
    def blocks(self) -> bool:
        return self.count(Severity.BLOCK) > 0
