"""The dialer in a process of its own: what may be said to it, and what becomes of a ticket there."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.conftest import FakeClock
from tests.net.conftest import LOOPBACK, Start, names, server_context
from tests.net.servers import Upstream, response, says
from valetkey.beside.frames import HEAD, frame
from valetkey.kernel.clock import SystemClock
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.beside.dialing import DialerBeside
from valetkey.net.beside.hold import Hold
from valetkey.net.beside.said import DATA, DIAL, HAND, KEY, LINE, NAME_SIZE, TICKET, VOID, WORD, Dial, encode
from valetkey.net.beside.serving import Serving
from valetkey.net.dialer import Dialer
from valetkey.net.limits import TOKEN
from valetkey.net.model import AddressRefused, Answer, Unreachable
from valetkey.net.outbound import Outbound, outbound_by
from valetkey.net.url import parse_url
from valetkey.vault.boxes import TicketOpener, TicketSeal
from valetkey.vault.envelope import new_key, seal, take_apart
from valetkey.vault.model import BEARER, Binding, TicketSpent
from valetkey.vault.tickets import Gate, Opened, Ticket

WORKER, VAULT = b"w" * 32, b"v" * 32


@dataclass
class Split:
    """A dialer that listens, a worker's way out through it, and the vault's seal."""

    path: Path
    out: Outbound
    seal: TicketSeal
    clock: FakeClock
    dialing: DialerBeside
    hold: Hold | None = None

    async def reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.path))

    async def new_key(self) -> None:
        if self.hold is not None:
            self.hold.transport.close()
        self.hold = await DialerBeside(self.path, WORKER, clock=SystemClock()).hold(VAULT)
        self.seal.new_key(self.hold.leave)

    def ticket(
        self, origin: str, *, subject: str = "conn_ada", seconds: float = 60.0, token: str = "adas-token"
    ) -> bytes:
        binding = Binding(tenant="org", person="ada", subject=subject, purpose="access_token", origin=origin)
        key = new_key()
        sealed = take_apart(seal(key, token.encode(), binding.associated_data(1)))
        opened = Opened(binding, 1, AESGCM(key), sealed, gate=Gate(), until=1e18)
        ticket = Ticket(((BEARER, opened),), origin=origin, call_id="call_1", until=1e18, clock=self.clock)
        return self.seal.seal(ticket, subject=subject, seconds=seconds)


class Carried:
    """A sealed ticket, as a worker carries it."""

    def __init__(self, origin: str, ticket: bytes) -> None:
        self.origin = origin
        self._line = LINE + base64.b64encode(ticket) + b"\r\n"
        self.size = len(self._line)

    def write_into(self, buffer: memoryview) -> None:
        buffer[:] = self._line

    def masked(self, data: bytes) -> bytes:
        return data

    @property
    def longest(self) -> int:
        return 0


@pytest.fixture
async def split(clock: FakeClock, ca_file: Path) -> AsyncIterator[Split]:
    dialer = Dialer(AddressPolicy(LOOPBACK), clock=clock, resolve=names(service_test=["127.0.0.1"]), ca_file=ca_file)
    serving = Serving(dialer, TicketOpener(clock), worker_word=WORKER, vault_word=VAULT)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "dialer.sock"
        await serving.listen(path)
        dialing = DialerBeside(path, WORKER, clock=SystemClock())
        out = outbound_by(dialing, clock)
        one = Split(path, out, TicketSeal(clock), clock, dialing)
        await one.new_key()
        yield one
        await out.close()
        await serving.close()
        await asyncio.sleep(0.01)  # the other ends of those connections hear of it


def void(split: Split, subject: str) -> None:
    assert split.hold is not None
    split.hold.void(subject)


async def call(split: Split, upstream: Upstream, ticket: bytes | None) -> Answer:
    carried = Carried(upstream.url().origin, ticket) if ticket is not None else None
    return await split.out.calls.post(upstream.url(), (), b"{}", credential=carried, pool="conn_ada", limits=TOKEN)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_ticket_becomes_the_credential_in_the_dialer_and_nowhere_before(
    split: Split, start: Start, authority: trustme.CA, tls: bool
) -> None:
    context = server_context(authority, "service.test") if tls else None
    upstream = await start(says(response(b'{"ok":1}')), name="service.test", tls=context)

    answers = [await call(split, upstream, split.ticket(upstream.url().origin)) for _ in range(3)]

    assert [answer.body for answer in answers] == [b'{"ok":1}'] * 3
    assert [request.header(b"authorization") for request in upstream.requests] == [b"Bearer adas-token"] * 3
    assert [request.header(b"valetkey-ticket") for request in upstream.requests] == [None] * 3
    assert upstream.connections == 1
    assert split.out.calls.issuer("conn_ada").startswith("trustme" if tls else "")
    assert bool(split.out.calls.issuer("conn_ada")) is tls


async def test_everything_else_goes_the_same_way_and_tls_is_spoken_there(
    split: Split, start: Start, authority: trustme.CA
) -> None:
    upstream = await start(
        says(response(b'{"ok":1}')), name="service.test", tls=server_context(authority, "service.test")
    )

    fetched = await split.out.web.get(upstream.url())
    shown = await split.out.web.look(upstream.url())

    assert fetched.body == b'{"ok":1}'
    assert shown is not None
    assert (shown.tls_version, shown.issuer[:8]) == ("TLSv1.3", "trustme ")


async def test_a_ticket_is_good_once(split: Split, start: Start) -> None:
    upstream = await start(says(response(b"{}")))
    ticket = split.ticket(upstream.url().origin)
    await call(split, upstream, ticket)

    with pytest.raises(Unreachable, match="used already") as caught:
        await call(split, upstream, ticket)

    assert not caught.value.sent
    assert len(upstream.requests) == 1


async def test_a_ticket_with_any_byte_changed_or_cut_off_is_none(split: Split, start: Start) -> None:
    """Nothing in it is read before it is known to be the vault's: text that is no text, for one, does no harm."""
    upstream = await start(says(response(b"{}")))
    ticket = split.ticket(upstream.url().origin)
    changed = [ticket[:at] + bytes([ticket[at] ^ 0xFF]) + ticket[at + 1 :] for at in range(0, len(ticket), 3)]

    for forged in [*changed, *(ticket[:length] for length in (1, 3, 4, 6, 20, len(ticket) - 1)), ticket + b"x"]:
        with pytest.raises(Unreachable, match=r"not made for this dialer|no ticket"):
            await call(split, upstream, forged)

    assert upstream.requests == []
    assert await call(split, upstream, ticket)


