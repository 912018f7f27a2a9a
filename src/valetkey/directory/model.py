"""The values of the directory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from valetkey.directory.access.model import ANYWHERE, EVERYBODY, NO_RULES, Audience, Reach, Rules


class ReviewState(StrEnum):
    """Computed by the server, never taken from outside (S-05)."""

    VERIFIED = "verified"
    COMMUNITY = "community"
    CUSTOM = "custom"

    @property
    def label(self) -> str:
        return {
            "verified": "Verified",
            "community": "Community – not checked live",
            "custom": "Custom – unverified",
        }[self.value]


LOCAL = "stdio://"
"""How the URL begins that stands for a program on the hub's host; nobody can enter one (`net.url`)."""

ORGANIZATION: Final = "organization"
"""As `identity` among the facts of a connector: the key that goes along is the organization's (CUS-04)."""

AuthKind = Literal["oauth", "header", "none"]
EVERY_TOOL: Final = "*"
ConnectorState = Literal["enabled", "blocked", "quarantined", "delisted", "outside", "ruled_out"]
"""`outside`: its host is none of those that its organization lets connectors reach. `ruled_out`: members may

not use one of its kind, or only those of a set that it is not in.
"""


@dataclass(frozen=True, slots=True)
class Connector:
    """Something that can be connected. `url` is text exactly as entered; `origin` is where tickets may go.

    `auth` holds facts for the method, never secrets: `client` (`document` or `register`, where only one of them shall
    do), `client_id` (typed or operator-held), `scope` (a pin),
    `headers` (names of request headers a connection must give), `identity` (`organization`: an owner gives them once
    for everybody), `no_scope_fallback`; of a listing also in what the service differs from the standards
    (`listings.SignIn`). `listing` is the slug of the listing it was made from, and
    `review_state` what is said of it today: a listing that has moved since makes it custom (CUS-08).
    """

    id: str
    slug: str
    organization_id: str
    added_by: str
    name: str
    url: str
    origin: str
    review_state: ReviewState
    auth_kind: AuthKind
    auth: Mapping[str, Any]
    state: ConnectorState
    version: int
    created_at: datetime
    listing: str = ""
    reach: Reach = ANYWHERE
    audience: Audience = EVERYBODY
    raised: Mapping[str, str] = field(default_factory=dict)
    """What an owner says it is at least: a class by tool, and by `EVERY_TOOL` the vertical of the whole (S-27)."""
    rules: Rules = NO_RULES

    @property
    def is_local(self) -> bool:
        """Whether it is a program on the hub's host, which the operator declared (`auth` has its command)."""
        return self.url.startswith(LOCAL)

    @property
    def is_personal(self) -> bool:
        """Whether a member added it for themself: they are the only one it is for."""
        return not self.audience.is_everybody and self.audience.groups == {self.added_by}

    @property
    def has_room(self) -> bool:
        """Whether the rules of its organization leave room for it (ORG-09, ORG-11)."""
        rules = self.rules
        if rules.is_exclusive and self.slug not in rules.managed:
            return False
        if self.is_local and not rules.local_servers:
            return False
        own_client = bool(self.auth.get("client_id"))
        return not self.is_personal or (rules.own_connectors and (rules.own_clients or not own_client))

    @property
    def acts_as_organization(self) -> bool:
        """Whether it knows everybody here as the organization: an owner gave the key that goes along (CUS-04)."""
        return self.auth.get("identity") == ORGANIZATION


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool as its server describes it. `raw` is that JSON object, byte for byte; the rest is read from it.

    `fingerprint` is SHA-256 (hex) over everything a model or a schema can see. `says_read_only` is the server's own
    claim, which by itself runs nothing (S-26).
    """

    name: str
    title: str
    description: str
    raw: bytes = field(repr=False)
    fingerprint: str
    says_read_only: bool
    says_destructive: bool


DriftKind = Literal["new", "changed", "renamed", "server", "protocol", "certificate"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place in which two definitions differ, as the members that lead to it; a side is empty where nothing is."""

    path: tuple[str, ...]
    old: str
    new: str

    @property
    def where(self) -> str:
        """The place for a person to read."""
        return " › ".join(self.path)


@dataclass(frozen=True, slots=True)
class Drift:
    """How a tool differs from what was accepted; of kind `server`, what the service says of itself (no tool). Of kind
    `protocol` or `certificate`, the revision of MCP or who issued the certificate: told, and holding nothing back.
    """

    kind: DriftKind
    tool: str
    old: Tool | None
    new: Tool | None
    differences: tuple[Difference, ...]

    @property
    def seen(self) -> str:
        """What is accepted when exactly this is: a hash of the new definition."""
        if self.new is not None:
            return self.new.fingerprint
        return hashlib.sha256("\0".join(one.new for one in self.differences).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Pin:
    """What was accepted on one connection: its tools by name, and what its server said of itself (JSON)."""

    connection_id: str
    tools: Mapping[str, Tool]
    server: bytes = field(repr=False)


PINNED: Final[Mapping[str, str]] = {"prompts/list": "name", "resources/templates/list": "uriTemplate"}
"""The lists that are pinned besides the tools, and the member that names what stands in them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One such list of one connection: what was accepted, and what was seen and is held, both by name.

    `is_whole` says that the first listing came to its end: from then on what is new is held.
    """

    connection_id: str
    method: str
    accepted: Mapping[str, Tool] = field(default_factory=dict)
    held: Mapping[str, Tool] = field(default_factory=dict)
    is_whole: bool = False
    began_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The tools of one connection as last seen and accepted. `server` is JSON: serverInfo, instructions, capabilities.

    `held` is what was seen and is not accepted: it is not among `tools`, so it can be neither listed nor called.
    """

    connection_id: str
    tools: tuple[Tool, ...]
    server: bytes = field(repr=False)
    fetched_at: datetime
    fresh_until: datetime
    held: tuple[Drift, ...] = ()

    def tool(self, name: str) -> Tool | None:
        return next((tool for tool in self.tools if tool.name == name), None)

    def held_tool(self, name: str) -> Drift | None:
        """Why the tool of this name cannot be used, if it is held."""
        return next((one for one in self.held if one.tool == name and one.new is not None), None)


class ToolAccess(StrEnum):
    """How a list of many tools is offered (PERM-11)."""

    AUTO = "auto"
    """Whole while it is short, by search when it is long."""
    ALL = "all"
    SEARCH = "search"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a profile takes of one connection: the `tools` named, or with `whole` all, later ones included."""

    connection_id: str
    whole: bool
    tools: frozenset[str] = frozenset()

    def has(self, tool: str) -> bool:
        return self.whole or tool in self.tools


@dataclass(frozen=True, slots=True)
class Profile:
    """A person's named choice of connections and tools. It narrows what they may do, and never widens it."""

    id: str
    person_id: str
    name: str
    title: str
    access: ToolAccess
    choices: Mapping[str, Choice]
    created_at: datetime
    changed_at: datetime

    @property
    def path(self) -> str:
        """Its endpoint, a path of this hub."""
        return f"/p/{self.name}/mcp"

    def covers(self, connection_id: str) -> bool:
        return connection_id in self.choices

    def has(self, connection_id: str, tool: str) -> bool:
        choice = self.choices.get(connection_id)
        return choice is not None and choice.has(tool)
