"""The tools of a connection as a page shows them: what each claims, what its person said of it, and what holds."""

from __future__ import annotations

from dataclasses import dataclass

from valetkey.directory.model import Tool
from valetkey.policy.choices import Choice
from valetkey.policy.model import Permission, Setting
from valetkey.web.accounts import Account, place_of
from valetkey.web.visit import Visit


@dataclass(frozen=True, slots=True)
class ShownTool:
    """A tool with its switch. `is_changed`: it was switched on, but says something else now, and so is off."""

    tool: Tool
    is_on: bool
    is_changed: bool

    @property
    def name(self) -> str:
        return self.tool.name

    @property
    def title(self) -> str:
        return self.tool.title

    @property
    def description(self) -> str:
        return self.tool.description

    @property
    def word(self) -> str:
        """Its own claim in a few words; never ours."""
        return claim(self.tool)[0]

    @property
    def tone(self) -> str:
        return claim(self.tool)[1]

    @property
    def value(self) -> str:
        """What its check box sends: the definition that was seen, its name included. A changed one does not match."""
        return self.tool.fingerprint[:32]


def claim(tool: Tool) -> tuple[str, str]:
    """What a tool says about itself, and the badge's tone."""
    if tool.says_read_only:
        return "says it only reads", ""
    return ("may delete or overwrite", "bad") if tool.says_destructive else ("may write", "warn")


async def read_tools(visit: Visit, connection_id: str) -> list[ShownTool]:
    """The connection's tools as last seen, with their switches; empty if none were seen."""
    snapshot = await visit.services.snapshots.get(connection_id)
    given = await visit.services.policy.permissions.given(connection_id)
    return [_shown(tool, given.get(tool.name)) for tool in (snapshot.tools if snapshot else ())]


def _shown(tool: Tool, permission: Permission | None) -> ShownTool:
    if permission is None or permission.setting is not Setting.ALLOW:
        return ShownTool(tool, is_on=False, is_changed=False)
    same = permission.fingerprint == tool.fingerprint
    return ShownTool(tool, is_on=same, is_changed=not same)


@dataclass(frozen=True, slots=True)
class Chosen(ShownTool):
    """A tool with what was said about it, and what may be said."""

    choice: Choice
    differs: bool = False
    """Its connector is verified, and this is not what the reviewer saw."""

    @property
    def is_blocked(self) -> bool:
        return self.choice.said is Setting.BLOCK

    @property
    def can_be_read_freely(self) -> bool:
        """Whether the button for those that say they only read means it, too."""
        return self.tool.says_read_only and self.choice.said is None and not self.choice.never

    @property
    def said(self) -> str:
        return self.choice.said.value if self.choice.said is not None else "class"

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """What can be said of it: a value of its field, and the words for it."""
        unsaid = {"allow": "runs by itself", "ask": "asks", "deny": "is refused"}[self.choice.unsaid]
        options = [("class", f"As its class: {unsaid}"), ("allow", "Always allow"), ("ask", "Ask each time"),
                   ("block", "Block and hide")]  # fmt: skip
        return tuple(one for one in options if one[0] != "allow" or not self.choice.never)


async def read_chosen(visit: Visit, account: Account) -> list[Chosen]:
    """The connection's tools as last seen, with what was said about them; empty if none were seen."""
    snapshot = await visit.services.snapshots.get(account.connection.id)
    tools = snapshot.tools if snapshot is not None else ()
    choices = await visit.services.policy.choices.read(visit.principal, place_of(visit, account), tools)
    differs = visit.services.policy.gate.classed.differs
    return [
        Chosen(one.tool, one.said is Setting.ALLOW, one.has_lapsed, one, differs(account.connector, one.tool))
        for one in choices
    ]
