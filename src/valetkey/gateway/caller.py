"""Whose request it is, for the trail: the address it came from, the assistant's program, and a personal token's id."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from valetkey.gateway.model import Head
from valetkey.identity.model import Principal

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PROGRAM, FORWARDED = b"user-agent", b"x-forwarded-for"


def caller(peer: str, head: Head, who: Principal, trusted: Sequence[Network]) -> tuple[str, str, str]:
    """Address, program and token id. Who acts by an assistant's own token is known by the client, not by a token."""
    address = address_of(peer, head.fields.get(FORWARDED, b"").decode("latin-1"), trusted)
    program = head.fields.get(PROGRAM, b"").decode("latin-1")
    return address, program, who.credential_id if who.kind == "personal" else ""


def address_of(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """Where it came from: our peer, or, if that is a proxy of ours, what it says, as long as that is one, too.

    Each proxy adds at the right end whom it heard it from; what stands further left anybody may have written.
    """
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    address = peer
    while hops and _is_within(address, trusted):
        address = hops.pop()
    return address


def _is_within(address: str, trusted: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in trusted)
