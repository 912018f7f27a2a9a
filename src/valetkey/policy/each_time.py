"""Which tools are confirmed by a person at every call, because they say so themselves or their listing does.

It can only narrow, so it is taken from anybody: a service that lies about it is asked about more than it has to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from valetkey.directory.listings import Listings
from valetkey.directory.model import Connector, Tool

_SAYS: Final = b"requiresUserInteraction"
_SAYS_SO: Final = "The service says that this takes a person each time."
_LISTED_SO: Final = "What it does has consequences, says its listing: a person confirms it each time."


class _Described(msgspec.Struct):
    meta: Mapping[str, Any] = msgspec.field(default_factory=dict, name="_meta")


class EachTime:
    """Says why a tool is never always allowed; empty for most."""

    def __init__(self, listings: Listings) -> None:
        self._listings = listings

    def __call__(self, connector: Connector, tool: Tool) -> str:
        if self._is_flagged(connector, tool.name):
            return _LISTED_SO
        # The bytes are looked at first: this is on the way of every call, and hardly any tool says it.
        return _SAYS_SO if _SAYS in tool.raw and _says_so(tool.raw) else ""

    def _is_flagged(self, connector: Connector, name: str) -> bool:
        """PERM-12. By the name alone, and wherever the connector may have moved: it only narrows."""
        listing = self._listings.find(connector.listing) if connector.listing else None
        return listing is not None and any(one.name == name and one.confirm_each_time for one in listing.tools)


def _says_so(raw: bytes) -> bool:
    """PERM-07: `requiresUserInteraction` in `_meta`, under whoever's prefix."""
    try:
        meta = msgspec.json.decode(raw, type=_Described).meta
    except msgspec.MsgspecError:
        return False
    return any(key.rpartition("/")[2] == _SAYS.decode() and value is True for key, value in meta.items())
