"""Sessions of legacy clients: everything about one is in its id, so any replica knows it and a restart loses none.

A session is no authentication and carries no right: every request brings its own bearer token. The id only repeats what
the client said at `initialize`, bound to the person who said it, so that somebody else's is *not found*.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import Final

from valetkey.gateway.model import Client
from valetkey.protocol.asks import EVERYTHING, Asks
from valetkey.protocol.versions import LEGACY

_PREFIX: Final = b"vks_"
_RANDOM: Final = 12
_PROOF: Final = 16


def new_session(person_id: str, *, version: str, asks: Asks) -> bytes:
    """A session id for this person's client, in visible ASCII; `asks` is what the client declared that it answers."""
    facts = bytes((LEGACY.index(version), asks)) + secrets.token_bytes(_RANDOM)
    return _PREFIX + base64.urlsafe_b64encode(facts + _proof(person_id, facts))  # 30 bytes: no padding


def find_session(session_id: bytes, person_id: str) -> Client | None:
    """What the client said when the session began; `None` when this person never began such a session."""
    if not session_id.startswith(_PREFIX) or len(session_id) > 64:
        return None
    try:
        raw = base64.b64decode(session_id.removeprefix(_PREFIX), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    facts, proof = raw[:-_PROOF], raw[-_PROOF:]
    if len(facts) != _RANDOM + 2 or proof != _proof(person_id, facts) or facts[0] >= len(LEGACY):
        return None
    asks = Asks(facts[1] & EVERYTHING)
    return Client(LEGACY[facts[0]], is_modern=False, opens_urls=Asks.URLS in asks, asks=asks, session=session_id)


def _proof(person_id: str, facts: bytes) -> bytes:
    return hashlib.sha256(b"mcp-session\0" + person_id.encode() + b"\0" + facts).digest()[:_PROOF]
