"""Which addresses this hub may talk to: public ones over https on port 443, and networks the operator opened.

Public means `is_global`, not multicast, in none of the special tables, and not an IPv6 form that carries an IPv4
address to a translator (security.md 4.1, where this rule is compared with nine others; tables from the IANA
special-purpose registries, RFC 6890, and the fixed addresses of cloud platforms).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence

from valetkey.net.model import AddressRefused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_SPECIAL_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and Alibaba's metadata at 100.100.100.200
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure WireServer, globally routable on paper
        "169.254.0.0/16",  # link-local, and most metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",  # IETF protocol assignments, and Oracle's metadata at 192.0.0.192
        "192.0.2.0/24",
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relay
        "192.168.0.0/16",
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_SPECIAL_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "::/96",  # unspecified, loopback, and the old IPv4-compatible form
        "::ffff:0:0:0/96",  # SIIT, RFC 2765
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64, local use
        "100::/64",  # discard
        "100:0:0:1::/64",
        "2001::/23",  # IETF protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # 6bone, returned
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",  # site-local, deprecated
        "ff00::/8",
    )
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})

# Handing out the machine's own cloud identity is never an accident of a wide CIDR: these must be opened one by one.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
    )
)


def unwrap(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped one (`::ffff:a.b.c.d`); others as they are."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_public(address: Address) -> bool:
    """Whether the address is an ordinary one of the public internet."""
    address = unwrap(address)
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    if address not in _GLOBAL_UNICAST or any(address in network for network in _SPECIAL_V6):
        return False
    return (int(address) >> 32) & 0xFFFF_FFFF not in _ISATAP  # RFC 5214: the last 32 bits are an IPv4 address


def _is_ours(address: Address) -> bool:
    """Whether this machine has the address, asked by binding to it: nothing leaves."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


class AddressPolicy:
    """Says yes by returning and no by raising `AddressRefused`.

    `allow` are the networks the operator opened; `own` gives the hub's listening addresses at this moment, as
    `(ip, port)`; `own_origins` the origins under which it is reached through a reverse proxy.
    """

    def __init__(
        self,
        allow: Sequence[Network] = (),
        own: Callable[[], Iterable[tuple[str, int]]] = tuple,
        own_origins: Iterable[str] = (),
    ) -> None:
        self._allow = tuple(allow)
        self._own = own
        self._own_origins = frozenset(own_origins)

    @property
    def has_networks(self) -> bool:
        """Whether the operator opened any private network."""
        return bool(self._allow)

    def check_origin(self, origin: str) -> None:
        """Refuse the hub's own public origin: a request through the front door would be the hub asking itself."""
        if origin in self._own_origins:
            raise AddressRefused(f"{origin} is this hub itself.", hint="Connect the service, not the hub.")

    def allows(self, address: str | Address) -> bool:
        """Whether the address lies in a network that the operator opened."""
        ip = unwrap(ipaddress.ip_address(address))
        if ip.is_unspecified or ip.is_multicast or ip == ipaddress.IPv4Address("255.255.255.255"):
            return False
        if ip in _METADATA:
            return any(ip == network.network_address and network.num_addresses == 1 for network in self._allow)
        return any(ip in network for network in self._allow if network.version == ip.version)

    def check(self, address: str | Address, port: int, *, scheme: str) -> None:
        """Refuse unless a connection for `scheme` may be made to this address and port."""
        try:
            ip = unwrap(ipaddress.ip_address(address))
        except ValueError as error:
            raise AddressRefused("The name resolves to something that is not an address.") from error
        self._refuse_own(ip, port)
        if self.allows(ip):
            return
        if not is_public(ip):
            raise AddressRefused(
                f"{ip} is not a public address.",
                hint="The operator can open its network with --allow-network, if that is meant.",
            )
        if scheme != "https":
            raise AddressRefused("Plain http goes to private networks only.", hint="Use the https address.")
        if port != 443:
            raise AddressRefused(f"Port {port} is not open for public addresses.", hint="Only 443 is.")

    def _refuse_own(self, ip: Address, port: int) -> None:
        for own_host, own_port in self._own():
            if own_port != port:
                continue
            own_ip = unwrap(ipaddress.ip_address(own_host))
            if own_ip == ip or (own_ip.is_unspecified and _is_ours(ip)):
                raise AddressRefused(f"{ip} port {port} is this hub itself.", hint="Connect the service, not the hub.")
