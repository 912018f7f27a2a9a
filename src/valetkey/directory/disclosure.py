"""What is said of a connector before anybody connects it, and the version of it that was acknowledged (S-23, S-24).

The version is a hash of everything that is shown: who publishes it, where data goes, what becomes of it, what it was
checked for. Whoever connects gives the version they saw; when anything of it has changed since, they are asked again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from valetkey.directory.listings import Listing
from valetkey.directory.model import Connector, ReviewState
from valetkey.kernel.errors import Conflict

NOT_KNOWN: Final = "not known"

_TRUST = "Connect only to organizations you trust: what you or your assistant send there is theirs to keep."
_CHANGE = "Its tools can change later. The changed ones are then off until you have looked."
_INJECTION = "Its answers can hold text that tries to steer your assistant."
_SCOPES = "What the sign-in covers is said by the service; it may be more than its tools need."
_AS_ORGANIZATION: Final = (
    "It acts as the organization, not you: everybody here uses one key, which an owner entered, and the service cannot "
    "tell you apart. What you do through it is still recorded here as yours."
)
_UNKNOWN: Final = {
    ReviewState.CUSTOM: "It was added by its address. Nobody has reviewed it, and anybody can run such a service.",
    ReviewState.COMMUNITY: "Its address was read in its publisher's documentation. Nobody has checked the service.",
    ReviewState.VERIFIED: "It was reviewed under the directory's policy. That is not a security audit.",
}


_PROVED: Final = "Its publisher proved that its domain is theirs. Nobody here has vouched for the service."


class NotAcknowledged(Conflict):
    """What is said of the connector was not acknowledged, or has changed since: it must be looked at (again)."""

    code = "not_acknowledged"


@dataclass(frozen=True, slots=True)
class Disclosure:
    """`facts` by the names people read, `not known` where nobody read any; `warnings` in sentences (CUS-09)."""

    facts: Mapping[str, str]
    warnings: tuple[str, ...]
    alike: tuple[str, ...]
    """Those of the warnings that say what it could be taken for: they stand where its name does."""
    version: str

    def check(self, acknowledged: str) -> None:
        """Raises `NotAcknowledged` unless this very version was."""
        if acknowledged != self.version:
            raise NotAcknowledged(
                "What is said of this service was not acknowledged, or has changed since."
                if acknowledged
                else "What is said of this service was not acknowledged.",
                hint="Read it again, on its page or by `valetkey connector show`, and give its version.",
            )


def disclose(connector: Connector, listing: Listing | None, alike: tuple[str, ...] = ()) -> Disclosure:
    """The disclosure of a connector as it is today; `alike` are warnings of what it could be taken for."""
    facts = {"service": connector.name, "review": connector.review_state.label, "data goes to": connector.origin}
    facts |= _told(listing)
    held = (_AS_ORGANIZATION,) if connector.acts_as_organization else ()
    if held:
        facts["acts as"] = "the organization, not you"
    unknown = _UNKNOWN[connector.review_state]
    if listing is not None and listing.source.proved and connector.review_state is ReviewState.COMMUNITY:
        unknown = _PROVED
    warnings = (*alike, *held, unknown, _TRUST, _INJECTION, _CHANGE, _SCOPES)
    basis: dict[str, Any] = {
        "facts": facts,
        "warnings": warnings,
        "url": connector.url,
        "auth": [connector.auth_kind, dict(connector.auth)],
        "version": connector.version,
        "listing": msgspec.to_builtins(listing) if listing else None,
    }
    version = hashlib.sha256(json.dumps(basis, sort_keys=True, default=str).encode()).hexdigest()
    return Disclosure(facts, warnings, alike, version)


def _told(listing: Listing | None) -> dict[str, str]:
    data = listing.data if listing else None
    told = {
        "publisher": listing.publisher if listing else "",
        "privacy policy": listing.privacy_policy if listing else "",
        "terms": listing.terms if listing else "",
        "collected": data.collected if data else "",
        "purpose": data.purpose if data else "",
        "recipients": data.recipients if data else "",
        "retention": data.retention if data else "",
        "regions": data.regions if data else "",
        "contact": data.contact or (listing.support if listing else "") if data else "",
        "health data": data.health_data if data else "",
        "advertising": data.ads if data else "",
    }
    return {name: text or NOT_KNOWN for name, text in told.items()}
