"""Which addresses may be talked to (security.md 4.1, T20)."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.net.address_policy import AddressPolicy, is_public
from valetkey.net.model import AddressRefused

MUST_BLOCK_V4 = [
    "0.0.0.0", "0.0.0.1", "0.255.255.255", "10.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.0", "100.64.0.1",
    "100.100.100.200", "100.127.255.255", "127.0.0.0", "127.0.0.1", "127.0.0.53", "127.1.2.3", "127.255.255.254",
    "168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "169.254.169.253", "169.254.255.255",
    "172.16.0.1", "172.17.0.1", "172.20.10.1", "172.31.255.255", "192.0.0.0", "192.0.0.1", "192.0.0.8", "192.0.0.170",
    "192.0.0.171", "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.88.99.2",
    "192.168.0.1", "192.168.1.1", "192.168.255.255", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "224.0.0.251", "232.0.0.1", "233.252.0.1", "239.255.255.250", "240.0.0.1",
    "250.1.2.3", "255.255.255.254", "255.255.255.255",
]  # fmt: skip

MUST_BLOCK_V6 = [
    "::", "::1", "::2", "::127.0.0.1", "::10.0.0.1", "::169.254.169.254", "::8.8.8.8", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:192.168.1.1", "::ffff:100.64.0.1", "::ffff:0.0.0.0",
    "::ffff:168.63.129.16", "::ffff:192.0.0.192", "::ffff:224.0.0.1", "::ffff:0:127.0.0.1", "::ffff:0:a9fe:a9fe",
    "::ffff:0:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8",
    "64:ff9b:1::1", "64:ff9b:1::a9fe:a9fe", "100::1", "100:0:0:1::1", "2001::1", "2001:0:7f00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:1::1", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:10::1",
    "2001:20::1", "2001:30::1", "2001:db8::1", "2001:db8:ffff::1", "2002:7f00:1::", "2002:7f00:1::1", "2002:a00:1::1",
    "2002:a9fe:a9fe::", "2002:c0a8:101::1", "2002:808:808::1", "2620:4f:8000::1", "3ffe::1", "3fff::1", "3fff:fff::1",
    "4000::1", "5f00::1", "fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254", "fdff:ffff::1", "fe80::1",
    "fe80::a9fe:a9fe", "febf::1", "fec0::1", "feff::1", "ff00::1", "ff01::1", "ff02::1", "ff02::fb", "ff05::2",
    "ff0e::1", "2a00:1450:4001:80f:0:5efe:a9fe:a9fe", "2a00:1450:4001:80f:200:5efe:7f00:1", "fe80::5efe:10.0.0.1",
    "1::1", "8000::1", "c000::1", "e000::1", "::ffff:255.255.255.255", "::fffe:7f00:1", "0:0:0:0:1::1",
]  # fmt: skip

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.9.9.9", "93.184.216.34", "104.16.132.229", "140.82.121.4", "151.101.1.69",
    "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "192.0.1.1", "198.17.255.255", "198.20.0.1",
    "223.255.255.255",
    "168.63.129.17", "::ffff:8.8.8.8", "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001:80f::200e",
    "2620:fe::fe", "2600:1901:0:38d7::", "2a03:2880:f12f:83:face:b00c:0:25de",
]  # fmt: skip


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(set(MUST_BLOCK_V4 + MUST_BLOCK_V6)) >= 120
    assert len(set(PUBLIC)) >= 10


@pytest.mark.parametrize("address", MUST_BLOCK_V4 + MUST_BLOCK_V6)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        AddressPolicy().check(address, 443, scheme="https")


@pytest.mark.parametrize("address", MUST_BLOCK_V4)
def test_an_ipv4_address_hidden_in_ipv6_is_refused_too(address: str) -> None:
    number = int(ipaddress.IPv4Address(address))
    prefixes = (
        0,
        0xFFFF << 32,
        0xFFFF << 48,
        0x64FF9B << 96,
        (0x2002 << 112) | (number << 80),
        0x2A001450 << 96 | 0x5EFE << 32,
    )
    for prefix in prefixes:
        with pytest.raises(AddressRefused):
            AddressPolicy().check(str(ipaddress.IPv6Address(prefix | number)), 443, scheme="https")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed_over_https_on_443_and_in_no_other_way(address: str) -> None:
    policy = AddressPolicy()

    policy.check(address, 443, scheme="https")

    for port, scheme in ((80, "http"), (443, "http"), (8443, "https"), (22, "https")):
        with pytest.raises(AddressRefused):
            policy.check(address, port, scheme=scheme)


def test_an_opened_network_permits_http_and_any_port_there_and_nowhere_else() -> None:
    """CUS-14: of its two ways into a private network the operator's list of networks; a tunnel is not built."""
    policy = AddressPolicy([ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd12::/16")])

    policy.check("10.1.2.3", 8080, scheme="http")
    policy.check("::ffff:10.1.2.3", 8080, scheme="http")
    policy.check("fd12::5", 80, scheme="http")

    for address in ("10.2.0.1", "127.0.0.1", "192.168.1.1", "::1", "fd13::1", "2002:a01:203::1", "64:ff9b::10.1.2.3"):
        with pytest.raises(AddressRefused):
            policy.check(address, 443, scheme="https")


def test_a_wide_network_opens_neither_metadata_nor_multicast() -> None:
    wide = AddressPolicy([ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")])

    for address in (
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "fd00:ec2::254",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
    ):
        with pytest.raises(AddressRefused):
            wide.check(address, 443, scheme="http")
    AddressPolicy([ipaddress.ip_network("169.254.169.254/32")]).check("169.254.169.254", 80, scheme="http")
    for near in ("169.254.169.254/31", "10.0.0.5/32"):  # two that begin with it, and one that is another
        with pytest.raises(AddressRefused):
            AddressPolicy([ipaddress.ip_network(near)]).check("169.254.169.254", 80, scheme="http")


def test_the_hubs_own_listener_is_refused_even_in_an_opened_network() -> None:
    policy = AddressPolicy([ipaddress.ip_network("127.0.0.0/8")], own=lambda: [("127.0.0.1", 8484)])

    policy.check("127.0.0.1", 9000, scheme="http")

    for address in ("127.0.0.1", "::ffff:127.0.0.1"):
        with pytest.raises(AddressRefused, match="this hub itself"):
            policy.check(address, 8484, scheme="http")


def test_a_hub_that_listens_everywhere_is_refused_under_each_of_its_addresses() -> None:
    policy = AddressPolicy([ipaddress.ip_network("127.0.0.0/8")], own=lambda: [("0.0.0.0", 8484)])

    for address in ("127.0.0.1", "127.9.9.9"):
        with pytest.raises(AddressRefused, match="this hub itself"):
            policy.check(address, 8484, scheme="http")


def test_another_machine_and_another_address_of_this_one_may_listen_where_the_hub_does() -> None:
    """Only the hub itself is refused, not whoever uses its port (T51)."""
    opened = [ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("127.0.0.0/8")]

    AddressPolicy(opened, own=lambda: [("0.0.0.0", 8484)]).check("192.0.2.7", 8484, scheme="http")
    AddressPolicy(opened, own=lambda: [("127.0.0.5", 8484)]).check("127.0.0.1", 8484, scheme="http")


def test_the_hubs_public_origin_is_refused() -> None:
    policy = AddressPolicy(own_origins=["https://hub.example"])

    with pytest.raises(AddressRefused):
        policy.check_origin("https://hub.example")
    policy.check_origin("https://hub.example:8443")


@given(st.ip_addresses())
def test_nothing_that_the_standard_library_calls_private_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if is_public(address) and mapped is None:
        assert address.is_global
        assert not address.is_private
        assert not address.is_multicast
        assert not address.is_reserved


def test_no_cidr_means_nothing_is_open() -> None:
    assert not AddressPolicy().has_networks
    assert not AddressPolicy().allows("127.0.0.1")


def test_a_hub_that_listens_everywhere_is_refused_under_its_ipv6_address_too() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    policy = AddressPolicy([ipaddress.ip_network("::1/128")], own=lambda: [("::", 8484)])

    with pytest.raises(AddressRefused, match="this hub itself"):
        policy.check("::1", 8484, scheme="http")


def test_what_a_name_resolves_to_and_is_no_address_is_refused() -> None:
    with pytest.raises(AddressRefused, match="not an address"):
        AddressPolicy().check("localhost", 443, scheme="https")
