"""The network a request came from, coarse enough that changing the last digits is no way around a limit."""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> str:
    """The /24 (IPv4) or /56 (IPv6) of `address`; anything that is no address is one network of its own."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = 24 if parsed.version == 4 else 56
    return str(ipaddress.ip_network((parsed, bits), strict=False))
