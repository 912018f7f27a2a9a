"""The client for everything that is not a call."""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import trustme

from tests.conftest import FakeClock
from tests.net.conftest import LOOPBACK, Start, names, server_context
from tests.net.egress_hook import Egress
from tests.net.servers import Received, endlessly, response, says, silence
from valetkey.kernel.errors import BadInput
from valetkey.kernel.secret import Secret
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.limits import Limits
from valetkey.net.model import AddressRefused, TimedOut, TooLarge, Unreachable
from valetkey.net.outbound import Outbound, open_outbound
from valetkey.net.url import parse_url

QUICK = Limits(connect=2, first_byte=0.1, idle=0.1, total=0.3, max_body=10_000)


async def test_a_document_is_fetched_with_a_fixed_set_of_headers(
    start: Start, outbound: Outbound, egress: Egress
) -> None:
    upstream = await start(says(response(b'{"issuer":1}', headers=b"X-One: a\r\nx-one: b\r\n")))
    url = upstream.url("/.well-known/oauth-authorization-server?x=%20")

    fetched = await outbound.web.get(url, headers={"mcp-protocol-version": "2025-06-18"})

    assert (fetched.status, fetched.body, fetched.url) == (200, b'{"issuer":1}', url)
    assert fetched.headers["x-one"] == "a, b"
    [request] = upstream.requests
    assert (request.method, request.target) == ("GET", "/.well-known/oauth-authorization-server?x=%20")
    assert {name for name, _ in request.headers} == {
        b"host", b"user-agent", b"accept", b"accept-encoding", b"connection", b"mcp-protocol-version",
    }  # fmt: skip
    assert request.header(b"accept-encoding") == b"identity"


async def test_a_form_carries_secrets_and_everything_else_percent_encoded(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(response(b"{}")))
    secret = Secret("s&e=c r+e/t ü%")

    await outbound.web.post_form(
        upstream.url("/token"), {"grant_type": "refresh_token", "refresh_token": secret, "a&b": ""},
        headers={"authorization": Secret("Basic YTpi")},
    )  # fmt: skip

    [request] = upstream.requests
    assert parse_qs(request.body.decode(), keep_blank_values=True) == {
        "grant_type": ["refresh_token"], "refresh_token": ["s&e=c r+e/t ü%"], "a&b": [""],
    }  # fmt: skip
    assert request.header(b"content-type") == b"application/x-www-form-urlencoded"
    assert request.header(b"authorization") == b"Basic YTpi"
    assert request.target == "/token"


async def test_a_json_body_is_posted_as_it_is(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(response(b'{"client_id":"x"}', status="201 Created")))

    fetched = await outbound.web.post(upstream.url("/register"), body=b'{"a":1}', content_type="application/json")

    assert (fetched.status, upstream.requests[0].body) == (201, b'{"a":1}')
    assert upstream.requests[0].header(b"content-type") == b"application/json"


async def test_no_cookie_and_no_connection_survives_a_request(start: Start, outbound: Outbound) -> None:
    """One person's cookie must not go out with another's request."""
    upstream = await start(says(response(b"{}", headers=b"set-cookie: session=adas; path=/\r\n")))

    for _ in range(3):
        await outbound.web.get(upstream.url())

    assert upstream.connections == 3
    assert all(request.header(b"cookie") is None for request in upstream.requests)


async def test_an_error_status_is_an_answer(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(response(b'{"error":"invalid_grant"}', status="400 Bad Request")))

    fetched = await outbound.web.post_form(upstream.url(), {"grant_type": "x"})

    assert (fetched.status, fetched.body) == (400, b'{"error":"invalid_grant"}')


@pytest.mark.parametrize(
    "headers",
    [{"x": "a\r\nhost: evil"}, {"x\r\nhost": "evil"}, {"x y": "a"}, {"Host": "evil"}, {"content-length": "0"},
     {"cookie": "a=b"}, {"Transfer-Encoding": "chunked"}, {"connection": "keep-alive"}, {"accept-encoding": "gzip"},
     {"authorization": Secret("a\nb")}],
)  # fmt: skip
async def test_a_header_that_would_change_the_request_is_refused(
    headers: dict[str, str | Secret], start: Start, outbound: Outbound, egress: Egress
) -> None:
    upstream = await start(says(response(b"{}")))

    with pytest.raises(BadInput):
        await outbound.web.get(upstream.url(), headers=headers)

    assert egress.dialed == []


