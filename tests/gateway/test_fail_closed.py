"""T15, S-09 (c): without a durable intent no credential leaves and no call is made, whatever failed: disk, database,
writer."""

from __future__ import annotations

import asyncio
import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.conftest import FakeClock
from tests.gateway.client import Client
from tests.gateway.conftest import Hub
from tests.gateway.service import Service
from valetkey.audit.calls import CallLog
from valetkey.audit.journal import Journal, read_frames
from valetkey.audit.model import CallEnding, CallIntent, OfPerson
from valetkey.audit.repository import CallRecords
from valetkey.identity.model import Person

FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_decoder: msgspec.msgpack.Decoder[CallIntent | CallEnding] = msgspec.msgpack.Decoder(CallIntent | CallEnding)


class Disk:
    """The room on the disk, in place of `posix_fallocate`: none is left, or it fails, when `fault` says so."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.fault = 0
        self.refused = 0
        journal._reserve = self.reserve

    def reserve(self, descriptor: int, at: int, length: int) -> None:
        if self.fault:
            self.refused += 1
            raise OSError(self.fault, os.strerror(self.fault))
        os.posix_fallocate(descriptor, at, length)

    def fail(self, fault: int) -> None:
        """From now on; and what room was reserved so far is used up."""
        self.fault = fault
        assert self._journal._active is not None
        self._journal._active.reserved = 0


@pytest.fixture
def disk(hub: Hub) -> Disk:
    return Disk(hub.call_log._journal)


@pytest.fixture
async def ada(hub: Hub, modern: Service) -> Person:
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")
    return ada


@pytest.fixture
async def client(hub: Hub, ada: Person, modern: Service) -> Client:
    """Everything is warm: nothing but the record stands between the call and the credential."""
    client = await hub.client(ada, modern)
    assert (await client.call("echo", {"text": "warm"})).text
    return client


def calls_seen(service: Service) -> int:
    return sum(seen.body.find(b'"tools/call"') >= 0 for seen in service.seen)


def intents(journal: Path) -> Iterator[str]:
    """The ids of all calls that the journal could bring back."""
    for path in journal.glob("*.journal"):
        for frame in read_frames(path.read_bytes())[0]:
            value = _decoder.decode(frame)
            if isinstance(value, CallIntent) and value.method == "tools/call":
                yield value.id


@pytest.mark.parametrize("fault", FAULTS, ids=errno.errorcode.get)
async def test_a_call_whose_intent_the_disk_does_not_take_is_not_made(
    client: Client, disk: Disk, modern: Service, fault: int
) -> None:
    before = len(modern.seen)

    for _ in range(5):
        disk.fail(fault)
        got = await client.call("echo", {"text": "x"})
        assert "journal cannot be written" in str(got.messages or got.raw)

    assert disk.refused >= 5
    assert len(modern.seen) == before
    disk.fault = 0
    assert (await client.call("echo", {"text": "again"})).text


async def test_a_call_is_not_made_once_the_disk_does_not_keep_what_it_took(
    hub: Hub, client: Client, modern: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An fsync that failed may have dropped pages: that file is not trusted again, and there is no other."""
    journal = hub.call_log._journal

    def fails(_descriptor: int) -> None:
        raise OSError(errno.EIO, "the disk failed")

    monkeypatch.setattr(os, "fdatasync", fails)
    before = calls_seen(modern)
    await client.call("echo", {"text": "the fsync of this one fails"})
    await asyncio.to_thread(journal._sync)
    (tmp_path / "journal").rename(tmp_path / "elsewhere")

    got = await client.call("echo", {"text": "x"})

    assert "journal cannot be written" in str(got.messages or got.raw)
    assert calls_seen(modern) == before + 1
    (tmp_path / "elsewhere").rename(tmp_path / "journal")


async def test_with_the_database_down_every_call_that_is_made_is_in_the_journal(
    hub: Hub, ada: Person, client: Client, modern: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await hub.call_log.flush()
    before, known = calls_seen(modern), len(await hub.records(ada))

    def down() -> None:
        raise OSError(errno.EIO, "the database does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(hub.call_log._database, "write", down)
        for _ in range(5):
            await client.call("echo", {"text": "x"})
        await asyncio.sleep(0.1)  # the writer tries, and fails
        made = calls_seen(modern) - before
        assert made == 5
        assert len(set(intents(tmp_path / "journal"))) >= made

    await asyncio.sleep(0)
    assert len(await hub.records(ada)) == known + made


async def test_with_its_writer_killed_no_call_is_lost(
    hub: Hub, ada: Person, client: Client, modern: Service, tmp_path: Path, clock: FakeClock
) -> None:
    await hub.call_log.flush()
    known, before = len(await hub.records(ada)), calls_seen(modern)
    assert hub.call_log._writer is not None
    hub.call_log._writer.cancel()
    await asyncio.sleep(0)

    for _ in range(5):
        await client.call("echo", {"text": "x"})

    made = calls_seen(modern) - before
    assert len(set(intents(tmp_path / "journal"))) >= made == 5
    hub.call_log._writer = None
    await hub.call_log.stop()
    again = CallLog(hub.database, tmp_path / "journal", clock)
    await again.start()
    assert len(await CallRecords(hub.database).list(OfPerson(ada.id), limit=200)) >= known + made
    await again.stop()


@pytest.mark.parametrize("seed", range(3))
async def test_of_calls_on_a_disk_that_fails_now_and_then_each_that_was_made_has_its_record(
    hub: Hub, ada: Person, client: Client, disk: Disk, modern: Service, seed: int
) -> None:
    chance = random.Random(seed)
    before, known = calls_seen(modern), len(await hub.records(ada))
    answered = 0

    for _ in range(30):
        disk.fail(chance.choice([0, 0, *FAULTS]))
        got = await client.call("echo", {"text": "x"})
        answered += bool(got.messages) and "result" in got.messages[-1] and not got.result.get("isError")
    disk.fault = 0

    made = calls_seen(modern) - before
    assert 0 < made < 30
    assert made == answered
    assert len(await hub.records(ada)) - known == made
