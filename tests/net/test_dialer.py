"""Dialing: what the name service says is believed once, checked whole, and dialed as a literal (security.md 4.2)."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import random
import socket
import ssl
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme

from tests.conftest import FakeClock
from tests.net.conftest import Start, names, server_context
from tests.net.egress_hook import Egress
from tests.net.servers import Upstream, response, says
from tests.net.test_address_policy import MUST_BLOCK_V4, MUST_BLOCK_V6
from valetkey.kernel.errors import OutboundFailed
from valetkey.net.address_policy import AddressPolicy, Network
from valetkey.net.dialer import Dialer, Resolve, tls_context
from valetkey.net.limits import Limits
from valetkey.net.model import AddressRefused, TimedOut, Unreachable
from valetkey.net.url import parse_url

QUICK = Limits(connect=2.0)
HERE, THERE = "127.0.0.1", "127.0.0.2"


def dialer(clock: FakeClock, resolve: Resolve, *allow: str) -> Dialer:
    networks: list[Network] = [ipaddress.ip_network(text) for text in allow]
    return Dialer(AddressPolicy(networks), clock=clock, resolve=resolve)


async def dial_and_hang_up(dialer: Dialer, upstream: Upstream) -> str:
    dialed = await dialer.dial(upstream.url(), limits=QUICK)
    dialed.sock.close()
    return dialed.address


async def test_a_name_is_resolved_once_and_the_checked_address_is_dialed(
    start: Start, clock: FakeClock, egress: Egress
) -> None:
    upstream = await start(says(response(b"{}")), name="service.example")
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return [HERE]

    assert await dial_and_hang_up(dialer(clock, resolve, "127.0.0.1/32"), upstream) == HERE

    assert asked == ["service.example"]
    assert egress.dialed == [(HERE, upstream.port)]


@pytest.mark.parametrize("address", MUST_BLOCK_V4 + MUST_BLOCK_V6)
async def test_no_answer_of_the_name_service_leads_to_a_private_address(
    address: str, clock: FakeClock, egress: Egress
) -> None:
    """Alone, and mixed with public answers in every order: a mixed set is the mark of rebinding."""
    url = parse_url("https://service.example/mcp")
    some: Sequence[str] = ()

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return some

    closed = dialer(clock, resolve)
    for answers in itertools.permutations([address, "93.184.216.34", "2606:4700:4700::1111"]):
        for some in (answers, answers[:2], [address]):
            if address in some:
                with pytest.raises(AddressRefused):
                    await closed.dial(url, limits=QUICK)

    assert egress.dialed == []


async def test_a_name_that_flips_between_check_and_dial_never_reaches_the_private_address(
    start: Start, clock: FakeClock, egress: Egress
) -> None:
    """T21: the resolver answers anew each time it is asked, with a TTL of nothing and no pity."""
    public = await start(says(response(b"{}")), host=THERE, name="service.example")
    dice = random.Random(21)  # a reproducible attack, not a key

    async def flipping(_host: str, _port: int) -> Sequence[str]:
        return dice.choice([[THERE], [HERE], [THERE, HERE], [HERE, THERE], [THERE, "::ffff:127.0.0.1"]])

    flipper = dialer(clock, flipping, "127.0.0.2/32")
    outcomes = []
    for _ in range(10_000):
        try:
            outcomes.append(await dial_and_hang_up(flipper, public))
        except AddressRefused:
            outcomes.append("refused")

    assert set(outcomes) == {THERE, "refused"}
    assert {host for host, _ in egress.dialed} == {THERE}


async def test_a_connection_that_ends_up_elsewhere_is_refused(start: Start, clock: FakeClock) -> None:
    """Were the kernel, a firewall rule or a bug to lead us astray, nothing is sent."""
    elsewhere = await start(says(response(b"{}")), host=THERE)

    class Astray(Dialer):
        async def _connect(self, address: str, port: int, *, timeout: float) -> socket.socket:
            return await super()._connect(THERE, port, timeout=timeout)

    astray = Astray(AddressPolicy([ipaddress.ip_network("127.0.0.0/8")]), clock=clock)
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.2 answered"):
        await astray.dial(parse_url(f"http://{HERE}:{elsewhere.port}/"), limits=QUICK)


async def test_the_hub_does_not_dial_its_own_public_origin(clock: FakeClock, egress: Egress) -> None:
    policy = AddressPolicy(own_origins=["https://hub.example"])

    with pytest.raises(AddressRefused, match="this hub itself"):
        await Dialer(policy, clock=clock, resolve=names(hub_example=["93.184.216.34"])).dial(
            parse_url("https://hub.example/mcp"), limits=QUICK
        )
    assert egress.dialed == []


async def test_localhost_is_never_looked_up_and_closed_unless_opened(start: Start, clock: FakeClock) -> None:
    upstream = await start(says(response(b"{}")), name="localhost")

    assert await dial_and_hang_up(dialer(clock, names(), "127.0.0.1/32"), upstream) == HERE

    with pytest.raises(AddressRefused):
        await dial_and_hang_up(dialer(clock, names()), upstream)


async def test_a_private_name_must_stay_inside_the_opened_networks(clock: FakeClock) -> None:
    url = parse_url("https://nas.home.arpa/", private_names=True)

    with pytest.raises(AddressRefused, match="private name"):
        await dialer(clock, names(nas_home_arpa=["93.184.216.34"]), "10.0.0.0/8").dial(url, limits=QUICK)


async def test_a_name_with_very_many_addresses_is_refused(clock: FakeClock) -> None:
    many = [f"93.184.216.{number}" for number in range(17)]

    with pytest.raises(AddressRefused, match="17 addresses"):
        await dialer(clock, names(service_example=many)).dial(parse_url("https://service.example/"), limits=QUICK)


async def test_a_name_service_that_knows_nothing_or_fails_is_an_error_that_names_the_host(clock: FakeClock) -> None:
    async def failing(_host: str, _port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    for resolve in (failing, names(service_example=[])):
        with pytest.raises(Unreachable, match=r"service\.example") as caught:
            await dialer(clock, resolve).dial(parse_url("https://service.example/"), limits=QUICK)
        assert not caught.value.sent


async def test_a_name_service_that_never_answers_is_given_up(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valetkey.net.dialer.RESOLVE_SECONDS", 0.05)

    async def silent(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(TimedOut):
        await dialer(clock, silent).dial(parse_url("https://service.example/"), limits=QUICK)


async def test_the_next_address_is_tried_when_one_refuses(start: Start, clock: FakeClock) -> None:
    upstream = await start(says(response(b"{}")), name="service.example")
    both = dialer(clock, names(service_example=["127.0.0.3", HERE]), "127.0.0.0/8")

    assert await dial_and_hang_up(both, upstream) == HERE


async def test_a_port_where_nobody_listens_is_unreachable(start: Start, clock: FakeClock) -> None:
    upstream = await start(says(b""))
    url = upstream.url()
    await upstream.stop()

    with pytest.raises(Unreachable) as caught:
        await dialer(clock, names(), "127.0.0.1/32").dial(url, limits=QUICK)
    assert not caught.value.sent


async def connect(clock: FakeClock, upstream: Upstream, ca_file: Path | None) -> None:
    policy = AddressPolicy([ipaddress.ip_network("127.0.0.1/32")])
    tls = Dialer(policy, clock=clock, resolve=names(service_test=[HERE], other_test=[HERE]), ca_file=ca_file)
    transport, _, address = await tls.connect(upstream.url(), asyncio.Protocol, limits=QUICK)
    assert address == HERE
    transport.abort()


async def test_the_certificate_is_checked_against_the_name(
    start: Start, clock: FakeClock, authority: trustme.CA, ca_file: Path
) -> None:
    context = server_context(authority, "service.test")
    right = await start(says(b""), name="service.test", tls=context)
    wrong = await start(says(b""), name="other.test", tls=context)

    await connect(clock, right, ca_file)

    with pytest.raises(Unreachable, match="no valid certificate") as caught:
        await connect(clock, wrong, ca_file)
    assert not caught.value.sent


async def test_a_certificate_that_nobody_trusts_is_refused(
    start: Start, clock: FakeClock, authority: trustme.CA
) -> None:
    upstream = await start(says(b""), name="service.test", tls=server_context(authority, "service.test"))

    with pytest.raises(Unreachable, match="no valid certificate"):
        await connect(clock, upstream, None)


async def test_tls_below_1_2_is_refused(start: Start, clock: FakeClock, authority: trustme.CA, ca_file: Path) -> None:
    old = server_context(authority, "service.test")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    upstream = await start(says(b""), name="service.test", tls=old)

    with pytest.raises(OutboundFailed):
        await connect(clock, upstream, ca_file)


async def test_a_server_that_stalls_in_the_handshake_is_given_up(start: Start, clock: FakeClock) -> None:
    plain = await start(says(b""))
    stalled = parse_url(f"https://127.0.0.1:{plain.port}/")
    policy = AddressPolicy([ipaddress.ip_network("127.0.0.1/32")])

    with pytest.raises(TimedOut):
        await Dialer(policy, clock=clock).connect(stalled, asyncio.Protocol, limits=Limits(connect=0.1))


def test_session_keys_are_written_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))

    context = tls_context()

    assert not context.keylog_filename
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


async def test_no_proxy_of_the_environment_is_used(
    start: Start, clock: FakeClock, egress: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.9:9")
    upstream = await start(says(response(b"{}")))

    await dial_and_hang_up(dialer(clock, names(), "127.0.0.1/32"), upstream)

    assert egress.dialed == [(HERE, upstream.port)]