async def test_tls_is_checked_against_the_name(
    start: Start, outbound: Outbound, clock: FakeClock, authority: trustme.CA, ca_file: Path
) -> None:
    right = await start(says(response(b"{}")), name="service.test", tls=server_context(authority, "service.test"))
    wrong = await start(says(response(b"{}")), name="service.test", tls=server_context(authority, "other.test"))

    assert (await outbound.web.get(right.url())).status == 200
    shown = await outbound.web.look(right.url())
    assert shown is not None
    assert shown.issuer.startswith("trustme")
    assert shown.ends_at.year > 2000
    assert outbound.calls.issuer("conn_ada") == ""
    await outbound.calls.post(right.url(), (), b"{}", credential=None, pool="conn_ada")
    assert outbound.calls.issuer("conn_ada") == shown.issuer
    with pytest.raises(Unreachable, match="no valid certificate"):
        await outbound.web.look(wrong.url())
    with pytest.raises(Unreachable, match="no valid certificate"):
        await outbound.web.get(wrong.url())
    distrusting = open_outbound(AddressPolicy(LOOPBACK), clock, resolve=names(service_test=["127.0.0.1"]))
    with pytest.raises(Unreachable, match="no valid certificate"):
        await distrusting.web.get(right.url())


async def test_an_address_that_is_not_open_is_never_dialed(outbound: Outbound, egress: Egress) -> None:
    for text in (
        "http://169.254.169.254/latest/meta-data/", "https://10.0.0.1/", "http://[::ffff:10.0.0.1]/", "http://[::1]/",
        "http://127.0.0.2/", "http://93.184.216.34/", "https://93.184.216.34:8443/",
    ):  # fmt: skip
        with pytest.raises(AddressRefused):
            await outbound.web.get(parse_url(text))
        with pytest.raises(AddressRefused):
            await outbound.calls.post(parse_url(text), (), b"{}", credential=None, pool="p")

    assert egress.dialed == []


async def test_a_name_that_turned_private_is_refused_at_the_next_fetch(
    start: Start, clock: FakeClock, egress: Egress
) -> None:
    upstream = await start(says(response(b"{}")), host="127.0.0.2", name="service.example")
    answers = iter([["127.0.0.2"], ["127.0.0.1"]])

    async def resolve(_host: str, _port: int) -> list[str]:
        return next(answers)

    policy = AddressPolicy([ipaddress.ip_network("127.0.0.2/32")])
    outbound = open_outbound(policy, clock, resolve=resolve)
    await outbound.web.get(upstream.url())

    with pytest.raises(AddressRefused):
        await outbound.web.get(upstream.url())
    assert egress.dialed == [("127.0.0.2", upstream.port)]


async def test_limits_of_size_and_time_hold(start: Start, outbound: Outbound) -> None:
    giant = await start(endlessly(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4096))
    mute = await start(silence)

    with pytest.raises(TooLarge):
        await outbound.web.get(giant.url(), limits=QUICK)
    with pytest.raises(TimedOut) as caught:
        await outbound.web.get(mute.url(), limits=QUICK)
    assert caught.value.sent


async def test_silence_is_given_up_long_before_the_whole_time_is_over(start: Start, outbound: Outbound) -> None:
    loop = asyncio.get_running_loop()
    for answer in (silence, says(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")):
        upstream = await start(answer)
        began = loop.time()

        with pytest.raises(TimedOut):
            await outbound.web.get(upstream.url(), limits=dataclasses.replace(QUICK, total=60))

        assert loop.time() - began < 30


async def test_a_malformed_answer_is_not_quoted(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(b"HTTP/1.1 200 OK\r\nCANARY\0\r\n\r\n"))

    with pytest.raises(Exception, match="malformed") as caught:
        await outbound.web.get(upstream.url())

    assert "CANARY" not in repr(caught.value)
    assert caught.value.__cause__ is None


async def test_a_cancelled_fetch_hangs_up(start: Start, outbound: Outbound) -> None:
    arrived = asyncio.Event()

    async def hold(_request: Received, _writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await asyncio.Event().wait()

    upstream = await start(hold)
    fetching = asyncio.ensure_future(outbound.web.get(upstream.url()))
    await arrived.wait()
    fetching.cancel()

    with pytest.raises(asyncio.CancelledError):
        await fetching


async def test_many_fetches_at_once_do_not_wait_for_each_other(start: Start, outbound: Outbound) -> None:
    together = asyncio.Barrier(20)

    async def meet(_request: Received, writer: asyncio.StreamWriter) -> None:
        await together.wait()
        writer.write(response(b"{}"))

    upstream = await start(meet)

    fetched = await asyncio.gather(*(outbound.web.get(upstream.url()) for _ in range(20)))

    assert {one.status for one in fetched} == {200}
