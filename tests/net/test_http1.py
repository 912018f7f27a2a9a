"""The client of the call path."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from tests.conftest import FakeClock
from tests.net.conftest import Start, Ticket
from tests.net.egress_hook import Egress
from tests.net.servers import JSON, Received, Upstream, endlessly, response, says, silence, until
from valetkey.kernel.errors import BadInput, VaultFailed
from valetkey.net.http1 import CallClient
from valetkey.net.limits import CALL, Limits
from valetkey.net.model import AddressRefused, Answer, TimedOut, TooLarge, Unreachable
from valetkey.net.outbound import Outbound

HEADERS = ((b"content-type", b"application/json"), (b"accept", b"application/json, text/event-stream"))
QUICK = Limits(connect=2, first_byte=0.1, idle=0.1, total=2)
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def ask(
    outbound: Outbound,
    upstream: Upstream,
    *,
    ticket: Ticket | None = None,
    pool: str = "conn_ada",
    body: bytes = b"{}",
    limits: Limits = CALL,
) -> Answer:
    return await outbound.calls.post(upstream.url(), HEADERS, body, credential=ticket, pool=pool, limits=limits)


async def test_a_call_carries_the_fixed_headers_the_body_and_the_ticket(
    start: Start, outbound: Outbound, egress: Egress
) -> None:
    upstream = await start(says(response(b'{"ok":1}', headers=b"Content-Type: Application/JSON; charset=utf-8\r\n")))

    answer = await ask(outbound, upstream, ticket=Ticket(upstream.url().origin), body=b'{"x":"\xc3\xbc"}')

    assert (answer.status, answer.content_type, answer.body) == (200, b"application/json", b'{"ok":1}')
    assert answer.stream is None
    [request] = upstream.requests
    assert (request.method, request.target, request.body) == ("POST", "/mcp", b'{"x":"\xc3\xbc"}')
    assert [name for name, _ in request.headers] == [
        b"host", b"user-agent", b"accept-encoding", b"content-type", b"accept", b"content-length", b"authorization",
    ]  # fmt: skip
    assert request.header(b"host") == f"127.0.0.1:{upstream.port}".encode()
    assert request.header(b"authorization") == b"Bearer adas-token"
    assert request.header(b"accept-encoding") == b"identity"


async def test_without_a_credential_no_authorization_is_sent(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(response(b"{}")))

    await ask(outbound, upstream)

    assert upstream.requests[0].header(b"authorization") is None


async def test_get_and_delete_carry_no_body(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(response(b"", status="405 Method Not Allowed")))

    for method in ("GET", "DELETE"):
        answer = await outbound.calls.post(upstream.url(), (), b"", credential=None, pool="p", method=method)
        assert answer.status == 405

    assert [request.method for request in upstream.requests] == ["GET", "DELETE"]
    assert b"content-length" not in upstream.requests[0].raw_head


async def test_a_large_body_arrives_whole(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(response(b"{}")))
    body = bytes(range(256)) * 40_000

    await ask(outbound, upstream, ticket=Ticket(upstream.url().origin), body=body)

    assert upstream.requests[0].body == body
    assert upstream.requests[0].header(b"authorization") == b"Bearer adas-token"


async def test_error_statuses_are_answers_with_their_headers(start: Start, outbound: Outbound) -> None:
    challenge = b"WWW-Authenticate: Bearer a\r\nwww-authenticate: DPoP b\r\n"
    upstream = await start(says(response(b"no", status="401 Unauthorized", headers=challenge)))

    answer = await ask(outbound, upstream)

    assert (answer.status, answer.body) == (401, b"no")
    assert answer.headers[b"www-authenticate"] == b"Bearer a, DPoP b"


# -- tickets --------------------------------------------------------------------------------------------------------


async def test_what_stands_around_a_headers_value_is_no_part_of_it(start: Start, outbound: Outbound) -> None:
    """RFC 9110 5.5."""
    spaced = b"Content-Type:\t application/json \t\r\nMcp-Session-Id: one two \t \r\nX-Empty: \t \r\n"
    upstream = await start(says(response(b"{}", headers=spaced)))

    answer = await ask(outbound, upstream)

    assert answer.content_type == b"application/json"
    assert answer.headers[b"mcp-session-id"] == b"one two"
    assert answer.headers[b"x-empty"] == b""


async def test_a_ticket_for_another_origin_is_refused_before_anything_is_dialed(
    start: Start, outbound: Outbound, egress: Egress
) -> None:
    upstream = await start(says(response(b"{}")))
    for origin in ("https://127.0.0.1", f"https://127.0.0.1:{upstream.port}", f"http://localhost:{upstream.port}", ""):
        ticket = Ticket(origin)

        with pytest.raises(AddressRefused):
            await ask(outbound, upstream, ticket=ticket)
        assert ticket.written == 0

    assert egress.dialed == []


async def test_a_ticket_is_written_once_and_its_second_use_sends_nothing(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(response(b"{}")))
    ticket = Ticket(upstream.url().origin)

    await ask(outbound, upstream, ticket=ticket)
    with pytest.raises(VaultFailed):
        await ask(outbound, upstream, ticket=ticket)
    await ask(outbound, upstream, ticket=Ticket(upstream.url().origin))

    assert len(upstream.requests) == 2
    assert upstream.connections == 1


@pytest.mark.parametrize(
    "token", ["x\r\nhost: evil", "x\r\n\r\nGET / HTTP/1.1", "x\ny: z", "x\rz"], ids=["header", "request", "lf", "cr"]
)
async def test_a_token_with_line_breaks_cannot_add_headers_or_requests(
    start: Start, outbound: Outbound, token: str
) -> None:
    upstream = await start(says(response(b"{}")))

    if token == "x\r\nhost: evil":  # several whole lines are what a header credential may be
        await ask(outbound, upstream, ticket=Ticket(upstream.url().origin, "x\r\nx-more: y"))
        return
    with pytest.raises(BadInput) as caught:
        await ask(outbound, upstream, ticket=Ticket(upstream.url().origin, token))

    assert token not in str(caught.value)
    assert upstream.requests == []


# -- what callers may not do ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\nhost: evil"), (b"x", b"a\nb"), (b"x", b"a\rb"), (b"x", b"a\0b"), (b"x y", b"a"), (b"", b"a"),
        (b"x:", b"a"), (b"x\r\nhost", b"a"), (b"Host", b"evil"), (b"content-length", b"0"),
        (b"Transfer-Encoding", b"chunked"),
        (b"connection", b"close"), (b"authorization", b"Bearer x"), (b"cookie", b"a=b"), (b"accept-encoding", b"gzip"),
        (b"upgrade", b"h2c"), (b"expect", b"100-continue"), (b"te", b"trailers"), (b"Proxy-Authorization", b"x"),
    ],
)  # fmt: skip
async def test_a_header_that_would_change_the_request_is_refused(
    start: Start, outbound: Outbound, header: tuple[bytes, bytes], egress: Egress
) -> None:
    upstream = await start(says(response(b"{}")))

    with pytest.raises(BadInput):
        await outbound.calls.post(upstream.url(), (header,), b"{}", credential=None, pool="p")

    assert egress.dialed == []


async def test_other_methods_are_refused(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(response(b"{}")))

    with pytest.raises(BadInput):
        await outbound.calls.post(upstream.url(), (), b"", credential=None, pool="p", method="PUT / HTTP/1.1\r\n")


# -- pooling --------------------------------------------------------------------------------------------------------


async def test_a_connection_is_used_again_within_a_pool_and_never_shared_between_pools(
    start: Start, outbound: Outbound
) -> None:
    upstream = await start(says(response(b"{}")))

    for pool in ("ada", "bob", "ada", "bob", "ada", "cyn"):
        await ask(outbound, upstream, pool=pool)

    assert [request.connection for request in upstream.requests] == [1, 2, 1, 2, 1, 3]


async def test_a_pool_never_uses_a_connection_to_another_origin(start: Start, outbound: Outbound) -> None:
    one, other = await start(says(response(b"1"))), await start(says(response(b"2")))

    bodies = [(await ask(outbound, upstream)).body for upstream in (one, other, one, other)]

    assert bodies == [b"1", b"2", b"1", b"2"]
    assert (one.connections, other.connections) == (1, 1)


async def test_concurrent_calls_get_their_own_answers(start: Start, outbound: Outbound) -> None:
    async def echo(request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0)
        writer.write(response(request.body + (request.header(b"authorization") or b"")))

    upstream = await start(echo)

    async def one(number: int) -> None:
        pool, token = f"conn_{number % 7}", f"token-{number}"
        ticket = Ticket(upstream.url().origin, token)
        answer = await ask(outbound, upstream, ticket=ticket, pool=pool, body=str(number).encode())
        assert answer.body == f"{number}Bearer {token}".encode()

    await asyncio.gather(*(one(number) for number in range(300)))

    users: dict[int, set[int]] = {}
    for request in upstream.requests:
        users.setdefault(request.connection, set()).add(int(request.body) % 7)
    assert all(len(pools) == 1 for pools in users.values())


async def test_an_idle_connection_is_dropped_after_a_minute(start: Start, outbound: Outbound, clock: FakeClock) -> None:
    upstream = await start(says(response(b"{}")))
    await ask(outbound, upstream)

    clock.advance(59)
    await ask(outbound, upstream)
    clock.advance(61)
    await ask(outbound, upstream)

    assert upstream.connections == 2


async def test_a_servers_own_keep_alive_limit_is_kept(start: Start, outbound: Outbound, clock: FakeClock) -> None:
    upstream = await start(says(response(b"{}", headers=b"keep-alive: timeout=5, max=100\r\n")))
    await ask(outbound, upstream)

    clock.advance(4.5)
    await ask(outbound, upstream)

    assert upstream.connections == 2


async def test_even_a_busy_connection_is_dialed_anew_now_and_then(
    start: Start, outbound: Outbound, clock: FakeClock
) -> None:
    upstream = await start(says(response(b"{}")))

    for _ in range(30):
        await ask(outbound, upstream)
        clock.advance(30)

    assert upstream.connections == 2


async def test_a_connection_the_server_closed_while_idle_is_replaced(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(response(b"{}")))
    await ask(outbound, upstream)
    upstream.writers[0].transport.abort()
    await until(lambda: not outbound.calls._wires)

    await ask(outbound, upstream)

    assert upstream.connections == 2


async def test_a_reset_that_is_noticed_at_the_first_byte_is_retried_on_a_fresh_connection(
    start: Start, outbound: Outbound
) -> None:
    """Nothing was accepted, so nothing can run twice; the ticket is not asked again."""
    upstream = await start(says(response(b"{}")))
    await ask(outbound, upstream)
    [wire] = outbound.calls._wires
    wire.transport.get_extra_info("socket")._sock.shutdown(1)  # the next send fails at once, unknown to the loop

    ticket = Ticket(upstream.url().origin)
    answer = await ask(outbound, upstream, ticket=ticket)

    assert answer.status == 200
    assert ticket.written == 1
    assert (upstream.connections, len(upstream.requests)) == (2, 2)


async def test_a_call_whose_bytes_were_sent_is_never_sent_again(start: Start, outbound: Outbound) -> None:
    once = iter([says(response(b"{}")), says(then_close=True)])
    upstream = await start(lambda request, writer: next(once)(request, writer))
    await ask(outbound, upstream)

    with pytest.raises(Unreachable) as caught:
        await ask(outbound, upstream)

    assert caught.value.sent
    assert len(upstream.requests) == 2


async def test_bytes_nobody_asked_for_end_an_idle_connection(start: Start, outbound: Outbound) -> None:
    """Else a server could park an answer there, to be taken for the answer to the next call."""
    upstream = await start(says(response(b'"real"')))
    await ask(outbound, upstream)
    upstream.writers[0].write(response(b'"forged"'))
    await until(lambda: not outbound.calls._wires)

    answer = await ask(outbound, upstream)

    assert answer.body == b'"real"'
    assert upstream.connections == 2


@pytest.mark.parametrize("extra", [response(b'"forged"'), b"HTTP/1.1 200", b"rubbish", b"H", b"\0"])
async def test_bytes_after_an_answer_are_never_the_next_answer(start: Start, outbound: Outbound, extra: bytes) -> None:
    upstream = await start(says(response(b'"real"') + extra))

    answers = [await ask(outbound, upstream) for _ in range(3)]

    assert [answer.body for answer in answers] == [b'"real"'] * 3
    assert upstream.connections == 3


async def test_connection_close_is_obeyed(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(response(b"{}", headers=b"Connection: close\r\n")))

    await ask(outbound, upstream)
    await ask(outbound, upstream)

    assert upstream.connections == 2


async def test_closing_a_pool_ends_its_calls_and_no_others(start: Start, outbound: Outbound) -> None:
    arrived = asyncio.Semaphore(0)

    async def hold(request: Received, writer: asyncio.StreamWriter) -> None:
        arrived.release()
        if request.body == b"ada":
            await asyncio.Event().wait()
        writer.write(response(b"{}"))

    upstream = await start(hold)
    ada = asyncio.ensure_future(ask(outbound, upstream, pool="ada", body=b"ada"))
    await arrived.acquire()
    await ask(outbound, upstream, pool="bob")

    outbound.calls.close_pool("ada")

    with pytest.raises(Unreachable):
        await ada
    await ask(outbound, upstream, pool="bob")
    assert upstream.connections == 2


async def test_what_is_remembered_is_what_is_open(start: Start, outbound: Outbound) -> None:
    """A hub with a hundred thousand people keeps nothing for those who are not calling."""
    upstream = await start(says(response(b"{}", headers=b"Connection: close\r\n")))

    for number in range(50):
        await ask(outbound, upstream, pool=f"conn_{number}")
    await until(lambda: not outbound.calls._wires)

    assert not outbound.calls._wires
    assert not outbound.calls._lanes
    assert not outbound.calls._routes


async def test_room_is_made_among_resting_connections(start: Start, outbound: Outbound, clock: FakeClock) -> None:
    upstream = await start(says(response(b"{}")))
    small = CallClient(outbound.calls._dialer, clock=clock, max_connections=4)

    for number in range(20):
        await small.post(upstream.url(), HEADERS, b"{}", credential=None, pool=f"conn_{number}")
        await asyncio.sleep(0)
        assert len(small._wires) <= 5

    await small.close()


# -- time and cancellation ------------------------------------------------------------------------------------------


async def test_a_server_that_never_answers_is_given_up(start: Start, outbound: Outbound) -> None:
    upstream = await start(silence)

    with pytest.raises(TimedOut) as caught:
        await ask(outbound, upstream, limits=QUICK)

    assert caught.value.sent


async def test_deadlines_hold_on_a_connection_that_was_used_before(start: Start, outbound: Outbound) -> None:
    """The timer is armed for the first call; the second has a deadline of its own."""
    once = iter([says(response(b"{}")), silence])
    upstream = await start(lambda request, writer: next(once)(request, writer))
    await ask(outbound, upstream, limits=dataclasses.replace(QUICK, first_byte=60, total=60))
    began = asyncio.get_running_loop().time()

    with pytest.raises(TimedOut):
        await ask(outbound, upstream, limits=QUICK)

    assert asyncio.get_running_loop().time() - began < 30


async def test_a_cancelled_call_hangs_up(start: Start, outbound: Outbound) -> None:
    upstream = await start(silence)
    call = asyncio.ensure_future(ask(outbound, upstream))
    await until(lambda: len(upstream.requests) == 1)
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call

    await until(lambda: not outbound.calls._wires)


# -- streams --------------------------------------------------------------------------------------------------------


async def test_an_event_stream_is_handed_on_piece_by_piece_and_its_connection_is_used_again(
    start: Start, outbound: Outbound
) -> None:
    more = asyncio.Event()

    async def stream(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + chunk(b"data: 1\n\n"))
        await more.wait()
        writer.write(chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    upstream = await start(stream)
    answer = await ask(outbound, upstream)
    assert answer.stream is not None
    assert (answer.content_type, answer.body) == (b"text/event-stream", b"")

    first = await anext(answer.stream)
    more.set()
    rest = [piece async for piece in answer.stream]
    await ask(outbound, upstream)

    assert (first, rest) == (b"data: 1\n\n", [b"data: 2\n\n"])
    assert upstream.connections == 1


async def test_a_stream_closed_early_takes_its_connection_along(start: Start, outbound: Outbound) -> None:
    upstream = await start(endlessly(SSE, chunk(b": ping\n\n")))
    answer = await ask(outbound, upstream)
    assert answer.stream is not None

    await anext(answer.stream)
    await answer.aclose()
    await answer.aclose()
    await asyncio.sleep(0)

    assert not outbound.calls._wires


async def test_a_slow_reader_stops_the_server_instead_of_filling_memory(start: Start, outbound: Outbound) -> None:
    upstream = await start(endlessly(SSE, chunk(b"x" * 65536)))
    answer = await ask(outbound, upstream)
    assert answer.stream is not None
    await anext(answer.stream)
    for _ in range(200):
        await asyncio.sleep(0)  # every chance for the server to send more

    waiting = answer.stream._waiting_bytes  # type: ignore[attr-defined]  # how much memory is held is the question

    assert 0 < waiting < 1024 * 1024
    await answer.aclose()


async def test_a_stream_has_limits_in_bytes_and_in_silence(start: Start, outbound: Outbound) -> None:
    endless = await start(endlessly(SSE, chunk(b": ping\n\n" * 1000)))
    silent = await start(says(SSE + chunk(b"data: 1\n\n")))

    for upstream, error in ((endless, TooLarge), (silent, TimedOut)):
        answer = await ask(outbound, upstream, limits=dataclasses.replace(QUICK, max_stream=100_000))
        assert answer.stream is not None
        with pytest.raises(error):
            async for _ in answer.stream:
                pass


async def test_a_stream_without_a_length_ends_with_its_connection(start: Start, outbound: Outbound) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    upstream = await start(says(head, b"data: 1\n\n", then_close=True))

    answer = await ask(outbound, upstream)

    assert answer.stream is not None
    assert b"".join([piece async for piece in answer.stream]) == b"data: 1\n\n"


async def test_a_stream_that_breaks_says_so_after_what_had_come(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(SSE + chunk(b"data: 1\n\n"), then_close=True))
    answer = await ask(outbound, upstream)
    assert answer.stream is not None

    assert await anext(answer.stream) == b"data: 1\n\n"
    with pytest.raises(Unreachable) as caught:
        await anext(answer.stream)
    assert caught.value.sent


async def test_an_error_status_with_the_type_of_a_stream_is_read_whole(start: Start, outbound: Outbound) -> None:
    upstream = await start(says(response(b"nope", status="500 Oops", headers=b"content-type: text/event-stream\r\n")))

    answer = await ask(outbound, upstream)

    assert (answer.status, answer.body, answer.stream) == (500, b"nope", None)


async def test_interim_answers_are_passed_over(start: Start, outbound: Outbound) -> None:
    hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\ncontent-encoding: gzip\r\n\r\n"
    upstream = await start(says(hints + response(b"{}", headers=JSON)))

    answer = await ask(outbound, upstream)

    assert (answer.status, answer.body) == (200, b"{}")
    assert b"link" not in answer.headers
