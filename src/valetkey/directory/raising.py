"""What an owner says that a connector, or one of its tools, is at least: it only raises (S-27 d).

A vertical for the whole connector, as a listing may declare one (DIR-19); a class for one tool. What the words, the
listing or a reviewer say is never made less by it, and taking it back gives no more than they do.
"""

from __future__ import annotations

from typing import Final, Protocol

from valetkey.directory.connectors import Connectors
from valetkey.directory.model import EVERY_TOOL, Connector
from valetkey.kernel.errors import BadInput, TooMany, printable

VERTICALS: Final = ("finance", "legal", "medical", "insurance")
CLASSES: Final = ("W", "M", "H", "V")
_MOST: Final = 200
_NAME: Final = 255


class TrailWriter(Protocol):
    async def write(
        self, event: str, *, actor: str, organization_id: str = "", object: str = "", detail: dict[str, object] = ...
    ) -> None: ...


async def raise_class(
    connectors: Connectors, trail: TrailWriter, connector: Connector, *, tool: str, to: str, by: str
) -> None:
    """Says that `tool` (`*`: the whole connector) is at least `to`; nothing takes it back. In the trail first.

    Raises `BadInput`, `TooMany`, and `NotFound` for a connector that nobody here has added.
    """
    if not 0 < len(tool) <= _NAME:
        raise BadInput("Say which tool, by its own name, or * for the whole connector.", field="tool")
    known = VERTICALS if tool == EVERY_TOOL else CLASSES
    if to and to not in known:
        what = "A connector is about" if tool == EVERY_TOOL else "A tool can be raised to"
        raise BadInput(f"{what} one of {', '.join(known)}.", field="to")
    if to and tool not in connector.raised and len(connector.raised) >= _MOST:
        raise TooMany(f"There are {_MOST} raised tools of this connector already.")
    detail: dict[str, object] = {
        "slug": connector.slug, "tool": printable(tool, limit=100), "to": to, "before": connector.raised.get(tool, ""),
    }  # fmt: skip
    await trail.write(
        "connector.raised", actor=by, organization_id=connector.organization_id, object=connector.id, detail=detail
    )
    await connectors.set_raised(connector.id, tool, to)
