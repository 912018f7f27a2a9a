"""Why a tool that is not what was accepted cannot be called: the rule for the record, and the sentence for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from valetkey.directory.model import Drift
from valetkey.policy.model import Setting
from valetkey.policy.permissions import Permissions

HELD: Final = {"new": "new_tool", "renamed": "new_tool", "changed": "changed_since"}
"""The kind of drift (`directory.drift`), and the rule by which a call is refused."""


def held_words(kind: str, page: str) -> str:
    """What is said to who calls it. `page` is where the person can look at it."""
    if kind == "changed":
        return (
            f"The service has changed this tool since it was accepted. The person can look at the difference on {page}."
        )
    return f"This tool is new, and nobody has accepted it yet. The person can look at it on {page}."


async def lapse(permissions: Permissions, connection_id: str, accepted: Sequence[Drift]) -> None:
    """What was said about these tools was said about another definition: the rules for their classes hold again.

    *Ask* and *block* stand, whatever became of the tool: only a yes is a yes to what was seen.
    """
    given = await permissions.given(connection_id)
    said = {name for name, one in given.items() if one.setting is Setting.ALLOW}
    if names := [one.tool for one in accepted if one.tool in said]:
        await permissions.withdraw(connection_id, names)
