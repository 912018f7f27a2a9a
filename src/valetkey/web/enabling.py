"""What an owner is shown of a connector where it is switched on for everybody (ORG-21): tools, scopes, data, risk.

Tools are those of the owner's own account there, as it lists them now; without one, those that its listing names.
Another member's account is never looked into (ORG-01).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

from valetkey.directory.access.model import ScopeRule
from valetkey.directory.disclosure import Disclosure
from valetkey.directory.listings import Listing, ReviewedTool
from valetkey.directory.model import EVERY_TOOL, Connector
from valetkey.directory.raising import VERTICALS
from valetkey.policy.tool_class import RANK, ToolClass
from valetkey.web.visit import Visit

_BY_WORD: Final = {kind.word: kind for kind in ToolClass}
_AT_ONCE: Final = 200

Source = Literal["account", "listing", ""]


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool with the class whose rules it falls under here, and why."""

    name: str
    description: str
    counts_as: ToolClass
    because: str


@dataclass(frozen=True, slots=True)
class Enabling:
    """All of it. `source` says where the tools were seen; empty where nobody has seen any."""

    source: Source
    tools: tuple[Offered, ...]
    more: int
    classes: tuple[tuple[ToolClass, int], ...]
    """How many there are of each class, the weightiest first."""
    scopes: tuple[str, ...]
    granted: bool
    """Whether the scopes are those that the owner's own account was granted."""
    limits: tuple[ScopeRule, ...]
    listing: Listing | None
    disclosure: Disclosure


async def read_enabling(visit: Visit, connector: Connector) -> Enabling:
    """What is known of the connector without asking anybody."""
    services = visit.services
    listing = services.connectors.listing_of(connector)
    mine = [one for one in await services.connections.list(visit.person.id) if one.connector_id == connector.id]
    source, tools = await _tools(visit, connector, listing, [one.id for one in mine])
    counted = Counter(one.counts_as for one in tools)
    granted = sorted({scope for one in mine for scope in one.granted_scope.split()})
    asked = listing.auth.scope if listing is not None else str(connector.auth.get("scope", ""))
    rules = [one for one in connector.rules.scopes if one.connector in ("*", connector.slug)]
    return Enabling(
        source=source,
        tools=tuple(tools[:_AT_ONCE]),
        more=max(0, len(tools) - _AT_ONCE),
        classes=tuple(sorted(counted.items(), key=lambda pair: -RANK[pair[0]])),
        scopes=tuple(granted or asked.split()),
        granted=bool(granted),
        limits=tuple(rules),
        listing=listing,
        disclosure=services.connectors.disclosure(connector),
    )


async def _tools(
    visit: Visit, connector: Connector, listing: Listing | None, mine: list[str]
) -> tuple[Source, list[Offered]]:
    classed = visit.services.policy.gate.classed
    for connection_id in mine:
        snapshot = await visit.services.snapshots.get(connection_id)
        if snapshot is None:
            continue
        around = await classed.around(connection_id, connector)
        kinds = [(tool, classed.of(connector, tool, around)) for tool in snapshot.tools]
        shown = [Offered(tool.name, tool.description, kind.counts_as, kind.because) for tool, kind in kinds]
        return "account", sorted(shown, key=lambda one: -RANK[one.counts_as])
    reviewed = listing.tools if listing is not None else ()
    shown = [_listed(connector, listing, one) for one in reviewed] if listing is not None else []
    return ("listing" if shown else ""), sorted(shown, key=lambda one: -RANK[one.counts_as])


def _listed(connector: Connector, listing: Listing, tool: ReviewedTool) -> Offered:
    """A tool of which only its class is known: raised by what an owner said, and by what the connector acts in."""
    said = connector.raised.get(tool.name, "R") if tool.name != EVERY_TOOL else "R"
    kind = max(_BY_WORD[tool.is_a], ToolClass(said), key=lambda one: RANK[one])
    acts_in = connector.raised.get(EVERY_TOOL, "") or (listing.vertical if listing.vertical in VERTICALS else "")
    if acts_in and kind is ToolClass.HIGH:
        return Offered(tool.name, "", ToolClass.VERTICAL, f"Hard to take back, and the connector acts in {acts_in}.")
    return Offered(tool.name, "", kind, "The class that its listing has.")
