"""How long and how large an answer may be, per kind of request (security.md 4.3 and 4.4, CON-19).

Times are in seconds, sizes in bytes. Every request has limits; there is no value that means "none".
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one request. `total` counts from the call of the client, dialing included."""

    connect: float = 5.0
    """Name lookup (at most 3 s of it), TCP and TLS together."""
    first_byte: float = 10.0
    """From the request to the end of the response head."""
    idle: float = 30.0
    """Between two pieces of a response."""
    total: float = 60.0
    max_header: int = 32 * KIB
    max_header_lines: int = 100
    max_body: int = 10 * MIB
    """A body that is read whole."""
    max_stream: int = 16 * MIB
    """All bytes of an event stream together."""


CALL = Limits(first_byte=240.0, idle=240.0, total=240.0)
"""A tool call: a tool may think for as long as a call may take (CON-19), and a plain JSON answer starts only then."""

ASK = Limits()
"""Everything else said to an MCP server: discovery, lists, sessions."""

LISTEN = Limits(idle=3600.0, total=3600.0)
"""A stream that stays open to hear of changes."""

METADATA = Limits(first_byte=5.0, idle=5.0, total=10.0, max_body=256 * KIB)
"""Authorization server metadata and keys."""

RESOURCE_METADATA = Limits(first_byte=5.0, idle=5.0, total=10.0, max_body=64 * KIB)
"""Protected resource metadata."""

TOKEN = Limits(first_byte=10.0, idle=10.0, total=10.0, max_body=64 * KIB)
"""Token exchange, registration, revocation."""

REFRESH = Limits(first_byte=30.0, idle=30.0, total=30.0, max_body=64 * KIB)
"""A refresh, which must rather be slow than lost."""

CIMD = Limits(connect=5.0, first_byte=5.0, idle=5.0, total=5.0, max_body=10 * KIB)
"""A client ID metadata document."""
