"""May this tool be called on this connection? Pure: what is known goes in, one decision with its rule comes out.

The rules, in the order in which they are asked; their names are stable and stand in the call's record:

1. `connector_blocked`    the organization blocked the connector: nothing on it runs
2. `unknown_tool`         the connection's last listing has no such tool
3. `not_switched_on`      the person has not switched it on, whatever its server says about it (S-26)
4. `changed_since`        it is not what the person switched on any more (CUS-11)
5. `switched_on`          the only rule that allows
"""

from __future__ import annotations

from typing import Literal

from valetkey.directory.model import Tool
from valetkey.policy.model import Decision, Effect, Permission

CONNECTOR_BLOCKED = "connector_blocked"
UNKNOWN_TOOL = "unknown_tool"
NOT_SWITCHED_ON = "not_switched_on"
CHANGED_SINCE = "changed_since"
SWITCHED_ON = "switched_on"


def decide(
    *,
    tool: Tool | None,
    permission: Permission | None,
    connector_state: Literal["enabled", "blocked", "delisted"],
    page: str = "the connection's page",
) -> Decision:
    """The decision on one call. `page` is where the person can change it, as it should stand in the sentence.

    `delisted` does not stop what is connected already: it means that nobody is offered the connector any more.
    """
    if connector_state == "blocked":
        return _deny(
            CONNECTOR_BLOCKED, "Your organization has blocked this connector; an owner or admin can unblock it."
        )
    if tool is None:
        return _deny(
            UNKNOWN_TOOL,
            f"This connection has no such tool. What it has, and what is switched on, is shown on {page}.",
        )
    if permission is None or permission.tool != tool.name:
        return _deny(NOT_SWITCHED_ON, f"This tool is not switched on. The person can switch it on, on {page}.")
    if permission.fingerprint != tool.fingerprint:
        return _deny(
            CHANGED_SINCE,
            "The service has changed this tool since it was switched on. "
            f"The person can look at it and switch it on again, on {page}.",
        )
    return Decision(Effect.ALLOW, SWITCHED_ON)


def _deny(rule: str, reason: str) -> Decision:
    return Decision(Effect.DENY, rule, reason)
