"""Finding out which era a server is of, by what it answers to the first question."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import FakeClock
from valetkey.kernel.errors import OutboundFailed
from valetkey.kernel.secret import Credential
from valetkey.net.limits import Limits
from valetkey.net.model import Answer, BadAnswer, TimedOut, Unreachable, Url
from valetkey.net.url import parse_url
from valetkey.protocol.versions import Era
from valetkey.store.database import Database
from valetkey.upstream import repository
from valetkey.upstream.eras import MODERN_VERDICT, Eras
from valetkey.upstream.model import HttpFailed, Listing, Target, Verdict
from valetkey.upstream.pages import certified

URL = parse_url("https://mcp.example.com/mcp")
TARGET = Target(URL, "cn_1", "example")
LEGACY = Verdict(Era.LEGACY, "2025-11-25")


@dataclass
class Wire:
    """Answers what it is told to, instead of a server."""

    answers: list[Answer | OutboundFailed]
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def issuer(self, pool: str) -> str:
        return ""

    async def post(
        self, url: Url, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, credential: Credential | None,
        pool: str, limits: Limits, method: str = "POST",
    ) -> Answer:  # fmt: skip
        assert (url, pool, method) == (URL, "cn_1", "POST")
        self.bodies.append(json.loads(body))
        answer = self.answers.pop(0)
        if isinstance(answer, OutboundFailed):
            raise answer
        filled = answer.body.replace(b"ID", b"%d" % self.bodies[-1]["id"])
        return Answer(answer.status, answer.headers, answer.content_type, filled, None)


async def no_ticket() -> Credential | None:
    return None


def answer(body: bytes, status: int = 200, kind: bytes = b"application/json") -> Answer:
    return Answer(status, {}, kind, body, None)


def error(code: int, status: int, **data: Any) -> Answer:
    said = {"code": code, "message": "m", **({"data": data} if data else {})}
    return answer(b'{"jsonrpc":"2.0","id":ID,"error":%b}' % json.dumps(said).encode(), status)


def discovered(*versions: str) -> Answer:
    result = {"resultType": "complete", "supportedVersions": versions, "capabilities": {}}
    return answer(b'{"jsonrpc":"2.0","id":ID,"result":%b}' % json.dumps(result).encode())


async def asked(database: Database, clock: FakeClock, given: Answer | OutboundFailed) -> Verdict:
    return await Eras(database, Wire([given]), itertools.count(1), clock).get(TARGET, no_ticket)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (discovered("2026-07-28"), MODERN_VERDICT),
        (discovered("2025-11-25", "2026-07-28", "2027-01-01"), MODERN_VERDICT),
        (discovered("2025-11-25"), LEGACY),
        (answer(b'{"jsonrpc":"2.0","id":ID,"result":{"hello":1}}'), LEGACY),
        (answer(b"hello"), LEGACY),
        (answer(b"<p>hello</p>", kind=b"text/html"), LEGACY),
        (error(-32020, 400), MODERN_VERDICT),
        (error(-32021, 400), MODERN_VERDICT),
        (error(-32022, 400, supported=["2026-07-28"], requested="x"), MODERN_VERDICT),
        (error(-32022, 400, supported=["2025-11-25"]), LEGACY),
        (error(-32022, 400), LEGACY),
        (error(-32601, 404), LEGACY),
        (error(-32601, 200), LEGACY),
        (error(-32000, 400), LEGACY),
        (error(-32602, 400), LEGACY),
        (answer(b"", 404, b"text/plain"), LEGACY),
        (answer(b"", 405, b""), LEGACY),
        (answer(b"", 400, b""), LEGACY),
        (answer(b"", 415, b""), LEGACY),
    ],
)
async def test_each_answer_about_the_protocol_is_a_verdict(
    sqlite_database: Database, clock: FakeClock, given: Answer, verdict: Verdict
) -> None:
    assert await asked(sqlite_database, clock, given) == verdict


@pytest.mark.parametrize(
    "given",
    [
        *(answer(b"", status, b"text/plain") for status in (401, 403, 429, 500, 502, 503)),
        TimedOut("late"),
        Unreachable("down"),
        error(-32022, 400, supported=["2099-01-01"]),
    ],
)
async def test_everything_else_is_none(
    sqlite_database: Database, clock: FakeClock, given: Answer | OutboundFailed
) -> None:
    with pytest.raises((HttpFailed, TimedOut, Unreachable, BadAnswer)):
        await asked(sqlite_database, clock, given)

    assert await stored(sqlite_database) is None


async def stored(database: Database) -> Verdict | None:
    async with database.read() as tx:
        found = await repository.find_era(tx, URL.text)
    return found[0] if found is not None else None


async def test_a_verdict_survives_the_process(database: Database, clock: FakeClock) -> None:
    wire = Wire([discovered("2026-07-28")])
    await Eras(database, wire, itertools.count(1), clock).get(TARGET, no_ticket)

    later = Eras(database, Wire([]), itertools.count(1), clock)

    assert later.now(URL.text) is None
    assert await later.get(TARGET, no_ticket) == MODERN_VERDICT
    assert later.now(URL.text) == MODERN_VERDICT


async def test_a_legacy_verdict_is_kept_when_the_handshake_worked_and_asked_again_after_a_day(
    database: Database, clock: FakeClock
) -> None:
    """A server that learned the new revision still answers the old one: only asking finds out."""
    eras = Eras(database, Wire([error(-32601, 404)]), itertools.count(1), clock)
    assert await eras.get(TARGET, no_ticket) == LEGACY
    assert await stored(database) is None

    await eras.keep(TARGET, LEGACY)
    assert await stored(database) == LEGACY
    assert await Eras(database, Wire([]), itertools.count(1), clock).get(TARGET, no_ticket) == LEGACY

    clock.advance(24 * 3600 + 1)
    upgraded = Eras(database, Wire([discovered("2026-07-28")]), itertools.count(1), clock)
    assert await upgraded.get(TARGET, no_ticket) == MODERN_VERDICT
    assert await stored(database) == MODERN_VERDICT


async def test_a_hub_that_runs_for_long_asks_again_too_and_goes_on_with_what_still_holds(
    database: Database, clock: FakeClock
) -> None:
    wire = Wire([error(-32601, 404), error(-32601, 404), discovered("2026-07-28")])
    eras = Eras(database, wire, itertools.count(1), clock)
    await eras.keep(TARGET, await eras.get(TARGET, no_ticket))
    asked: list[int] = []

    for _ in range(2):
        clock.advance(24 * 3600 + 1)
        assert eras.now(URL.text) is None
        verdicts = [await eras.get(TARGET, no_ticket) for _ in range(3)]
        asked.append(len(wire.bodies))

    assert asked == [2, 3]
    assert verdicts == [MODERN_VERDICT] * 3


async def test_a_forgotten_verdict_is_forgotten_everywhere(database: Database, clock: FakeClock) -> None:
    eras = Eras(database, Wire([discovered("2026-07-28")]), itertools.count(1), clock)
    await eras.get(TARGET, no_ticket)

    await eras.forget(TARGET)

    assert eras.now(URL.text) is None
    assert await stored(database) is None


async def test_the_question_carries_our_own_envelope_and_nothing_else(
    sqlite_database: Database, clock: FakeClock
) -> None:
    wire = Wire([discovered("2026-07-28")])
    await Eras(sqlite_database, wire, itertools.count(1), clock).get(TARGET, no_ticket)

    [body] = wire.bodies
    assert body["method"] == "server/discover"
    assert set(body["params"]) == {"_meta"}
    assert body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] == {}
    assert body["params"]["_meta"]["io.modelcontextprotocol/clientInfo"]["name"] == "valetkey"


def test_who_issued_the_certificate_stands_beside_what_the_server_says_of_itself() -> None:
    """security.md 6.7. A server cannot say it of itself: of what it says, only what we know of is kept."""
    listed = Listing((), b'{"instructions":"Read."}', 0.0)

    assert certified(listed, "").server == listed.server
    assert json.loads(certified(listed, "A “CA”").server) == {"instructions": "Read.", "certificateIssuer": "A “CA”"}
