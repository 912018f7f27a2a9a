"""The tools of a connection as a page shows them: what each claims, and whether it is on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from valetkey.directory.model import Tool
from valetkey.policy.model import Permission, Setting
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


def seen(tools: Iterable[ShownTool]) -> str:
    """A hash over exactly these definitions: what a button for all of them was pressed for."""
    listed = "\n".join(sorted(one.value for one in tools))
    return hashlib.sha256(listed.encode()).hexdigest()
