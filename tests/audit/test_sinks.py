"""Checkpoints reach every kind of sink; one that fails is tried again, told of once, and holds up nobody else."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.audit.conftest import intent
from tests.audit.signing import TestSigner
from tests.conftest import FakeClock
from valetkey.audit.checkpoint_repository import KeptCheckpoint
from valetkey.audit.checkpoints import EVERY, MOST_RECORDS, Checkpoints
from valetkey.audit.model import CallEnding, Everyone, Outcome
from valetkey.audit.note import read_note
from valetkey.audit.repository import insert_calls
from valetkey.audit.sinks import Means, Sink
from valetkey.audit.sinks.address import open_sinks, read_address
from valetkey.audit.sinks.git import commit
from valetkey.audit.sinks.s3 import sign
from valetkey.audit.trail import Trail
from valetkey.kernel.errors import BadInput, OutboundFailed, StartRefused
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.outbound import open_outbound
from valetkey.net.url import parse_url
from valetkey.store.database import Database
from valetkey.store.leases import Leases

SIGNER = TestSigner()


def checkpoint(number: int = 1) -> KeptCheckpoint:
    at = datetime(2026, 11, 22, 12, number, tzinfo=UTC)
    root = bytes([number]) * 32
    return KeptCheckpoint(number, at, number * 10, root, SIGNER.note(number * 10, root), str(SIGNER.verifier_key), None)


@pytest.fixture
async def means(clock: FakeClock) -> AsyncIterator[Means]:
    """The real way out, to this machine."""
    outbound = open_outbound(AddressPolicy((ip_network("127.0.0.1/32"),)), clock)
    parse = partial(parse_url, private_names=True)
    yield Means(web=outbound.web, streams=outbound.streams, clock=clock, parse_url=parse)
    await outbound.close()


def opened(address: str, means: Means) -> Sink:
    (sink,) = open_sinks([address], means, forbidden_below=Path("/nowhere"))
    return sink


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, status: int, content: bytes = b"", kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


# --- file -----------------------------------------------------------------------------------------------------------


async def test_a_file_sink_has_a_file_for_each_checkpoint_once(tmp_path: Path, means: Means) -> None:
    sink = opened(f"file://{tmp_path}", means)

    for one in (checkpoint(1), checkpoint(2), checkpoint(1)):
        await sink.send(one)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000001.checkpoint", "00000002.checkpoint"]
    assert (tmp_path / "00000001.checkpoint").read_text() == checkpoint(1).note


async def test_a_file_sink_never_writes_over_another_checkpoint(tmp_path: Path, means: Means) -> None:
    sink = opened(f"file://{tmp_path}", means)
    await sink.send(checkpoint(1))

    with pytest.raises(Exception, match="another checkpoint of that number"):
        await sink.send(replace(checkpoint(1), note=checkpoint(2).note))

    assert (tmp_path / "00000001.checkpoint").read_text() == checkpoint(1).note


async def test_a_sink_in_the_data_directory_is_refused(tmp_path: Path, means: Means) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")

    for inside in ("data", "data/deeper", "link"):
        with pytest.raises(StartRefused, match="lies in the data directory"):
            open_sinks([f"file://{tmp_path}/{inside}"], means, forbidden_below=tmp_path / "data")


# --- syslog ---------------------------------------------------------------------------------------------------------


async def test_syslog_gets_one_framed_line_with_the_note_in_it(means: Means) -> None:
    received = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await opened(f"syslog+tcp://127.0.0.1:{port}", means).send(checkpoint(3))
    server.close()

    length, _, line = (await received).decode().partition(" ")
    assert int(length) == len(line)
    assert "\n" not in line
    assert line.startswith(
        '<110>1 2026-11-22T12:03:00.000Z - valetkey - checkpoint [checkpoint@32473 number="3" size="30"'
    )
    assert json.loads(line.partition("] ")[2]) == checkpoint(3).note


async def test_a_syslog_that_is_not_there_is_a_failure(means: Means) -> None:
    with pytest.raises(OutboundFailed):
        await opened("syslog+tcp://127.0.0.1:1", means).send(checkpoint())


# --- S3 -------------------------------------------------------------------------------------------------------------


def test_a_request_is_signed_as_in_amazons_own_example() -> None:
    """ "PUT Object" in "Signature Calculations for the Authorization Header" of the S3 API reference."""
    headers = {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}

    signed = sign(
        "PUT",
        parse_url("https://examplebucket.s3.amazonaws.com/test%24file.text"),
        headers,
        b"Welcome to Amazon S3.",
        key_id="AKIAIOSFODNN7EXAMPLE",
        secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
        now=datetime(2013, 5, 24, tzinfo=UTC),
    )

    assert signed["authorization"].endswith(
        "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    )


def credentials(tmp_path: Path) -> Path:
    path = tmp_path / "credentials"
    path.write_text("AKIA-TEST s3cret\n")
    path.chmod(0o600)
    return path


async def test_an_object_is_put_locked_and_with_its_checksum(tmp_path: Path, means: Means) -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []

    class Bucket(Quiet):
        def do_PUT(self) -> None:
            seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, self.body()))
            self.answer(200)

    with serving(Bucket) as host:
        options = f"endpoint=http://{host}&credentials={credentials(tmp_path)}&days=30&region=eu-central-1"
        await opened(f"s3://bucket/trail?{options}", means).send(checkpoint(2))

    ((path, headers, body),) = seen
    assert (path, body) == ("/bucket/trail/00000002.checkpoint", checkpoint(2).note.encode())
    assert headers["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert headers["x-amz-object-lock-retain-until-date"] == "2026-12-22T12:00:00Z"
    assert "/20261122/eu-central-1/s3/aws4_request,SignedHeaders=content-type;host;" in headers["authorization"]
    assert len(base64.b64decode(headers["x-amz-checksum-sha256"])) == 32
    assert "s3cret" not in str(headers)


async def test_a_bucket_that_says_no_is_a_failure_and_credentials_open_to_others_are_not_used(
    tmp_path: Path, means: Means
) -> None:
    class Bucket(Quiet):
        def do_PUT(self) -> None:
            self.body()
            self.answer(403)

    path = credentials(tmp_path)
    with serving(Bucket) as host:
        sink = opened(f"s3://bucket?endpoint=http://{host}&credentials={path}", means)
        with pytest.raises(OutboundFailed, match="403"):
            await sink.send(checkpoint())
        path.chmod(0o644)
        with pytest.raises(BadInput, match="open to others"):
            await sink.send(checkpoint())


# --- git ------------------------------------------------------------------------------------------------------------


def git(repository: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["git", "-C", repository, *arguments], input=stdin, capture_output=True, check=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "trail.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
    return path


def git_server(repository: Path) -> type[BaseHTTPRequestHandler]:
    """Real git behind HTTP, as `git http-backend` is."""

    class Server(Quiet):
        def do_GET(self) -> None:
            refs = git(repository, "receive-pack", "--stateless-rpc", "--http-backend-info-refs", str(repository))
            self.answer(200, b"001f# service=git-receive-pack\n0000" + refs)

        def do_POST(self) -> None:
            done = git(repository, "receive-pack", "--stateless-rpc", str(repository), stdin=self.body())
            self.answer(200, done)

    return Server


def test_a_commit_is_one_that_git_itself_takes(repository: Path) -> None:
    made = commit(checkpoint(), "0" * 40)

    git(repository, "unpack-objects", "-q", stdin=made.pack)
    git(repository, "fsck", "--strict", made.id)

    assert git(repository, "show", f"{made.id}:checkpoint").decode() == checkpoint().note


async def test_each_checkpoint_is_a_commit_on_top_of_the_one_before(repository: Path, means: Means) -> None:
    with serving(git_server(repository)) as host:
        sink = opened(f"git+http://{host}/trail.git", means)
        for number in (1, 2, 3):
            await sink.send(checkpoint(number))

    assert git(repository, "log", "--format=%s", "main").decode().split("\n")[:3] == [
        "Checkpoint 3 over 30 records",
        "Checkpoint 2 over 20 records",
        "Checkpoint 1 over 10 records",
    ]
    assert git(repository, "show", "main~1:checkpoint").decode() == checkpoint(2).note


async def test_a_push_that_is_declined_is_a_failure(repository: Path, means: Means) -> None:
    hook = repository / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    with serving(git_server(repository)) as host, pytest.raises(OutboundFailed, match="did not take"):
        await opened(f"git+http://{host}/trail.git", means).send(checkpoint())


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "", "ftp://x", "file:relative", "file://host/x", "s3://bucket", "s3://?credentials=x",
        "s3://b?credentials=x&days=x", "s3://b?credentials=x&lock=maybe",
        "git+https://user:pw@host/x", "git+https://host/x?branch=../x", "syslog://",
        "syslog://user@host", "git+https://ho st/x",
    ],
)  # fmt: skip
async def test_an_address_that_cannot_be_refuses_the_start(address: str, means: Means) -> None:
    with pytest.raises(StartRefused, match="--trail-sink"):
        open_sinks([address], means, forbidden_below=Path("/nowhere"))


def test_the_name_of_a_sink_tells_no_option() -> None:
    assert read_address("s3://bucket/x?credentials=/etc/secret&region=eu").name == "s3://bucket/x"


# --- delivering -----------------------------------------------------------------------------------------------------


class Flaky:
    """A sink that works when it is told to."""

    def __init__(self, name: str, *, works: bool = True) -> None:
        self.name, self.works = name, works
        self.has: list[int] = []
        self.tries = 0

    async def send(self, checkpoint: KeptCheckpoint) -> None:
        self.tries += 1
        if not self.works:
            raise OutboundFailed("It is down.")
        self.has.append(checkpoint.number)


async def checkpoints_to(database: Database, clock: FakeClock, *sinks: Sink) -> tuple[Checkpoints, Trail]:
    trail = Trail(database, clock)
    leases = Leases(database, clock=clock)
    made = Checkpoints(
        database, clock=clock, leases=leases, trail=trail, signer=SIGNER, watch=TestSigner(), sinks=sinks
    )
    return made, trail


async def test_a_sink_that_was_down_gets_all_it_missed_in_order_and_holds_up_nobody(
    database: Database, clock: FakeClock
) -> None:
    good, bad = Flaky("good"), Flaky("bad", works=False)
    checkpoints, trail = await checkpoints_to(database, clock, bad, good)
    for _ in range(3):
        await trail.write("token.created", actor="system")
        await checkpoints.make()
        await checkpoints.deliver()
        clock.advance(1000)
    assert (good.has, checkpoints.state) == ([1, 2, 3], "sink_failing")

    bad.works = True
    await checkpoints.deliver()

    assert (bad.has, checkpoints.state) == ([1, 2, 3], "signed")
    events = [event.event for event in await trail.list(Everyone()) if event.event.startswith("trail.")]
    assert events == ["trail.sink_recovered", "trail.sink_failing"]


async def test_a_sink_that_is_down_is_not_hammered(sqlite_database: Database, clock: FakeClock) -> None:
    bad = Flaky("bad", works=False)
    checkpoints, trail = await checkpoints_to(sqlite_database, clock, bad)
    await trail.write("token.created", actor="system")
    await checkpoints.make()

    for _ in range(360):
        await checkpoints.deliver()
        clock.advance(10)

    assert 6 <= bad.tries <= 14


async def test_what_a_sink_has_is_known_after_a_restart(sqlite_database: Database, clock: FakeClock) -> None:
    sink = Flaky("sink")
    checkpoints, trail = await checkpoints_to(sqlite_database, clock, sink)
    await trail.write("token.created", actor="system")
    await checkpoints.make()
    await checkpoints.deliver()

    again, _ = await checkpoints_to(sqlite_database, clock, sink)
    await again.deliver()

    assert sink.has == [1]


async def test_a_checkpoint_is_due_after_a_minute_or_a_thousand_records_and_not_when_nothing_happened(
    sqlite_database: Database, clock: FakeClock
) -> None:
    checkpoints, trail = await checkpoints_to(sqlite_database, clock)

    async def sizes() -> list[int]:
        await checkpoints._round()
        return [one.size for one in await checkpoints.list()][::-1]

    assert await sizes() == []
    await trail.write("token.created", actor="system")
    assert await sizes() == [1]
    await trail.write("token.created", actor="system")
    assert await sizes() == [1]
    clock.advance(EVERY.total_seconds())
    assert await sizes() == [1, 2]
    clock.advance(EVERY.total_seconds())
    assert await sizes() == [1, 2]
    calls = [intent(clock) for _ in range(MOST_RECORDS)]
    async with sqlite_database.write() as tx:
        await insert_calls(tx, [(call, CallEnding(id=call.id, outcome=Outcome.OK)) for call in calls])
    assert await sizes() == [1, 2, 1002]


async def test_what_is_delivered_is_the_signed_note(
    sqlite_database: Database, clock: FakeClock, tmp_path: Path, means: Means
) -> None:
    checkpoints, trail = await checkpoints_to(sqlite_database, clock, opened(f"file://{tmp_path}", means))
    await trail.write("token.created", actor="system")
    made = await checkpoints.make()
    await checkpoints.deliver()

    note = read_note((tmp_path / "00000001.checkpoint").read_text())
    assert SIGNER.verifier_key.has_signed(note)
    assert (note.checkpoint.size, note.checkpoint.root) == (made.size, made.root)
