"""The class of a connection's tool, remembered: by its own words, by its listing, and by what stands beside it.

A listing declares a vertical and has the classes that a reviewer gave; neither lowers anything (S-27).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from valetkey.directory.listings import Listings
from valetkey.directory.model import EVERY_TOOL, Connector, ReviewState, Snapshot, Tool
from valetkey.policy.classes.classify import classify
from valetkey.policy.classes.surroundings import Surroundings, surroundings
from valetkey.policy.tool_class import Classified, ToolClass

_CLASSES: Final = 20_000
_AROUND: Final = 4_096
_BY_WORD: Final = {kind.word: kind for kind in ToolClass}


class Snapshots(Protocol):
    """The accepted tools of a connection: what stands beside each of them."""

    def get_now(self, connection_id: str) -> Snapshot | None: ...

    async def get(self, connection_id: str) -> Snapshot | None: ...


@dataclass(frozen=True, slots=True)
class _Known:
    snapshot: Snapshot
    connector: tuple[str, int, str]
    around: Surroundings


class Classed:
    """Pure but for what it remembers. `around_now` and `around` tell what a connector is about, `of` classifies."""

    def __init__(self, listings: Listings, snapshots: Snapshots) -> None:
        self._listings = listings
        self._snapshots = snapshots
        self._classes: OrderedDict[
            tuple[str, bool, bool, ToolClass | None, ToolClass | None, Surroundings], Classified
        ] = OrderedDict()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._alike: OrderedDict[tuple[str, ...], Surroundings] = OrderedDict()

    def around_now(self, connection_id: str, connector: Connector) -> Surroundings | None:
        """What the connector is about, from memory; `None` means *ask `around`*."""
        snapshot = self._snapshots.get_now(connection_id)
        if snapshot is None:
            return None
        known = self._known.get(connection_id)
        said = (connector.id, connector.version, connector.raised.get(EVERY_TOOL, ""))
        if known is None or known.snapshot is not snapshot or known.connector != said:
            around = self.beside(connector, snapshot.tools)
            known = self._known[connection_id] = _Known(snapshot, said, around)
            if len(self._known) > _AROUND:
                self._known.popitem(last=False)
        return known.around

    async def around(self, connection_id: str, connector: Connector) -> Surroundings:
        """What the connector is about, by the tools that are accepted on this connection."""
        known = self.around_now(connection_id, connector)
        if known is not None:
            return known
        snapshot = await self._snapshots.get(connection_id)
        return self.beside(connector, snapshot.tools if snapshot is not None else ())

    def beside(self, connector: Connector, tools: Collection[Tool]) -> Surroundings:
        """What a connector with these tools is about. Accounts with the same tools share what was found."""
        listing = self._listings.find(connector.listing) if connector.listing else None
        listed_as = listing.vertical if listing is not None else ""
        host = urlsplit(connector.origin).hostname or ""
        # What one adds by URL has a slug that ends in random letters, which say nothing: `notes-xk4pay`.
        slug = connector.slug if connector.listing else connector.slug.rpartition("-")[0]
        names = (connector.name, slug, *host.split(".")[:-1])
        raised_to = connector.raised.get(EVERY_TOOL, "")
        key = (listed_as, raised_to, *names, *(tool.fingerprint for tool in tools))
        known = self._alike.get(key)
        if known is None:
            known = self._alike[key] = surroundings(listed_as=listed_as, raised_to=raised_to, names=names, tools=tools)
            if len(self._alike) > _AROUND:
                self._alike.popitem(last=False)
        return known

    def of(
        self, connector: Connector, tool: Tool, around: Surroundings, *, raised_by_taint: bool = False
    ) -> Classified:
        """The tool's class."""
        is_verified = connector.review_state is ReviewState.VERIFIED
        reviewed = self._reviewed(connector, tool) if is_verified else None
        raised_to = connector.raised.get(tool.name, "") if tool.name != EVERY_TOOL else ""
        said = ToolClass(raised_to) if raised_to else None
        key = (tool.fingerprint, is_verified, raised_by_taint, reviewed, said, around)
        known = self._classes.get(key)
        if known is None:
            known = self._classes[key] = classify(
                tool, verified=is_verified, reviewed=reviewed, organization=said, raised_by_taint=raised_by_taint,
                around=around,
            )  # fmt: skip
            if len(self._classes) > _CLASSES:
                self._classes.popitem(last=False)
        return known

    def differs(self, connector: Connector, tool: Tool) -> bool:
        """Whether its connector is verified and this is not what the reviewer saw: other words, or another tool."""
        if connector.review_state is not ReviewState.VERIFIED or not connector.listing:
            return False
        listing = self._listings.find(connector.listing)
        if listing is None or not listing.tools:
            return False
        return not any(one.name == tool.name and one.fingerprint == tool.fingerprint for one in listing.tools)

    def _reviewed(self, connector: Connector, tool: Tool) -> ToolClass | None:
        """The class that a reviewer gave exactly this definition."""
        listing = self._listings.find(connector.listing) if connector.listing else None
        found = (one for one in (listing.tools if listing is not None else ()) if one.name == tool.name)
        return next((_BY_WORD[one.is_a] for one in found if one.fingerprint == tool.fingerprint), None)