async def test_a_ticket_goes_to_its_own_origin_only(split: Split, start: Start) -> None:
    upstream, other = await start(says(response(b"{}"))), await start(says(response(b"{}")))

    with pytest.raises(Unreachable, match="another origin"):
        await call(split, other, split.ticket(upstream.url().origin))

    assert other.requests == []


async def test_a_ticket_ends_with_its_time_its_connection_and_its_key(split: Split, start: Start) -> None:
    upstream = await start(says(response(b"{}")))
    origin = upstream.url().origin
    late, ended, of_another_start = split.ticket(origin, seconds=5), split.ticket(origin), split.ticket(origin)
    void(split, "conn_ada")
    await call(split, upstream, None)  # by then the dialer has heard

    with pytest.raises(Unreachable, match="connection has ended"):
        await call(split, upstream, ended)
    split.clock.advance(6)
    with pytest.raises(Unreachable, match="expired"):
        await call(split, upstream, late)
    await split.new_key()
    await call(split, upstream, None)
    with pytest.raises(Unreachable, match="not made for this dialer"):
        await call(split, upstream, of_another_start)
    with pytest.raises(Unreachable, match="not made for this dialer"):
        await call(split, upstream, split.ticket(origin)[:-1] + b"x")

    assert [request.header(b"authorization") for request in upstream.requests] == [None, None]


async def test_a_sealed_vault_voids_every_ticket_that_is_out(split: Split, start: Start) -> None:
    upstream = await start(says(response(b"{}")))
    ticket = split.ticket(upstream.url().origin)
    void(split, "")
    await call(split, upstream, None)

    with pytest.raises(Unreachable, match="cancelled"):
        await call(split, upstream, ticket)


async def test_the_address_policy_is_the_dialers(split: Split) -> None:
    with pytest.raises(AddressRefused, match="not a public address"):
        await split.out.web.get(parse_url("https://10.0.0.1/"))


def dial(upstream: Upstream) -> bytearray:
    url = upstream.url()
    return frame(WORD, WORKER) + frame(DIAL, encode(Dial(url.scheme, url.host, url.port, 5.0, False)))


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        frame(WORD, b"x" * 32),
        frame(DIAL, encode(Dial("http", "127.0.0.1", 80, 5.0, False))),
        frame(WORD, WORKER) + frame(KEY, b"k" * 32),
        frame(WORD, WORKER) + frame(VOID),
        frame(WORD, WORKER) + frame(HAND, b"n" * NAME_SIZE + b"ticket"),
        frame(WORD, WORKER) + frame(DATA, b"early"),
        frame(WORD, WORKER) + frame(TICKET, b"early"),
        frame(WORD, WORKER) + frame(99),
        frame(WORD, WORKER) + frame(DIAL, b"\xc1"),
        frame(WORD, WORKER) + frame(DIAL, encode(Dial("http", "~~~~~", 80, 5.0, False)).replace(b"~", b"\xbd")),
        frame(WORD, WORKER) + frame(DIAL, encode(Dial("http", "127.0.0.1", 80, 1e9, False))),
        frame(WORD, WORKER) + HEAD.pack(64 * 1024 + 1, DATA),
        frame(WORD, WORKER) + HEAD.pack(0xFFFFFFFF, DIAL),
    ],
    ids=[
        "no frames", "another word", "no word", "a key from a worker", "a cancellation from a worker",
        "a worker that hands over",
        "data too early",
        "a ticket too early", "an unknown kind", "no dial", "no text", "a dial for ever", "too long", "far too long",
    ],
)  # fmt: skip
async def test_who_says_something_else_than_we_would_is_hung_up_on(split: Split, said: bytes) -> None:
    reader, writer = await split.reach()
    writer.write(said)

    async with asyncio.timeout(5):
        with_nothing_said = await reader.read() if said[:3] != b"GET" else b""

    assert with_nothing_said == b""
    writer.close()


@pytest.mark.parametrize(
    "request_head",
    [b"", b"POST / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1", b"PUT / HTTP/1.1\r\n", b"x-more: 1\r\n"],
    ids=["nothing before", "after a head", "in a line", "another method", "no request"],
)
async def test_a_ticket_stands_only_in_the_head_of_a_request_of_ours(
    split: Split, start: Start, request_head: bytes
) -> None:
    """Else who took over a worker could have the credential said where a service repeats it, in a body say."""
    upstream = await start(says(response(b"{}")))
    reader, writer = await split.reach()
    writer.write(dial(upstream))
    await reader.readexactly(HEAD.size)

    writer.write(frame(DATA, request_head) + frame(TICKET, split.ticket(upstream.url().origin)) + frame(DATA, b"\r\n"))
    async with asyncio.timeout(5):
        said = await reader.read()

    assert b"adas-token" not in said
    assert upstream.requests == []
    writer.close()


@pytest.mark.parametrize("comes", ["before", "after"])
async def test_the_vault_hands_a_ticket_over_and_the_request_waits_for_it_whole(
    split: Split, start: Start, comes: str
) -> None:
    upstream = await start(says(response(b"{}")))
    assert split.hold is not None
    name, ticket = b"n" * NAME_SIZE, split.ticket(upstream.url().origin)
    if comes == "before":
        split.hold.hand(name, ticket)
        await call(split, upstream, None)  # by then the dialer has it

    calling = asyncio.create_task(
        split.out.calls.post(
            upstream.url(), (), b"x" * 40_000, credential=Carried(upstream.url().origin, name), pool="p", limits=TOKEN
        )
    )
    if comes == "after":
        await call(split, upstream, None)
        assert all(request.header(b"authorization") is None for request in upstream.requests)
        split.hold.hand(name, ticket)
    await calling

    [got] = [request for request in upstream.requests if request.header(b"authorization")]
    assert (got.header(b"authorization"), got.body) == (b"Bearer adas-token", b"x" * 40_000)


async def test_a_name_is_good_once_and_only_what_the_vault_gives_under_it(split: Split, start: Start) -> None:
    upstream, other = await start(says(response(b"{}"))), await start(says(response(b"{}")))
    brought: list[bytes] = []

    async def bring(name: bytes) -> bytes:
        brought.append(name)
        raise TicketSpent("Nobody promised that.")

    split.dialing.bring = bring
    assert split.hold is not None
    names = [bytes([number]) * NAME_SIZE for number in range(3)]
    split.hold.hand(names[0], split.ticket(upstream.url().origin))
    split.hold.hand(names[1], b"")
    split.hold.hand(names[2], split.ticket(other.url().origin))
    await call(split, upstream, names[0])

    with pytest.raises(TicketSpent, match="Nobody promised"):
        await call(split, upstream, names[1])
    with pytest.raises(Unreachable, match="another origin"):
        await call(split, upstream, names[2])
    with pytest.raises(TicketSpent, match="Nobody promised"):  # after two seconds in which the vault might hand it over
        await call(split, upstream, names[0])

    assert brought == [names[1], names[0]]
    assert [request.header(b"authorization") for request in upstream.requests] == [b"Bearer adas-token"]


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED") or os.geteuid() != 0, reason="becomes another user")
async def test_another_users_process_is_hung_up_on_whatever_it_knows(split: Split, start: Start) -> None:
    upstream = await start(says(response(b"{}")))
    split.path.parent.chmod(0o755)
    split.path.chmod(0o666)
    program = "import socket,sys,os;os.setuid(65534);s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);" \
              "s.sendall(bytes.fromhex(sys.argv[2]));sys.exit(len(s.recv(99)))"  # fmt: skip

    child = await asyncio.create_subprocess_exec("python3", "-c", program, str(split.path), dial(upstream).hex())

    assert await child.wait() in (0, 1)  # nothing was said to it; or the connection was reset under its hands
    assert upstream.connections == 0
